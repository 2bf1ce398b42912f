"""A rule, and the table of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tritonkit.repository.check.finding import Found, Severity, sentence
from tritonkit.repository.check.release import Release

if TYPE_CHECKING:
    from tritonkit.repository.check.subject import Subject

__all__ = ["Look", "Rule", "registered", "rule"]

Look: TypeAlias = "Callable[[Subject], Iterable[Found]]"
"""Looks at one model and tells each place where the rule is broken."""

_RULES: dict[str, Rule] = {}


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One thing that a repository can do wrong.

    Args:
        id: "TK" and three digits; it never changes its meaning.
        name: The mistake in kebab case, such as "rank-differs".
        severity: What comes of it.
        title: The mistake in a few words, without a full stop.
        explanation: Why it is one, for the rule's page.
        family: The subject, which names the page.
        since: The first release that it holds for; None for all before `until`.
        until: The first release that it no longer holds for; None while it holds.
        unparsed: Whether it also looks at a model without a readable configuration.
    """

    id: str
    name: str
    severity: Severity
    title: str
    explanation: str
    family: str
    look: Look = field(repr=False, compare=False)
    since: Release | None = None
    until: Release | None = None
    unparsed: bool = False

    @property
    def page(self) -> str:
        """Where the rule is explained, from the root of the project."""
        return f"docs/rules/{self.family}.md#{self.id.lower()}"

    def holds_for(self, release: Release) -> bool:
        """Whether servers of *release* are so."""
        return (self.since is None or self.since <= release) and (
            self.until is None or release < self.until
        )


def rule(
    id: str,
    name: str,
    severity: Severity,
    title: str,
    *,
    since: str | None = None,
    until: str | None = None,
    unparsed: bool = False,
) -> Callable[[Callable[[Subject], Iterator[Found]]], Rule]:
    """
    Make a rule of a function that looks at a model; its docstring is the explanation.

    Args:
        id: See `Rule`.
        name: See `Rule`.
        severity: See `Rule`.
        title: See `Rule`.
        since: As a container is tagged, such as "23.04".
        until: As *since*.
        unparsed: See `Rule`.
    """

    def register(look: Callable[[Subject], Iterator[Found]]) -> Rule:
        made = Rule(
            id=id,
            name=name,
            severity=severity,
            title=sentence(title),
            explanation=inspect.getdoc(look) or "",
            family=look.__module__.rpartition(".")[2].replace("_", "-"),
            look=look,
            since=Release.parse(since) if since else None,
            until=Release.parse(until) if until else None,
            unparsed=unparsed,
        )
        if id in _RULES and _RULES[id].look.__module__ != look.__module__:
            raise ValueError(f"two rules are called {id}: {_RULES[id].name} and {name}")
        _RULES[id] = made
        return made

    return register


def registered() -> tuple[Rule, ...]:
    """Every rule whose module was imported, by id."""
    return tuple(_RULES[id] for id in sorted(_RULES))
