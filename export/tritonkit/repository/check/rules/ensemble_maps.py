"""Ensembles: maps that say one thing twice, and fields that a server is too old for."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.grammar import parse_tree
from tritonkit.repository.text.lines import Lines
from tritonkit.repository.text.tokens import Tokens
from tritonkit.repository.text.tree import Block
from tritonkit.repository.text.walk import entry_key, occurrences

__all__ = ["inflight_before_its_time", "key_mapped_twice"]

_SCHEDULING = ModelConfig.DESCRIPTOR.fields_by_name["ensemble_scheduling"].message_type
_STEP = _SCHEDULING.fields_by_name["step"].message_type


@rule("TK110", "key-mapped-twice", Severity.WARNING, "A step maps one tensor of its model twice")
def key_mapped_twice(model: Subject) -> Iterator[Found]:
    """
    A map holds one value for a key, and the last entry of a key replaces those before it.

    Triton has a message for an input that is mapped twice, and never sees one: nothing is left
    of the first entry when it looks. To give an output to several steps, map it once and let
    each of them take that tensor.
    """
    if model.document is None or not model.given.ensemble_scheduling.step:
        return
    text = model.document.text
    root, _ = parse_tree(Tokens.of(text))
    lines = Lines(text)
    for field, key, entry in _replaced(text, root):
        place = lines.place(entry.start)
        yield Found(
            (),
            message=f"{field} has {key!r} twice in one step, and this entry is dropped.",
            advice="Remove one of the two entries.",
            tensor=key,
            value=key,
            file=model.config_path,
            line=place.line,
            column=place.column,
        )


@rule(
    "TK183",
    "inflight-before-its-time",
    Severity.ERROR,
    "max_inflight_requests on a server that does not know it",
    until="25.11",
)
def inflight_before_its_time(model: Subject) -> Iterator[Found]:
    """
    ensemble_scheduling.max_inflight_requests came with release 25.11.

    An older server cannot read a config.pbtxt with a field that it does not know, and does not
    load the model.
    """
    if model.given.ensemble_scheduling.max_inflight_requests:
        yield Found(
            ("ensemble_scheduling", "max_inflight_requests"),
            message="max_inflight_requests is of release 25.11, and the server is "
            f"{model.target.release}.",
            advice="Leave it out, or use a newer server.",
            triton='Message type "inference.ModelEnsembling" has no field named '
            '"max_inflight_requests".',
            value=str(model.given.ensemble_scheduling.max_inflight_requests),
        )


def _replaced(text: str, root: Block) -> Iterator[tuple[str, str, Block]]:
    """The entries of maps that a later one of the same key replaces."""
    for scheduling in _blocks(root, "ensemble_scheduling"):
        for step in _blocks(scheduling, "step"):
            for field in ("input_map", "output_map"):
                last: dict[str, Block] = {}
                for entry in _blocks(step, field):
                    key = str(entry_key(text, entry, _STEP.fields_by_name[field]))
                    if key in last:
                        yield field, key, last[key]
                    last[key] = entry


def _blocks(block: Block, name: str) -> Iterator[Block]:
    return (value for _, value in occurrences(block, name) if isinstance(value, Block))
