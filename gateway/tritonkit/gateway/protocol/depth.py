"""How deep JSON is nested."""

from __future__ import annotations

import re

from tritonkit.errors import InvalidInput

__all__ = ["DEEPEST", "check_depth"]

DEEPEST = 1000
"""
Lists in lists that go on to a server. Triton reads JSON by recursion without a bound:
100,000 opening brackets end the process of tritonserver 2.51.
"""

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def check_depth(text: bytes, model: str = "") -> None:
    """
    Look at JSON that is to be sent on as it came; it need not be valid.

    Raises:
        InvalidInput: If it is nested too deeply to be safe.
    """
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return
    depth = 0
    for match in _TOKENS.finditer(text):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise InvalidInput(f"the JSON is nested more than {DEEPEST} deep", model=model)
        elif token in b"]}":
            depth -= 1
