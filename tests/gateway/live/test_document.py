import json
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from tritonkit.gateway.live.document import History, State, to_json

HERE = Path(__file__).parent


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


@pytest.mark.parametrize(
    ("name", "kind"), [("example.json", State), ("example_history.json", History)]
)
def test_the_examples_have_the_documents_shapes(name, kind):
    """What the page is drawn against is what the gateway sends."""
    document = json.loads((HERE / name).read_text())

    assert fits(document, kind)
    assert json.loads(to_json(document)) == document


def test_what_json_has_not_is_refused():
    """A NaN never reaches a browser, which would not read it."""
    with pytest.raises(ValueError, match="Out of range float"):
        to_json({"share": float("nan")})
