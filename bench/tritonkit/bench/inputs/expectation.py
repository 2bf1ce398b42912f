"""What an answer must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client import Tensors, TensorSpec
from tritonkit.client.conversion import whole_numbers
from tritonkit.client.wire.datatypes import BFLOAT16, DATATYPES, from_bfloat16
from tritonkit.errors import ConfigError, InvalidInput

__all__ = ["Expectation", "Tolerance", "Tolerances", "expected_array"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """
    How far floats may be from what is expected: at most atol + rtol * |expected|.

    Args:
        rtol: Relative part.
        atol: Absolute part.
    """

    rtol: float
    atol: float

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            # NaN compares with nothing.
            if not 0 <= value < np.inf:
                raise ConfigError(f"{name} must be finite and not negative, but got {value}.")


_NARROW = Tolerance(rtol=1e-2, atol=1e-3)
_WIDE = Tolerance(rtol=1e-4, atol=1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """
    The tolerance of each output.

    Args:
        rtol: Relative part by output name; "" is for all that are not named. Without
            either it is 1e-4, of FP16 and BF16 1e-2.
        atol: Absolute part likewise; without either 1e-5, of FP16 and BF16 1e-3.
    """

    rtol: Mapping[str, float] = field(default_factory=dict)
    atol: Mapping[str, float] = field(default_factory=dict)

    def of(self, spec: TensorSpec) -> Tolerance:
        """That of one output."""
        usual = _NARROW if spec.datatype in ("FP16", "BF16") else _WIDE
        return Tolerance(
            rtol=self.rtol.get(spec.name, self.rtol.get("", usual.rtol)),
            atol=self.atol.get(spec.name, self.atol.get("", usual.atol)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """
    A `Check` of one answer: what is expected of its outputs, others are free.

    Integers, booleans and texts must be the same, floats within their tolerance. NaN
    equals NaN, an infinity itself. Shapes must agree.

    Args:
        outputs: What is expected, from `expected_array`, with the batch dimension.
        tolerances: Of each of them.
    """

    outputs: Tensors
    tolerances: Mapping[str, Tolerance]

    def __call__(self, answer: Tensors) -> str | None:
        """What is wrong with *answer*: output, index, expected, got; None where nothing is."""
        for name, expected in self.outputs.items():
            got = answer.get(name)
            if got is None:
                return f"output {name!r} is missing; the answer has {', '.join(answer) or 'none'}"
            if got.shape != expected.shape:
                return (
                    f"output {name!r} must have shape {list(expected.shape)}, "
                    f"but got {list(got.shape)}"
                )
            wrong = _wrong(expected, got, self.tolerances[name])
            if wrong.any():
                index = tuple(int(i) for i in np.argwhere(wrong)[0])
                others = int(wrong.sum()) - 1
                return (
                    f"output {name!r} at {list(index)}: expected {_shown(expected[index])}, "
                    f"but got {_shown(got[index])}" + (f"; {others} more differ" if others else "")
                )
        return None


def expected_array(value: Any, spec: TensorSpec) -> NDArray[Any]:
    """
    A value as an array to compare one output with.

    Floats are compared as float64, whatever precision they are given in.

    Args:
        value: An array, nested lists, a scalar, str or bytes.
        spec: The output; its shape is not looked at.

    Raises:
        InvalidInput: If it is of another type; the message lacks its subject.
    """
    if spec.datatype == "BYTES":
        return _texts(value)
    try:
        array = whole_numbers(value) if spec.datatype == "UINT64" else np.asarray(value)
    except ValueError as error:
        raise InvalidInput("is ragged: its rows have different lengths") from error
    if array.dtype == BFLOAT16:
        array = from_bfloat16(array.view("<u2"))
    kind = DATATYPES[spec.datatype].kind
    fits = {"f": "fiu", "b": "b"}.get(kind, "iu")
    if array.size and array.dtype.kind not in fits:
        raise InvalidInput(f"must be {spec.datatype}, but got {array.dtype} {list(array.shape)}")
    return array.astype(np.float64) if kind == "f" else array


def _texts(value: Any) -> NDArray[Any]:
    array = np.asarray(value, dtype=np.object_)
    texts = np.empty(array.shape, dtype=np.object_)
    for index in np.ndindex(array.shape):
        item: Any = array[index]
        if not isinstance(item, (str, bytes)):
            raise InvalidInput(f"must be text or bytes (BYTES), but got {item!r}")
        try:
            texts[index] = item.encode() if isinstance(item, str) else item
        except UnicodeEncodeError as error:
            raise InvalidInput(f"holds text that cannot be written as UTF-8: {error}") from error
    return texts


def _wrong(expected: NDArray[Any], got: NDArray[Any], tolerance: Tolerance) -> NDArray[np.bool_]:
    if expected.dtype.kind != "f":
        return np.asarray(expected != got, dtype=np.bool_)
    with np.errstate(invalid="ignore", over="ignore"):
        answered = got.astype(np.float64)
        near = np.abs(answered - expected) <= tolerance.atol + tolerance.rtol * np.abs(expected)
    # An infinity is near everything by the relative part, and only itself by right.
    finite = np.isfinite(expected)
    same = (answered == expected) | (np.isnan(answered) & np.isnan(expected))
    return np.asarray(~np.where(finite, near, same))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
        return repr(text if len(text) <= 60 else f"{text[:57]}...")
    return f"{value:.9g}" if isinstance(value, np.floating) else str(value)
