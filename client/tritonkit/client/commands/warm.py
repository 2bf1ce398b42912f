"""`tritonkit cache warm`: a Redis that has the answers before they are asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import click
import numpy as np

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.progress import show
from tritonkit.client.commands.redis_options import redis_options
from tritonkit.client.commands.row_file import RowFile, open_rows
from tritonkit.client.commands.warming import Warming
from tritonkit.client.epochs import ALL
from tritonkit.client.identity.identities import Identities
from tritonkit.client.identity.identity import MODEL_DIGEST, Identity
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.cache.modes import Mode, Modes
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError, RequestError, ServerUnavailable
from tritonkit.units import format_duration, parse_duration

__all__ = ["warm"]

_INTERRUPTED = 130
_MOST_NAMED = 20
_BACKLOG = 10_000  # answers that may wait to be written
_WRITING = 10.0  # seconds without one written, after which no more is hoped for
_POLL = 0.02
_INTERVAL = 0.5


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", "-m", required=True, metavar="NAME", help="The model that computes.")
@click.option(
    "--url",
    default="http://localhost:8000",
    show_default=True,
    help="The server; grpc:// works as well.",
)
@redis_options
@click.option(
    "--input", "input_name", metavar="NAME", help="Where the file names none; the only one."
)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="NAME",
    help="As the application asks for them; all by default.",
)
@click.option("--version", default="", metavar="N", help="Model version; the server's choice.")
@click.option(
    "--ttl", default="24h", show_default=True, help="How long they are kept; none for ever."
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Rows a request, up to the model's max_batch_size.",
)
@click.option("--concurrency", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--rows",
    is_flag=True,
    help="The model answers each row by itself, as in Cache(rows=[...]); "
    "`tritonkit infer --probe` tells.",
)
@click.option(
    "--identity", metavar="NAME", help="Of a model without a digest, as in Cache(identities={...})."
)
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Holds the bytes of Cache(secret=...).",
)
def warm(
    file: Path,
    model: str,
    url: str,
    redis_url: str,
    cluster: bool,
    namespace: str,
    input_name: str | None,
    outputs: tuple[str, ...],
    version: str,
    ttl: str,
    batch: int,
    concurrency: int,
    rows: bool,
    identity: str | None,
    secret_file: Path | None,
) -> None:
    """
    Compute the rows of FILE and keep the answers in Redis.

    FILE is .txt with a text in each line, .jsonl with an object of inputs or a bare
    value in each, or .npy or .npz with rows along the first axis. What Redis has is
    not computed again, so a run that was stopped goes on where it was:

        tritonkit cache warm rows.txt --model minilm --redis redis://localhost
    """
    store = Redis(
        redis_url,
        cluster=cluster,
        namespace=namespace,
        # Nobody waits for an answer: what is there is rather found than computed again.
        budget="1s",
        max_pending="256MB",
    )
    identities = {} if identity is None else {model: identity}
    cache = Cache(
        store,
        ttl=None if ttl == "none" else parse_duration(ttl, name="ttl"),
        rows=[model] if rows else [],
        identities=identities,
        secret=None if secret_file is None else secret_file.read_bytes(),
    )

    async def run() -> int:
        # A Redis that is not there is told before anything is computed.
        await store.epochs([ALL])
        async with AsyncClient(url, [cache]) as client:
            known = await Identities(client.transport, named=identities).read(model, version)
            signature = known.signature
            signature.check_outputs(outputs)
            most = min(batch, max(1, signature.max_batch_size))
            _check(known, outputs or None, rows=rows, batch=most)
            inputs = open_rows(file, signature, input_name)
            if not len(inputs):
                raise ConfigError(f"{file} has no rows to compute.")
            writing = _Writing(store)
            warming = Warming(
                client=client,
                signature=signature,
                batch=most,
                ready=lambda: writing.wait(warming.computed - _BACKLOG),
                outputs=outputs or None,
                version=version,
            )
            return await _run(warming, writing, inputs, concurrency)

    click.get_current_context().exit(asyncio.run(run()))


def _check(identity: Identity, outputs: tuple[str, ...] | None, *, rows: bool, batch: int) -> None:
    """
    Whether what is computed here will be found by those who ask.

    Raises:
        ConfigError: If not.
    """
    model = identity.model
    if not identity.stated:
        raise ConfigError(
            f"answers of {model!r} are not kept in Redis: its configuration has no {MODEL_DIGEST}. "
            "`tritonkit export` writes one; --identity names one."
        )
    inputs = {name: np.zeros((1, 1)) for name in identity.signature.inputs}
    request = InferRequest(model=model, inputs=inputs, version=identity.version, outputs=outputs)
    match Modes(None, [model] if rows else []).of(identity, request):
        case Mode.PASS:
            raise ConfigError(f"answers of {model!r} are not kept: {identity.stateful}.")
        case Mode.WHOLE if batch > 1:
            raise ConfigError(
                f"answers of {model!r} are kept whole: only a request for the same {batch} rows "
                "would find them. --batch 1 warms requests of one row; --rows is for a model that "
                "answers each row by itself, which `tritonkit infer --probe` tells."
            )


async def _run(warming: Warming, writing: _Writing, rows: RowFile, concurrency: int) -> int:
    """Send the rows, and tell what came of them; returns the exit code."""
    began = monotonic()
    code = 0
    ended = ""
    progress = asyncio.create_task(_show(warming, len(rows), began))
    try:
        await warming.run(rows, concurrency)
    except asyncio.CancelledError:
        code, ended = _INTERRUPTED, "stopped; what is done is kept, another run goes on from there"
    except RequestError as error:
        code, ended = error.exit_code, str(error)
    try:
        await writing.wait(warming.computed)
    except RequestError as error:
        code, ended = error.exit_code, ended or str(error)
    finally:
        progress.cancel()
        show("")
    for failure in warming.failures[:_MOST_NAMED]:
        click.echo(f"{failure.place}: {failure.reason}", err=True)
    if len(warming.failures) > _MOST_NAMED:
        click.echo(f"and {len(warming.failures) - _MOST_NAMED} more that failed", err=True)
    click.echo(
        f"{warming.done} of {len(rows)} rows in {format_duration(monotonic() - began)}: "
        f"{warming.computed} new, {warming.present} already there, {len(warming.failures)} failed"
    )
    if ended:
        click.echo(f"Error: {ended}", err=True)
    return code or int(bool(warming.failures))


async def _show(warming: Warming, count: int, began: float) -> None:
    while True:
        speed = warming.done / max(1e-9, monotonic() - began)
        show(f"{warming.signature.model}: {warming.done} of {count} rows, {speed:.0f}/s")
        await asyncio.sleep(_INTERVAL)


class _Writing:
    """Answers on their way into Redis, behind the requests."""

    def __init__(self, store: Redis) -> None:
        self._store = store

    async def wait(self, count: int) -> None:
        """
        Wait until *count* answers are written.

        Raises:
            ServerUnavailable: If Redis does not take them.
        """
        written, since = -1, monotonic()
        while (counters := self._store.counters)["written"] < count:
            if counters["written"] > written:
                written, since = counters["written"], monotonic()
            if counters["dropped"] or monotonic() - since > _WRITING:
                raise ServerUnavailable(
                    f"{self._store.url} took {counters['written']} answers and no more: it may be "
                    "full or gone, or the model have been loaded anew"
                )
            await asyncio.sleep(_POLL)
