"""Waiting until a server has loaded its models, and telling why it has not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep

from tritonkit.errors import ServerStartError
from tritonkit.repository import model_directories
from tritonkit.server import log
from tritonkit.server.admin import model_states
from tritonkit.server.flags import Flags
from tritonkit.server.process import ServerProcess
from tritonkit.units import format_duration

__all__ = ["PortLost", "await_ready"]

_POLL_INTERVAL = 0.02


class PortLost(ServerStartError):
    """Another process took a port first."""


def await_ready(
    process: ServerProcess, *, timeout: float, exit_on_error: bool, progress: Callable[[str], None]
) -> None:
    """
    Wait until the server has tried to load its models and answers on its ports.

    Args:
        process: The server.
        timeout: Seconds to wait.
        exit_on_error: Whether a model that does not load is an error.
        progress: Told of each model.

    Raises:
        PortLost: If the server cannot bind a port.
        ServerStartError: If the server ends, a model fails, or time runs out.
    """
    follower = log.Follower(process.log_path)
    give_up = monotonic() + timeout
    started = False
    while not (started and _accepts(process.flags.reachable_host, process.flags.metrics_port)):
        if process.poll() is not None:
            raise _ended(process)
        if monotonic() > give_up:
            raise ServerStartError(
                f"tritonserver was not ready after {format_duration(timeout)}; "
                f"raise startup_timeout, or see its log:\n{process.log_tail()}"
            )
        sleep(_POLL_INTERVAL)
        for line in follower.lines():
            started = started or log.starts_metrics(line)
            said = log.progress(line)
            if said is not None:
                progress(said)
    # Where a port was lost, somebody else may answer there while this server gives up.
    if log.lost_port(process.log_text()):
        raise _ended(process)
    failed = _failures(process)
    if failed and exit_on_error:
        raise ServerStartError(_describe(failed), models=failed)


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _failures(process: ServerProcess) -> dict[str, str]:
    """The reason of each model that did not load, from the log and the server's index."""
    text = process.log_text()
    failed = log.failures(text)
    try:
        states = model_states(process.flags.reachable_host, process.flags.http_port)
    except OSError as error:
        raise ServerStartError(
            f"tritonserver does not tell its models: {error}; its log ends with:\n"
            f"{process.log_tail()}"
        ) from error
    for model in states:
        if model.state == "UNAVAILABLE" and model.reason not in ("", "unloaded"):
            failed.setdefault(model.name, log.reason(model.reason))
    ready = {model.name for model in states if model.state == "READY"}
    for name in _wanted(process.flags) - ready:
        failed.setdefault(name, log.repository_errors(text) or "it was not loaded")
    return failed


def _wanted(flags: Flags) -> set[str]:
    """The models that the server was to load."""
    if flags.model_control_mode == "explicit" and "*" not in flags.load_models:
        return set(flags.load_models)
    return {model.name for model in model_directories(Path(flags.repository))}


def _ended(process: ServerProcess) -> ServerStartError:
    text = process.log_text()
    if log.lost_port(text):
        return PortLost(f"tritonserver could not bind its ports: {log.headline(text)}")
    failed = log.failures(text)
    if failed:
        return ServerStartError(_describe(failed), models=failed)
    ended = f"tritonserver ended at its start (exit code {process.poll()}): {log.headline(text)}"
    if log.is_manual(text):
        return ServerStartError(ended)
    return ServerStartError(f"{ended}\nIts log ends with:\n{process.log_tail()}")


def _describe(failed: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{model}: {reason}" for model, reason in sorted(failed.items()))
    count = "1 model" if len(failed) == 1 else f"{len(failed)} models"
    return f"{count} could not be loaded: {reasons}"
