from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.repository import Model, ModelConfig, model_directories, read_config, write_models

# Writes two models and dies, as by kill -9, before the rename of that number.
CRASH = """
import os, sys
from pathlib import Path
from tritonkit.repository import Model, ModelConfig, write_models

left, rename = int(sys.argv[2]), Path.rename

def dying(self, target):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    return rename(self, target)

Path.rename = dying
write_models(
    Path(sys.argv[1]),
    [Model(ModelConfig(name=n, backend="new"), {1: {"f": b"new"}}) for n in ("a", "b")],
)
"""


def model(name: str, backend: str = "python", content: bytes = b"old") -> Model:
    return Model(ModelConfig(name=name, backend=backend), {1: {"f": content}})


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names(repository: Path) -> list[str]:
    return [directory.name for directory in model_directories(repository)]


def test_a_model_is_its_config_and_its_versions(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"\x00\x01")
    config = ModelConfig(name="m", backend="onnxruntime")
    repository = tmp_path / "new" / "repository"
    write_models(
        repository, [Model(config, {1: {"model.onnx": weights}, 3: {"deep/er/file": b"x"}})]
    )
    assert read_config(repository / "m") == config
    found = tree(repository)
    del found["m/config.pbtxt"]
    assert found == {"m/1/model.onnx": b"\x00\x01", "m/3/deep/er/file": b"x"}
    assert weights.exists()


def test_an_ensemble_has_an_empty_version(tmp_path: Path) -> None:
    write_models(tmp_path / "r", [Model(ModelConfig(name="e", platform="ensemble"))])
    assert model_directories(tmp_path / "r")[0].versions() == (1,)


def test_a_model_is_replaced_whole_and_others_are_left_alone(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    write_models(repository, [model("other"), Model(ModelConfig(name="m"), {1: {"a": b""}, 2: {}})])
    write_models(repository, [Model(ModelConfig(name="m"), {3: {"b": b""}})])
    assert set(tree(repository)) == {"other/config.pbtxt", "other/1/f", "m/config.pbtxt", "m/3/b"}
    assert not (repository / "m" / "2").exists()


def test_nothing_but_the_repository_is_left_behind(tmp_path: Path) -> None:
    write_models(tmp_path / "r", [model("m")])
    assert entries(tmp_path) == ["r"]


def test_a_file_that_cannot_be_read_leaves_everything_as_it_was(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    write_models(repository, [model("a")])
    before = tree(tmp_path)
    broken = Model(ModelConfig(name="b"), {1: {"model.onnx": tmp_path / "absent"}})
    with pytest.raises(RepositoryError, match=r"cannot be written: .*absent"):
        write_models(repository, [model("a", content=b"new"), broken])
    assert tree(tmp_path) == before
    assert entries(tmp_path) == ["r"]


@pytest.mark.parametrize("renames", range(5))
def test_a_killed_write_is_all_old_or_all_new_for_the_next(tmp_path: Path, renames: int) -> None:
    """The first rename decides: before it nothing happened, after it all will have."""
    repository = tmp_path / "r"
    write_models(repository, [model("a"), model("b")])
    child = subprocess.run(
        [sys.executable, "-c", CRASH, str(repository), str(renames)], check=False, timeout=60
    )
    assert child.returncode == 9
    # Triton would take any other directory for a model.
    assert set(names(repository)) <= {"a", "b"}

    write_models(repository, [model("other")])
    content = b"old" if renames == 0 else b"new"
    assert [tree(repository)[f"{name}/1/f"] for name in ("a", "b")] == [content, content]
    assert names(repository) == ["a", "b", "other"]
    assert entries(tmp_path) == ["r"]


def test_writers_at_once_do_not_meet(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    writers = [
        threading.Thread(target=write_models, args=(repository, [model(f"m{i}"), model("shared")]))
        for i in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert names(repository) == [f"m{i}" for i in range(8)] + ["shared"]
    assert entries(tmp_path) == ["r"]


def test_a_linked_repository_is_written_where_it_is(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "real"
    real.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(real)
    write_models(link, [model("m")])
    assert names(real) == ["m"]
    assert entries(tmp_path) == ["disk", "link"]


def test_a_mount_of_its_own_is_refused_with_the_way_out() -> None:
    """There is no place next to it from which a rename would reach it."""
    mount = Path("/dev/shm")
    assert mount.is_mount(), "tritonserver needs it too"
    with pytest.raises(RepositoryError, match=r"parent is another .*such as /dev/shm/models"):
        write_models(mount, [model("m")])


@pytest.mark.parametrize("file", ["../f", "/f", "", "a/../../f"])
def test_a_file_outside_its_version_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(RepositoryError, match="must stay in its version's directory"):
        write_models(tmp_path / "r", [Model(ModelConfig(name="m"), {1: {file: b""}})])
    assert entries(tmp_path) == []


@pytest.mark.parametrize("versions", [{}, {0: {}}])
def test_a_model_without_a_version_that_triton_loads_is_refused(
    tmp_path: Path, versions: dict[int, dict[str, bytes]]
) -> None:
    with pytest.raises(RepositoryError, match="needs versions of 1 or more"):
        write_models(tmp_path / "r", [Model(ModelConfig(name="m"), versions)])


def test_a_file_where_the_repository_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "r").touch()
    with pytest.raises(RepositoryError, match=r"r cannot be made: .*File exists"):
        write_models(tmp_path / "r", [model("m")])
