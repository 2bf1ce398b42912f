"""A rule, explained."""

from __future__ import annotations

from tritonkit.repository.check.finding import Severity
from tritonkit.repository.check.rule import Rule

__all__ = ["explain", "what_comes"]

_COMES = {
    Severity.ERROR: "Error: Triton refuses the model.",
    Severity.REQUEST: "Request: the model loads, and requests to it fail.",
    Severity.WARNING: "Warning: the model loads, and is served otherwise than meant.",
}


def explain(rule: Rule) -> str:
    """What the rule's page says of it, but for its examples."""
    return f"{rule.id} {rule.name}: {rule.title}.\n\n{what_comes(rule)}\n\n{rule.explanation}"


def what_comes(rule: Rule) -> str:
    """What comes of the mistake, and in which releases."""
    if rule.since and rule.until:
        releases = f" From release {rule.since} to before {rule.until}."
    elif rule.since:
        releases = f" Since release {rule.since}."
    elif rule.until:
        releases = f" Before release {rule.until}."
    else:
        releases = ""
    return f"{_COMES[rule.severity]}{releases}"
