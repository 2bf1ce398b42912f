from __future__ import annotations

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.repository import parse_config
from tritonkit.repository.versions.edit import serving, with_parameters

POLICY = "version_policy {\n  specific {\n    versions: [1, 3]\n  }\n}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{POLICY}\n"),
        ('name: "m"', f'name: "m"\n{POLICY}\n'),
        ('name: "m" # no end', f'name: "m" # no end\n{POLICY}\n'),
        ("version_policy { all {} } # why\nname: 'm'", f"{POLICY} # why\nname: 'm'"),
        (
            "version_policy: < latest < num_versions: 2 > >;\n",
            f"{POLICY};\n".replace("policy ", "policy: "),
        ),
        (
            "version_policy {\r\n  # old\r\n  specific { versions: 2 }\r\n}\r\n",
            "version_policy {\r\n  # old\r\n  specific { versions: [ 1, 3 ] }\r\n}\r\n",
        ),
        (
            "version_policy { specific { versions: [ 1, 2, 4, # why\n 5 ] } }",
            "version_policy { specific { versions: [ 1, 3 # why\n  ] } }",
        ),
        ("version_policy { specific { } }", "version_policy { specific { versions: [1, 3] } }"),
        ('# version_policy { }\nname: "é"\n', f'# version_policy {{ }}\nname: "é"\n{POLICY}\n'),
    ],
)
def test_the_policy_is_replaced_and_nothing_else(before: str, after: str) -> None:
    assert serving(before, (1, 3)) == after
    assert serving(after, (1, 3)) == after
    assert parse_config(after, source="test").version_policy.specific.versions == [1, 3]


@pytest.mark.parametrize(
    "text",
    [
        'parameters { key: "a" value { string_value: "OLD" } } # a\nparameters { key: "b" }',
        'parameters: [ { key: "b", value: { string_value: "OLD" } },\n'
        "  { key: 'a', value: { string_value: \"OLD\" } } ]",
        'parameters { value: { string_value: "O" "LD" } key: "a" }',
        'parameters { key: "a" value { string_value: "first" } }\n'
        'parameters { key: "a" value { string_value: "OLD" } }',
    ],
)
def test_a_parameter_gets_another_value(text: str) -> None:
    before = parse_config(text, source="test")
    edited = with_parameters(text, {"a": "NEW"})
    after = parse_config(edited, source="test")
    assert after.parameters["a"].string_value == "NEW"
    before.parameters["a"].string_value = "NEW"
    assert after == before
    assert edited.count("#") == text.count("#")


def test_what_stands_there_may_be_what_no_parser_but_tritons_reads() -> None:
    text = 'input { optional: t dims: 0x10 } # \u00e9\nplatform: "\\ud83d\\ude00"'

    assert serving(text, (2,)).startswith(text)


def test_a_parameter_that_is_not_there_is_not_made_up() -> None:
    with pytest.raises(RepositoryError, match="has no parameter 'a' to change"):
        with_parameters('parameters { key: "b" }', {"a": "NEW"})
