"""`tritonkit infer`: one request from the command line."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.client import Client
from tritonkit.client.commands.named_value import (
    STDIN,
    parse_json,
    parse_named_value,
    read_stdin,
    split_named,
)
from tritonkit.client.commands.table import table
from tritonkit.client.commands.verdict import exit_code, verdict_json, verdict_text
from tritonkit.client.jobs.board import Board
from tritonkit.client.policy.policy import load_policy
from tritonkit.client.probing.probe import TOLERANCE, RowIndependence, probe_row_independence
from tritonkit.client.signature import Signature
from tritonkit.client.stack import Layer, Transport
from tritonkit.client.types import InferResponse
from tritonkit.errors import ConfigError
from tritonkit.options import DURATION

__all__ = ["infer"]


@click.command()
@click.argument("model")
@click.argument("text", nargs=-1)
@click.option(
    "--url",
    default="http://localhost:8000",
    show_default=True,
    help="The server; grpc:// works as well.",
)
@click.option(
    "--policy",
    type=click.Path(),
    metavar="FILE",
    help="The server and the layers of a policy file, in place of --url.",
)
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input: JSON, @file.npy, @file.json, or - for JSON from standard input.",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="One row of the model's only text input; - reads a row from each line of standard input.",
)
@click.option("--output", "-o", "outputs", multiple=True, metavar="NAME", help="Default: all.")
@click.option(
    "--parameter",
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=JSON",
    help="A request parameter.",
)
@click.option("--version", default="", metavar="N", help="Model version; the server's choice.")
@click.option(
    "--timeout", type=DURATION, default="60s", show_default=True, help="For everything together."
)
@click.option(
    "--probe",
    is_flag=True,
    help="Find out whether a row's answer depends on the other rows of its batch. Exits with 0 "
    "where it does not, 1 where it does, 2 where that cannot be asked.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=TOLERANCE,
    show_default=True,
    help="For --probe: of floats, absolute plus relative to the row's largest value.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON with every value; null for NaN and infinity.",
)
def infer(
    model: str,
    text: tuple[str, ...],
    url: str,
    policy: str | None,
    inputs: tuple[str, ...],
    texts: tuple[str, ...],
    outputs: tuple[str, ...],
    parameters: tuple[str, ...],
    version: str,
    timeout: float,
    probe: bool,
    tolerance: float,
    as_json: bool,
) -> None:
    """
    Send one inference request to MODEL and print its outputs.

    TEXT is one row each of a model that takes text only:

        tritonkit infer minilm "hello" "world"

        tritonkit infer dense --input 'x=[[1, 2, 3]]' --input y=@y.npy

    With --probe, the rows are sent alone and in many batches, and compared:

        tritonkit infer minilm --probe --text - < sentences.txt
    """
    values = dict(map(parse_named_value, inputs))
    settings = {name: parse_json(value, name) for name, value in map(split_named, parameters)}
    rows = [row for item in text + texts for row in _rows(item)]
    deadline = monotonic() + timeout
    server, layers, jobs = _stack(url, policy)
    with Client(server, layers, jobs=jobs) as client:
        signature = client.signature(model, version, timeout=timeout)
        if rows:
            values[_text_input(signature, values)] = rows
        options: dict[str, Any] = {
            "outputs": outputs or None,
            "version": version,
            "parameters": settings,
            "timeout": max(deadline - monotonic(), 1e-6),
        }
        if not probe:
            response = client.infer(model, values, **options)
            click.echo(_as_json(response, signature) if as_json else _as_table(response, signature))
            return
    # What layers keep or join says nothing about the model.
    server, *_ = _stack(url, policy)
    found = asyncio.run(_probe(server, model, values, tolerance=tolerance, **options))
    click.echo(verdict_json(found) if as_json else verdict_text(found))
    click.get_current_context().exit(exit_code(found))


def _stack(url: str, policy: str | None) -> tuple[str | Transport, Sequence[Layer], Board | None]:
    if policy is None:
        return url, (), None
    source = click.get_current_context().get_parameter_source("url")
    if source is not click.core.ParameterSource.DEFAULT:
        raise ConfigError("--url and --policy both name a server: leave one out.")
    loaded = load_policy(policy)
    return *loaded.build(), loaded.jobs()


async def _probe(
    server: str | Transport, model: str, values: Mapping[str, Any], **options: Any
) -> RowIndependence:
    async with AsyncClient(server) as client:
        return await probe_row_independence(client, model, values, **options)


def _rows(text: str) -> Iterator[str]:
    if text == STDIN:
        yield from (line.rstrip("\r\n") for line in io.StringIO(read_stdin()))
    else:
        yield text


def _text_input(signature: Signature, given: Mapping[str, Any]) -> str:
    names: Sequence[str] = [
        spec.name
        for spec in signature.inputs.values()
        if spec.datatype == "BYTES" and spec.name not in given
    ]
    if len(names) != 1:
        raise ConfigError(
            f"text needs a model with one text input, but {signature.model!r} has "
            f"{', '.join(names) or 'none'}; name it: --input {(*names, 'NAME')[0]}='[\"hello\"]'"
        )
    return names[0]


def _as_json(response: InferResponse, signature: Signature) -> str:
    outputs = {
        name: {
            "datatype": signature.outputs[name].datatype,
            "shape": list(array.shape),
            "data": _finite(_readable(array)).tolist(),
        }
        for name, array in response.items()
    }
    return json.dumps(
        {"model": response.model, "version": response.version, "outputs": outputs},
        ensure_ascii=False,
        allow_nan=False,
    )


def _as_table(response: InferResponse, signature: Signature) -> str:
    rows = [("output", "datatype", "shape", "values")]
    for name, array in response.items():
        shape = "x".join(map(str, array.shape)) or "scalar"
        rows.append((name, signature.outputs[name].datatype, shape, _abbreviated(array)))
    return table(rows)


def _abbreviated(array: NDArray[Any], width: int = 60) -> str:
    """The first values, as many as fit."""
    shown: list[str] = []
    room = width
    for value in _readable(array).ravel()[:32].tolist():
        text = f"{value:.4g}" if isinstance(value, float) else repr(value)
        if len(text) > width:
            text = f"{text[: width - 3]}..."
        room -= len(text) + 1
        if shown and room < 0:
            break
        shown.append(text)
    return " ".join(shown) + (" ..." if len(shown) < array.size else "")


def _finite(array: NDArray[Any]) -> NDArray[Any]:
    """JSON has no infinity and no NaN: None in their place."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return array
    values = array.astype(np.object_)
    values[~np.isfinite(array)] = None
    return values


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    """Bytes as text; what is not UTF-8 as escapes."""
    if array.dtype != np.object_:
        return array
    texts = np.empty(array.shape, dtype=np.object_)
    texts.ravel()[:] = [item.decode("utf-8", "backslashreplace") for item in array.ravel().tolist()]
    return texts
