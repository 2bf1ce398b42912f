"""
Fraud detection: from boosted trees to a measured service, on this machine.

Draws card payments at random, one in a hundred of them a fraud, fits a
scikit-learn pipeline that ends in XGBoost's trees, exports it, serves it on the
embedded tritonserver, and asks with columns of texts and numbers, as a payment
has them. Then it measures what batches gain. Run it with `make fraud`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import uvloop
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.compose import ColumnTransformer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.session import Plan, measure_model
from tritonkit.client import Client
from tritonkit.errors import TritonkitError
from tritonkit.export import Samples, ScikitLearn, ServingOptions, export_model
from tritonkit.server import EmbeddedServer

MODEL = "fraud"
SEED = 0
PAYMENTS = 60_000
TESTED = 20_000
JUDGED = 2_000
BATCH = 512
CATEGORIES = ("groceries", "fuel", "restaurant", "travel", "electronics", "jewellery")
RISK = dict(zip(CATEGORIES, (0.0, 0.1, 0.0, 0.8, 1.4, 1.9), strict=True))
CALLERS = (
    ("1 caller, a payment a request", Point(load=Closed(1))),
    ("32 callers, a payment a request", Point(load=Closed(32))),
    ("1 caller, 32 payments a request", Point(load=Closed(1), batch_size=32)),
    (f"1 caller, {BATCH} payments a request", Point(load=Closed(1), batch_size=BATCH)),
    (f"4 callers, {BATCH} payments a request", Point(load=Closed(4), batch_size=BATCH)),
)
PLAN = Plan(duration=3.0, warmup=1.0)


def main() -> int:
    """Fit, export, serve, ask, measure; the exit code."""
    console = Console(highlight=False)
    payments, fraud = draw(PAYMENTS, np.random.default_rng(SEED))
    train, test = slice(TESTED, None), slice(TESTED)
    console.print(
        f"1/4 fit: {PAYMENTS - TESTED:,} payments, {fraud[train].mean():.1%} of them fraud"
    )
    model = fit(payments[train], fraud[train])
    try:
        with tempfile.TemporaryDirectory() as folder:
            repository = Path(folder) / "model_repository"
            console.print("2/4 export: the pipeline, judged by payments that it has not seen")
            export_model(
                ScikitLearn(model, name=MODEL),
                repository,
                name=MODEL,
                variants=("fp32",),
                samples=samples(payments[:JUDGED], fraud[:JUDGED]),
                options=ServingOptions(max_batch_size=BATCH),
                progress=lambda line: console.print(f"  {line}", soft_wrap=True),
            )
            console.print("3/4 serve: a real tritonserver, no container, no GPU")
            with EmbeddedServer(repository) as server:
                compare(console, model, server.http_url, payments[test], fraud[test])
                console.print(f"4/4 measure: {len(CALLERS)} ways of asking")
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    measured = runner.run(load(server.http_url, columns(payments[test])))
        show(console, measured)
    except TritonkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def draw(count: int, generator: np.random.Generator) -> tuple[pandas.DataFrame, NDArray[np.int64]]:
    """
    Payments, and which of them are frauds.

    Returns:
        A row a payment: category, amount in euros, hour of the day, distance from home in
        kilometres, payments of the last hour, and the age of the account in days, which is
        missing for one in twenty; and 1 for a fraud, shape (count,).
    """
    category = generator.choice(CATEGORIES, count, p=(0.4, 0.15, 0.25, 0.08, 0.09, 0.03))
    amount = generator.lognormal(3.3, 1.0, count)
    hour = generator.integers(0, 24, count)
    distance = generator.gamma(1.2, 15.0, count)
    recent = generator.poisson(0.4, count)
    age = generator.gamma(2.0, 400.0, count)
    night = (hour < 6).astype(float)
    score = (
        np.array([RISK[name] for name in category])
        + 0.9 * np.log(amount / 27)
        + 1.6 * night
        + 0.03 * distance
        + 0.9 * recent
        - 0.002 * age
        + 1.2 * night * (distance > 40)
        + generator.logistic(0, 1.0, count)
    )
    fraud = score > np.quantile(score, 0.99)
    known = np.where(generator.random(count) < 0.05, np.nan, age)
    payments = pandas.DataFrame(
        {
            "category": category.astype(object),
            "amount": amount,
            "hour": hour,
            "distance": distance,
            "recent": recent,
            "age": known,
        }
    )
    return payments.astype({"category": object}), fraud.astype(np.int64)


def fit(payments: pandas.DataFrame, fraud: NDArray[np.int64]) -> Pipeline:
    """Categories encoded, then boosted trees."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    trees = XGBClassifier(
        n_estimators=300, max_depth=5, learning_rate=0.08, subsample=0.8, random_state=SEED
    )
    columns = ColumnTransformer([("category", encoder, ["category"])], remainder="passthrough")
    return Pipeline([("columns", columns), ("trees", trees)]).fit(payments, fraud)


