"""What a server says of the model that would answer, and what of it may change an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tritonkit.client.signature import Signature
from tritonkit.errors import ProtocolError

__all__ = [
    "BATCH_INVARIANT",
    "ENDPOINTS_DIFFER",
    "MODEL_DIGEST",
    "Identity",
    "Part",
    "decisive",
    "newest",
]

MODEL_DIGEST = "tritonkit.model_digest"
"""Parameter of config.pbtxt: a digest of what decides the model's answers."""

BATCH_INVARIANT = "tritonkit.batch_invariant"
"""Parameter of config.pbtxt: "true" where an answer does not depend on the rest of its batch."""

ENDPOINTS_DIFFER = "tritonkit.endpoints_differ"
"""Parameter that `Endpoints` adds where not all of them serve the same: which ones."""

# How a model is run, not what it answers.
_NEUTRAL = (
    "cc_model_filenames",
    "dynamic_batching",
    "instance_group",
    "metric_tags",
    "model_warmup",
    "response_cache",
    "version_policy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    What the server says of the model that would answer.

    Args:
        model: Its name.
        asked_version: The version that was asked for; empty for the server's choice.
        version: The version that would answer.
        token: Two models of one token give the same answers. 16 bytes.
        stated: Whether the token follows from a digest that the configuration
            states. Otherwise it holds in this process only, and until the model
            is seen to be loaded again.
        loads: How often it was seen to be loaded, each part of it.
        parts: The model, and those that an ensemble calls, with their versions.
        signature: What it takes and gives.
        batch_invariant: What the configuration states; None where it says nothing.
        server_cached: Whether Triton's own response cache answers for it.
        stateful: Why its answers are not a function of the request; empty where
            nothing says so.
        mixed: Why another model may answer the next request, as it may while a new
            one is rolled out over several servers; empty where nothing says so.
        asked: When the server was asked, in seconds of `time.monotonic`.
    """

    model: str
    asked_version: str
    version: str
    token: bytes
    stated: bool
    loads: tuple[int, ...]
    parts: tuple[tuple[str, str], ...]
    signature: Signature
    batch_invariant: bool | None
    server_cached: bool
    stateful: str
    mixed: str
    asked: float

    @classmethod
    def of(
        cls,
        metadata: Mapping[str, Any],
        asked_version: str,
        parts: Sequence[Part],
        *,
        here: bytes,
        asked: float,
    ) -> Identity:
        """
        From what the server answered.

        Args:
            metadata: Of the model that was asked for.
            asked_version: The version that was asked for; empty for the server's choice.
            parts: The model first, then those that it calls.
            here: What sets a token apart that means nothing elsewhere.
            asked: When the server was asked.
        """
        first = parts[0]
        stated = all(part.digest for part in parts)
        total = hashlib.sha256(b"" if stated else here)
        for part in parts:
            total.update(part.content(stated))
        return cls(
            model=first.model,
            asked_version=asked_version,
            version=first.version,
            token=total.digest()[:16],
            stated=stated,
            loads=tuple(part.loads for part in parts),
            parts=tuple((part.model, part.version) for part in parts),
            signature=Signature.read(metadata, first.config),
            batch_invariant=_flag(first.config),
            server_cached=any(
                (part.config.get("response_cache") or {}).get("enable") for part in parts
            ),
            stateful=_stateful(part.config for part in parts),
            mixed=_mixed(part.config for part in parts),
            asked=asked,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """
    One model on the way to the answer.

    Args:
        model: Its name.
        version: The version that answers.
        config: Its configuration as Triton completed it.
        digest: What it states of its content; empty where it states nothing.
        loads: How often it was seen to be loaded.
    """

    model: str
    version: str
    config: Mapping[str, Any]
    digest: str
    loads: int

    def content(self, stated: bool) -> bytes:
        """A digest of what may change its answers; of its loads as well unless it is *stated*."""
        config = decisive(self.config)
        parts = [
            self.model,
            self.version,
            self.digest,
            json.dumps(config, sort_keys=True, default=str),
        ]
        if not stated:
            parts.append(str(self.loads))
        return hashlib.sha256(json.dumps(parts).encode()).digest()


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration has a say in the answers."""
    return {name: value for name, value in config.items() if name not in _NEUTRAL}


def newest(metadata: Mapping[str, Any], model: str) -> str:
    """Triton answers with the greatest version unless one is named."""
    try:
        return str(max(metadata["versions"], key=int))
    except (KeyError, TypeError, ValueError) as error:
        # Servers without versions say so by leaving them out.
        if not metadata.get("versions"):
            return ""
        raise ProtocolError(
            f"the versions of model {model!r} are not numbers: {metadata['versions']}", model=model
        ) from error


def _flag(config: Mapping[str, Any]) -> bool | None:
    value = config.get("parameters", {}).get(BATCH_INVARIANT, {}).get("string_value")
    return None if value is None else value == "true"


def _stateful(configs: Iterable[Mapping[str, Any]]) -> str:
    for config in configs:
        if config.get("sequence_batching"):
            return (
                f"model {config.get('name')!r} keeps a state between requests (sequence_batching)"
            )
        if (config.get("model_transaction_policy") or {}).get("decoupled"):
            return f"model {config.get('name')!r} is decoupled: it may answer more than once"
    return ""


def _mixed(configs: Iterable[Mapping[str, Any]]) -> str:
    for config in configs:
        differing = (config.get("parameters") or {}).get(ENDPOINTS_DIFFER, {}).get("string_value")
        if differing:
            return f"model {config.get('name')!r} is not the same on all of {differing}"
    return ""
