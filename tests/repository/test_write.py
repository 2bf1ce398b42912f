from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.repository import (
    Model,
    ModelConfig,
    ModelDirectory,
    Tensor,
    add_tensors,
    check_place,
    model_directories,
    read_config,
    write_models,
)

# Writes ten times: a model of its own, and one that the others write too.
WRITER = """
import sys
from pathlib import Path
from tritonkit.repository import Model, ModelConfig, write_models

repository, writer = Path(sys.argv[1]), sys.argv[2]
for turn in range(10):
    content = f"{writer} {turn}".encode()
    write_models(repository, [
        Model(ModelConfig(name=name, backend=f"{writer}-{turn}"), {1: {"f": content, "g": content}})
        for name in (writer, "shared", "shared-too")
    ])
"""

# Writes into one folder after another; root may write anywhere, so that it is another user.
UNPRIVILEGED = """
import json, os, sys
from pathlib import Path
from tritonkit.errors import RepositoryError
from tritonkit.repository import Model, ModelConfig, check_place, write_models

if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
said = []
for folder in sys.argv[1:]:
    try:
        said.append(write_models(Path(folder), [Model(ModelConfig(name="m"))]))
    except RepositoryError as error:
        said.append(str(error))
    try:
        check_place(Path(folder))
        said[-1] = "check_place says nothing"
    except RepositoryError as error:
        assert str(error) == said[-1], error
print(json.dumps(said))
"""

IN, OUT = Tensor("x", "TYPE_FP32", (2,)), Tensor("y", "TYPE_FP32", (-1,))


def model(name: str, backend: str = "python", content: bytes = b"old") -> Model:
    return Model(ModelConfig(name=name, backend=backend), {1: {"f": content}})


def version(
    number: int, *, inputs: tuple[Tensor, ...] = (IN,), backend: str = "python", batch: int = 8
) -> Model:
    """A version to be added to what stands as "m"."""
    config = ModelConfig(name="m", backend=backend, max_batch_size=batch)
    add_tensors(config.input, inputs)
    add_tensors(config.output, [OUT])
    config.parameters["newest"].string_value = str(number)
    return Model(config, {number: {"f": str(number).encode()}}, keep_versions=True)


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


def test_a_refused_first_write_leaves_no_empty_repository(tmp_path: Path) -> None:
    broken = Model(ModelConfig(name="b"), {1: {"model.onnx": tmp_path / "absent"}})
    with pytest.raises(RepositoryError, match="absent"):
        write_models(tmp_path / "deep" / "r", [broken])
    assert entries(tmp_path) == []
    # One that was there is not ours to remove.
    (tmp_path / "r").mkdir()
    with pytest.raises(RepositoryError, match="absent"):
        write_models(tmp_path / "r", [broken])
    assert entries(tmp_path) == ["r"]


def test_a_repository_that_goes_while_it_is_waited_for_is_made_again(tmp_path: Path) -> None:
    """The refused writers remove what the others wait for."""
    repository = tmp_path / "r"
    broken = Model(ModelConfig(name="b"), {1: {"model.onnx": tmp_path / "absent"}})

    def write(made: Model, failures: list[str]) -> None:
        try:
            write_models(repository, [made])
        except RepositoryError as error:
            failures.append(str(error))

    for _ in range(10):
        failures: list[str] = []
        writers = [
            threading.Thread(target=write, args=(made, failures))
            for made in (broken, broken, model("m"), broken)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert ["absent" in failure for failure in failures] == [True] * 3
        assert names(repository) == ["m"]
        assert entries(tmp_path) == ["r"]
        shutil.rmtree(repository)


def test_no_model_and_one_name_twice_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"no model to write into .*r\.$"):
        write_models(tmp_path / "r", [])
    with pytest.raises(RepositoryError, match="'m' is to be written twice"):
        write_models(tmp_path / "r", [model("m"), model("other"), model("m")])
    assert entries(tmp_path) == []