def columns(payments: pandas.DataFrame) -> dict[str, NDArray[Any]]:
    """*payments* as the served model takes them: by column, shape (payments, 1)."""
    numbers = payments.drop(columns="category").astype(np.float32)
    return {
        "category": payments[["category"]].to_numpy(object),
        **{name: numbers[[name]].to_numpy() for name in numbers},
    }


def samples(payments: pandas.DataFrame, fraud: NDArray[np.int64]) -> Samples:
    """What export judges the graph by."""
    known = {name: payments[name].to_numpy() for name in payments}
    return Samples(known, f"generated, seed {SEED}", labels=fraud)


def compare(
    console: Console, model: Pipeline, url: str, payments: pandas.DataFrame, fraud: NDArray[Any]
) -> None:
    """Print how well the pipeline and the served model tell frauds, and how far they differ."""
    own = model.predict_proba(payments)[:, 1]
    inputs = columns(payments)
    with Client(url) as client:
        answers = [
            client.infer(MODEL, {name: rows[at : at + BATCH] for name, rows in inputs.items()})
            for at in range(0, len(payments), BATCH)
        ]
    served = np.concatenate([answer["probabilities"][:, 1] for answer in answers])
    console.print(
        f"  AUC on {len(payments):,} payments: {roc_auc_score(fraud, own):.4f} in Python, "
        f"{roc_auc_score(fraud, served):.4f} served; probabilities differ by at most "
        f"{np.abs(own - served).max():.1e}",
        soft_wrap=True,
    )
    first = int(served.argmax())
    payment = ", ".join(f"{name} {value}" for name, value in payments.iloc[first].items())
    console.print(f"  most suspicious ({served[first]:.0%}): {payment}", soft_wrap=True)


async def load(url: str, inputs: dict[str, NDArray[Any]]) -> list[Measurement]:
    """Each way of asking, under load, with real payments."""
    return await measure_model(
        url,
        MODEL,
        [point for _, point in CALLERS],
        PLAN,
        inputs=InputChoice(inputs=ModelInputs(values=inputs), distinct=32),
        progress=Progress(sys.stderr),
    )


def show(console: Console, measured: Sequence[Measurement]) -> None:
    """Print the table, each rate beside its ratio to the first."""
    table = Table(title="\nPayments a second, of one run on this machine", title_justify="left")
    for name in ("", "payments/s", "gain", "half within", "99 of 100 within"):
        table.add_column(name, justify="right" if name else "left")
    alone = measured[0].inferences_per_second
    for (label, _), run in zip(CALLERS, measured, strict=True):
        times = [f"{run.latency.percentiles_us[p] / 1000:.2f} ms" for p in (50, 99)]
        rate = run.inferences_per_second
        table.add_row(label, f"{rate:,.0f}", f"{rate / alone:.1f}x", *times)
    console.print(table)
    failed = sum(run.failed for run in measured)
    if failed:
        raise TritonkitError(f"{failed} requests failed during the measurement.")


if __name__ == "__main__":
    sys.exit(main())
