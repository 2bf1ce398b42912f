"""A real tritonserver as a child of this process."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tritonkit.errors import ConfigError, ServerError
from tritonkit.server.admin import ModelState, model_states
from tritonkit.server.flags import Flags
from tritonkit.server.installation import Installation, find_installation
from tritonkit.server.ports import choose_ports
from tritonkit.server.preflight import check_repository
from tritonkit.server.process import ServerProcess
from tritonkit.server.readiness import PortLost, await_ready
from tritonkit.units import parse_duration, parse_size

__all__ = ["EmbeddedServer"]

_PORT_ATTEMPTS = 5
_KEPT_LINES = 1000


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
        stop_timeout: How long requests in flight and models may take to end, before
            they are killed. Triton takes over a second for each instance of a Python
            or onnxruntime model; with 0 no model's `finalize` runs.
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
        startup_timeout: str | float = "5m",
        stop_timeout: str | float = "15s",
        log_verbose: int = 0,
        extra: Sequence[str] = (),
        progress: Callable[[str], None] = _quiet,
    ) -> None:
        self.repository = Path(repository)
        self._startup_timeout = parse_duration(startup_timeout, name="startup_timeout")
        self._stop_timeout = parse_duration(stop_timeout, name="stop_timeout")
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
            exit_timeout=math.ceil(self._stop_timeout),
            extra=tuple(extra),
        )
        self._exit_on_error = exit_on_error
        self._progress = progress
        self._lock = threading.Lock()
        self._flags = self._wanted
        self._process: ServerProcess | None = None
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
        state = self.http_url if self._process is not None else "stopped"
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
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path | None:
        """The server's log, until the server is stopped; None where it was not started."""
        return None if self._process is None else self._process.log_path

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
            if self._process is not None:
                raise ConfigError(f"{self!r} is started already; stop it first.")
            check_repository(
                self.repository,
                model_control_mode=self._wanted.model_control_mode,
                load_models=self._wanted.load_models,
            )
            # Before the installation, which may take long.
            flags = self._with_ports()
            installation = find_installation(self._progress)
            self._progress(f"starting tritonserver ({installation.source})")
            for attempt in range(1, _PORT_ATTEMPTS + 1):
                try:
                    self._launch(installation, flags)
                except PortLost:
                    if attempt == _PORT_ATTEMPTS:
                        raise
                    flags = self._with_ports()
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
        return 0 if self._process is None else self._process.wait(timeout)

    def models(self) -> tuple[ModelState, ...]:
        """
        What the repository holds, with the state of each version.

        Raises:
            ServerError: If the server does not answer.
        """
        try:
            return model_states(self._flags.reachable_host, self._flags.http_port)
        except OSError as error:
            raise ServerError(
                f"tritonserver does not answer at {self.http_url}: {error.strerror or error}."
            ) from error

    def log_tail(self, lines: int = 30) -> str:
        """The end of the server's log, also after it stopped."""
        if self._process is None:
            return "".join(self._last_log.splitlines(keepends=True)[-lines:])
        return self._process.log_tail(lines)

    def _authority(self, port: int) -> str:
        host = self._flags.reachable_host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _with_ports(self) -> Flags:
        wanted = self._wanted
        http, grpc, metrics = choose_ports(
            wanted.host, (wanted.http_port, wanted.grpc_port, wanted.metrics_port)
        )
        return replace(wanted, http_port=http, grpc_port=grpc, metrics_port=metrics)

    def _launch(self, installation: Installation, flags: Flags) -> None:
        self._flags = flags
        # Triton's own timeout comes first; with none, it gets no time at all.
        grace = self._stop_timeout + 2 if self._stop_timeout else 0
        self._process = ServerProcess(installation, flags, grace=grace)
        try:
            await_ready(
                self._process,
                timeout=self._startup_timeout,
                exit_on_error=self._exit_on_error,
                progress=self._progress,
            )
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        if self._process is not None:
            self._last_log = self._process.log_tail(_KEPT_LINES)
            self._process.stop()
            self._process = None