def test_a_place_that_may_not_be_written_is_named_before_anything_is() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as shared:
        folder = Path(shared)
        folder.chmod(0o755)
        owned, closed = folder / "owned", folder / "parent" / "closed"
        for repository in (owned, closed):
            repository.mkdir(parents=True)
        if os.getuid() == 0:
            os.chown(owned, 65534, 65534)
        folder.chmod(0o555)
        closed.chmod(0o555)
        (folder / "parent").chmod(0o777)
        child = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, *map(str, (owned, closed, folder / "new"))],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        folder.chmod(0o755)
        parent, itself, absent = json.loads(child.stdout)
        assert "its parent is not writable" in parent
        assert f"such as {owned / 'models'}" in parent
        assert f"{closed} is not writable" in itself
        assert "new cannot be made: [Errno 13] Permission denied" in absent
        assert entries(folder) == ["owned", "parent"]
        assert entries(folder / "parent") == ["closed"]


def test_looking_at_a_place_leaves_it_as_it_is(tmp_path: Path) -> None:
    check_place(tmp_path / "new" / "repository")
    assert entries(tmp_path) == []
    write_models(tmp_path / "r", [model("m")])
    before = tree(tmp_path)
    check_place(tmp_path / "r")
    assert tree(tmp_path) == before
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryError, match="file cannot be made"):
        check_place(tmp_path / "file")


