"""A config.pbtxt with other versions served, and other values of parameters that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.edit import AddField, SetValue, edited
from tritonkit.repository.text.strings import quoted

__all__ = ["serving", "with_parameters"]


def serving(text: str, versions: Sequence[int]) -> str:
    """*text* with a version_policy of *versions*, and of these alone; all else as it is."""
    document = Document.parse(text, source=CONFIG_NAME)
    listed = f"[{', '.join(map(str, versions))}]"
    policy = f"{{\n  specific {{\n    versions: {listed}\n  }}\n}}"
    if document.has("version_policy", "specific"):
        edit: SetValue | AddField = SetValue(("version_policy", "specific", "versions"), listed)
    elif document.has("version_policy"):
        edit = SetValue(("version_policy",), policy)
    else:
        edit = AddField((), f"version_policy {policy}")
    return edited(document, [edit]).text


def with_parameters(text: str, values: Mapping[str, str]) -> str:
    """*text* with *values* in place of those that its parameters of these names have."""
    document = Document.parse(text, source=CONFIG_NAME)
    missing = [name for name in values if name not in document.checked().parameters]
    if missing:
        raise RepositoryError(f"{CONFIG_NAME} has no parameter {missing[0]!r} to change.")
    return edited(
        document,
        [
            SetValue(("parameters", name, "string_value"), quoted(value))
            for name, value in values.items()
        ],
    ).text
