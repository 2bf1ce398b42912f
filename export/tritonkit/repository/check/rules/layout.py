"""The folders of a repository, and the model's file in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.folder import entries, is_stray, lone_file, none_available
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_file, is_there

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
        if path is None or is_there(path):
            continue
        says = _SAYS[model.backend].format(path)
        yield Found(
            ("default_model_filename",) if model.given.default_model_filename else (),
            message=f"version {version} has no {path.name}.",
            advice=_where_it_is(path),
            triton=says,
            value=path.name,
        )


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
    if is_stray(model) and model.directory is not None:
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
