"""The folders of a repository, and the model's file in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.folder import entries, is_stray, lone_file, none_available
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_file, is_folder, is_there

__all__ = ["folder_is_no_model", "model_file_missing"]

# What each of these says where its file is not there; others say it in their own words.
_SAYS = {
    "onnxruntime": "failed to stat file {}",
    "python": "Python model file not found in '{}'",
    "tensorrt": "",
    "pytorch": "",
    "openvino": "",
}


@rule("TK007", "model-file-missing", Severity.ERROR, "the model's file is not there")
def model_file_missing(model: Subject) -> Iterator[Found]:
    """
    Each version folder that is served holds the file that the backend loads: model.onnx,
    model.py, model.plan, model.pt, model.xml, or what default_model_filename says.

    For a Python model without its file Triton does not answer for more than a minute; the
    reason is in its log at once.
    """
    if model.backend not in _SAYS or model.given.cc_model_filenames:
        return
    for version in model.served:
        path = model.file_of(version)
        lacks = None if path is None else _lacks(model, version, path)
        if path is None or lacks is None:
            continue
        message, advice, says = lacks
        yield Found(
            ("default_model_filename",) if model.given.default_model_filename else (),
            message=message,
            advice=advice,
            triton=says,
            value=path.name,
        )


def _lacks(model: Subject, version: int, path: Path) -> tuple[str, str, str] | None:
    """What is wrong with the place of a model file, what to do, what Triton says; None if right."""
    if not is_there(path):
        return (
            f"version {version} has no {path.name}.",
            _where_it_is(path),
            _SAYS[model.backend].format(path),
        )
    if is_folder(path):
        if model.backend == "onnxruntime" and not is_there(path / "model.onnx"):
            return (
                f"{path.name} of version {version} is a folder without a model.onnx in it.",
                "Put the file in the folder's place, or with its weights into it.",
                f"unable to find '{path / 'model.onnx'}' for model instance '{model.name}'",
            )
        if model.backend == "python":
            return (
                f"{path.name} of version {version} is a folder.",
                f"Put the model's code into a file {path.name}.",
                f"ModuleNotFoundError: No module named '{version}.{path.stem}'",
            )
    elif not is_file(path):
        return (
            f"{path.name} of version {version} is no file, such as a pipe.",
            f"Put a file {path.name} in its place.",
            "",
        )
    return None


@rule(
    "TK146",
    "folder-is-no-model",
    Severity.ERROR,
    "a folder of the repository is no model",
    unparsed=True,
)
def folder_is_no_model(model: Subject) -> Iterator[Found]:
    """
    Triton takes every folder of a repository for a model, hidden ones such as .git and
    lost+found too, and does not start where one is none, unless told to by
    --exit-on-error=false.
    """
    # A link that leads nowhere is told of by itself.
    if model.directory is not None and is_stray(model) and is_there(model.directory.path):
        hidden = model.name.startswith((".", "lost+found", "__"))
        file = lone_file(model.directory.path)
        put = f"put {file.name if file else 'a model'} into a folder 1 of it"
        yield Found(
            (),
            message="the folder has no configuration and no version, so it is no model.",
            advice="Move it out of the repository."
            if hidden
            else f"Move it out of the repository, or {put}.",
            triton=model.completed.error or none_available(model),
            file=model.directory.path,
        )


def _where_it_is(path: Path) -> str:
    """What to do about a file that is not there, by what is."""
    beside = path.parent.parent / path.name
    if is_file(beside):
        return f"Move {path.name} from the model's folder into {path.parent.name}."
    alike = [
        entry.name
        for entry in entries(path.parent)
        if entry.suffix == path.suffix and entry.is_file()
    ]
    if len(alike) == 1:
        return f'Call {alike[0]} {path.name}, or write default_model_filename: "{alike[0]}".'
    return f"Put {path.name} into folder {path.parent.name}."
