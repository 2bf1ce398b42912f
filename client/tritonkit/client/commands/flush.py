"""`tritonkit cache flush`: ends what a Redis keeps, for every process that shares it."""

from __future__ import annotations

import asyncio
import sys

import click

from tritonkit.client.commands.redis_options import redis_options
from tritonkit.client.epochs import scope_epoch
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.errors import ConfigError

__all__ = ["flush"]


@click.command()
@redis_options
@click.option("--model", metavar="NAME", help="Only entries of this model.")
@click.option(
    "--scope", metavar="NAME", help='Only entries of this scope; "" is that of requests without.'
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def flush(
    redis_url: str,
    cluster: bool,
    namespace: str,
    model: str | None,
    scope: str | None,
    yes: bool,
) -> None:
    """
    End the entries of a model, of a scope, or all.

    They are not met again once this is done, except that a process may answer from
    what it knows for as long as its Cache(recheck=...) says, a second by default.

        tritonkit cache flush --redis redis://localhost:6379/0 --model minilm
    """
    if model is not None and scope is not None:
        raise ConfigError("give --model or --scope, not both: entries are ended by one of them.")
    store = Redis(redis_url, cluster=cluster, namespace=namespace)
    what = _described(model, scope)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(f"standard input is no terminal to ask: --yes ends {what}.")
        click.confirm(f"End {what} in {store.url}?", abort=True)
    if scope is not None:
        asyncio.run(_renew(store, scope))
        click.echo(f"Ended {what}. Redis frees their memory as they expire or are evicted.")
    else:
        click.echo(f"Ended {what}: {asyncio.run(_delete(store, model))} deleted.")


def _described(model: str | None, scope: str | None) -> str:
    if model is not None:
        return f"the entries of model {model!r}"
    if scope is not None:
        return f"the entries of scope {scope!r}" if scope else "the entries without a scope"
    return "all entries"


async def _delete(store: Redis, model: str | None) -> int:
    try:
        return await store.delete(model)
    finally:
        await store.aclose()


async def _renew(store: Redis, scope: str) -> None:
    try:
        await store.renew([scope_epoch(scope)])
    finally:
        await store.aclose()
