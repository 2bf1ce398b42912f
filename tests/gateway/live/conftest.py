"""Whether a document has its shape, and where pictures of the page are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest


@pytest.fixture(name="fits")
def fits_fixture() -> Callable[[Any, Any], bool]:
    """Whether a value is of a kind, as typing has it: every key, and no other."""
    return fits


def fits(value: Any, kind: Any) -> bool:
    """Whether *value* is of *kind*, as typing has it."""
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        return (
            isinstance(value, dict)
            and set(value) == set(hints)
            and all(fits(value[key], of) for key, of in hints.items())
        )
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(each, arguments[1]) for each in value.values())
    if arguments:
        return any(fits(value, each) for each in arguments)
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures are kept: a folder of TRITONKIT_TESTS_PICTURES, or one that goes."""
    folder = Path(os.environ.get("TRITONKIT_TESTS_PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
