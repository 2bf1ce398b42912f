"""The state that the sequence batcher keeps for a model, and what it starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tritonkit.repository.check.data_type import data_type_name, row_bytes
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_file, is_folder

__all__ = ["initial_state_data", "initial_state_unlike_its_state", "state_of_no_size"]

Place: TypeAlias = "tuple[str | int, ...]"

_STATE = ("sequence_batching", "state")


def _initial_states(model: Subject) -> Iterator[tuple[Place, Any, Any]]:
    """Each state that has one initial state, both, and where the latter stands."""
    for index, state in enumerate(model.given.sequence_batching.state):
        if len(state.initial_state) == 1:
            yield (*_STATE, index, "initial_state", 0), state, state.initial_state[0]


@rule(
    "TK162",
    "initial-state-unlike-its-state",
    Severity.ERROR,
    "an initial state that does not fit its state",
)
def initial_state_unlike_its_state(model: Subject) -> Iterator[Found]:
    """
    An initial_state is what a state holds at the start of each sequence.

    There is at most one for a state. It has a name, the state's data type and as many
    dims, all of them sizes: where the state's dim is a size, the same one. Triton refuses
    the model once its instances run, and now and then the whole server ends with it.
    """
    seen = set()
    for index, state in enumerate(model.given.sequence_batching.state):
        count = len(state.initial_state)
        if count > 1:
            yield Found(
                (*_STATE, index, "initial_state", 1),
                message=f"State {state.input_name!r} has {count} initial states.",
                advice="Leave one of them.",
                triton=f"initial_state field for state input '{state.input_name}' must contain "
                f"exactly one or zero element. Found '{count}' elements.",
                tensor=state.input_name,
            )
        if count == 1 and state.input_name in seen:
            yield Found(
                (*_STATE, index, "input_name"),
                message=f"State {state.input_name!r} stands here a second time.",
                advice="Use an input of its own for each state.",
                triton=f"State input name '{state.input_name}' specified more than once.",
                tensor=state.input_name,
                value=state.input_name,
            )
        seen.add(state.input_name)
    for path, state, initial in _initial_states(model):
        yield from _differences(path, state, initial)


def _differences(path: Place, state: Any, initial: Any) -> Iterator[Found]:
    name = state.input_name
    if initial.data_type != state.data_type:
        given, wanted = data_type_name(initial.data_type), data_type_name(state.data_type)
        yield Found(
            (*path, "data_type"),
            message=f"The initial state of {name!r} is {given}, and the state is {wanted}.",
            advice=f"Write data_type: {wanted}.",
            triton=f"The data type used for 'initial_state' field of state '{name}' does not "
            "match the state data type.",
            tensor=name,
            value=given,
        )
    if not initial.name:
        yield Found(
            path,
            message=f"The initial state of {name!r} has no name.",
            advice="Give it a name of your choice.",
            triton=f"Field 'name' must be set when using initial_state for state input '{name}'.",
            tensor=name,
        )
    given_dims, wanted_dims = list(initial.dims), list(state.dims)
    if len(given_dims) != len(wanted_dims):
        yield Found(
            (*path, "dims"),
            message=f"The initial state of {name!r} has dims {given_dims}, and the state has "
            f"{wanted_dims}.",
            advice="Write as many sizes as the state has dims.",
            triton="Number of dimensions in 'initial_state' doesn't match the size of 'state' "
            f"dimensions for state input '{name}'. {len(given_dims)} != {len(wanted_dims)}",
            tensor=name,
            value=str(given_dims),
        )
        return
    for index, (size, dim) in enumerate(zip(given_dims, wanted_dims, strict=True)):
        if size == -1:
            triton = f"'initial_state' field for state input name '{name}' contains variable "
            triton += "dimensions."
        elif dim not in (-1, size):
            triton = f"'initial_state' dim for input name '{name}' doesn't match 'state' dim "
            triton += f"description. {size} != {dim}"
        else:
            continue
        yield Found(
            (*path, "dims", index),
            message=f"Size {size} stands in the initial state of {name!r}, where the state has "
            f"{dim}.",
            advice=f"Write {dim if dim != -1 else 'the size that a sequence starts with'}.",
            triton=triton,
            tensor=name,
            value=str(size),
        )


@rule("TK163", "initial-state-data", Severity.ERROR, "an initial state without its data")
def initial_state_data(model: Subject) -> Iterator[Found]:
    """
    An initial state is zeros, or the bytes of a file in the model's folder initial_state.

    A file holds the elements in the order of C, without a header, and all of them.
    """
    for path, state, initial in _initial_states(model):
        name = state.input_name
        if not initial.WhichOneof("state_data"):
            yield Found(
                path,
                message=f"The initial state of {name!r} has neither zero_data nor data_file.",
                advice="Write zero_data: true, or the name of a file in initial_state/.",
                triton=f"initial_state setting expects state'{name}' to have state_data set",
                tensor=name,
            )
        elif initial.WhichOneof("state_data") == "data_file" and model.directory is not None:
            file = Path(given := f"{model.directory.path}/initial_state/{initial.data_file}")
            wanted = row_bytes(initial.data_type, initial.dims)
            if not is_file(file):
                what = "a folder, on which the server ends" if is_folder(file) else "not there"
                yield Found(
                    (*path, "data_file"),
                    message=f"File {initial.data_file!r} in initial_state/ is {what}.",
                    advice=f"Put a file of {wanted} bytes there, or write zero_data: true.",
                    triton=""
                    if is_folder(file)
                    else f"failed to open text file for read {given}: No such file or directory",
                    tensor=name,
                    value=initial.data_file,
                )
            elif file.stat().st_size < wanted:
                held = file.stat().st_size
                yield Found(
                    (*path, "data_file"),
                    message=f"File {initial.data_file!r} holds {held} bytes, and the initial "
                    f"state of {name!r} is {wanted}.",
                    advice="Write every element into it, without a header.",
                    triton=f"initial_state setting expects {wanted} bytes, but the data provided "
                    f"from {initial.data_file}only has {held} bytes.",
                    tensor=name,
                    value=initial.data_file,
                )


@rule("TK170", "state-of-no-size", Severity.ERROR, "an initial state that no memory holds")
def state_of_no_size(model: Subject) -> Iterator[Found]:
    """
    Triton makes room for an initial state when it loads the model.

    Where a size is negative, or all of them make more than any memory holds, the whole
    server ends.
    """
    for path, state, initial in _initial_states(model):
        below = [index for index, dim in enumerate(initial.dims) if dim < -1]
        size = row_bytes(initial.data_type, initial.dims)
        if below or (size > _LARGEST and -1 not in initial.dims):
            dims = list(initial.dims)
            yield Found(
                (*path, "dims", *below[:1]),
                message=f"The initial state of {state.input_name!r} has dims {dims}, and the "
                "server ends on it.",
                advice="Write the sizes that a sequence starts with.",
                tensor=state.input_name,
                value=str(dims),
            )


_LARGEST = 1 << 40
"""Bytes: above it no server has the memory."""
