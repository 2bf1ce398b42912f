"""Label files of classification."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_file

__all__ = ["label_count"]

_LARGEST = 16 << 20


@rule("TK156", "label-count", Severity.WARNING, "More or fewer labels than the output has values")
def label_count(model: Subject) -> Iterator[Found]:
    """
    A label file has one line for each value of its output, in their order. Outputs with more
    than one axis, such as the boxes of a detector, are not looked at.

    Triton does not count them. A value beyond the last line comes without a label, and where a
    line is missing before the end, all values after it come with a wrong one.
    """
    if model.directory is None:
        return
    for entry in model.entries:
        name = "" if entry.side == "input" else str(entry.io.label_filename)
        if not name or not entry.io.dims or any(size < 1 for size in entry.io.dims):
            continue
        if sum(size > 1 for size in entry.io.dims) > 1:
            # Of boxes, masks and the like clients read labels their own way.
            continue
        path = model.directory.path / name
        try:
            if not is_file(path) or path.stat().st_size > _LARGEST:
                continue
            content = path.read_bytes()
        except (OSError, ValueError):
            continue
        # As C++ reads lines: an end of the last one is none of its own.
        labels = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
        values = prod(entry.io.dims)
        if labels != values:
            yield Found(
                (*entry.path, "label_filename"),
                message=f"{name} has {labels} lines, and {entry.label} {values} values.",
                advice="Write one label a line for each value of the output, in its order.",
                tensor=entry.name,
                value=name,
            )
