"""The pages of the rules say what the rules say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tritonkit.repository.check.checker import all_rules
from tritonkit.repository.check.explain import explain

RULES = Path(__file__).parents[3] / "docs" / "rules"


def test_the_pages_are_those_of_the_rules():
    spec = importlib.util.spec_from_file_location("rule_pages", RULES / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    pages = {page.name: page.read_text(encoding="utf-8") for page in RULES.glob("*.md")}

    assert pages == module.render(), "run: make fix"


def test_every_rule_has_its_place_on_its_page():
    """What a finding links to is there."""
    for rule in all_rules():
        page, _, anchor = rule.page.partition("#")
        text = (RULES.parents[1] / page).read_text(encoding="utf-8")
        assert f"\n## {anchor.upper()}\n" in text
        assert rule.explanation
        assert rule.explanation in explain(rule)
