"""The flags of a tritonserver, the same for the embedded one and for the container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tritonkit.errors import ConfigError

__all__ = ["MODEL_CONTROL_MODES", "Flags"]

MODEL_CONTROL_MODES = ("none", "explicit", "poll")

# What tritonkit sets, or reads the server's state by.
_OWNED = (
    *("allow-grpc", "allow-http", "allow-metrics", "exit-on-error", "exit-timeout-secs"),
    *("grpc-address", "grpc-port", "http-address", "http-port", "load-model"),
    *("log-error", "log-file", "log-info", "log-verbose", "log-warning", "metrics-address"),
    *("metrics-port", "model-control-mode", "model-repository", "model-store"),
    *("strict-readiness",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """
    What a tritonserver is told.

    Args:
        repository: The model repository, as the server sees it.
        host: Address to bind; Triton by itself would take 0.0.0.0.
        http_port: Port of HTTP.
        grpc_port: Port of gRPC.
        metrics_port: Port of Prometheus metrics.
        model_control_mode: "none" loads all models at the start, "explicit" those of
            `load_models` and what clients ask for, "poll" follows the folder.
        load_models: Models to load at the start with "explicit"; "*" for all.
        cache_size: Bytes of Triton's response cache; None for no cache. A model
            uses it only where its configuration says so.
        log_verbose: Level of verbose logging; 0 for none.
        exit_timeout: Whole seconds that a stopping server waits for requests in
            flight and for models.
        extra: Arguments handed to tritonserver as they are.

    Raises:
        ConfigError: If a value is out of its range, or two contradict each other.
    """

    repository: str
    host: str = "127.0.0.1"
    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    model_control_mode: str = "none"
    load_models: Sequence[str] = ()
    cache_size: int | None = None
    log_verbose: int = 0
    exit_timeout: int = 10
    extra: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.model_control_mode not in MODEL_CONTROL_MODES:
            raise ConfigError(
                f"model_control_mode must be out of {', '.join(MODEL_CONTROL_MODES)}, "
                f"but got {self.model_control_mode!r}."
            )
        if self.load_models and self.model_control_mode != "explicit":
            raise ConfigError(
                "load_models needs model_control_mode 'explicit', "
                f"but got {self.model_control_mode!r}."
            )
        if self.cache_size is not None and self.cache_size < 1:
            raise ConfigError(f"cache_size must be positive, but got {self.cache_size}.")
        if self.log_verbose < 0:
            raise ConfigError(f"log_verbose must not be negative, but got {self.log_verbose}.")
        ports = {
            "http_port": self.http_port,
            "grpc_port": self.grpc_port,
            "metrics_port": self.metrics_port,
        }
        for name, port in ports.items():
            if not 0 <= port <= 65535:
                raise ConfigError(f"{name} must be 0 to 65535, but got {port}.")
        for argument in self.extra:
            option = argument.removeprefix("--").partition("=")[0]
            if argument.startswith("--") and option in _OWNED:
                raise ConfigError(f"tritonkit sets tritonserver's --{option} itself.")
        given = [port for port in ports.values() if port]
        if len(set(given)) < len(given):
            raise ConfigError(f"the three ports must differ, but got {ports}.")

    @property
    def reachable_host(self) -> str:
        """Where this machine reaches a server that may bind every address."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    def arguments(self) -> list[str]:
        """The command line after `tritonserver`."""
        arguments = [
            f"--model-repository={self.repository}",
            f"--http-address={self.host}",
            f"--http-port={self.http_port}",
            f"--grpc-address={self.host}",
            f"--grpc-port={self.grpc_port}",
            f"--metrics-address={self.host}",
            f"--metrics-port={self.metrics_port}",
            f"--model-control-mode={self.model_control_mode}",
            *(f"--load-model={model}" for model in self.load_models),
            # A model that fails must not hide the reason behind an exit.
            "--exit-on-error=false",
            "--strict-readiness=true",
            f"--exit-timeout-secs={self.exit_timeout}",
        ]
        if self.cache_size is not None:
            arguments.append(f"--cache-config=local,size={self.cache_size}")
        if self.log_verbose:
            arguments.append(f"--log-verbose={self.log_verbose}")
        return [*arguments, *self.extra]
