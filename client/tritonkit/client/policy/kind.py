"""What a policy file can name: a class, and what it does to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["CASES", "Case", "Kind", "Situation"]

Situation: TypeAlias = Literal[
    "hit",
    "stale",
    "miss",
    "choice",
    "copied",
    "budget spent",
    "at once",
    "overload",
    "server down",
    "keeps failing",
    "too slow",
    "invalid input",
    "drift",
    "always",
]

CASES: Mapping[Situation, str] = {
    "hit": "The answer is kept",
    "stale": "The answer that is kept is too old",
    "miss": "No answer is kept",
    "choice": "There are several ways to an answer",
    "copied": "A copy is sent elsewhere",
    "budget spent": "A budget is spent",
    "at once": "Many requests come at once",
    "overload": "More requests come than the server bears",
    "server down": "The server does not answer, or fails",
    "keeps failing": "The server keeps failing",
    "too slow": "An answer takes long",
    "invalid input": "The request itself is wrong",
    "drift": "What is asked, or how well it is answered, changes with time",
    "always": "Whatever happens",
}
"""What may happen to a request, in the order in which `explain` tells of it."""


class Case(NamedTuple):
    """
    What one part of the stack does about something.

    Args:
        situation: What happens.
        text: What the part does then; `{ttl}` stands for its option ttl.
        when: The option that must be set, or `!option` for one that must not be.
    """

    situation: Situation
    text: str
    when: str = ""


class Kind(NamedTuple):
    """
    A class that a file can name.

    Args:
        target: Module and name; imported when a file names it.
        cases: What it does to a request.
    """

    target: str
    cases: tuple[Case, ...] = ()
