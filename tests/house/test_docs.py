"""Docs say what is true: links lead somewhere, snippets run, the reference is the code's."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tritonkit.client import Policy
from tritonkit.export import Export
from tritonkit.gateway.config.reading import read_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("docker/*.md")])


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_reference_is_what_the_commands_say() -> None:
    """In a process of its own: click keeps the help option that a command was first used with."""
    generator = ROOT / "docs" / "reference" / "generate.py"
    script = f"import runpy; print(runpy.run_path({str(generator)!r})['render'](), end='')"
    rendered = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    page = ROOT / "docs" / "reference" / "cli.md"
    assert page.read_text(encoding="utf-8") == rendered, "run: make fix"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    files = [target for target in targets if "://" not in target]
    assert [target for target in files if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_docs_name_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")))
    assert named <= targets


def test_the_example_of_the_readme_does_what_it_says(repository: Path, exported: Export) -> None:
    """Its comment names what it prints; it finds `model_repository` in the current folder."""
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    expected = re.findall(r"print\(.*\)  # (.*)", snippet)
    assert expected
    assert repository.name == "model_repository"
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=repository.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_policy_of_the_readme_is_one() -> None:
    """For a client and for a gateway."""
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    policy, config = read_config(text)
    assert not policy.warnings
    policy.build()
    Policy(text).build()
    assert [model.name for model in config.api.models] == ["minilm"]


def test_the_readme_leads_to_every_guide() -> None:
    linked = set(re.findall(r"\]\(docs/guides/([\w-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {page.name for page in ROOT.glob("docs/guides/*.md")}


def test_every_decision_has_a_number_of_its_own() -> None:
    """One after the other, with the same number in its title."""
    pages = sorted(ROOT.glob("docs/decisions/*.md"))
    titles = [int(page.read_text().removeprefix("# ").partition(".")[0]) for page in pages]
    assert [int(page.name[:3]) for page in pages] == titles == list(range(1, len(pages) + 1))


def test_the_examples_of_the_guide_do_what_they_say(tmp_path: Path) -> None:
    """One after the other, as a reader runs them."""
    guide = ROOT / "docs" / "guides" / "export-from-python.md"
    snippet = "\n".join(re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL))
    expected = re.findall(r"print\(.*\)  # (.*)", snippet)
    assert expected
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_examples_of_the_cache_guide_do_what_they_say(
    repository: Path, exported: Export
) -> None:
    """Its comments say where each row comes from; it finds `model_repository` as the README's."""
    guide = ROOT / "docs" / "guides" / "cache-answers.md"
    snippets = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    expected = re.findall(r"print\(.*\)  # (.*)", "".join(snippets))
    assert len(expected) == 3
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets)],
        cwd=repository.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_example_of_the_guide_to_layers_does_what_it_says(
    repository: Path, exported: Export
) -> None:
    """The comments under its print say what each of the calls prints."""
    guide = ROOT / "docs" / "guides" / "guard-a-model.md"
    (snippet,) = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    expected = re.findall(r"^ +# (\(.*)$", snippet, re.MULTILINE)
    assert len(expected) == 4
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=repository.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_figures_of_the_readme_are_those_of_the_committed_results() -> None:
    readme = load(ROOT / "benchmarks" / "readme.py")
    text = readme.README.read_text(encoding="utf-8")
    assert text == readme.replaced(text), "run: python benchmarks/readme.py"
