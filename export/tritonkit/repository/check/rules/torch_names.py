"""Names of a TorchScript model's inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "torch_names_mixed",
]

_INDEXED = re.compile(r".*?__([0-9]+)")


@rule("TK034", "torch-names-mixed", Severity.WARNING, "Some names end with __<index>, some do not")
def torch_names_mixed(model: Subject) -> Iterator[Found]:
    """
    A TorchScript model has no names, so PyTorch's backend goes by position.

    Names such as `image__0` and `mask__1` say the position. Where one name has no number, the
    backend goes by the order in the configuration for all of them, whatever the numbers of
    the others say.
    """
    if model.backend != "pytorch":
        return
    for side in ("input", "output"):
        entries = [entry for entry in model.entries if entry.side == side and entry.name]
        numbered = {
            entry.position: int(match[1])
            for entry in entries
            if (match := _INDEXED.fullmatch(entry.name))
        }
        for entry in entries:
            if numbered and entry.position not in numbered:
                yield Found(
                    (*entry.path, "name"),
                    message=f"{entry.label} has no __<index>, which other {side}s have.",
                    advice=f"End its name with __ and its position, or no {side}'s name.",
                    tensor=entry.name,
                    value=entry.name,
                )
