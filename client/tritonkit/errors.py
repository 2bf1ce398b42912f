"""
Every error that tritonkit raises on purpose.

    TritonkitError
    ├── ConfigError (ValueError)         an argument, a file or a variable is wrong; nothing done
    │   ├── MissingExtra                 a package of an optional extra is not installed
    │   ├── PolicyError                  a policy file is wrong; carries .findings
    │   └── RepositoryError              a model repository or a config.pbtxt is wrong
    ├── RequestError                     a request got no answer; carries .model, .status, .said
    │   ├── InvalidInput                 the request itself is wrong; a retry cannot help
    │   ├── ModelUnavailable             the model is unknown to the server or not ready
    │   ├── ServerUnavailable            no connection, or it broke before the answer
    │   │   └── NotConnected             no connection: nothing was sent
    │   ├── ServerOverloaded             the server refused to queue the request
    │   ├── DeadlineExceeded (TimeoutError)  the time ran out
    │   ├── InferenceFailed              the server tried and failed
    │   ├── NotKept                      only a kept answer would do, and there is none
    │   ├── CircuitOpen                  the service mostly fails; it is not asked for now
    │   ├── LimitExceeded                too much is in flight; this one was shed
    │   ├── BudgetExceeded               it would cost more than is left; carries .retry_after
    │   ├── JobLost                      nobody works on the job any more, or knows of it
    │   └── ProtocolError                the answer is not the protocol's
    ├── ServerError                      a tritonserver could not be made ready
    │   ├── RuntimeInstallError          the embedded runtime could not be installed
    │   └── ServerStartError             the server ended, or a model did not load; carries .models
    ├── ExportError                      a model could not be converted or written
    └── LoadError                        a process of a load generator ended before its time

The command line prints the message and exits with `exit_code`: 2 where the
caller must change the input, 1 where the work failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "BudgetExceeded",
    "CircuitOpen",
    "ConfigError",
    "DeadlineExceeded",
    "ExportError",
    "InferenceFailed",
    "InvalidInput",
    "JobLost",
    "LimitExceeded",
    "LoadError",
    "MissingExtra",
    "ModelUnavailable",
    "NotConnected",
    "NotKept",
    "PolicyError",
    "ProtocolError",
    "RepositoryError",
    "RequestError",
    "RuntimeInstallError",
    "ServerError",
    "ServerOverloaded",
    "ServerStartError",
    "ServerUnavailable",
    "TritonkitError",
]


class TritonkitError(Exception):
    """Base of every error that tritonkit raises on purpose."""

    exit_code = 1
    """What the command line exits with."""


class ConfigError(TritonkitError, ValueError):
    """An argument, a file or a variable is wrong; nothing was done."""

    exit_code = 2


class MissingExtra(ConfigError):
    """A package is not installed; the message names the extra that brings it."""


class PolicyError(ConfigError):
    """
    A policy file is wrong.

    Args:
        message: Which file.
        findings: Everything that is wrong with it, each with its line and key.
    """

    def __init__(self, message: str, findings: Sequence[object]) -> None:
        super().__init__("\n  ".join([f"{message}:", *map(str, findings)]))
        self.findings = tuple(findings)


class RepositoryError(ConfigError):
    """A model repository, or a config.pbtxt in it, cannot be read or is wrong."""


class RequestError(TritonkitError):
    """
    A request got no answer.

    Args:
        message: What happened, and with which value.
        model: The model that was asked, empty where the request names none.
        status: HTTP status of the server's answer; None where no server answered.
        said: The body of that answer, or the text alone where it came over gRPC.
        content_type: Of the body.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str = "",
        status: int | None = None,
        said: bytes | str | None = None,
        content_type: str = "application/json",
    ) -> None:
        super().__init__(message)
        self.model = model
        self.status = status
        self.said = said
        self.content_type = content_type


class InvalidInput(RequestError, ValueError):
    """The request itself is wrong; sending it again cannot help."""

    exit_code = 2


class ModelUnavailable(RequestError):
    """The model is unknown to the server, or known and not ready."""


class ServerUnavailable(RequestError):
    """There was no connection, or it broke before the answer was whole."""


class NotConnected(ServerUnavailable):
    """There was no connection, so nothing was sent; another server may be asked at once."""


class ServerOverloaded(RequestError):
    """The server refused to queue the request."""


class DeadlineExceeded(RequestError, TimeoutError):
    """The time ran out before the answer was whole."""


class InferenceFailed(RequestError):
    """The server accepted the request, tried, and failed."""


class NotKept(RequestError):
    """Only a kept answer would do, and no cache has one for every row."""


class CircuitOpen(RequestError):
    """
    The service mostly fails, so it is not asked for now.

    Args:
        message: Which service, and since when.
        model: The model that was asked.
        retry_after: Seconds until it is probed again.
    """

    def __init__(self, message: str, *, model: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, model=model)
        self.retry_after = retry_after


class LimitExceeded(RequestError):
    """As much is in flight as the service bears; this request was shed, not sent."""


class BudgetExceeded(RequestError):
    """
    The request would cost more than what is left of a budget; nothing was spent.

    Args:
        message: Which budget, its limit, and what is left.
        model: The model that was asked.
        retry_after: Seconds until enough may be left again.
    """

    def __init__(self, message: str, *, model: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, model=model)
        self.retry_after = retry_after


class JobLost(RequestError):
    """
    Nobody works on the job any more, or knows of it.

    The process that submitted it ended, its result was there for as long as it is
    kept, or there never was such a job.
    """


class ProtocolError(RequestError):
    """The answer is not what the protocol says it must be."""


class ServerError(TritonkitError):
    """A tritonserver could not be made ready."""


class RuntimeInstallError(ServerError):
    """The embedded server's runtime could not be installed; nothing was left behind."""


class ServerStartError(ServerError):
    """
    The tritonserver stopped before it was ready, or a model did not load.

    Args:
        message: What happened, with the end of the server's log.
        models: The reason of each model that failed, by model name.
    """

    def __init__(self, message: str, *, models: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.models = dict(models or {})


class ExportError(TritonkitError):
    """A model could not be converted, verified or written; nothing was written."""


class LoadError(TritonkitError):
    """A process of a load generator could not start, or ended before its time."""
