"""`fix`: what has one right answer is repaired, and nothing else is touched."""

from __future__ import annotations

import errno
import os
import random
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.repository.check import onnx_files
from tests.repository.check.case import PYTHON, Files, write_files
from tests.repository.check.test_rules import CASES, Case

from tritonkit.repository.check.check import check
from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.fix import plan as planning
from tritonkit.repository.check.fix.apply import apply_plan
from tritonkit.repository.check.fix.fix import Fix
from tritonkit.repository.check.fix.plan import Plan, plan_fixes
from tritonkit.repository.check.fix.repair import REPAIRED
from tritonkit.repository.check.fix.rounds import Fixed, fix, repairs
from tritonkit.repository.check.report.report import Report
from tritonkit.repository.text.edit import Remove, SetValue
from tritonkit.server.testing import TritonServer

GRAPH = onnx_files.graph(
    "(float[b,4] x, int64[b,n] ids) => (float[b,2] y) "
    "{ w = Constant<value = float[4,2] {1,2,3,4,5,6,7,8}>() y = MatMul(x, w) }"
)
CONFIG = """\
# Written by hand.
backend: "onnxruntime"
max_batch_size: 8   # rows
input [
  { name: "X" data_type: TYPE_INT32 dims: [ 5 ] }, # of the form
  {
    name: "ids"
    data_type: TYPE_INT32
    # how many there may be
    dims: 16
  }
]
output { name: "z" data_type: TYPE_FP64 dims: [ -1, 2 ] }
dynamic_batching {
  preferred_batch_size: [ 4, 8, # as measured
                          16, 32 ]
}
"""
FIXED = """\
# Written by hand.
backend: "onnxruntime"
max_batch_size: 8   # rows
input [
  { name: "x" data_type: TYPE_FP32 dims: [ 4 ] }, # of the form
  {
    name: "ids"
    data_type: TYPE_INT64
    # how many there may be
    dims: 16
  }
]
output { name: "y" data_type: TYPE_FP32 dims: [ 2 ] }
dynamic_batching {
  preferred_batch_size: [ 4, 8 # as measured
                           ]
}
"""


def repository_of(folder: Path, files: Files) -> Path:
    repository = folder / "model_repository"
    repository.mkdir()
    write_files(repository, files)
    return repository


def fixed(repository: Path) -> Fixed:
    return fix(lambda texts: check(repository, texts=texts))


def test_names_types_dims_and_sizes_are_the_graphs(tmp_path: Path):
    """Comments, order and what is not wrong stay; a second time there is nothing to do."""
    repository = repository_of(tmp_path, {"m/config.pbtxt": CONFIG, "m/1/model.onnx": GRAPH})
    config = repository / "m" / "config.pbtxt"
    config.chmod(0o640)
    shown: list[str] = []

    done = fix(lambda texts: check(repository, texts=texts), show=shown.append)

    assert config.read_text() == FIXED
    assert len(shown) == 1
    assert config.stat().st_mode & 0o777 == 0o640
    assert done.written == (config,)
    assert not done.left
    assert done.report.errors == 0
    assert "-max_batch_size" not in "".join(shown)
    assert '-output { name: "z" data_type: TYPE_FP64' in "".join(shown)
    assert fixed(repository).written == ()
    assert sorted(path.name for path in config.parent.iterdir()) == ["1", "config.pbtxt"]


def test_triton_loads_what_was_repaired(model_repository: Path, triton_server: TritonServer):
    """An ensemble too, whose folder of a version was made."""
    ensemble = """\
platform: "ensemble"
max_batch_size: 8
input { name: "a" data_type: TYPE_FP32 dims: 4 }
input { name: "b" data_type: TYPE_INT64 dims: 16 }
output { name: "c" data_type: TYPE_FP32 dims: 2 }
ensemble_scheduling { step {
  model_name: "m" model_version: -1
  input_map { key: "x" value: "a" } input_map { key: "ids" value: "b" }
  output_map { key: "y" value: "c" }
} }
"""
    write_files(
        model_repository,
        {"m/config.pbtxt": CONFIG, "m/1/model.onnx": GRAPH, "e/config.pbtxt": ensemble},
    )
    assert check(model_repository).errors > 1

    done = fixed(model_repository)

    assert (model_repository / "e" / "1").is_dir()
    assert done.report.errors == 0
    server = triton_server(model_repository)
    assert {(model.name, model.state) for model in server.models()} == {
        ("e", "READY"),
        ("m", "READY"),
    }


