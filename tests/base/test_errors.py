from __future__ import annotations

import inspect
import re

import pytest

from tritonkit import errors


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """Whoever adds an error draws it, at its place."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ]*)(?:[├└]── )?([A-Z]\w+)(?: |$)", line)
        if match and inspect.isclass(getattr(errors, match[2], None)):
            depth = (line.index(match[2]) - 4) // 4
            path[depth:] = [match[2]]
            if depth:
                drawn[match[2]] = path[depth - 1]
    classes = {
        name: cls.__bases__[0].__name__
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, errors.TritonkitError)
    }
    assert classes.pop("TritonkitError") == "Exception"
    assert drawn == classes
    assert sorted([*classes, "TritonkitError"]) == errors.__all__


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.InvalidInput("x", model="m"), 2),
        (errors.ServerUnavailable("x"), 1),
        (errors.ServerStartError("x", models={"m": "bad"}), 1),
    ],
)
def test_exit_code_tells_whose_turn_it_is(error: errors.TritonkitError, code: int) -> None:
    assert error.exit_code == code
