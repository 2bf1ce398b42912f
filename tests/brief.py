"""Exports of tests that ask for models, and not for how fast they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def briefly_timed() -> Iterator[None]:
    """
    How fast a candidate is, is measured for a quarter of a second, not for three.

    It is measured in five rounds all the same; and for four times as long where its ratio
    is not sure, which beside other sessions is the rule.
    """
    from tritonkit.export.search.trial import try_recipes

    with pytest.MonkeyPatch.context() as patch:
        assert try_recipes.__kwdefaults__["seconds"] == 3
        patch.setitem(try_recipes.__kwdefaults__, "seconds", 0.25)
        yield
