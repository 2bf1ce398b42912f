"""Where check and the server may disagree, and why."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["KNOWN", "known"]

KNOWN: dict[str, str] = {
    "is not supported by the onnxruntime backend of the embedded server": (
        "the embedded server's backend cannot do it, and NVIDIA's can, which is what is checked for"
    ),
}
"""Why, by what the server's text holds, or by the rule that it does not know."""


def known(refusal: str, rules: Sequence[str]) -> str:
    """The reason of a disagreement; empty where it is none that is known."""
    for mark, reason in KNOWN.items():
        if mark in refusal or mark in rules:
            return reason
    return ""
