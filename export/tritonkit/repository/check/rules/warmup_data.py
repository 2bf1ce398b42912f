"""The data of warm-up requests: zeros, random numbers, or the bytes of a file."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

from tritonkit.repository.check.data_type import row_bytes
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.rules.warmup import REQUEST, WarmupInput, warmup_requests
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_file, is_folder

__all__ = [
    "warmup_file_missing",
    "warmup_file_too_small",
    "warmup_of_no_size",
    "warmup_without_data",
]


def _from_files(model: Subject) -> Iterator[tuple[WarmupInput, str]]:
    """Each input whose data is in a file, and the file's name."""
    for request in warmup_requests(model):
        for tensor in request.inputs():
            if tensor.given.WhichOneof("input_data_type") == "input_data_file" and tensor.sized:
                yield tensor, tensor.given.input_data_file


@rule("TK097", "warmup-file-too-small", Severity.ERROR, "a warm-up file with too few bytes")
def warmup_file_too_small(model: Subject) -> Iterator[Found]:
    """
    A warm-up file holds one row of an input: its elements in the order of C, no header.

    One of TYPE_STRING holds each string behind its length in 4 bytes. Triton's text lacks
    a space after the file's name.
    """
    if model.directory is None:
        return
    for tensor, name in _from_files(model):
        file = model.directory.path / "warmup" / name
        wanted = row_bytes(tensor.given.data_type, tensor.given.dims)
        held = file.stat().st_size if is_file(file) else wanted
        if held < wanted:
            yield Found(
                (*tensor.path, "input_data_file"),
                message=f"File {name!r} holds {held} bytes, and input {tensor.name!r} takes "
                f"{wanted}.",
                advice="Write one row of the input into it, every element.",
                triton=f"{REQUEST}warmup setting expects {wanted} bytes, but the data provided "
                f"from {name}only has {held} bytes",
                tensor=tensor.name,
                value=name,
            )


@rule("TK165", "warmup-file-missing", Severity.ERROR, "a warm-up file that is not there")
def warmup_file_missing(model: Subject) -> Iterator[Found]:
    """
    Triton looks for input_data_file in the folder `warmup` of the model's folder.

    Where a folder has that name, the whole server ends when it loads the model.
    """
    if model.directory is None:
        return
    for tensor, name in _from_files(model):
        file = f"{model.directory.path}/warmup/{name}"
        if is_file(Path(file)):
            continue
        ends = is_folder(Path(file))
        yield Found(
            (*tensor.path, "input_data_file"),
            message=f"{name!r} in the model's folder warmup is a folder: the server ends on it."
            if ends
            else f"There is no file {name!r} in the model's folder warmup.",
            advice="Put a file there, or use zero_data or random_data.",
            triton=""
            if ends
            else f"failed to open text file for read {file}: No such file or directory",
            tensor=tensor.name,
            value=name,
        )


@rule("TK169", "warmup-of-no-size", Severity.ERROR, "a warm-up input that no memory holds")
def warmup_of_no_size(model: Subject) -> Iterator[Found]:
    """
    Triton makes room for the zeros and random numbers of a warm-up request.

    Where they are more than any memory holds, the whole server ends.
    """
    for request in warmup_requests(model):
        for tensor in request.inputs():
            given = tensor.given
            made = given.WhichOneof("input_data_type") in ("zero_data", "random_data")
            # Strings, and what is of no type, get four bytes an element.
            size = row_bytes(given.data_type, given.dims) or 4 * prod(given.dims)
            if made and tensor.sized and size > _LARGEST:
                yield Found(
                    (*tensor.path, "dims"),
                    message=f"Warm-up input {tensor.name!r} has dims {list(given.dims)}: {size:,} "
                    "bytes, on which the server ends.",
                    advice="Write the sizes of a typical request.",
                    tensor=tensor.name,
                    value=str(list(given.dims)),
                )


_LARGEST = 1 << 40
"""Bytes: above it no server has the memory."""


@rule("TK098", "warmup-without-data", Severity.ERROR, "a warm-up input without data")
def warmup_without_data(model: Subject) -> Iterator[Found]:
    """Each input of a warm-up request has zero_data, random_data or input_data_file."""
    for request in warmup_requests(model):
        for tensor in request.inputs():
            if tensor.sized and not tensor.given.WhichOneof("input_data_type"):
                yield Found(
                    tensor.path,
                    message=f"Warm-up input {tensor.name!r} has no data.",
                    advice="Write zero_data: true, random_data: true or input_data_file.",
                    triton=f"{REQUEST}warmup setting expects input '{tensor.name}' to have "
                    "input_data_type set",
                    tensor=tensor.name,
                )