def test_what_holds_the_decision_is_synced_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a power cut a file is lost with the folder that it is in."""
    synced: list[tuple[Path, bool]] = []
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, any(tmp_path.rglob("decided"))))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_models(tmp_path / "deep" / "r", [model("m")])
    staging = tmp_path / "deep" / ".r.tritonkit-staging"
    turn = [decided for _, decided in synced].index(True)
    before, after = ([path for path, _ in part] for part in (synced[:turn], synced[turn:]))
    # The repository that was made, the folder that it was made in, and the staging in it.
    assert {tmp_path, tmp_path / "deep", staging / "new" / "m" / "1" / "f"} <= set(before)
    assert before[-1] == tmp_path / "deep"
    assert after == [staging, tmp_path / "deep" / "r", staging]


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


def test_processes_at_once_do_not_meet(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(repository), name])
        for name in ("one", "two", "three")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    assert names(repository) == ["one", "shared", "shared-too", "three", "two"]
    # Whoever was last wrote all of both.
    files = tree(repository)
    last = {files[f"{name}/1/{file}"] for name in ("shared", "shared-too") for file in "fg"}
    assert last in ({b"one 9"}, {b"two 9"}, {b"three 9"})
    assert entries(tmp_path) == ["r"]


def test_a_model_has_files_beside_its_versions(tmp_path: Path) -> None:
    labels = tmp_path / "names"
    labels.write_bytes(b"a\nb\n")
    made = Model(
        ModelConfig(name="m"),
        {2: {"model.onnx": b"123"}},
        files={"labels.txt": labels},
        comments={"name": "Why."},
    )
    write_models(tmp_path / "r", [made])
    assert tree(tmp_path / "r") == {
        "m/config.pbtxt": b'# Why.\nname: "m"\nmax_batch_size: 0\n',
        "m/labels.txt": b"a\nb\n",
        "m/2/model.onnx": b"123",
    }
    assert made.file_sizes() == {"m/labels.txt": 4, "m/2/model.onnx": 3}


@pytest.mark.parametrize("file", ["1/f", "2", "config.pbtxt", "config.pbtxt/x", "../f", "/f", ""])
def test_a_file_of_a_model_keeps_to_its_place(tmp_path: Path, file: str) -> None:
    with pytest.raises(RepositoryError, match=r"stands where its|must stay in its directory"):
        write_models(tmp_path / "r", [Model(ModelConfig(name="m"), files={file: b""})])
    assert entries(tmp_path) == []


def test_a_version_is_added_and_the_others_stay(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    write_models(repository, [version(1)])
    directory = repository / "m"
    (directory / "1" / "deep").mkdir()
    (directory / "1" / "deep" / "notes").write_text("mine")
    (directory / "readme").write_text("mine too")
    (directory / "1" / "link").symlink_to("f")
    (directory / "linked").symlink_to("1")
    before = (directory / "1" / "f").stat()
    write_models(repository, [version(2)])
    assert tree(directory).keys() == {
        *("1/f", "1/deep/notes", "1/link", "2/f", "config.pbtxt", "readme", "served.json"),
    }
    assert read_config(directory).parameters["newest"].string_value == "2"
    # The same file: an old version takes no space twice, and no server loads it again.
    after = (directory / "1" / "f").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (directory / "1" / "link").readlink() == Path("f")
    assert (directory / "linked").readlink() == Path("1")
    assert entries(tmp_path) == ["r"]


def test_what_is_not_told_to_keep_is_replaced(tmp_path: Path) -> None:
    write_models(tmp_path / "r", [version(1)])
    write_models(tmp_path / "r", [replace(version(2), keep_versions=False)])
    assert ModelDirectory(tmp_path / "r" / "m").versions() == (2,)


def test_a_version_is_overwritten_only_by_force(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    write_models(repository, [version(1)])
    write_models(repository, [version(2)])
    before = tree(tmp_path)
    again = replace(version(2), versions={2: {"f": b"again"}})
    with pytest.raises(RepositoryError, match="'m' has version 2 already; add the next"):
        write_models(repository, [model("other"), again])
    assert tree(tmp_path) == before
    write_models(repository, [again], force=True)
    assert tree(tmp_path) == {**before, "r/m/2/f": b"again"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inputs": (replace(IN, dims=(3,)),)}, r"inputs x TYPE_FP32 \[2\], now x TYPE_FP32 \[3\]"),
        ({"inputs": (replace(IN, name="z"),)}, r"inputs x TYPE_FP32 \[2\], now z TYPE_FP32 \[2\]"),
        ({"inputs": ()}, r"inputs x TYPE_FP32 \[2\], now none"),
        ({"backend": "onnxruntime"}, "backend python, now onnxruntime"),
        ({"batch": 0}, "a batch axis: yes, now no"),
    ],
)
def test_kept_versions_must_fit_the_new_configuration(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    repository = tmp_path / "r"
    write_models(repository, [version(1)])
    before = tree(tmp_path)
    with pytest.raises(RepositoryError, match=f"'m' keeps version 1, which .*had {message}"):
        write_models(repository, [version(2, **changed)], force=True)
    assert tree(tmp_path) == before
    # Nothing is kept here.
    write_models(repository, [version(1, **changed)], force=True)


def labelled(number: int, labels: str | None, *, kept: bool = True) -> Model:
    made = version(number)
    if labels is None:
        return made
    made.config.output[0].label_filename = "names.txt"
    return replace(made, files={"names.txt": labels.encode()}, keep_versions=kept)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("cat\ndog\n", "dog\ncat\n", "label 0 of y 'cat', now 'dog'"),
        ("cat\ndog\n", "cat\ncow\n", "label 1 of y 'dog', now 'cow'"),
        ("cat\n", "cat\ncow\n", "1 labels of y, now 2"),
        (None, "cat\n", "0 labels of y, now 1"),
        ("cat\n", None, "1 labels of y, now 0"),
    ],
)
def test_kept_versions_keep_their_labels(
    tmp_path: Path, before: str | None, after: str | None, message: str
) -> None:
    """The file is the model's: an older version would answer with the new names."""
    repository = tmp_path / "r"
    write_models(repository, [labelled(1, before)])
    standing = tree(tmp_path)
    with pytest.raises(RepositoryError, match=f"'m' keeps version 1, which .*had {message}"):
        write_models(repository, [labelled(2, after)])
    assert tree(tmp_path) == standing
    write_models(repository, [labelled(2, before)])
    assert ModelDirectory(repository / "m").versions() == (1, 2)


def test_the_order_of_inputs_does_not_matter(tmp_path: Path) -> None:
    both = (IN, replace(IN, name="z"))
    write_models(tmp_path / "r", [version(1, inputs=both)])
    write_models(tmp_path / "r", [version(2, inputs=both[::-1], batch=16)])
    assert ModelDirectory(tmp_path / "r" / "m").versions() == (1, 2)


def test_a_version_is_not_added_to_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "r" / "m" / "1").mkdir(parents=True)
    with pytest.raises(RepositoryError, match=r"m/config.pbtxt cannot be read"):
        write_models(tmp_path / "r", [version(2)])
    assert entries(tmp_path / "r" / "m") == ["1"]


def test_the_first_version_needs_nothing_to_stand(tmp_path: Path) -> None:
    write_models(tmp_path / "r", [version(7)])
    assert ModelDirectory(tmp_path / "r" / "m").versions() == (7,)


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
