"""Names and texts of a repository as a terminal may have them."""

from __future__ import annotations

__all__ = ["shown"]


def shown(text: str, *, lines: bool = False) -> str:
    """
    *text* with an escape for each character that a terminal would act on.

    Args:
        text: A folder's name, or what a configuration says: it may hold anything.
        lines: Whether it may have several lines, and tabs.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text
    )
