"""`tritonkit config show` and `init`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from onnx import parser

from tritonkit.errors import RepositoryError
from tritonkit.repository.commands.config.init import init
from tritonkit.repository.commands.config.show import show
from tritonkit.repository.text.read import parse_config

DOUBLE = "(float[n,2] x) => (float[n,2] y) { y = Neg(x) }"


def write(directory: Path, text: str, config: str | None = None) -> Path:
    file = directory / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    file.write_bytes(model.SerializeToString())
    if config is not None:
        (directory / "config.pbtxt").write_text(config)
    return file


def run(command: object, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in arguments])  # type: ignore[arg-type]
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_show_marks_what_is_filled_in_and_by_whom(tmp_path: Path) -> None:
    write(tmp_path / "m", DOUBLE, "instance_group { count: 3 }")
    result = run(show, tmp_path, "m")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert 'name: "m"  # filled in: core, the directory\'s name' in lines
    assert "  count: 3" in lines
    assert "  kind: KIND_CPU  # filled in: core, without a GPU" in lines
    assert "input {  # filled in: onnxruntime, from the graph" in lines
    assert "  preferred_batch_size: [4]  # filled in: core, max_batch_size" in lines
    assert result.stderr.startswith("Triton warns: autofilled max_batch_size to 4 for model 'm'")
    config = parse_config(result.stdout, source="stdout")
    assert config.max_batch_size == 4

    again = run(show, tmp_path / "m" / "config.pbtxt")
    assert again.stdout == result.stdout
    found = json.loads(run(show, tmp_path / "m", "--format", "json").stdout)
    assert found["input"][0]["dims"] == [2]
    assert found["instance_group"][0]["count"] == 3


def test_show_of_a_server_with_gpus_and_of_one_that_completes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "m", DOUBLE)
    config = parse_config(run(show, tmp_path, "m", "--gpus", 2).stdout, source="stdout")
    (group,) = config.instance_group
    assert (group.kind, group.count, list(group.gpus)) == (group.KIND_GPU, 1, [0, 1])
    bare = run(show, tmp_path, "m", "--no-auto-complete")
    assert not parse_config(bare.stdout, source="stdout").input


def test_show_says_why_triton_refuses(tmp_path: Path) -> None:
    write(tmp_path / "m", "(float[1,2] x) => (float[1,2] y) { y = Neg(x) }", "max_batch_size: 2")
    result = run(show, tmp_path, "m")
    assert result.exit_code == 1
    assert result.stderr == (
        "Triton refuses the model: autofill failed for model 'm': model does not support batching "
        "while non-zero max_batch_size is specified\n"
    )


def test_show_needs_one_model(tmp_path: Path) -> None:
    write(tmp_path / "embed", DOUBLE)
    with pytest.raises(RepositoryError, match=r"holds no model 'embd'; did you mean 'embed'\?"):
        run(show, tmp_path, "embd")
    with pytest.raises(RepositoryError, match="is a repository; name one of its models too: embed"):
        run(show, tmp_path)
    with pytest.raises(RepositoryError, match="is no directory"):
        run(show, tmp_path / "gone")
    (tmp_path / "embed" / "config.pbtxt").write_text("max_batch: 8\ninput { title: 'x' }")
    with pytest.raises(RepositoryError) as caught:
        run(show, tmp_path, "embed")
    assert str(caught.value).count("config.pbtxt:") == 2


def test_init_writes_beside_the_version_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "m", DOUBLE)
    config = tmp_path / "m" / "config.pbtxt"
    assert run(init, file).stdout == f"wrote {config}\n"
    assert parse_config(config.read_text(), source="m").name == "m"
    assert sorted(entry.name for entry in config.parent.iterdir()) == ["1", "config.pbtxt"]
    config.write_text("# mine")
    with pytest.raises(RepositoryError, match=r"is there already\. To replace it, say --force"):
        run(init, file)
    assert config.read_text() == "# mine"
    run(init, file, "--force", "--max-batch-size", 2)
    assert "max_batch_size: 2\n" in config.read_text()


def test_init_prints_or_writes_elsewhere(tmp_path: Path) -> None:
    file = write(tmp_path / "m", DOUBLE).rename(tmp_path / "loose.onnx")
    assert run(init, file).stdout.count('name: "loose"\n') == 1
    assert 'name: "other"\n' in run(init, file, "--name", "other", "-o", "-").stdout
    result = run(init, file, "-o", tmp_path / "embed")
    assert result.stderr == f"put {file} there as {tmp_path / 'embed' / '1' / 'model.onnx'}\n"
    assert 'name: "embed"\n' in (tmp_path / "embed" / "config.pbtxt").read_text()
    with pytest.raises(RepositoryError, match="a model is called as its directory"):
        run(init, file, "--name", "a", "-o", tmp_path / "b")


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    long = "x" * 5000
    file = write(tmp_path / "m", DOUBLE)
    for command, *arguments in (
        (show, tmp_path / long),
        (init, tmp_path / long),
        (init, tmp_path / "1" / long, "-o", "-"),
        (init, file, "-o", tmp_path / long),
    ):
        with pytest.raises(RepositoryError, match=r"File name too long\.$"):
            run(command, *arguments)
    step = f'ensemble_scheduling {{ step {{ model_name: "{long}" model_version: -1 }} }}'
    (tmp_path / "e" / "1").mkdir(parents=True)
    (tmp_path / "e" / "config.pbtxt").write_text(f'platform: "ensemble" {step}')
    assert run(show, tmp_path, "e").exit_code == 0


def test_init_takes_a_versions_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "m", DOUBLE)
    assert 'name: "m"\n' in run(init, file.parent, "-o", "-").stdout


def test_init_keeps_the_name_of_a_file_in_its_place(tmp_path: Path) -> None:
    file = write(tmp_path / "m", DOUBLE)
    file = file.rename(file.with_name("net.onnx"))
    assert 'default_model_filename: "net.onnx"\n' in run(init, file, "-o", "-").stdout
