"""The text of a configuration, before anything it says is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["text_not_utf8", "unreadable_configuration"]

_PARSING = "Error parsing text-format inference.ModelConfig: "


@rule(
    "TK001",
    "unreadable-configuration",
    Severity.ERROR,
    "the configuration is not one",
    unparsed=True,
)
def unreadable_configuration(model: Subject) -> Iterator[Found]:
    """
    config.pbtxt is protobuf's text form of Triton's ModelConfig: names of fields that exist,
    each value of its field's type, blocks in braces and lists in brackets.

    Triton answers only "failed to read text proto from" and the path; what is wrong stands in
    its log, in the line before, for the first fault alone. Here each fault is a finding. While
    there is one, nothing else of the file is looked at.
    """
    if model.document is None:
        if model.unreadable:
            yield Found(
                (),
                message=model.unreadable,
                advice="Put a text file in its place that the server can read.",
                file=model.config_path,
            )
        return
    for fault in model.document.faults:
        yield Found(
            (),
            message=fault.sentence,
            advice="Mend the text here; Triton reads none of the file until it is whole.",
            triton=f"{_PARSING}{fault.triton}" if fault.triton else "",
            file=model.config_path,
            line=fault.line,
            column=fault.column,
        )


@rule(
    "TK130",
    "text-not-utf8",
    Severity.WARNING,
    "text that is no UTF-8, or more of it than is read",
    unparsed=True,
)
def text_not_utf8(model: Subject) -> Iterator[Found]:
    """
    A configuration's strings are UTF-8, whether their bytes stand in the file or are escaped.

    Triton loads others, logs "contains invalid UTF-8 data" each time it is asked for the
    configuration, and tells a string only up to the byte that is wrong. The rest of a file of
    more than half a million words is not read here.
    """
    for fault in model.document.doubts if model.document else ():
        yield Found(
            (),
            message=fault.sentence,
            advice="Save the file as UTF-8, and write such bytes as the characters they mean.",
            file=model.config_path,
            line=fault.line,
            column=fault.column,
        )
