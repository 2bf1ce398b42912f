"""Whether a model's answers may be kept, and whether row by row."""

from __future__ import annotations

import logging
from collections.abc import Collection
from enum import Enum
from typing import Any

from tritonkit.client.identity.identity import Identity
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError

__all__ = ["Mode", "Modes"]

_log = logging.getLogger("tritonkit.client.cache")


class Mode(Enum):
    """How answers are kept."""

    ROWS = "by row"
    WHOLE = "whole"
    PASS = "not at all"


class Modes:
    """
    Decides by what the server says of a model, and by what the user does.

    Row by row only where that is known to be right: the configuration states
    that an answer does not depend on the rest of its batch, or the user names
    the model; and where every wanted output has its rows along the first axis
    and one shape for all.

    Args:
        models: Those to keep answers of; None for all that can be kept.
        rows: Those that the user knows to answer each row by itself.
    """

    def __init__(self, models: Collection[str] | None, rows: Collection[str]) -> None:
        self._models = None if models is None else frozenset(models)
        self._rows = frozenset(rows)
        self._known: dict[tuple[Any, ...], tuple[Identity, Mode]] = {}
        self._not_rows: set[tuple[str, bytes]] = set()
        self._told: set[str] = set()

    def of(self, identity: Identity, request: InferRequest) -> Mode:
        """
        How the answer to *request* is kept.

        Raises:
            ConfigError: If the model was named, and cannot be kept as it was named.
        """
        if request.in_sequence:
            return Mode.PASS
        key = (request.model, request.version, request.outputs, *request.inputs)
        known = self._known.get(key)
        if known is None or known[0] is not identity:
            known = self._known[key] = identity, self._decide(identity, request)
        mode = known[1]
        if mode is Mode.ROWS and not all(map(len, request.inputs.values())):
            return Mode.PASS
        return mode

    def not_rows(self, identity: Identity) -> None:
        """The model answered otherwise than row by row, whatever was said."""
        self._tell(identity.model, "its answer has no row for each row of the request")
        self._not_rows.add((identity.model, identity.token))
        self._known.clear()

    def _decide(self, identity: Identity, request: InferRequest) -> Mode:
        model = identity.model
        declared = model in self._rows
        if self._models is not None and model not in self._models and not declared:
            return Mode.PASS
        if identity.stateful:
            if declared or self._models is not None:
                raise ConfigError(f"Cache cannot keep answers of {identity.stateful}.")
            self._tell(model, f"not kept: {identity.stateful}")
            return Mode.PASS
        if identity.mixed:
            self._tell(model, f"not kept for now: {identity.mixed}")
            return Mode.PASS
        if not identity.stated:
            self._tell(
                model,
                "kept in this process only: its configuration has no tritonkit.model_digest; "
                "`tritonkit export` writes one, Cache(identities={model: name}) names one",
            )
        if identity.server_cached:
            self._tell(
                model,
                "may be wrong: Triton's own response cache answers for it and does not tell "
                "shapes, parameters or outputs apart; leave response_cache out of its config.pbtxt",
                level=logging.WARNING,
            )
        if not declared and not identity.batch_invariant:
            return Mode.WHOLE
        why = _why_not_rows(identity, request)
        if not why and (model, identity.token) not in self._not_rows:
            return Mode.ROWS
        if declared and not identity.signature.max_batch_size:
            raise ConfigError(f"Cache cannot keep {model!r} by row: {why}.")
        if why:
            self._tell(model, f"kept whole: {why}")
        return Mode.WHOLE

    def _tell(self, model: str, what: str, *, level: int = logging.INFO) -> None:
        line = f"answers of {model!r}: {what}"
        if line not in self._told:
            self._told.add(line)
            _log.log(level, line)


def _why_not_rows(identity: Identity, request: InferRequest) -> str:
    signature = identity.signature
    if not signature.max_batch_size:
        return "the model does not batch (max_batch_size is 0)"
    if not request.inputs:
        return "the request has no input, so no rows"
    for name in request.inputs:
        if name not in signature.inputs or not signature.inputs[name].batched:
            return f"input {name!r} has no row for each row of the request"
    for name in request.outputs or signature.outputs:
        if name in signature.outputs and -1 in signature.outputs[name].shape[1:]:
            shape = list(signature.outputs[name].shape[1:])
            return f"output {name!r} has rows of different shapes {shape}"
    return ""