def test_the_diff_is_of_what_is_on_disk_at_the_end(tmp_path: Path):
    """The ensemble is right until the model is; its repair is shown before any is written."""
    ensemble = """\
platform: "ensemble"
max_batch_size: 8
input { name: "a" data_type: TYPE_INT32 dims: 4 }
output { name: "b" data_type: TYPE_FP32 dims: 4 }
ensemble_scheduling { step {
  model_name: "m" model_version: -1
  input_map { key: "x" value: "a" } output_map { key: "y" value: "b" }
} }
"""
    model = """\
backend: "onnxruntime"
max_batch_size: 8
input { name: "x" data_type: TYPE_INT32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
"""
    graph = onnx_files.graph("(float[b,4] x) => (float[b,4] y) { y = Identity(x) }")
    repository = repository_of(
        tmp_path,
        {"m/config.pbtxt": model, "m/1/model.onnx": graph, "e/config.pbtxt": ensemble, "e/1/": ""},
    )
    configs = {repository / name / "config.pbtxt" for name in "em"}
    before = {path: path.read_bytes() for path in configs}

    report, plan = repairs(lambda texts: check(repository, texts=texts))

    assert {path: path.read_bytes() for path in configs} == before
    assert plan_fixes(report.findings).diff().count("\n+input") == 1
    assert plan.diff().count("\n+input") == 2
    shown: list[str] = []
    done = fix(lambda texts: check(repository, texts=texts), show=shown.append)
    assert shown == [plan.diff()]
    assert set(done.written) == configs
    assert {path: path.read_bytes() for path in configs} == {
        change.path: change.after for change in plan.changes
    }
    assert done.report.errors == 0


def test_one_repair_that_cannot_be_made_hinders_no_other(tmp_path: Path):
    repository = repository_of(tmp_path, {"m/config.pbtxt": CONFIG, "m/1/model.py": PYTHON})
    config = repository / "m" / "config.pbtxt"

    plan = plan_fixes([_finding(config, Remove(("output", 3)), SetValue(("backend",), '"python"'))])

    assert len(plan.left) == 1
    assert '+backend: "python"' in plan.diff()


def test_what_is_read_for_the_repairs_of_a_file_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The text is read after each of them: what is left of them is said."""
    monkeypatch.setattr(planning, "_MOST_READ", 20_000)
    many = 1_000
    config = (
        f"max_batch_size: 4\ndynamic_batching {{ preferred_batch_size: [ {'9, ' * many}4 ] }}\n"
    )
    repository = repository_of(tmp_path, {"m/config.pbtxt": CONFIG, "m/1/model.py": PYTHON})
    path = repository / "m" / "config.pbtxt"
    finding = _finding(
        path,
        *(Remove(("dynamic_batching", "preferred_batch_size", at)) for at in range(many)),
    )

    plan = plan_fixes([finding], {path: config.encode()})

    assert plan.left == (f"{path}: 994 repairs more; run it again.",)
    assert len(plan.changes) == 1


def test_what_has_two_answers_is_left(tmp_path: Path):
    """Dims without the batch axis may want it, or a max_batch_size; sizes above 0 of no batch."""
    config = """\
backend: "onnxruntime"
input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""
    graph = onnx_files.graph("(float[b,4] x) => (float[b,4] y) { y = Identity(x) }")
    repository = repository_of(tmp_path, {"m/config.pbtxt": config, "m/1/model.onnx": graph})

    done = fixed(repository)

    assert done.written == ()
    assert done.report.errors == 2
    assert (repository / "m" / "config.pbtxt").read_text() == config


def test_names_that_two_may_mean_are_left(tmp_path: Path):
    """Two that differ from the graph's in case alone; one that is left, but a state's."""
    same = """\
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "AB" data_type: TYPE_FP32 dims: [ 4 ] },
        { name: "aB" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""
    state = """\
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "q" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
sequence_batching { state {
  input_name: "ab" output_name: "y2" data_type: TYPE_FP32 dims: [ 4 ]
} }
"""
    graph = onnx_files.graph("(float[b,4] ab) => (float[b,4] y) { y = Identity(ab) }")
    repository = repository_of(
        tmp_path,
        {
            "m/config.pbtxt": same,
            "m/1/model.onnx": graph,
            "s/config.pbtxt": state,
            "s/1/model.onnx": graph,
        },
    )

    assert fixed(repository).written == ()


def test_a_name_that_others_use_is_left(tmp_path: Path):
    """An ensemble that maps the wrong name would be wrong itself after it."""
    model = """\
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""
    ensemble = """\
platform: "ensemble"
max_batch_size: 8
input [ { name: "a" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "b" data_type: TYPE_FP32 dims: [ 4 ] } ]
ensemble_scheduling { step {
  model_name: "m" model_version: -1
  input_map { key: "X" value: "a" } output_map { key: "y" value: "b" }
} }
"""
    graph = onnx_files.graph("(float[b,4] x) => (float[b,4] y) { y = Identity(x) }")
    repository = repository_of(
        tmp_path,
        {"m/config.pbtxt": model, "m/1/model.onnx": graph, "e/config.pbtxt": ensemble, "e/1/": ""},
    )

    assert fixed(repository).written == ()


