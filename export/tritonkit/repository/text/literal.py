"""The value of a number, a word or a string, as Triton's own parser reads it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from tritonkit.repository.text.fault import Flaw
from tritonkit.repository.text.nearest import did_you_mean
from tritonkit.repository.text.strings import unescaped
from tritonkit.repository.text.tokens import FLOAT, IDENTIFIER, INTEGER, STRING
from tritonkit.repository.text.tree import Scalar

__all__ = ["BOOLS", "Literal", "read_literal"]

Literal = bool | int | float | str
"""What a scalar field holds; an enum's value is its number."""

_SIGNED = {FieldDescriptor.CPPTYPE_INT32: 2**31, FieldDescriptor.CPPTYPE_INT64: 2**63}
_UNSIGNED = {FieldDescriptor.CPPTYPE_UINT32: 2**32 - 1, FieldDescriptor.CPPTYPE_UINT64: 2**64 - 1}
BOOLS: Mapping[str, bool] = MappingProxyType(
    {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
)
"""The words of a field that is true or false."""

_DIGITS = 30


def read_literal(text: str, scalar: Scalar, field: FieldDescriptor) -> Literal | Flaw:
    """
    The value of *scalar* in a field of this type, or why Triton refuses it.

    Args:
        text: The whole text, which the scalar's places are in.
        scalar: What stands there.
        field: A field that is no message.
    """
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _string(text, scalar, field)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return _bool(text, scalar, field)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return _enum(text, scalar, field)
    if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return _float(text, scalar, field)
    return _integer(text, scalar, field)


def _integer(text: str, scalar: Scalar, field: FieldDescriptor) -> int | Flaw:
    if field.cpp_type in _SIGNED:
        bound = _SIGNED[field.cpp_type]
        return _whole(text, scalar, field, -bound, bound - 1)
    largest = _UNSIGNED[field.cpp_type]
    if scalar.negative:
        return _flaw(
            text, scalar, f"{field.name} is a whole number from 0", "Expected integer, got: -"
        )
    return _whole(text, scalar, field, 0, largest)


def _whole(
    text: str, scalar: Scalar, field: FieldDescriptor, least: int, largest: int
) -> int | Flaw:
    start, end = scalar.parts[0]
    if scalar.kind != INTEGER:
        return _flaw(
            text,
            scalar,
            f"{field.name} is a whole number",
            f"Expected integer, got: {text[start:end]}",
            start,
        )
    value = _number(text, start, end)
    if value is not None and scalar.negative:
        value = -value
    if value is None or not least <= value <= largest:
        return _flaw(
            text,
            scalar,
            f"{field.name} is a whole number from {least} to {largest}",
            f"Integer out of range ({text[start:end]})",
            start,
        )
    return value


def _number(text: str, start: int, end: int) -> int | None:
    """A number without sign; None where it is past what any field holds."""
    if text[start : start + 2] in ("0x", "0X"):
        digits, base = text[start + 2 : end], 16
    elif text[start] == "0":
        digits, base = text[start:end], 8
    else:
        digits, base = text[start:end], 10
    digits = digits.lstrip("0") or "0"
    if len(digits) > _DIGITS:
        return None
    try:
        return int(digits, base)
    except ValueError:
        # 08: the tokens' errors say what is wrong with it.
        return None


def _float(text: str, scalar: Scalar, field: FieldDescriptor) -> float | Flaw:
    start, end = scalar.parts[0]
    word = text[start:end]
    expected = f"{field.name} is a number"
    if scalar.kind == IDENTIFIER:
        if word.lower() not in ("inf", "infinity", "nan"):
            return _flaw(text, scalar, expected, f"Expected double, got: {word.lower()}", start)
        value = float(word)
    elif scalar.kind == INTEGER and word[0] == "0" and len(word) > 1:
        return _flaw(
            text,
            scalar,
            f"{field.name} is a decimal number",
            f"Expect a decimal number, got: {word}",
            start,
        )
    elif scalar.kind in (INTEGER, FLOAT):
        try:
            value = float(word.rstrip("fF"))
        except ValueError:
            # 1e: the tokens' errors say what is wrong with it.
            value = 0.0
    else:
        return _flaw(text, scalar, expected, f"Expected double, got: {word}", start)
    return -value if scalar.negative else value


def _bool(text: str, scalar: Scalar, field: FieldDescriptor) -> bool | Flaw:
    start, end = scalar.parts[0]
    word = text[start:end]
    expected = f"{field.name} is true or false"
    if scalar.negative:
        return _flaw(text, scalar, expected, "Expected identifier, got: -")
    if scalar.kind == INTEGER:
        value = _number(text, start, end)
        if value in (0, 1):
            return bool(value)
        return _flaw(text, scalar, expected, f"Integer out of range ({word})")
    if scalar.kind != IDENTIFIER:
        return _flaw(text, scalar, expected, f"Expected identifier, got: {word}")
    if word not in BOOLS:
        triton = f'Invalid value for boolean field "{field.name}". Value: "{word}".'
        return _flaw(text, scalar, expected, triton, scalar.following)
    return BOOLS[word]


def _enum(text: str, scalar: Scalar, field: FieldDescriptor) -> int | Flaw:
    enum: EnumDescriptor = field.enum_type
    start, end = scalar.parts[0]
    word = text[start:end]
    if scalar.kind == INTEGER:
        return _whole(text, scalar, field, -(2**31), 2**31 - 1)
    if scalar.kind != IDENTIFIER or scalar.negative:
        triton = (
            f"Expected integer, got: {word}"
            if scalar.negative
            else f"Expected integer or identifier, got: {word}"
        )
        names = _names(enum)
        return _flaw(text, scalar, f"{field.name} is {names}, without quotes", triton, start)
    value = enum.values_by_name.get(word)
    if value is None:
        return Flaw(
            f"{field.name} has no value {word}; {_meant(word, enum)}",
            scalar.start,
            f'Unknown enumeration value of "{word}" for field "{field.name}".',
            scalar.following,
        )
    return int(value.number)


def _meant(word: str, enum: EnumDescriptor) -> str:
    names = [value.name for value in enum.values]
    prefix = names[0].rpartition("_")[0] + "_"
    # FP32 for TYPE_FP32, and float for what Triton calls TYPE_FP32.
    for candidate in (word.upper(), prefix + word.upper(), prefix + _TYPES.get(word.lower(), "")):
        if candidate in names:
            return f"write {candidate}"
    return did_you_mean(word, names) or f"it is {_names(enum)}"


_TYPES = {
    "float": "FP32",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "double": "FP64",
    "half": "FP16",
    "bfloat16": "BF16",
    "int": "INT32",
    "long": "INT64",
    "str": "STRING",
    "bytes": "STRING",
    "boolean": "BOOL",
    "type_float": "FP32",
    "type_float16": "FP16",
    "type_float32": "FP32",
    "type_float64": "FP64",
    "type_double": "FP64",
    "type_bfloat16": "BF16",
    "type_bytes": "STRING",
}


def _names(enum: EnumDescriptor) -> str:
    names = [value.name for value in enum.values]
    return f"one of {', '.join(names)}"


def _string(text: str, scalar: Scalar, field: FieldDescriptor) -> str | Flaw:
    start, end = scalar.parts[0]
    if scalar.kind != STRING or scalar.negative:
        found = "-" if scalar.negative else text[start:end]
        return _flaw(
            text, scalar, f"{field.name} is text, in quotes", f"Expected string, got: {found}"
        )
    content = b"".join(unescaped(text[start + 1 : end - 1]) for start, end in scalar.parts)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        # Triton's parser lets it pass, and cuts it short when it tells a client.
        byte = content[error.start]
        message = f"{field.name} is no UTF-8 text: it has byte {byte:#04x}"
        readable = content.decode("utf-8", "replace")
        return Flaw(message, scalar.start, refused=False, instead=readable)


def _flaw(
    text: str, scalar: Scalar, expected: str, triton: str, triton_offset: int | None = None
) -> Flaw:
    word = text[scalar.start : min(scalar.end, scalar.start + 60)]
    if scalar.end - scalar.start > 60:
        word += "..."
    return Flaw(
        f"{expected}, but got {word}",
        scalar.start,
        triton,
        scalar.start if triton_offset is None else triton_offset,
    )
