"""What is refused before a server is started."""

from pathlib import Path

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.server.preflight import check_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name / "1").mkdir(parents=True)
    return tmp_path


def test_a_repository_passes(repository):
    check_repository(repository)


def test_a_missing_folder(tmp_path):
    with pytest.raises(RepositoryError, match="nowhere does not exist; `tritonkit export` writes"):
        check_repository(tmp_path / "nowhere")


def test_a_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(RepositoryError, match=r"model\.onnx is not a folder"):
        check_repository(tmp_path / "model.onnx")


def test_an_empty_folder(tmp_path):
    with pytest.raises(RepositoryError, match="holds no model"):
        check_repository(tmp_path)


@pytest.mark.parametrize("mode", ["explicit", "poll"])
def test_an_empty_folder_may_fill_later(tmp_path, mode):
    check_repository(tmp_path, model_control_mode=mode)


def test_a_model_instead_of_its_repository(repository):
    with pytest.raises(RepositoryError, match=f"is a model, .* holds it: {repository}"):
        check_repository(repository / "a")


def test_a_model_known_by_its_configuration(repository):
    (repository / "config.pbtxt").write_text("")
    with pytest.raises(RepositoryError, match="is a model, not a model repository"):
        check_repository(repository)


def test_a_model_may_be_named_by_a_number(repository):
    (repository / "7" / "1").mkdir(parents=True)
    check_repository(repository)


def test_a_model_to_load_that_is_not_there(repository):
    with pytest.raises(RepositoryError, match="holds no model 'c', but a, b"):
        check_repository(repository, model_control_mode="explicit", load_models=["a", "c"])


def test_all_models_to_load(repository):
    check_repository(repository, model_control_mode="explicit", load_models=["*"])
