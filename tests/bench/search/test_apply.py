from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.bench.search.apply import comments_of, plan_changes, write_changes
from tritonkit.errors import RepositoryError, TritonkitError
from tritonkit.repository.text.read import read_config

CONFIG = """\
# Made by hand.
name: "echo"
backend: "python"  # of ours
max_batch_size: 8
# Callers send one row each.
dynamic_batching { }
input [ { name: "x", data_type: TYPE_FP32, dims: [ 4 ] } ]
output [ { name: "y#", data_type: TYPE_FP32, dims: [ 4 ] } ]
# How exact.
parameters {
  key: "precision"
  value { string_value: "fp32" }
}
"""
RUNNING = {"echo": {"name": "echo", "backend": "python", "max_batch_size": 8}}
BEST = {"max_queue_delay": "2ms", "instances": "2"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "echo").mkdir()
    (tmp_path / "echo" / "config.pbtxt").write_text(CONFIG)
    return tmp_path


def test_the_settings_are_written_and_comments_stay(repository: Path) -> None:
    (change,) = plan_changes(repository, RUNNING, "echo", BEST)
    assert (repository / "echo" / "config.pbtxt").read_text() == CONFIG
    assert "+  max_queue_delay_microseconds: 2000" in change.diff
    assert change.lost_comments == ()
    (kept,) = write_changes(repository, [change])
    assert kept.read_text() == CONFIG
    written = read_config(repository / "echo")
    assert written.dynamic_batching.max_queue_delay_microseconds == 2000
    assert written.instance_group[0].count == 2
    text = (repository / "echo" / "config.pbtxt").read_text()
    # Every line but the one that changed is there, in the same order.
    unchanged = [line for line in CONFIG.splitlines() if not line.startswith("dynamic_batching")]
    lines = iter(text.splitlines())
    assert all(line in lines for line in unchanged)
    assert sorted(p.name for p in (repository / "echo").iterdir()) == [
        "config.pbtxt",
        "config.pbtxt.before",
    ]


def test_what_is_there_already_is_no_change(repository: Path) -> None:
    write_changes(repository, plan_changes(repository, RUNNING, "echo", BEST))
    assert plan_changes(repository, RUNNING, "echo", BEST) == []


def test_a_second_change_keeps_both_old_files(repository: Path) -> None:
    for delay in ("1ms", "2ms"):
        settings = {"max_queue_delay": delay}
        write_changes(repository, plan_changes(repository, RUNNING, "echo", settings))
    assert (repository / "echo" / "config.pbtxt.before").exists()
    assert (repository / "echo" / "config.pbtxt.before.1").exists()


def test_a_file_that_changed_meanwhile_is_left_alone(repository: Path) -> None:
    changes = plan_changes(repository, RUNNING, "echo", BEST)
    file = repository / "echo" / "config.pbtxt"
    file.write_text(CONFIG + "# new\n")
    with pytest.raises(RepositoryError, match="changed meanwhile"):
        write_changes(repository, changes)
    assert file.read_text() == CONFIG + "# new\n"
    assert [file] == list(file.parent.iterdir())


def test_of_two_files_both_or_none_are_written(repository: Path) -> None:
    """The second one is gone: the first one stays as it was, and nothing is left over."""
    (repository / "other").mkdir()
    (repository / "other" / "config.pbtxt").write_text(CONFIG.replace("echo", "other"))
    running = {"other": {**RUNNING["echo"], "name": "other"}}
    changes = [
        *plan_changes(repository, RUNNING, "echo", BEST),
        *plan_changes(repository, running, "other", BEST),
    ]
    (repository / "other" / "config.pbtxt").unlink()
    with pytest.raises(RepositoryError, match="as they were"):
        write_changes(repository, changes)
    assert (repository / "echo" / "config.pbtxt").read_text() == CONFIG
    assert [p.name for p in (repository / "echo").iterdir()] == ["config.pbtxt"]


def test_a_model_that_is_not_in_the_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TritonkitError, match=r"config\.pbtxt"):
        plan_changes(tmp_path, RUNNING, "echo", BEST)


def test_comments_have_the_field_below_them() -> None:
    found, lost = comments_of(CONFIG)
    assert found == {
        "name": "Made by hand.",
        "dynamic_batching": "Callers send one row each.",
        "parameters.precision": "How exact.",
    }
    assert lost == ("of ours",)
