"""Every case there is; the pages of docs/rules take their examples from them."""

from __future__ import annotations

import importlib
import pkgutil

from tests.repository.check import cases
from tests.repository.check.case import Case

__all__ = ["all_cases"]


def all_cases() -> tuple[Case, ...]:
    """The cases of each file in the folder cases, by its name."""
    found: list[Case] = []
    for module in pkgutil.iter_modules(cases.__path__):
        found += importlib.import_module(f"{cases.__name__}.{module.name}").CASES
    return tuple(found)
