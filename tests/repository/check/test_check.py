"""What is checked: a repository, a model, a configuration; and what is left by comments."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from tests.repository.check.case import PYTHON, write_files

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.check import check
from tritonkit.repository.check.choice import chosen_rules, find_rule
from tritonkit.repository.check.ignore import ignored_in
from tritonkit.repository.check.release import Release
from tritonkit.repository.check.target import Target

TENSORS = """
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
"""
CONFIG = f'backend: "python"\nmax_batch_size: 8\n{TENSORS}'
BATCHING = "dynamic_batching { preferred_batch_size: [ 16 ] }\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Models right and wrong, and one that is wrong in another configuration only."""
    repository = tmp_path / "model_repository"
    repository.mkdir()
    write_files(
        repository,
        {
            "right/config.pbtxt": CONFIG,
            "right/1/model.py": PYTHON,
            "right/configs/big.pbtxt": CONFIG + BATCHING,
            "wrong/config.pbtxt": CONFIG + BATCHING,
            "wrong/1/model.py": PYTHON,
        },
    )
    return repository


def _ids(path: Path, **options: object) -> list[str]:
    return [finding.rule.id for finding in check(path, **options).findings]  # type: ignore[arg-type]


def test_a_repository_is_all_of_its_models(repository: Path):
    report = check(repository)

    assert report.models == ("right", "wrong")
    assert [(one.model, one.rule.id) for one in report.findings] == [
        ("right", "TK015"),
        ("wrong", "TK066"),
    ]
    assert check(repository, models=["right"]).models == ("right",)


@pytest.mark.parametrize("path", ["wrong", "wrong/", "wrong/config.pbtxt", "wrong/../wrong"])
def test_a_model_is_checked_alone(repository: Path, path: str):
    report = check(f"{repository}/{path}")

    assert report.models == ("wrong",)
    assert [one.rule.id for one in report.findings] == ["TK066"]


def test_a_custom_configuration_is_that_of_its_model(repository: Path):
    """By its own path, and where the server is started with its name."""
    for report in (
        check(repository / "right" / "configs" / "big.pbtxt"),
        check(repository / "right", target=Target(config_name="big")),
    ):
        assert report.models == ("right",)
        assert [one.rule.id for one in report.findings] == ["TK066"]
        assert report.findings[0].file.name == "big.pbtxt"


def test_a_configuration_alone_is_checked_for_what_it_says(tmp_path: Path):
    """Nothing is known of its folder, so that no file and no version is missed."""
    config = tmp_path / "alone" / "config.pbtxt"
    config.parent.mkdir()
    config.write_text(CONFIG + BATCHING)

    assert _ids(config) == ["TK066"]


def test_configurations_are_checked_where_the_models_are_kept_elsewhere(tmp_path: Path):
    """One by one: as a repository, they are models without a version."""
    files = {f"{name}/config.pbtxt": CONFIG + BATCHING for name in "mn"}
    write_files(tmp_path, {**files, "m/README.md": "", "m/configs/small.pbtxt": CONFIG})

    assert _ids(tmp_path / "m" / "config.pbtxt") == ["TK066"]
    assert "TK004" in _ids(tmp_path / "m")
    (tmp_path / "m" / "v1").mkdir()
    assert "TK004" in _ids(tmp_path / "m" / "config.pbtxt")


def test_the_advice_on_a_backend_leaves_the_others(tmp_path: Path):
    write_files(tmp_path, {"m/config.pbtxt": 'backend: "mine"\n', "m/1/": ""})
    for told, said in (
        (None, "--backend onnxruntime --backend python --backend mine."),
        (frozenset({"fil"}), "--backend fil --backend mine."),
    ):
        findings = check(tmp_path, target=Target(backends=told)).findings
        (advice,) = [one.found.advice for one in findings if one.rule.id == "TK011"]
        assert advice.endswith(f"tritonkit check {said}")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "does not exist"),
        ("empty", "holds no model"),
    ],
)
def test_what_cannot_be_checked_is_told(tmp_path: Path, path: str, message: str):
    (tmp_path / "empty" / "folder").mkdir(parents=True)

    with pytest.raises(RepositoryError, match=message):
        check(tmp_path / path)


def test_a_model_that_is_not_there_is_told(repository: Path):
    with pytest.raises(RepositoryError, match="no model 'wrnog'; did you mean 'wrong'"):
        check(repository, models=["wrnog"])


def test_a_model_by_its_path_is_that_one(repository: Path):
    with pytest.raises(RepositoryError, match="is of model 'wrong', not of right"):
        check(repository / "wrong", models=["right"])


