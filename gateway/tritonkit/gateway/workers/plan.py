"""What every process of a gateway is to do: read once, the same for all of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from tritonkit.client.policy.policy import Policy
from tritonkit.gateway.config.config import GatewayConfig
from tritonkit.gateway.config.reading import read_config

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Args:
        text: Of the policy file, as it was when the gateway started: a worker that is started
            anew does as the others do.
        name: Of the file.
        upstream: URLs in place of its server.
        faults: Whether faults are allowed whatever the file says.
        workers: How many processes.
        port: That was asked for; 0 for a free one.
        folder: Of the gateway's own, which all workers share, for files and sockets.
    """

    text: str = ""
    name: str = "policy"
    upstream: tuple[str, ...] = ()
    faults: bool = False
    workers: int = 1
    port: int = 8080
    folder: str = ""

    def read(self) -> tuple[Policy, GatewayConfig]:
        """
        The policy and the configuration.

        Raises:
            PolicyError: If anything is wrong; tells all that is.
        """
        return read_config(self.text, name=self.name, server=self.upstream)

    def to_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """What `to_json` wrote."""
        plan = cls(**json.loads(text))
        return replace(plan, upstream=tuple(plan.upstream))
