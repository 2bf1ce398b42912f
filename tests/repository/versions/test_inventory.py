from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.repository.versions.conftest import MakeModel

from tritonkit.cli import main
from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig
from tritonkit.repository.versions.card import read_card_summary
from tritonkit.repository.versions.inventory import ModelEntry, inventory
from tritonkit.repository.versions.policy import policy_text, served_versions

CARD = {
    "recipe": "int8",
    "created": "2026-01-02T03:04:05+00:00",
    "times_smaller": 3.9,
    "accuracy": {
        "metric": "MRR",
        "value": 0.72,
        "source_value": 0.75,
        "cosine_mean": 0.99,
        "batch": {"invariant": False},
    },
    "speed": {"times_faster": {"1": 1.5, "32": 2.25, "8": 2.0}},
    "files": {"part/2/model.py": 3, "shared/1/model.py": 4, "odd": 1},
}


def entries(repository: Path) -> dict[str, ModelEntry]:
    return {entry.name: entry for entry in inventory(repository)}


@pytest.mark.parametrize(
    ("policy", "served", "words"),
    [
        (None, (9,), "latest 1"),
        ({}, (1, 3, 9), "all"),
        ({"latest": {}}, (), "latest 0"),
        ({"latest": {"num_versions": 2}}, (3, 9), "latest 2"),
        ({"all": {}}, (1, 3, 9), "all"),
        ({"specific": {"versions": [3, 1, 7]}}, (1, 3), "specific 3, 1, 7"),
        ({"specific": {}}, (), "specific none"),
    ],
)
def test_a_policy_serves(
    policy: dict[str, object] | None, served: tuple[int, ...], words: str
) -> None:
    config = ModelConfig(version_policy=policy)
    assert served_versions(config, [9, 1, 3]) == served
    assert policy_text(config) == words


def test_nothing_is_served_where_triton_does_not_find_a_version(
    repository: Path, make_model: MakeModel
) -> None:
    make_model("renamed", [1, "2.bak"])
    make_model("below", [0, 1, "-3"])
    make_model("zero", [0], "version_policy { }")
    assert {
        name: [(v.version, v.served) for v in entry.versions]
        for name, entry in entries(repository).items()
    } == {"renamed": [(1, False)], "below": [(0, False), (1, True)], "zero": [(0, True)]}
    said = CliRunner().invoke(main, ["repo", "ls", str(repository)]).output
    assert "renamed/2.bak is not served: Triton takes it for version 2, and does not find" in said
    assert "renamed serves no version" in said
    # Pinned, it is loaded again, whatever else lies there.
    for model, version in (("renamed", "1"), ("below", "0")):
        arguments = ["repo", "promote", model, version, "--repository", str(repository)]
        assert CliRunner().invoke(main, arguments).exit_code == 0
    served = [(v.version, v.served) for e in inventory(repository) for v in e.versions]
    assert served == [(0, True), (1, False), (1, True), (0, True)]
    # What was served under a policy that would now choose a folder that is none is pinned.
    arguments = ["repo", "rollback", "below", "--repository", str(repository)]
    (repository / "below" / "7 old").mkdir()
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert entries(repository)["below"].policy == "specific 1"


def test_the_files_tell_the_backend_where_no_configuration_does(repository: Path) -> None:
    for file in ("graph/1/model.onnx", "graph/2/model.py", "code/1/model.py", "none/1/weights"):
        (repository / file).parent.mkdir(parents=True)
        (repository / file).touch()
    (repository / "platform" / "1").mkdir(parents=True)
    (repository / "platform" / "config.pbtxt").write_text('platform: "tensorrt_plan"')
    assert {name: entry.backend for name, entry in entries(repository).items()} == {
        "code": "python",
        "graph": "onnxruntime",
        "none": "",
        "platform": "tensorrt",
    }
    lines = CliRunner().invoke(main, ["repo", "ls", str(repository)]).output.splitlines()
    assert any(line.startswith("none      unknown ") for line in lines)
    # A version without the file of that backend is not promoted.
    arguments = ["repo", "promote", "graph", "--repository", str(repository)]
    said = CliRunner().invoke(main, [*arguments, "2"])
    assert (said.exit_code, "holds no model.onnx" in said.output) == (2, True)
    assert CliRunner().invoke(main, [*arguments, "1"]).exit_code == 0


def test_a_card_tells_of_itself_and_of_the_parts(
    repository: Path, make_model: MakeModel, make_ensemble: MakeModel
) -> None:
    make_model("part")
    make_model("shared", [1])
    for name, recipe in (("first", "int8"), ("second", "fp32")):
        folder = make_ensemble(name, "shared", "part") / "1"
        files = CARD["files"] if name == "first" else {"shared/1/model.py": 4}
        (folder / "card.json").write_text(json.dumps({**CARD, "recipe": recipe, "files": files}))
    found = entries(repository)
    (first,) = found["first"].versions
    assert first.card is not None
    assert first.card.line() == "MRR 0.7200, lost 4.00%, 3.90x smaller, 2.25x faster"
    assert first.card.batch_invariant is False
    precisions = {name: [v.precision for v in entry.versions] for name, entry in found.items()}
    assert precisions == {
        "first": ["int8"],
        "second": ["fp32"],
        "part": ["", "int8"],
        # Two cards speak of it, of two precisions.
        "shared": [""],
    }
    assert [(step.model, step.version) for step in found["first"].steps] == [
        ("shared", -1),
        ("part", -1),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"accuracy": 3, "files": []}', "[" * 100_000])
