"""`tritonkit gateway`: the policy's layers in front of Tritons, for clients in any language."""

from __future__ import annotations

import logging
import sys
import tempfile
from dataclasses import replace

import click

from tritonkit.client.policy.policy import read_policy
from tritonkit.client.stack import Transport
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.client.transports.http import HttpTransport
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError
from tritonkit.extras import require
from tritonkit.gateway.config.config import Listening
from tritonkit.gateway.tenants import tokens
from tritonkit.gateway.upstream.forward import Forward
from tritonkit.gateway.workers.listener import listen, url_of
from tritonkit.gateway.workers.plan import Plan
from tritonkit.gateway.workers.serve import serve
from tritonkit.gateway.workers.signals import end_early
from tritonkit.gateway.workers.supervisor import supervise

__all__ = ["gateway"]


@click.command()
@click.option(
    "--policy",
    type=click.Path(),
    metavar="FILE",
    help="Layers, tenants and limits; without one requests are measured and go on.",
)
@click.option(
    "--upstream",
    multiple=True,
    metavar="URL",
    help="A Triton's HTTP port; several times for several. In place of the policy's server.",
)
@click.option("--host", metavar="HOST", help="Where to listen.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.  [default: 8080]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes.  [default: 1]")
@click.option("--check", is_flag=True, help="Tell what is wrong, and start nothing.")
@click.option("--new-token", is_flag=True, help="Print a token for a tenant, and its digest.")
@click.option("--faults", is_flag=True, help="Let the live page slow and break things.")
def gateway(
    policy: str | None,
    upstream: tuple[str, ...],
    host: str | None,
    port: int | None,
    workers: int | None,
    check: bool,
    new_token: bool,
    faults: bool,
) -> None:
    """
    Serve Triton's HTTP protocol, with the layers of a policy in front of one or many Tritons.

        tritonkit gateway --policy serving.toml

        tritonkit gateway --upstream http://a:8000 --upstream http://b:8000 --port 8080

    Clients change nothing but their URL. SIGTERM, SIGHUP and Ctrl-C drain; a second one
    ends at once.
    """
    if new_token:
        token, digest = tokens.new_token()
        click.echo(f'token = "{token}"\ntoken_sha256 = "{digest}"')
        return
    if policy is None and not upstream:
        raise ConfigError("there must be a --policy with a server, or an --upstream.")
    for url in upstream:
        if Address.parse(url).scheme not in ("http", "https"):
            raise ConfigError(f"--upstream must start with http:// or https://, but got {url!r}.")
    text = "" if policy is None else read_policy(policy)
    name = "policy" if policy is None else policy
    plan = Plan(text=text, name=name, upstream=upstream, faults=faults)
    read, config = plan.read()
    server, _ = read.build()
    Forward(server)
    listening = config.listening
    said = Listening(
        host=listening.host if host is None else host,
        port=listening.port if port is None else port,
        workers=listening.workers if workers is None else workers,
    )
    config.live.check_workers(said.workers)
    for module in ("httptools", "uvloop", "starlette"):
        require(module, extra="gateway")
    for warning in read.warnings:
        click.echo(f"{name}: warning: {warning}", err=True)
    if check:
        click.echo(f"{name}: nothing is wrong.")
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    end_early()
    listener = listen(said.host, said.port)
    many = f", {said.workers} workers" if said.workers > 1 else ""
    click.echo(f"Gateway on {url_of(listener)}, in front of {_named(server)}{many}", err=True)
    with tempfile.TemporaryDirectory(prefix="tritonkit-gateway-") as folder:
        plan = replace(plan, workers=said.workers, port=said.port, folder=folder)
        if said.workers == 1:
            status = serve(plan, listener)
        else:
            bounds = config.bounds
            status = supervise(plan, listener, patience=bounds.drain_delay + bounds.grace + 10)
    sys.exit(status)


def _named(server: Transport) -> str:
    """The URLs of a policy's server or servers."""
    if isinstance(server, Endpoints):
        return ", ".join(state.name for state in server.states)
    return str(server.address) if isinstance(server, HttpTransport) else repr(server)
