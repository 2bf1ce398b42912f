"""
What is known of a job, as bytes.

    offset  bytes
    0       4   b"TKJ1": what it is, and the version of the format
    4       8   xxh3_64 of everything that follows
    12      16  the job's id
    28      1   the state, an index into STATES
    29      4   size of the head
    33          the head as JSON: of an answer its model, version, parameters, id and
                trace; of a failure the name of its class, its message and its model;
                of all of them whose job it is, where anybody said so
    ...         of an answer its outputs, as `tritonkit.client.stores.encoding` has them

Integers are little-endian. There is nothing in it that could run code.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

import xxhash

from tritonkit import errors
from tritonkit.client.stores.encoding import FOREVER, MAX_BYTES, decode, encode, encode_body
from tritonkit.client.stores.store import Entry
from tritonkit.client.trace import Trace
from tritonkit.client.types import InferResponse
from tritonkit.errors import InferenceFailed, RequestError, TritonkitError
from tritonkit.units import format_size

__all__ = ["Record", "State", "answered", "failed", "read", "running"]

State: TypeAlias = Literal["running", "done", "failed"]
"""What was last written of a job."""

STATES: tuple[State, ...] = get_args(State)
"""Their order is part of the format."""

_MAGIC = b"TKJ1"
_HEAD = struct.Struct("<4sQ16sBI")
_CHECKED = 12


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """
    What `read` read.

    Args:
        state: What was last written.
        response: Of a job that is done.
        error: Of a job that failed.
        owner: Whose it is; empty where nobody said so.
    """

    state: State
    response: InferResponse | None = None
    error: TritonkitError | None = None
    owner: str = ""


def running(id: bytes, owner: str = "") -> bytes:
    """Somebody works on it."""
    return _pack(id, "running", _owned(owner), b"")


def answered(id: bytes, response: InferResponse, owner: str = "") -> bytes:
    """
    There is an answer.

    Raises:
        InferenceFailed: If the answer cannot be kept.
    """
    body = encode_body(Entry(response.outputs, 0.0))
    if body is None:
        raise InferenceFailed(
            f"the answer cannot be kept: it has more than {format_size(MAX_BYTES)}, "
            "or a type that Triton's protocol has not",
            model=response.model,
        )
    data = encode(id, body, created=0, lifetime=FOREVER)
    assert data is not None
    head = {
        "model": response.model,
        "version": response.version,
        "parameters": dict(response.parameters),
        "id": response.id,
        "trace": asdict(response.trace),
        **_owned(owner),
    }
    return _pack(id, "done", head, data)


def failed(id: bytes, error: BaseException, owner: str = "") -> bytes:
    """There will be no answer, and why: by class and message."""
    head = {
        "error": type(error).__name__,
        "message": str(error),
        "model": str(getattr(error, "model", "")),
        "retry_after": float(getattr(error, "retry_after", 0.0)),
        **_owned(owner),
    }
    return _pack(id, "failed", head, b"")


def read(id: bytes, data: bytes) -> Record | None:
    """What was written of *id*; None where *data* is not exactly that."""
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        return None
    _, checksum, stored_id, state, size = _HEAD.unpack_from(data)
    if xxhash.xxh3_64_intdigest(memoryview(data)[_CHECKED:]) != checksum or stored_id != id:
        return None
    try:
        head = json.loads(data[_HEAD.size : _HEAD.size + size])
        return _record(id, STATES[state], head, data[_HEAD.size + size :])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # Right by its checksum and wrong all the same: somebody else's work.
        return None


def _record(id: bytes, state: State, head: dict[str, Any], rest: bytes) -> Record | None:
    # A record of an earlier version has none.
    owner = str(head.get("owner", ""))
    if state == "running":
        return Record(state, owner=owner)
    if state == "failed":
        return Record(state, error=_error(head), owner=owner)
    stored = decode(id, rest)
    if stored is None:
        return None
    known = {field.name for field in fields(Trace)}
    trace: dict[str, Any] = {
        name: _frozen(value)
        for name, value in head["trace"].items()
        # A later version may say more.
        if name in known
    }
    response = InferResponse(
        model=head["model"],
        version=head["version"],
        outputs=stored.outputs,
        parameters=head["parameters"],
        id=head["id"],
        trace=Trace(**trace),
    )
    return Record(state, response=response, owner=owner)


def _owned(owner: str) -> dict[str, str]:
    return {"owner": owner} if owner else {}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _error(head: dict[str, Any]) -> TritonkitError:
    """As it was raised; what is no error of ours becomes InferenceFailed."""
    name, message, model = str(head["error"]), str(head["message"]), str(head["model"])
    kind = getattr(errors, name, None) if name in errors.__all__ else None
    if isinstance(kind, type) and issubclass(kind, RequestError):
        error = kind(message, model=model)
        if hasattr(error, "retry_after"):
            error.retry_after = float(head["retry_after"])
        return error
    return InferenceFailed(f"{name}: {message}", model=model)


def _pack(id: bytes, state: State, head: dict[str, Any], rest: bytes) -> bytes:
    text = json.dumps(head).encode()
    data = bytearray(_HEAD.pack(_MAGIC, 0, id, STATES.index(state), len(text)))
    data += text
    data += rest
    struct.pack_into("<Q", data, 4, xxhash.xxh3_64_intdigest(memoryview(data)[_CHECKED:]))
    return bytes(data)
