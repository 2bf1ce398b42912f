"""Rules by their ids and names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.checker import all_rules
from tritonkit.repository.check.rule import Rule

__all__ = ["chosen_rules", "find_rule"]


def find_rule(text: str) -> Rule:
    """
    The rule of an id such as "TK017", or of a name such as "negative-max-batch-size".

    Raises:
        RepositoryError: If there is none.
    """
    by_text = {rule.id.lower(): rule for rule in all_rules()}
    by_text |= {rule.name: rule for rule in all_rules()}
    found = by_text.get(text.strip().lower())
    if found is None:
        near = get_close_matches(text.strip().lower(), by_text, 1)
        meant = (
            f"; did you mean {near[0].upper() if near[0][:2] == 'tk' else near[0]}?" if near else ""
        )
        raise RepositoryError(f"there is no rule {text!r}{meant or '.'}")
    return found


def chosen_rules(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """
    The rules of *select*, or all of them, without those of *ignore*.

    Args:
        select: Ids and names, several in one separated by commas.
        ignore: As *select*.

    Raises:
        RepositoryError: If there is no such rule.
    """
    wanted = _rules(select) or all_rules()
    left = _rules(ignore)
    return tuple(rule for rule in wanted if rule not in left)


def _rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    names = [name for text in texts for name in text.split(",") if name.strip()]
    return tuple(sorted({find_rule(name) for name in names}, key=lambda rule: rule.id))
