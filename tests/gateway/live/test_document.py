import json
from pathlib import Path

import pytest

from tritonkit.gateway.live.document import History, State, to_json

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "kind"), [("example.json", State), ("example_history.json", History)]
)
def test_the_examples_have_the_documents_shapes(fits, name, kind):
    """What the page is drawn against is what the gateway sends."""
    document = json.loads((HERE / name).read_text())

    assert fits(document, kind)
    assert json.loads(to_json(document)) == document


def test_what_json_has_not_is_refused():
    """A NaN never reaches a browser, which would not read it."""
    with pytest.raises(ValueError, match="Out of range float"):
        to_json({"share": float("nan")})
