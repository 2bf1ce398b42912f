"""A real tritonserver as a child of this process."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from tritonkit.errors import ConfigError, RepositoryError, ServerStartError
from tritonkit.repository import model_directories
from tritonkit.server import keeper, log
from tritonkit.server.admin import ModelState, is_live, model_states
from tritonkit.server.flags import Flags
from tritonkit.server.installation import Installation, find_installation
from tritonkit.server.ports import choose_ports
from tritonkit.units import format_duration, parse_duration, parse_size

__all__ = ["EmbeddedServer", "check_repository"]

_GRACE = 12.0
"""Seconds that a stopping server has; a little more than its own exit timeout."""

_PORT_ATTEMPTS = 5
_POLL_INTERVAL = 0.02
_BIND_FAILURES = ("Address already in use", "failed to start HTTP", "Socket '", "failed to bind")


def _quiet(_: str) -> None:
    """Say nothing."""


class EmbeddedServer:
    """
    A tritonserver that lives as long as this object, and never longer than this process.

    A context manager. The server is `$TRITONKIT_TRITONSERVER`, else the one on
    PATH, else the embedded runtime, which is installed on first use. Several may
    run at once. A port that is 0 is chosen free.

        with EmbeddedServer("model_repository") as server:
            print(server.http_url)

    Args:
        repository: The model repository.
        host: Address to bind. Whoever can reach it can use, load and unload
            models; keep it 127.0.0.1 unless something guards the ports.
        http_port: 0 for any free port, as the two below.
        grpc_port: Port of gRPC.
        metrics_port: Port of Prometheus metrics.
        model_control_mode: "none", "explicit" or "poll"; see `Flags`.
        load_models: With "explicit": what to load at the start.
        cache_size: Size of Triton's response cache, such as "64MB".
        exit_on_error: Whether a model that does not load stops the server. The
            default refuses to serve half a repository.
        startup_timeout: How long loading may take.
        log_verbose: Level of tritonserver's verbose log.
        extra: Further arguments of tritonserver.
        progress: Told what happens, a line at a time.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        repository: str | Path,
        *,
        host: str = "127.0.0.1",
        http_port: int = 0,
        grpc_port: int = 0,
        metrics_port: int = 0,
        model_control_mode: str = "none",
        load_models: Sequence[str] = (),
        cache_size: str | int | None = None,
        exit_on_error: bool = True,
        startup_timeout: str | float = 300.0,
        log_verbose: int = 0,
        extra: Sequence[str] = (),
        progress: Callable[[str], None] = _quiet,
    ) -> None:
        self.repository = Path(repository)
        self._wanted = Flags(
            repository=str(self.repository.absolute()),
            host=host,
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            model_control_mode=model_control_mode,
            load_models=tuple(load_models),
            cache_size=None if cache_size is None else parse_size(cache_size, name="cache_size"),
            log_verbose=log_verbose,
            extra=tuple(extra),
        )
        self._exit_on_error = exit_on_error
        self._startup_timeout = parse_duration(startup_timeout, name="startup_timeout")
        self._progress = progress
        self._lock = threading.Lock()
        self._flags = self._wanted
        self._keeper: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._last_log = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = self.http_url if self._keeper is not None else "stopped"
        return f"EmbeddedServer({str(self.repository)!r}, {state})"

    @property
    def http_url(self) -> str:
        """Such as "http://127.0.0.1:8000"."""
        return f"http://{self._authority(self._flags.http_port)}"

    @property
    def grpc_url(self) -> str:
        """Such as "127.0.0.1:8001", as gRPC clients want it."""
        return self._authority(self._flags.grpc_port)

    @property
    def metrics_url(self) -> str:
        """Such as "http://127.0.0.1:8002/metrics"."""
        return f"http://{self._authority(self._flags.metrics_port)}/metrics"

    @property
    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> None:
        """
        Start, and wait until every model is ready.

        Raises:
            RepositoryError: If there is no model repository at that place.
            ConfigError: If a port is taken, or the server was started before.
            RuntimeInstallError: If the embedded server cannot be installed.
            ServerStartError: If the server ends, a model fails, or time runs out.
        """
        with self._lock:
            if self._keeper is not None:
                raise ConfigError(f"{self!r} is started already.")
            check_repository(self.repository, self._wanted)
            installation = find_installation(self._progress)
            for attempt in range(1, _PORT_ATTEMPTS + 1):
                self._flags = self._with_ports(self._wanted)
                try:
                    self._launch(installation)
                    self._await_ready()
                except _PortLost:
                    self._end()
                    if attempt == _PORT_ATTEMPTS:
                        raise
                except BaseException:
                    self._end()
                    raise
                else:
                    return

    def stop(self) -> None:
        """Stop the server and wait until it is gone; again does nothing."""
        with self._lock:
            self._end()

    def wait(self, timeout: float | None = None) -> int | None:
        """
        Wait until the server ends by itself.

        Returns:
            Its exit code, or None if it still runs after *timeout* seconds.
        """
        if self._keeper is None:
            return 0
        try:
            return self._keeper.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def models(self) -> tuple[ModelState, ...]:
        """What the repository holds, with the state of each version."""
        return model_states(self._probe_host(), self._flags.http_port)

    def log_tail(self, lines: int = 30) -> str:
        """The end of the server's log, also after it stopped."""
        if self._folder is None:
            return "\n".join(self._last_log.splitlines()[-lines:])
        return log.tail(self._log_path, lines)

    @property
    def _log_path(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "tritonserver.log"

    def _authority(self, port: int) -> str:
        host = self._probe_host()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _probe_host(self) -> str:
        """Where this machine reaches a server that may bind every address."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._flags.host, self._flags.host)

    def _with_ports(self, flags: Flags) -> Flags:
        http, grpc, metrics = choose_ports(
            flags.host, (flags.http_port, flags.grpc_port, flags.metrics_port)
        )
        return replace(flags, http_port=http, grpc_port=grpc, metrics_port=metrics)

    def _launch(self, installation: Installation) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tritonkit-server-")
        shm_prefix = f"{Path(self._folder.name).name}-"
        arguments = [
            *self._flags.arguments(),
            *installation.prepare(Path(self._folder.name)),
            # So that the keeper knows whose shared memory to remove.
            *(
                f"--backend-config={backend},shm-region-prefix-name={shm_prefix}"
                for backend in ("python", "onnxruntime")
                if installation.runtime is not None
            ),
        ]
        with self._log_path.open("wb") as output:
            self._keeper = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", keeper.__file__),
                    *(str(os.getpid()), str(_GRACE), shm_prefix),
                    *(str(installation.tritonserver), *arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=installation.environment(os.environ),
                # Ctrl-C on a terminal goes to the owner, which stops the server.
                start_new_session=True,
            )

    def _await_ready(self) -> None:
        assert self._keeper is not None
        give_up = monotonic() + self._startup_timeout
        reported: set[str] = set()
        while not is_live(self._probe_host(), self._flags.http_port):
            if self._keeper.poll() is not None:
                raise self._ended()
            if monotonic() > give_up:
                raise ServerStartError(
                    f"tritonserver was not ready after {format_duration(self._startup_timeout)}; "
                    f"raise startup_timeout, or see its log:\n{self.log_tail()}"
                )
            self._report(reported)
            sleep(_POLL_INTERVAL)
        # Another process may have taken the port, and may even be a Triton.
        if self._keeper.poll() is not None:
            raise self._ended()
        self._report(reported)
        failed = self._failures()
        if failed and self._exit_on_error:
            raise ServerStartError(_describe(failed), models=failed)

    def _failures(self) -> dict[str, str]:
        failed = log.failures(self._log_path.read_text(encoding="utf-8", errors="replace"))
        try:
            states = self.models()
        except (OSError, http.client.HTTPException) as error:
            raise ServerStartError(
                f"tritonserver stopped answering: {error}; its log ends with:\n{self.log_tail()}"
            ) from error
        for model in states:
            if model.state == "UNAVAILABLE" and model.reason not in ("", "unloaded"):
                failed.setdefault(model.name, log.reason(model.reason))
        return failed

    def _report(self, reported: set[str]) -> None:
        text = self._log_path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            said = log.message(line)
            if said.startswith("successfully loaded '") and said not in reported:
                reported.add(said)
                self._progress(said.replace("successfully loaded", "loaded"))

    def _ended(self) -> ServerStartError:
        text = self._log_path.read_text(encoding="utf-8", errors="replace")
        failed = log.failures(text)
        if any(sign in text for sign in _BIND_FAILURES):
            return _PortLost(f"tritonserver could not bind its ports: {log.headline(text)}")
        if failed:
            return ServerStartError(_describe(failed), models=failed)
        code = self._keeper.returncode if self._keeper is not None else None
        ended = f"tritonserver ended at its start (exit code {code}): {log.headline(text)}"
        if "Usage: tritonserver" in text:
            return ServerStartError(ended)
        return ServerStartError(f"{ended}\nIts log ends with:\n{self.log_tail()}")

    def _end(self) -> None:
        if self._keeper is not None:
            if self._keeper.poll() is None:
                self._keeper.send_signal(signal.SIGTERM)
            try:
                self._keeper.wait(_GRACE + 15)
            except subprocess.TimeoutExpired:
                self._keeper.kill()
                self._keeper.wait()
            self._keeper = None
        if self._folder is not None:
            self._last_log = log.tail(self._log_path, 1000)
            self._folder.cleanup()
            self._folder = None


class _PortLost(ServerStartError):
    """Another process took a chosen port first."""


def check_repository(repository: Path, flags: Flags) -> None:
    """
    Refuse what is no model repository before a server is started on it.

    Raises:
        RepositoryError: With what the path holds instead.
    """
    if not repository.is_dir():
        what = "is not a folder" if repository.exists() else "does not exist"
        raise RepositoryError(
            f"model repository {repository} {what}; `tritonkit export` writes one."
        )
    models = model_directories(repository)
    if (repository / "config.pbtxt").is_file() or any(m.name.isdecimal() for m in models):
        raise RepositoryError(
            f"{repository} is a model, not a model repository; serve the folder that holds it: "
            f"{repository.absolute().parent}."
        )
    if not models and flags.model_control_mode == "none":
        raise RepositoryError(
            f"model repository {repository} holds no model; `tritonkit export` writes one."
        )
    missing = [m for m in flags.load_models if m != "*" and m not in {d.name for d in models}]
    if missing:
        raise RepositoryError(
            f"model repository {repository} holds no model {missing[0]!r}, "
            f"but {', '.join(m.name for m in models) or 'none'}."
        )


def _describe(failed: dict[str, str]) -> str:
    reasons = "; ".join(f"{model}: {reason}" for model, reason in sorted(failed.items()))
    count = "1 model" if len(failed) == 1 else f"{len(failed)} models"
    return f"{count} could not be loaded: {reasons}"
