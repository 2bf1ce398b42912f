"""Files that a configuration names, and links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.folder import entries, leaves
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_there

__all__ = [
    "batch_strategy",
    "broken_link",
    "configuration_not_read",
    "file_outside",
    "label_file_missing",
]

_STRATEGY = "TRITON_BATCH_STRATEGY_PATH"


@rule("TK013", "label-file-missing", Severity.ERROR, "a file of labels is not there")
def label_file_missing(model: Subject) -> Iterator[Found]:
    """
    label_filename of an output names a file in the model's folder with a label a line, which
    Triton reads while it loads the model.
    """
    if model.directory is None:
        return
    for index, output in enumerate(model.given.output):
        path = _in(model.directory.path, output.label_filename)
        if output.label_filename and not is_there(path):
            yield Found(
                ("output", index, "label_filename"),
                message=f"output '{output.name}' has its labels in {output.label_filename}, "
                "which is not there.",
                advice=f"Put the file into {model.name}, a label a line, or take the line out.",
                triton=f"failed to open text file for read {path}: No such file or directory",
                tensor=str(output.name),
                value=str(output.label_filename),
            )


@rule(
    "TK015",
    "configuration-not-read",
    Severity.WARNING,
    "a configuration that the server does not read",
)
def configuration_not_read(model: Subject) -> Iterator[Found]:
    """
    A model may have more configurations in its folder configs. A server reads one of them
    where it is started with --model-config-name, else config.pbtxt.
    """
    if model.directory is None or model.target.config_name:
        return
    for entry in entries(model.directory.path / "configs"):
        if entry.suffix == ".pbtxt":
            yield Found(
                (),
                message=f"configs/{entry.name} is read by a server with "
                f"--model-config-name={entry.stem} only.",
                advice=f"Start it so and check for it: --model-config-name {entry.stem}.",
                value=entry.stem,
            )


@rule("TK016", "batch-strategy", Severity.ERROR, "the batching library cannot be used")
def batch_strategy(model: Subject) -> Iterator[Found]:
    """
    The parameter TRITON_BATCH_STRATEGY_PATH names a library that decides which requests the
    dynamic batcher joins. The sequence batcher has no use for one. A path that does not start
    at the root is looked for from where the server was started, not from the model's folder.
    """
    if _STRATEGY not in model.given.parameters or model.is_ensemble:
        return
    value = str(model.given.parameters[_STRATEGY].string_value)
    path = ("parameters", _STRATEGY, "string_value")
    if model.given.HasField("sequence_batching"):
        yield Found(
            path,
            message="a batching library stands beside sequence_batching.",
            advice=f"Take {_STRATEGY} out, or batch without sequences.",
            triton=f"{_STRATEGY} cannot be specified with sequence batcher, "
            "using default batching strategy",
            value=value,
        )
    elif _surely_missing(model, value):
        yield Found(
            path,
            message=f"there is no batching library {value}.",
            advice="Write the library's whole path, as the server sees it.",
            triton=f"Batching library path not found: {value}",
            value=value,
        )


def _surely_missing(model: Subject, value: str) -> bool:
    """Not so of a path that only the server's own machine may have."""
    path = Path(value)
    if is_there(path) or model.directory is None:
        return False
    return not path.is_absolute() or path.is_relative_to(model.directory.path.absolute().parent)


@rule(
    "TK145",
    "broken-link",
    Severity.ERROR,
    "a link leads nowhere",
    unparsed=True,
)
def broken_link(model: Subject) -> Iterator[Found]:
    """
    Triton looks at the time of everything in a model's folder before it loads the model, and
    gives up at a link that leads nowhere. Deeper down it says so in its log and goes on.

    Such a link in the repository itself is worse: Triton looks at what is a folder there, and
    loads none of the models.
    """
    if model.directory is None:
        return
    folder = model.directory.path
    if folder.is_symlink() and not is_there(folder):
        yield Found(
            (),
            message=f"'{folder.name}' is a link to {folder.readlink()}, which is not there.",
            advice="Take it out of the repository: with it there, Triton loads no model at all.",
            triton=f"failed to poll model repository '{folder.parent}': "
            f"failed to stat file {folder}",
            value=folder.name,
            file=folder,
        )
        return
    for entry in entries(folder):
        if entry.is_symlink() and not is_there(entry):
            yield Found(
                (),
                message=f"'{entry.name}' is a link to {entry.readlink()}, which is not there.",
                advice="Put the file in the link's place; a copied repository has no other.",
                triton=f"failed to stat file {entry}",
                value=entry.name,
                file=entry,
            )


@rule("TK147", "file-outside", Severity.WARNING, "a file stands outside the model's folder")
def file_outside(model: Subject) -> Iterator[Found]:
    """
    What a model needs belongs into its folder: labels beside config.pbtxt, warm-up data in the
    folder warmup. A path that leaves it by "..", or a link that leaves the repository, is
    lost where the model is copied, or the repository is mounted into a container. Later
    releases of Triton refuse labels outside the model's folder.
    """
    if model.directory is None:
        return
    folder = model.directory.path
    for index, output in enumerate(model.given.output):
        name = str(output.label_filename)
        if ".." in Path(name).parts and leaves(_in(folder, name), folder):
            yield _outside(("output", index, "label_filename"), name, folder)
    for index, request in enumerate(model.given.model_warmup):
        for tensor, given in sorted(request.inputs.items()):
            name = str(given.input_data_file)
            if ".." in Path(name).parts and leaves(_in(folder / "warmup", name), folder):
                path = ("model_warmup", index, "inputs", tensor, "input_data_file")
                yield _outside(path, name, folder)
    for link in _links(model):
        if is_there(link) and leaves(link, folder.parent):
            name = link.relative_to(folder).as_posix()
            yield Found(
                (),
                message=f"{name} is a link out of the repository, to {link.readlink()}.",
                advice="Copy the file into its place, or serve where the link leads somewhere.",
                value=name,
                file=link,
            )


def _outside(path: tuple[str | int, ...], name: str, folder: Path) -> Found:
    return Found(
        path,
        message=f"{name} is outside {folder.name}.",
        advice=f"Put the file into {folder.name}, and name it from there.",
        value=name,
    )


def _links(model: Subject) -> Iterator[Path]:
    """The model's own links, and those in its version folders; not the model itself."""
    if model.directory is None:
        return
    folders = [model.directory.path, *map(model.directory.version_path, model.versions)]
    for folder in folders:
        yield from (entry for entry in entries(folder) if entry.is_symlink())


def _in(folder: Path, name: str) -> Path:
    """As Triton joins them: a path in a model never starts at the root."""
    return folder / name.lstrip("/")
