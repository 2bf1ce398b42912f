"""`tritonkit serve` and `tritonkit doctor`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click

from tritonkit.errors import ServerError
from tritonkit.options import DURATION, SIZE
from tritonkit.server.container import run_container
from tritonkit.server.doctor import examine
from tritonkit.server.embedded import EmbeddedServer, check_repository
from tritonkit.server.flags import MODEL_CONTROL_MODES, Flags

__all__ = ["doctor", "serve"]


@click.command(context_settings={"show_default": True})
@click.argument("repository", type=click.Path(path_type=Path), default="model_repository")
@click.argument("tritonserver_arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--host", default="127.0.0.1", help="Address to bind.")
@click.option("--http-port", type=click.IntRange(0, 65535), default=8000, help="0 for any free.")
@click.option("--grpc-port", type=click.IntRange(0, 65535), default=8001, help="0 for any free.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), default=8002, help="0 for any free.")
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
    help="With explicit: load at the start; '*' for all. Repeatable.",
)
@click.option("--cache-size", type=SIZE, metavar="SIZE", help="Triton's response cache: 64MB.")
@click.option(
    "--exit-on-error/--no-exit-on-error",
    default=True,
    help="Whether a model that does not load ends the server.",
)
@click.option(
    "--startup-timeout", type=DURATION, default="5m", metavar="DURATION", help="For loading."
)
@click.option("--log-verbose", type=click.IntRange(0), default=0, help="Triton's verbose level.")
@click.option(
    "--mode",
    type=click.Choice(["embedded", "docker"]),
    default="embedded",
    help="Where the server runs.",
)
def serve(
    repository: Path,
    tritonserver_arguments: Sequence[str],
    host: str,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    model_control_mode: str,
    load_models: Sequence[str],
    cache_size: int | None,
    exit_on_error: bool,
    startup_timeout: float,
    log_verbose: int,
    mode: str,
) -> None:
    """
    Start a tritonserver on REPOSITORY and keep it until Ctrl-C.

    The embedded server needs no container and no GPU; it is installed on first
    use. $TRITONKIT_TRITONSERVER or a tritonserver on PATH is taken instead.
    Arguments after `--` go to tritonserver as they are.
    """
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
            extra=tritonserver_arguments,
        )
        check_repository(repository, flags)
        raise SystemExit(run_container(flags, repository))
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
        log_verbose=log_verbose,
        extra=tritonserver_arguments,
        progress=_say,
    )
    with _stop_signals():
        try:
            with server:
                _announce(server)
                code = server.wait()
                raise ServerError(
                    f"tritonserver ended by itself (exit code {code}); its log ends with:\n"
                    f"{server.log_tail()}"
                )
        except _Stopped as stopped:
            _say(f"stopped by {stopped.signal.name}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """
    Tell what this machine lacks for serving, and how to get it.

    Exits with 0 if the embedded server can run here, and with 1 if not.
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
    raise SystemExit(1 if any(finding.state == "missing" for finding in findings) else 0)


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
    states = server.models()
    width = max([len(state.name) for state in states], default=0)
    for state in states:
        version = f"version {state.version}" if state.version else "not loaded"
        click.echo(f"  {state.name:<{width}}  {version}  {state.state} {state.reason}".rstrip())
    click.echo(f"HTTP     {server.http_url}")
    click.echo(f"gRPC     {server.grpc_url}")
    click.echo(f"metrics  {server.metrics_url}")
    click.echo("ready; Ctrl-C stops it")
    sys.stdout.flush()


def _say(line: str) -> None:
    click.echo(line, err=True)
