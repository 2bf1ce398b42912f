from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.repository.check.case import write_files
from tests.repository.check.cases.ensemble_edges import MODELS

from tritonkit.cli import main
from tritonkit.errors import RepositoryError
from tritonkit.repository import read_config
from tritonkit.repository.ensemble.notation import parse_step


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With add (x to y and z), join (p and optional q to y), stream and flat."""
    repository = tmp_path / "model_repository"
    repository.mkdir()
    write_files(repository, MODELS)
    return repository


def _run(repository: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["ensemble", *words, "--repository", str(repository)])


def test_writes_what_it_prints(repository: Path):
    """A version folder too, and a comment for each step."""
    result = _run(repository, "sum", "add", "join:p=y,q=z,y->total")
    assert result.exit_code == 0, result.output
    assert (repository / "sum" / "config.pbtxt").read_text() == result.stdout
    assert (repository / "sum" / "1").is_dir()
    assert "# join: y, z -> total\n" in result.stdout
    step = read_config(repository / "sum").ensemble_scheduling.step[1]
    assert dict(step.input_map) == {"p": "y", "q": "z"}
    assert dict(step.output_map) == {"y": "total"}


def test_a_dry_run_writes_nothing(repository: Path):
    result = _run(repository, "sum", "add", "join:p=y", "--dry-run", "--output", "y")
    assert result.exit_code == 0
    assert not (repository / "sum").exists()


def test_outputs_that_are_not_answered_alone_are_noted(repository: Path):
    """Both are wanted, and one is taken too: Triton loads it, and clients must ask for both."""
    result = _run(repository, "sum", "add", "join:p=y,y->w", "--output", "w", "--output", "y")
    assert result.exit_code == 0, result.output
    assert "Note: a request of 'w' or 'y' alone is not answered" in result.stderr
    assert "Note" not in _run(repository, "two", "add", "join:p=y", "--dry-run").stderr


def test_replaces_a_model_only_if_told(repository: Path):
    refused = _run(repository, "flat", "add")
    assert refused.exit_code == 2
    assert "there is a model 'flat' in" in refused.output
    assert _run(repository, "flat", "add", "--force").exit_code == 0
    assert read_config(repository / "flat").platform == "ensemble"


def test_says_all_that_does_not_fit(repository: Path):
    result = _run(repository, "sum", "add@3", "jion:p=y", "stream:xx=y")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == [
        "  step 1 calls 'jion', which is not there. Did you mean 'join'?",
        "  step 0 calls version 3 of 'add', which serves 1. Take -1 for the newest, or one of "
        "those.",
        "  step 2 ('stream') maps input 'xx', which its model does not have. Its inputs are 'x'.",
    ]
    assert not (repository / "sum").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a step is written MODEL"),
        (":x=y", "a step is written MODEL"),
        ("add@0", "a version is a number of 1 or more, but got '0'"),
        ("add@", "a version is a number of 1 or more, but got ''"),
        ("add:x", "OUTPUT->TENSOR, but got 'x'"),
        ("add:x=", "but got 'x='"),
    ],
)
def test_what_is_no_step(text: str, told: str):
    with pytest.raises(RepositoryError, match=told):
        parse_step(text)


def test_names_may_have_colons():
    """Those of TensorFlow's tensors do."""
    assert parse_step("net@2:input:0=ids,a->b").maps == (("input:0", "=", "ids"), ("a", "->", "b"))
    assert parse_step("net@2").version == 2


def test_a_name_on_both_sides_is_asked_about(repository: Path):
    """An input and an output of one name need the sign that says which is meant."""
    config = read_config(repository / "add")
    config.output[0].name = "x"
    with pytest.raises(RepositoryError, match="'x' is an input and an output of the model"):
        parse_step("add:x=y").sides(config)
    assert parse_step("add:x<-y,x->w").sides(config) == ({"x": "y"}, {"x": "w"})


@pytest.mark.parametrize("text", ["add:x=a,x=b", "add:x<-a,x=b", "add:x=a,x<-b"])
def test_a_name_is_mapped_once(repository: Path, text: str):
    """Whatever the signs, none of two is left out in silence."""
    with pytest.raises(RepositoryError, match="maps 'x' twice: to 'a' and to 'b'"):
        parse_step(text).sides(read_config(repository / "add"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["", "add"], "a model name is made of ASCII letters"),
        (["..", "add"], "a model name is made of ASCII letters"),
        (["e", "add@99999999999999999999"], "a version is a number of 1 or more"),
        (["e", "add", "--max-batch-size", "4294967296"], "not in the range"),
        (
            ["e", "add", "--output", ""],
            "an output of the ensemble needs the name of a tensor, but",
        ),
        (["e", "add:x=\udcff"], "inputs map a name to a name in UTF-8, but got '\\udcff'"),
        (["e", "\udcff"], "a step needs the name of a model in UTF-8, but got '\\udcff'"),
        (
            ["e", "add", "--input", "\udcff"],
            "needs the name of a tensor in UTF-8, but got",
        ),
    ],
)
def test_what_is_no_argument(repository: Path, words: list[str], told: str):
    """Numbers that a configuration has no room for, and bytes that are no text, among them."""
    result = _run(repository, *words)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert not (repository / "e").exists()


def test_a_repository_that_is_not_there_is_told_with_its_option(tmp_path: Path):
    result = _run(tmp_path / "none", "e", "add")
    assert result.exit_code == 2
    assert f"{tmp_path / 'none'} is no directory; --repository names the one" in result.stderr


def test_a_dangling_link_is_a_model_that_is_there(repository: Path):
    (repository / "sum").symlink_to("nowhere")
    result = _run(repository, "sum", "add")
    assert result.exit_code == 2
    assert "there is a model 'sum' in" in result.stderr
    assert (repository / "sum").is_symlink()
