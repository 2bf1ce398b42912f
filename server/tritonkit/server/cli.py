"""`tritonkit serve` and `tritonkit doctor`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from tritonkit.errors import ServerError
from tritonkit.options import DURATION, SIZE
from tritonkit.server.container import run_container
from tritonkit.server.doctor import can_serve, examine
from tritonkit.server.embedded import EmbeddedServer
from tritonkit.server.flags import MODEL_CONTROL_MODES, Flags
from tritonkit.server.ports import choose_ports
from tritonkit.server.preflight import check_repository

__all__ = ["doctor", "serve"]

_EXTRA = "tritonkit.server.extra"
_PORT = click.IntRange(0, 65535)


class _WithExtra(click.Command):
    """A command that leaves what follows `--` alone, also where an argument before is left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_EXTRA] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- TRITONSERVER_ARGUMENT...]"]


@click.command(
    cls=_WithExtra,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.argument("repository", type=click.Path(path_type=Path), default="model_repository")
@click.option("--host", default="127.0.0.1", help="Address to bind.")
@click.option("--http-port", type=_PORT, metavar="PORT", default=8000, help="0 for any free one.")
@click.option("--grpc-port", type=_PORT, metavar="PORT", default=8001, help="0 for any free one.")
@click.option(
    "--metrics-port", type=_PORT, metavar="PORT", default=8002, help="0 for any free one."
)
@click.option(
    "--model-control-mode",
    type=click.Choice(MODEL_CONTROL_MODES),
    default="none",
    help="none: load all at the start; explicit: on request; poll: follow the folder.",
)
@click.option(
    "--load-model",
    "load_models",
    multiple=True,
    metavar="MODEL",
    help="With explicit: load at the start; '*' for all. Repeat it for several.",
)
@click.option("--cache-size", type=SIZE, metavar="SIZE", help="Triton's response cache: 64MB.")
@click.option(
    "--exit-on-error/--no-exit-on-error",
    default=True,
    help="Whether a model that does not load ends the server.",
)
@click.option(
    "--startup-timeout",
    type=DURATION,
    metavar="DURATION",
    default="5m",
    help="How long loading may take.",
)
@click.option(
    "--stop-timeout",
    type=DURATION,
    metavar="DURATION",
    default="15s",
    help="How long requests in flight may take to end after Ctrl-C.",
)
@click.option(
    "--log-verbose", type=click.IntRange(0), metavar="LEVEL", default=0, help="Triton's own."
)
@click.option(
    "--mode",
    type=click.Choice(["embedded", "docker"]),
    default="embedded",
    help="Where the server runs.",
)
@click.pass_context
def serve(
    ctx: click.Context,
    repository: Path,
    host: str,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    model_control_mode: str,
    load_models: Sequence[str],
    cache_size: int | None,
    exit_on_error: bool,
    startup_timeout: float,
    stop_timeout: float,
    log_verbose: int,
    mode: str,
) -> None:
    """
    Start a tritonserver on REPOSITORY and keep it until Ctrl-C.

    The embedded server needs no container and no GPU; it is installed on first
    use. $TRITONKIT_TRITONSERVER or a tritonserver on PATH is taken instead.
    What follows `--` goes to tritonserver as it is.
    """
    extra = ctx.meta.get(_EXTRA, ())
    if mode == "docker":
        flags = Flags(
            repository=str(repository),
            host=host,
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            model_control_mode=model_control_mode,
            load_models=load_models,
            cache_size=cache_size,
            log_verbose=log_verbose,
            extra=extra,
        )
        _serve_in_container(flags, repository)
    server = EmbeddedServer(
        repository,
        host=host,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        model_control_mode=model_control_mode,
        load_models=load_models,
        cache_size=cache_size,
        exit_on_error=exit_on_error,
        startup_timeout=startup_timeout,
        stop_timeout=stop_timeout,
        log_verbose=log_verbose,
        extra=extra,
        progress=_say,
    )
    with _stop_signals():
        _serve_embedded(server)


def _serve_embedded(server: EmbeddedServer) -> None:
    ready = False
    try:
        with server:
            # Before whoever reads the last line may send a signal.
            ready = True
            _announce(server)
            code = server.wait()
            raise ServerError(
                f"tritonserver ended by itself (exit code {code}); its log ends with:\n"
                f"{server.log_tail()}"
            )
    except _Stopped as stopped:
        _say(f"stopped by {stopped.signal.name}")
        if not ready:
            raise SystemExit(128 + stopped.signal) from None


def _serve_in_container(flags: Flags, repository: Path) -> NoReturn:
    check_repository(
        repository,
        model_control_mode=flags.model_control_mode,
        load_models=flags.load_models,
    )
    http, grpc, metrics = choose_ports(
        flags.host, (flags.http_port, flags.grpc_port, flags.metrics_port)
    )
    flags = replace(flags, http_port=http, grpc_port=grpc, metrics_port=metrics)
    run_container(flags, repository, _say)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """
    Tell what this machine lacks for serving, and how to get it.

    Exits with 0 if `tritonkit serve` can run here, and with 1 if not.
    """
    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            click.echo(f"{finding.state:<8} {finding.subject:<{width}}  {finding.found}")
            if finding.remedy:
                click.echo(f"{'':<8} {'':<{width}}  -> {finding.remedy}")
    raise SystemExit(0 if can_serve(findings) else 1)


class _Stopped(BaseException):
    """A signal asked to stop."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise _Stopped once; while stopping they are not heard."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped(number)

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _announce(server: EmbeddedServer) -> None:
    """Print the table of models and where they are served."""
    states = server.models()
    width = max([len("model"), *(len(state.name) for state in states)])
    click.echo(f"{'model':<{width}}  version  state")
    for state in states:
        told = f"{state.state or 'not loaded'}  {state.reason}".rstrip()
        click.echo(f"{state.name:<{width}}  {state.version or '-':<7}  {told}")
    click.echo(f"HTTP     {server.http_url}")
    click.echo(f"gRPC     {server.grpc_url}")
    click.echo(f"metrics  {server.metrics_url}")
    click.echo(f"log      {server.log_path}")
    click.echo("ready; Ctrl-C stops it")


def _say(line: str) -> None:
    click.echo(line, err=True)