def test_a_card_that_is_none_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    card = read_card_summary(tmp_path)
    assert card is None or card.line() == ""


def test_ls_lists_what_can_be_read_and_what_cannot(
    repository: Path, make_model: MakeModel, make_ensemble: MakeModel
) -> None:
    make_model(
        "m",
        [1, 2, 10, "03", "2.bak", "old", "warmup"],
        'version_policy { latest { num_versions: 2 } }\nparameters { key: "tritonkit.model_digest" '
        'value { string_value: "0123456789abcdef" } }\nparameters { key: "tritonkit.export" '
        'value { string_value: "m int8" } }',
    )
    make_model("none", [1], "version_policy { specific { versions: 3 } }")
    make_ensemble("e", "m", ("none", 1))
    (repository / "bad").mkdir()
    (repository / "bad" / "config.pbtxt").write_text("backend: {")
    (repository / "bytes").mkdir()
    (repository / "bytes" / "config.pbtxt").write_bytes(b"\xff")
    (repository / "torn").mkdir()
    (repository / "torn" / "served.json").write_text("{}")

    said = CliRunner().invoke(main, ["repo", "ls", str(repository)])
    assert said.exit_code == 1
    for words in (
        "m      python          1",
        "10  served              ",
        "int8       0123456789ab",
        "2  served if asked for",
        "m/03 is not served: a version does not begin with 0.",
        "m/2.bak is not served: Triton takes it for version 2, whose files it looks for in '2'.",
        "m/old is not served: a version is a number of 1 or more.",
        "none serves no version: its version_policy is specific 3.",
        "e calls m, none version 1.",
        "bad cannot be read: ",
        "config.pbtxt:1:",
        "bytes cannot be read: ",
        "is no record of what was served",
        "6 models, 5 versions, ",
        "3 that cannot be read.",
    ):
        assert words in said.output
    assert "warmup" not in said.output

    said = CliRunner().invoke(main, ["repo", "ls", str(repository), "--format", "json"])
    assert said.exit_code == 1
    models = {model["name"]: model for model in json.loads(said.output)["models"]}
    assert [v["version"] for v in models["m"]["versions"] if v["served"]] == [2, 10]
    assert [v["version"] for v in models["m"]["versions"] if v["answering"]] == [10]
    assert models["m"]["versions"][2]["identity"] == "0123456789abcdef"
    # The configuration is that of the version that answers.
    assert models["m"]["versions"][1]["identity"] == ""


@pytest.mark.parametrize("name", ["config.pbtxt", "served.json", "1/card.json"])
def test_a_pipe_is_not_waited_for(repository: Path, make_model: MakeModel, name: str) -> None:
    (make_model("m") / name).unlink(missing_ok=True)
    os.mkfifo(repository / "m" / name)
    said = CliRunner().invoke(main, ["repo", "ls", str(repository)])
    readable = name == "1/card.json"
    assert said.exit_code == (0 if readable else 1)
    assert ("it is no regular file." in said.output) != readable
    arguments = ["repo", "promote", "m", "1", "--repository", str(repository)]
    assert CliRunner().invoke(main, arguments).exit_code == (0 if readable else 2)


def test_a_folder_that_may_not_be_looked_into_is_told(
    repository: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, exists = make_model("m") / "config.pbtxt", Path.exists
    make_model("open")

    def closed_exists(path: Path) -> bool:
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", closed_exists)
    found = entries(repository)
    assert found["m"].error == f"{closed} cannot be read: Permission denied."
    assert not found["open"].error


def test_a_name_does_nothing_to_a_terminal(repository: Path, make_model: MakeModel) -> None:
    make_model("red\x1b[31m", [1, "x\ny"], 'default_model_filename: "a\\033[2Jb"')
    (repository / os.fsdecode(b"\xff") / "1").mkdir(parents=True)
    (repository / "bad").mkdir()
    (repository / "bad" / "config.pbtxt").write_text("\x1b" + "0" * 1_000_000)
    for arguments in (["ls", str(repository)], ["prune", "--repository", str(repository)]):
        said = CliRunner().invoke(main, ["repo", *arguments]).output
        assert "\x1b" not in said
        assert len(said) < 2000
    said = CliRunner().invoke(main, ["repo", "ls", str(repository)]).output
    assert "red\\x1b[31m  python " in said
    assert "\n\\udcff " in said
    said = CliRunner().invoke(main, ["repo", "ls", str(repository), "--format", "json"]).output
    said.encode()
    there = {path.name for path in repository.iterdir()}
    assert {model["name"] for model in json.loads(said)["models"]} == there


def test_a_version_larger_than_triton_counts_is_none(
    repository: Path, make_model: MakeModel
) -> None:
    make_model("m", [1, 2**63 - 1, 2**63])
    (entry,) = inventory(repository)
    assert [version.version for version in entry.versions] == [1, 2**63 - 1]
    assert [(ignored.name, ignored.reason) for ignored in entry.ignored] == [
        (str(2**63), "the server ends at a version that takes more than 64 bits")
    ]
    said = CliRunner().invoke(
        main, ["repo", "promote", "m", str(2**63), "--repository", str(repository)]
    )
    assert "has no version" in said.output


def test_a_repository_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="cannot be read: No such file"):
        inventory(tmp_path / "absent")
    assert CliRunner().invoke(main, ["repo", "ls", str(tmp_path / "absent")]).exit_code == 2
    assert "0 models" in CliRunner().invoke(main, ["repo", "ls", str(tmp_path)]).output