def test_models_of_more_repositories_are_checked_together(repository: Path, tmp_path: Path):
    second = tmp_path / "second"
    write_files(second, {"other/config.pbtxt": CONFIG, "other/1/model.py": PYTHON})

    assert check(repository, repositories=[second]).models == ("other", "right", "wrong")


def test_rules_are_chosen_by_id_and_name(repository: Path):
    name = find_rule("tk066").name

    assert _ids(repository, rules=chosen_rules(["TK066,tk015"], [name])) == ["TK015"]
    with pytest.raises(RepositoryError, match="there is no rule 'TK66'; did you mean TK"):
        chosen_rules(["TK66"])


@pytest.mark.parametrize(
    "text",
    [
        BATCHING.replace("\n", "  # tritonkit: ignore TK066\n"),
        f"# tritonkit: ignore TK015, TK066\n# so that it is seen\n{BATCHING}",
        f"{BATCHING}\n\n# tritonkit: ignore-file TK066",
    ],
)
def test_a_comment_leaves_a_finding(repository: Path, text: str):
    (repository / "wrong" / "config.pbtxt").write_text(CONFIG + text)

    report = check(repository / "wrong")

    assert not report.findings
    assert [one.rule.id for one in report.ignored] == ["TK066"]


@pytest.mark.parametrize(
    "text",
    [
        f"# tritonkit: ignore TK066\n{TENSORS.strip()}\n{BATCHING}",
        f"# tritonkit: ignore TK061\n{BATCHING}",
        f'parameters {{ key: "# tritonkit: ignore-file TK066" }}\n{BATCHING}',
    ],
)
def test_another_comment_leaves_it_not(repository: Path, text: str):
    (repository / "wrong" / "config.pbtxt").write_text(CONFIG.replace(TENSORS, "") + text)

    assert "TK066" in _ids(repository / "wrong")


@seed(20261126)
@given(st.text("#\"'\\ \n\ttritonkit:ignore-fileTK012,", max_size=60))
def test_any_text_can_be_looked_through_for_comments(text: str):
    assert ignored_in(f"tritonkit: {text}").covers("TK999", 1) is False


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("24.10", Release(24, 10)),
        ("24.10-py3", Release(24, 10)),
        ("24.10-py3-sdk", Release(24, 10)),
        ("2.51.0", Release(24, 10)),
        ("2.30", Release(23, 1)),
        ("2.42.0", Release(24, 1)),
        ("2.59.0", Release(25, 6)),
    ],
)
def test_a_release_is_read_by_its_tag_and_by_its_servers_version(text: str, release: Release):
    assert Release.parse(text) == release


@pytest.mark.parametrize("text", ["", "24", "24.13", "2.29", "2.60.0", "2.5", "v24.10", "24.10-"])
def test_what_is_no_release_is_refused(text: str):
    with pytest.raises(RepositoryError, match=r"such as 24\.10"):
        Release.parse(text)


@pytest.mark.parametrize(
    ("file", "rule"),
    [("config.pbtxt", "TK001"), ("1/model.py", "TK007"), ("1/model.onnx", "TK007")],
)
def test_a_pipe_is_not_read(tmp_path: Path, file: str, rule: str):
    backend = "python" if file.endswith(".py") else "onnxruntime"
    write_files(tmp_path, {"m/config.pbtxt": f'backend: "{backend}"\n', "m/1/": ""})
    (tmp_path / "m" / file).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "m" / file)

    assert rule in _ids(tmp_path / "m")


@pytest.mark.parametrize("closed", ["", "1"])
def test_what_may_not_be_read_is_that_model_s_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch, closed: str
):
    """As for a user who may not; root may read everything."""
    folder = repository / "right" / closed
    stat, scandir, listdir = os.stat, os.scandir, os.listdir

    def refusing(call: Any, inside: bool) -> Any:
        def asked(path: Any = ".", *args: Any, **options: Any) -> Any:
            place = Path(path) if isinstance(path, (str, os.PathLike)) else Path()
            if folder in place.parents or (not inside and place == folder):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *args, **options)

        return asked

    monkeypatch.setattr(os, "stat", refusing(stat, True))
    monkeypatch.setattr(os, "scandir", refusing(scandir, False))
    monkeypatch.setattr(os, "listdir", refusing(listdir, False))
    report = check(repository)

    assert [one.rule.id for one in report.findings if one.model == "wrong"] == ["TK066"]
    assert [one.rule.id for one in report.findings if one.model == "right"]
    assert report.models == ("right", "wrong")
