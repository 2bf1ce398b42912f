from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.sources.detect import read_source


@pytest.mark.parametrize("name", ["absent", "absent.onnx", "a/b/c", "./a", "../a", "~/a"])
def test_what_is_not_there_is_told_what_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"does not exist\. Export takes a Hugging Face"):
        read_source(name)


def test_a_file_of_another_kind_is_told_what_works(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.touch()
    with pytest.raises(
        ConfigError, match=r"weights\.safetensors is of no kind that export knows"
    ) as e:
        read_source(file)
    assert str(e.value).endswith("from Python also a torch.nn.Module, as TorchModule.")


def test_a_file_has_no_task(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.touch()
    with pytest.raises(ConfigError, match="a task is for a Hugging Face folder"):
        read_source(file, task="fill-mask")


def test_a_folder_of_nothing_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="config"):
        read_source(tmp_path)


def test_a_sentence_transformers_folder_is_one(minilm: Path) -> None:
    source = read_source(minilm)
    assert source.kind == "sentence-transformers folder"
    assert source.comparison == "embeddings"
