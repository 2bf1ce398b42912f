"""A config.pbtxt with other versions served, and other values of parameters that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig, parse_config
from tritonkit.repository.text.grammar import parse_tree
from tritonkit.repository.text.tokens import Tokens
from tritonkit.repository.text.tree import Block, Scalar
from tritonkit.repository.text.walk import entry_key, entry_value, occurrences

__all__ = ["serving", "with_parameters"]


def serving(text: str, versions: Sequence[int]) -> str:
    """*text* with a version_policy of *versions*, and of these alone; all else as it is."""
    wanted = parse_config(text, source=CONFIG_NAME)
    wanted.version_policy.Clear()
    wanted.version_policy.specific.versions.extend(versions)
    listed = ", ".join(map(str, versions))
    policy = f"version_policy {{\n  specific {{\n    versions: [{listed}]\n  }}\n}}"
    found = [field for field in _tree(text).fields if field.name == "version_policy"]
    if found:
        edited = _replaced(text, [(found[-1].start, found[-1].value_end, policy)])
    else:
        end = "" if not text or text.endswith("\n") else "\n"
        edited = f"{text}{end}{policy}\n"
    return _checked(edited, wanted)


def with_parameters(text: str, values: Mapping[str, str]) -> str:
    """*text* with *values* in place of those that its parameters of these names have."""
    wanted = parse_config(text, source=CONFIG_NAME)
    for name, value in values.items():
        wanted.parameters[name].string_value = value
    known = ModelConfig.DESCRIPTOR.fields_by_name["parameters"]
    spans = []
    for _, entry in occurrences(_tree(text), "parameters"):
        if not isinstance(entry, Block):
            continue
        new = values.get(str(entry_key(text, entry, known)))
        block = entry_value(entry)
        if new is None or not isinstance(block, Block):
            continue
        for _, scalar in occurrences(block, "string_value"):
            if isinstance(scalar, Scalar):
                spans.append((scalar.start, scalar.end, f'"{new}"'))
    return _checked(_replaced(text, spans), wanted)


def _tree(text: str) -> Block:
    tree, _ = parse_tree(Tokens.of(text))
    return tree


def _replaced(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(spans, reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text


def _checked(edited: str, wanted: ModelConfig) -> str:
    """*edited*, which must mean what is *wanted*."""
    if parse_config(edited, source=f"the edited {CONFIG_NAME}") != wanted:
        raise RepositoryError(
            f"{CONFIG_NAME} is written in a way that cannot be edited in place: "
            "its version_policy or a parameter stands in it more than once."
        )
    return edited
