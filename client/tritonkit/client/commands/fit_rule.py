"""`tritonkit fit-rule`: learn which requests are dear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.comparison import Comparison
from tritonkit.client.commands.progress import show
from tritonkit.client.commands.row_file import join_values, open_rows
from tritonkit.client.conversion import as_given
from tritonkit.client.layers.tiers.confidence import Confidence
from tritonkit.client.layers.tiers.held_out import HeldOut, held_out
from tritonkit.client.layers.tiers.learned_rule import LearnedRule
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError
from tritonkit.options import SHARE

__all__ = ["fit_rule"]


@click.command("fit-rule")
@click.option(
    "--samples",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rows like those that will be asked: .jsonl with a label in each; for two models any "
    "of .txt, .jsonl, .npz or .npy.",
)
@click.option(
    "--label",
    default="dear",
    show_default=True,
    metavar="KEY",
    help="In each line: true or 1 where the row needs the large model.",
)
@click.option("--fast", metavar="MODEL", help="With --accurate, in place of labels:")
@click.option(
    "--accurate", metavar="MODEL", help="rows are dear where the classes of the two differ."
)
@click.option(
    "--url", default="http://localhost:8000", show_default=True, help="The server of the models."
)
@click.option(
    "--input", "input_name", metavar="NAME", help="Where the file names none; the only one."
)
@click.option("--output-name", metavar="NAME", help="Has the classes; the only one.")
@click.option(
    "--threshold",
    type=SHARE,
    default="50%",
    show_default=True,
    help="A row is dear from this probability on; lower where a wrong answer is worse.",
)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The rule, as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fit_rule(
    samples: Path,
    label: str,
    fast: str | None,
    accurate: str | None,
    url: str,
    input_name: str | None,
    output_name: str | None,
    threshold: float,
    output: Path,
    as_json: bool,
) -> None:
    """
    Learn which requests are dear, for `ByCost`.

    From labelled rows, or from two models' answers, which need no labels:

        tritonkit fit-rule --samples labelled.jsonl -o rule.json

        tritonkit fit-rule --samples texts.txt --fast intent_int8 --accurate intent -o rule.json
    """
    if (fast is None) != (accurate is None):
        raise click.UsageError("--fast and --accurate go together.")
    inputs: Tensors
    dear: Sequence[bool]
    if fast is None or accurate is None:
        inputs, dear = _labelled(samples, label)
    else:
        inputs, dear = asyncio.run(
            _compared(url, (fast, accurate), samples, input_name, output_name)
        )
    rule = LearnedRule.fit(inputs, dear, threshold=threshold)
    found = held_out(inputs, dear, threshold=threshold)
    rule.save(output)
    click.echo(_as_json(rule, found) if as_json else _text(rule, found, dear, output))


def _labelled(path: Path, label: str) -> tuple[Tensors, list[bool]]:
    rows: list[dict[str, Any]] = []
    labels: list[bool] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{place}: is not JSON: {error}") from error
        given = row.pop(label, None) if isinstance(row, dict) else None
        if given not in (True, False) or not row:
            raise ConfigError(f"{place}: must have inputs, and {label!r} that is true or false.")
        if rows and rows[0].keys() != row.keys():
            raise ConfigError(f"{place}: must have the inputs {sorted(rows[0])}, as those before.")
        rows.append(row)
        labels.append(bool(given))
    if not rows:
        raise ConfigError(f"{path} has no row.")
    return as_given({name: [row[name] for row in rows] for name in rows[0]}), labels


async def _compared(
    url: str, models: tuple[str, str], path: Path, name: str | None, output: str | None
) -> tuple[Tensors, Sequence[bool]]:
    async with AsyncClient(url) as client:
        signatures = [await client.signature(model) for model in models]
        scored = Confidence("max_probability", output)
        comparison = Comparison(client, signatures[0], signatures[1], scored, batch=32)
        rows = open_rows(path, signatures[0], name)
        if not len(rows):
            raise ConfigError(f"{path} has no row.")
        async for done in comparison.run(rows):
            show(f"{models[0]} and {models[1]}: {done} of {len(rows)} rows")
        show("")
        _, agreeing = comparison.result()
        return as_given(join_values(list(rows))), np.logical_not(agreeing).tolist()


def _text(rule: LearnedRule, found: HeldOut | None, dear: Sequence[bool], path: Path) -> str:
    lines = [f"{len(dear)} samples, {sum(dear)} of them dear."]
    if found is None:
        lines.append("Too few to hold some out: how good the rule is is not known.")
    else:
        lines.append(
            f"Of rows that it was not learned from it sends {found.sent / found.rows:.1%} to the "
            f"large model, and {found.caught / found.dear:.1%} of those that are dear; "
            f"at random it would be {found.sent / found.rows:.1%} of them."
        )
    lines.append(f'To use it: ByCost(LearnedRule("{path}"))')
    return "\n".join(lines)


def _as_json(rule: LearnedRule, found: HeldOut | None) -> str:
    told = None if found is None else {name: getattr(found, name) for name in found.__slots__}
    return json.dumps(
        {
            "bias": rule.bias,
            "weights": rule.weights,
            "threshold": rule.threshold,
            "held_out": told,
        }
    )