def test_a_file_that_changed_meanwhile_is_left(tmp_path: Path):
    repository = repository_of(tmp_path, {"m/config.pbtxt": CONFIG, "m/1/model.onnx": GRAPH})
    plan = plan_fixes(check(repository).findings)
    config = repository / "m" / "config.pbtxt"
    config.write_text("# mine\n")

    outcome = apply_plan(plan)

    assert outcome.written == ()
    assert outcome.left == (f"{config} changed meanwhile, and is left as it is; check it again.",)
    assert config.read_text() == "# mine\n"


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path):
    repository = repository_of(tmp_path, {"m/1/model.onnx": GRAPH})
    shared = tmp_path / "shared.pbtxt"
    shared.write_text(CONFIG)
    config = repository / "m" / "config.pbtxt"
    config.symlink_to(shared)

    fixed(repository)

    assert config.is_symlink()
    assert shared.read_text() == FIXED


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As in a folder that may not be written, which root may write all the same."""
    repository = repository_of(tmp_path, {"m/config.pbtxt": CONFIG, "m/1/model.onnx": GRAPH})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    assert "cannot be written: Permission denied" in fixed(repository).left[0]
    assert (repository / "m" / "config.pbtxt").read_text() == CONFIG


def _finding(config: Path, *edits: SetValue | Remove) -> Finding:
    found = check(config.parent.parent).findings[0]
    return Finding(
        found.rule,
        found.model,
        found.file,
        found.line,
        found.column,
        type(found.found)((), "", "", fix=Fix(config, edits)),
        "",
    )


def test_repairs_that_contradict_each_other_are_left(tmp_path: Path):
    repository = repository_of(tmp_path, {"m/config.pbtxt": CONFIG, "m/1/model.py": PYTHON})
    config = repository / "m" / "config.pbtxt"
    first = _finding(config, SetValue(("max_batch_size",), "4"), Remove(("input", 0)))
    second = _finding(
        config, SetValue(("max_batch_size",), "16"), SetValue(("backend",), '"python"')
    )
    third = _finding(config, SetValue(("input", 0, "name"), '"q"'))

    plan = plan_fixes([first, second, third, second])

    assert plan.left == (
        f"{config}: two repairs contradict each other at max_batch_size.",
        f"{config}: two repairs contradict each other at input.0.name.",
    )
    assert plan.diff().count("\n-") == 2
    assert '+backend: "python"' in plan.diff()


def _places(findings: Iterable[Finding]) -> set[tuple[str, str, tuple[str | int, ...]]]:
    return {(one.rule.id, one.model, one.found.path) for one in findings}


def _errors(report: Report) -> set[tuple[str, str, tuple[str | int, ...]]]:
    return _places(one for one in report.findings if one.rule.severity is Severity.ERROR)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.rule in REPAIRED], ids=lambda case: case.rule
)
def test_never_makes_a_repository_worse(case: Case, tmp_path: Path):
    """No error comes, and those that were to be repaired go."""
    repository = repository_of(tmp_path, case.fails)

    def look(texts: Mapping[Path, bytes]) -> Report:
        return check(repository, target=case.target, texts=texts)

    before = look({})
    plan = plan_fixes(before.findings)
    if not plan:
        assert plan == Plan()
        return
    done = fix(look)

    assert done.left == ()
    assert _errors(done.report) <= _errors(before)
    repaired = _places(one for one in before.findings if one.found.fix is not None)
    assert repaired
    assert not _places(done.report.findings) & repaired
    assert not plan_fixes(done.report.findings)


@seed(9)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_never_makes_any_configuration_worse(tmp_path_factory: Any, rng: random.Random):
    """No error comes but those of a tensor whose right name let it be compared at last."""
    dims = ["[ -1 ]", "[ 4 ]", "[ 5 ]", "[ -1, 4 ]", "[ 4, 4 ]", "[ ]", "[ 0 ]", "[ 2 ]", "16"]
    types = ["TYPE_FP32", "TYPE_INT64", "TYPE_FP64", "TYPE_INVALID", "TYPE_BF16"]

    def tensor(names: list[str]) -> str:
        return (
            f'{{ name: "{rng.choice(names)}" data_type: {rng.choice(types)} '
            f"dims: {rng.choice(dims)} {rng.choice(['', 'reshape { shape: [ 2 ] }'])} }}"
        )

    config = f"""\
backend: "onnxruntime"
max_batch_size: {rng.choice([0, 4, 8])}
input [ {", ".join(tensor(["x", "X", "q", "ids"]) for _ in range(rng.randint(0, 2)))} ]
output [ {", ".join(tensor(["y", "Y", "q"]) for _ in range(rng.randint(0, 2)))} ]
dynamic_batching {{ preferred_batch_size: [ {rng.choice([2, 8, 16])}, {rng.choice([4, 32])} ] }}
"""
    repository = repository_of(
        tmp_path_factory.mktemp("any"), {"m/config.pbtxt": config, "m/1/model.onnx": GRAPH}
    )
    before = check(repository)

    done = fixed(repository)

    unnamed = {path[:2] for rule, _, path in _errors(before) if rule in ("TK046", "TK047")}
    come = _errors(done.report) - _errors(before)
    # The count of inputs is told at the first that is too many, and another may be that then.
    counted = {rule for rule, _, _ in _errors(before)} & {"TK045"}
    assert all(path[:2] in unnamed or rule in counted for rule, _, path in come)
    assert not plan_fixes(done.report.findings)
