"""A policy file, read and found to be right."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tritonkit.client.experiments.log import EventLog
from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.policy.building import Builder, Invalid, broken
from tritonkit.client.policy.findings import Finding, meant, one_of
from tritonkit.client.policy.order import misplaced
from tritonkit.client.policy.positions import positions
from tritonkit.client.policy.variables import Variables
from tritonkit.client.stack import Layer, Stack, Transport
from tritonkit.client.transports import transport_for
from tritonkit.errors import ConfigError, PolicyError

__all__ = ["Policy", "load_policy", "read_policy"]

_PARTS = ("server", "layers", "jobs", "experiments", "gateway")
"""The last is no part of a client; `tritonkit gateway` reads it."""
_PACE = ("in_flight", "pending", "drain")
"""Of the table of jobs: what is the client's, and not that of where they wait."""
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_SERVER: Any = str | Sequence[str] | Transport
_LAYERS: Any = Sequence[Layer]


class Policy:
    """
    A server, the layers in front of it, where jobs wait and experiments are kept, in TOML.

    A table `gateway` may stand there too, for `tritonkit gateway`; a client passes it over.

        server = "http://localhost:8000"

        [[layers]]
        type = "cache"
        ttl = "24h"
        stores = [{ type = "memory", size = "64MB" }, { type = "redis", url = "${REDIS_URL}" }]

    Options are those of the Python constructors, by the same names. `${NAME}`
    in a text is an environment variable, as it is when the policy is read;
    "none" is Python's None. The first layer is outermost.

    Args:
        text: In TOML.
        name: What messages call it.
        environment: Variables; those of the process by default.
        server: URLs in place of the file's server; the file then needs none.

    Raises:
        PolicyError: If anything is wrong with it; tells all that is.
    """

    def __init__(
        self,
        text: str,
        *,
        name: str = "policy",
        environment: Mapping[str, str] | None = None,
        server: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._instead = tuple(server)
        self.document: Mapping[str, Any] = {}
        """As TOML has it, with variables by name."""
        self.warnings: tuple[Finding, ...] = ()
        """What is allowed and hardly meant: layers in an order in which they do not help."""
        self._environment = dict(os.environ if environment is None else environment)
        try:
            self.document = _parsed(text, name)
            self._lines = positions(text)
            builder = self._builder()
            parts = self._build(builder)
        except RecursionError as error:
            nested = Finding(line=0, key="", message="tables or arrays lie in each other too deep.")
            raise PolicyError(f"{name} cannot be read", [nested]) from error
        if not builder.findings:
            self._stand(builder, parts)
        if builder.findings:
            raise PolicyError(f"{name} is wrong", sorted(builder.findings))
        warned = self._builder()
        for path, message in misplaced(parts[1]):
            warned.find(path, message)
        self.warnings = tuple(sorted(warned.findings))

    def __repr__(self) -> str:
        return f"Policy({self.name!r})"

    def build(self) -> tuple[Transport, list[Layer]]:
        """
        The server and the layers, made anew: what `Client` takes.

        Layers belong to one client; what is built once more shares nothing with it.
        """
        server, layers, *_ = self._build(self._builder())
        return server, layers

    def jobs(self) -> Board | None:
        """Where jobs wait, made anew; None where the policy does not say."""
        board: Board | None = self._jobs(self._builder())
        return board

    def pace(self) -> Pace | None:
        """How the client works on jobs, made anew; None where the policy does not say."""
        pace: Pace | None = self._pace(self._builder())
        return pace

    def experiments(self) -> EventLog | None:
        """Where experiments are kept, made anew; None where the policy does not say."""
        log: EventLog | None = self._experiments(self._builder())
        return log

    def _builder(self) -> Builder:
        return Builder(self._lines, Variables(self._environment))

    def _build(self, builder: Builder) -> tuple[Any, ...]:
        for key in self.document:
            if key not in _PARTS:
                known = one_of(_PARTS)
                builder.find(
                    (key,), f"is no part of a policy; there are {known}.{meant(key, _PARTS)}"
                )
        layers = builder.value(self.document.get("layers", []), _LAYERS, ("layers",))
        self._pace(builder)
        return self._server(builder), layers, self._jobs(builder), self._experiments(builder)

    def _server(self, builder: Builder) -> Any:
        path = ("server",)
        if self._instead:
            one = len(self._instead) == 1
            return transport_for(self._instead[0] if one else self._instead)
        if "server" not in self.document:
            builder.find((), 'needs a server, such as server = "http://localhost:8000".')
            return None
        server = builder.value(self.document["server"], _SERVER, path)
        if not isinstance(server, str | list) or broken(server):
            return server
        try:
            return transport_for(server)
        except ConfigError as error:
            builder.find(path, str(error))
            return None

    def _jobs(self, builder: Builder) -> Any:
        if "jobs" not in self.document:
            return None
        jobs = self.document["jobs"]
        if not isinstance(jobs, dict):
            return builder.value(jobs, Board, ("jobs",))
        board = {key: value for key, value in jobs.items() if key not in _PACE}
        # Without a type there are options of no board to speak of.
        if not board and jobs:
            return None
        return builder.make(board, Board, ("jobs",), beside=_PACE)

    def _pace(self, builder: Builder) -> Any:
        jobs = self.document.get("jobs")
        table = {key: jobs[key] for key in _PACE if key in jobs} if isinstance(jobs, dict) else {}
        return builder.make(table, Pace, ("jobs",)) if table else None

    def _experiments(self, builder: Builder) -> Any:
        if "experiments" not in self.document:
            return None
        return builder.value(self.document["experiments"], EventLog, ("experiments",))

    def _stand(self, builder: Builder, parts: tuple[Any, ...]) -> None:
        """Put them on each other, once: a layer may not bear what is below it, or above."""
        server, layers, *_ = parts
        assert not isinstance(server, Invalid)
        for index in range(len(layers)):
            try:
                Stack(server, layers[index : index + 1])
                layers[index].stand(layers[:index])
            except ConfigError as error:
                builder.find(("layers", index), str(error))


def load_policy(
    path: str | os.PathLike[str], *, environment: Mapping[str, str] | None = None
) -> Policy:
    """
    Read a policy file.

    Args:
        path: To a file in TOML.
        environment: Variables; those of the process by default.

    Raises:
        ConfigError: If it cannot be read.
        PolicyError: If anything is wrong with it; tells all that is.
    """
    return Policy(read_policy(path), name=os.fspath(path), environment=environment)


def read_policy(path: str | os.PathLike[str]) -> str:
    """
    The text of a policy file.

    Raises:
        ConfigError: If it cannot be read.
        PolicyError: If it is not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{os.fspath(path)} cannot be read: {error}") from error
    name = os.fspath(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte 0x{data[error.start]:02x}."
        raise PolicyError(
            f"{name} cannot be read", [Finding(line=line, key="", message=message)]
        ) from error
    return text


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    # Of a number of too many digits it says no more than that.
    except ValueError as error:
        raise PolicyError(f"{name} is not TOML", [_syntax(error, text)]) from error


def _syntax(error: ValueError, text: str) -> Finding:
    message = str(error)
    match = _PLACE.search(message)
    if match is None:
        return Finding(line=0, key="", message=f"{message}.")
    line = int(match[1]) if match[1] else text.rstrip().count("\n") + 1
    return Finding(line=line, key="", message=f"{message[: match.start()]}.")
