"""Writes the pages of the rules beside this file: `make fix` runs it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tritonkit.repository.check import rules as families  # noqa: E402
from tritonkit.repository.check.checker import all_rules  # noqa: E402
from tritonkit.repository.check.explain import what_comes  # noqa: E402
from tritonkit.repository.check.rule import Rule  # noqa: E402

if TYPE_CHECKING:
    from tests.repository.check.case import Case

MADE = "Made from the rules by `make fix`; a test holds it to the code."
LONGEST = 24
"""Lines of a configuration that is shown; a longer one hides what is wrong with it."""


def render() -> dict[str, str]:
    """The pages, by their file's name."""
    from tests.repository.check.table import all_cases

    examples: dict[str, Case] = {}
    for case in all_cases():
        examples.setdefault(case.rule, case)
    by_family = sorted(all_rules(), key=lambda rule: (rule.family, rule.id))
    pages: dict[str, str] = {}
    index = [_HEAD]
    for family, group in groupby(by_family, key=lambda rule: rule.family):
        rules = list(group)
        title = _title(family)
        told = [f"# {title.rstrip('.')}\n\n{MADE}\n"]
        told += [_rule(rule, examples.get(rule.id)) for rule in rules]
        pages[f"{family}.md"] = "\n".join(told)
        index.append(f"## [{title.rstrip('.')}]({family}.md)\n\n{_table(rules)}")
    pages["README.md"] = "\n".join(index)
    return pages


_HEAD = f"""\
# Rules of `tritonkit check`

{MADE}
The [guide](../guides/check-a-repository.md) says how to use it.

With an error, Triton refuses the model.
With a mistake of severity request, it loads the model, and requests to it fail.
With a warning, it serves the model otherwise than its author meant.
"""


def _title(family: str) -> str:
    module = importlib.import_module(f"{families.__name__}.{family.replace('-', '_')}")
    return " ".join((module.__doc__ or family).split("\n\n")[0].split())


def _table(rules: list[Rule]) -> str:
    rows = ["| rule | severity | mistake |", "| --- | --- | --- |"]
    rows += [
        f"| [{rule.id}]({rule.family}.md#{rule.id.lower()}) "
        f"| {rule.severity} | {_cell(rule.title)} |"
        for rule in rules
    ]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rule(rule: Rule, case: Case | None) -> str:
    parts = [
        f"## {rule.id}\n",
        f"`{rule.name}`: {rule.title}.\n",
        f"{what_comes(rule)}\n",
        f"{rule.explanation}\n",
    ]
    if case is not None:
        parts += _example(rule, case)
    return "\n".join(parts)


def _example(rule: Rule, case: Case) -> Iterator[str]:
    config = case.fails.get(f"{case.model}/config.pbtxt")
    shown = "" if not isinstance(config, str) else re.sub(r"\n{2,}", "\n", config.strip("\n"))
    if rule.family in ("duplicates", "files", "layout", "python", "versions"):
        files = "\n".join(sorted(name.removeprefix("../") for name in case.fails))
        yield f"A repository that has the mistake:\n\n```text\n{files}\n```\n"
    if shown and shown.count("\n") < LONGEST:
        yield f"A configuration that has it:\n\n```protobuf\n{shown}\n```\n"
    if case.says:
        says = case.says.replace("{repository}", "/models")
        yield f"Triton says:\n\n```text\n{says}\n```\n"


def write() -> None:
    """Write the pages, and remove those of families that are gone."""
    pages = render()
    for page in HERE.glob("*.md"):
        if page.name not in pages:
            page.unlink()
    for name, text in pages.items():
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
