"""`tritonkit drift`: a profile of a model's traffic, and samples compared with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.collecting import (
    Collected,
    read_labels,
    recorded,
    recorded_outputs,
)
from tritonkit.client.commands.drift_text import described, findings
from tritonkit.client.commands.progress import show
from tritonkit.client.commands.row_file import open_rows
from tritonkit.client.drift.check import check as compared
from tritonkit.client.drift.profile import WINDOW, Profile
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["drift"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def drift() -> None:
    """Profile a model's traffic, and compare with it."""


@drift.command()
@click.argument("model")
@click.option(
    "--url",
    default="http://localhost:8000",
    show_default=True,
    help="The server; grpc:// works as well.",
)
@click.option(
    "--inputs",
    required=True,
    type=_FILE,
    metavar="FILE",
    help="Rows as they came, in their order: .txt, .jsonl, .npz or .npy.",
)
@click.option(
    "--outputs",
    type=_FILE,
    metavar="FILE",
    help="What the model answered, in an .npz or .jsonl; then no server is asked.",
)
@click.option(
    "--labels",
    type=_FILE,
    metavar="FILE",
    help="The right class of each row: .npy, or one in each line.",
)
@click.option("--heavy", metavar="MODEL", help="A better model; how often both agree is kept.")
@click.option(
    "--classes",
    metavar="NAME",
    help="The output with classes along its last axis; found where it is probabilities.",
)
@click.option(
    "--input", "input_name", metavar="NAME", help="Where the file names none; the only one."
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=WINDOW,
    show_default=True,
    help="Rows of the smallest window.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Rows a request, up to the model's max_batch_size.",
)
@click.option(
    "-o",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the profile goes.",
)
def profile(
    model: str,
    url: str,
    inputs: Path,
    outputs: Path | None,
    labels: Path | None,
    heavy: str | None,
    classes: str | None,
    input_name: str | None,
    window: int,
    batch: int,
    path: Path,
) -> None:
    """
    Make a profile of MODEL from a sample of its traffic.

    The model answers the rows, unless --outputs has its answers. 100 rows at least;
    5,000 see changes a few times smaller.

        tritonkit drift profile intent --inputs texts.txt --labels labels.txt -o intent.drift
    """
    if outputs is not None:
        if heavy is not None:
            raise ConfigError("--heavy asks a server, and --outputs asks none; leave one out.")
        answers: Tensors = recorded_outputs(outputs)
        sample, better, by_row = recorded(inputs, input_name), None, True
    else:
        sample, answers, better, by_row = asyncio.run(
            _asked(url, model, heavy, inputs, input_name, batch)
        )
    better_classes = None
    if better is not None:
        name = classes or _only_shared(answers, better)
        better_classes = better.get(name)
    made = Profile.of(
        model,
        sample,
        answers,
        classes=classes,
        labels=None if labels is None else read_labels(labels),
        better=better_classes,
        by_row=by_row,
        window=window,
    )
    made.save(path)
    click.echo(described(made, path))


@drift.command()
@click.argument("profile", type=_FILE)
@click.option(
    "--inputs",
    required=True,
    type=_FILE,
    metavar="FILE",
    help="Rows to compare: .txt, .jsonl, .npz or .npy.",
)
@click.option("--outputs", type=_FILE, metavar="FILE", help="What the model answered to them.")
@click.option("--labels", type=_FILE, metavar="FILE", help="The right class of each row.")
@click.option(
    "--input", "input_name", metavar="NAME", help="Where the file names none; the only one."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    profile: Path,
    inputs: Path,
    outputs: Path | None,
    labels: Path | None,
    input_name: str | None,
    as_json: bool,
) -> None:
    """
    Compare a sample with PROFILE; asks no server.

    Exits with 1 where anything has drifted:

        tritonkit drift check intent.drift --inputs today.txt
    """
    reference = Profile.load(profile)
    known = list(
        dict.fromkeys(it.feature.tensor for it in reference.watched if it.feature.side == "input")
    )
    found = compared(
        reference,
        recorded(inputs, input_name, texts=known),
        None if outputs is None else recorded_outputs(outputs),
        labels=None if labels is None else read_labels(labels),
    )
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False))
    else:
        click.echo(findings(found))
    click.get_current_context().exit(int(found.drifted))


async def _asked(
    url: str, model: str, heavy: str | None, inputs: Path, input_name: str | None, batch: int
) -> tuple[Tensors, Tensors, Tensors | None, bool]:
    """Inputs, outputs, those of the better model, and whether requests are of rows."""
    async with AsyncClient(url) as client:
        found: list[Collected] = []
        for name in filter(None, (model, heavy)):
            signature = await client.signature(name)
            rows = open_rows(inputs, signature, input_name)
            collected = Collected(client, signature, batch=batch)
            async for done in collected.run(rows):
                show(f"{name}: {done} of {len(rows)} rows")
            if not len(rows):
                raise ConfigError(f"{inputs} has no row.")
            found.append(collected)
        show("")
    better = found[1].outputs() if heavy else None
    return found[0].inputs(), found[0].outputs(), better, found[0].by_row


def _only_shared(outputs: Tensors, better: Tensors) -> str:
    shared = sorted(outputs.keys() & better.keys())
    if len(shared) != 1:
        raise ConfigError(f"both models answer {shared}: name one with --classes.")
    return shared[0]
