"""The repairs of settings: what a scheduler, an instance or a parameter can only be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.parameter import TRUTHS, read_boolean
from tritonkit.repository.text.edit import Edit, Remove, SetValue
from tritonkit.repository.text.strings import quoted

if TYPE_CHECKING:
    from tritonkit.repository.check.finding import Found
    from tritonkit.repository.check.subject import Subject

__all__ = ["SETTINGS"]

_YES = {"yes": True, "y": True, "no": False, "n": False}


def _without(model: Subject, found: Found) -> Edit:
    """What can never be right is left out."""
    return Remove(found.path)


def _off(model: Subject, found: Found) -> Edit:
    """What Triton asks to have switched off."""
    return SetValue(found.path, "false")


def _profile(model: Subject, found: Found) -> Edit | None:
    """Profiles are left out where there are none; which of an engine's is meant is not known."""
    return Remove(found.path) if found.path[-1] == "profile" else None


def _warmup_type(model: Subject, found: Found) -> Edit | None:
    """The model's data type; bytes of a file were written for the type that is given."""
    if found.path[-1] != "data_type":
        return None
    _, index, _, name, _ = found.path
    given = model.given.model_warmup[int(index)].inputs[str(name)]
    wanted = next(tensor for tensor in model.config.input if tensor.name == name).data_type
    if given.WhichOneof("input_data_type") not in ("zero_data", "random_data"):
        return None
    return SetValue(found.path, data_type_name(wanted))


def _state_type(model: Subject, found: Found) -> Edit | None:
    """The state's data type, where the state starts as zeros."""
    if found.path[-1] != "data_type":
        return None
    state = model.given.sequence_batching.state[int(found.path[2])]
    if state.initial_state[0].WhichOneof("state_data") != "zero_data":
        return None
    return SetValue(found.path, data_type_name(state.data_type))


def _yes_or_no(model: Subject, found: Found) -> Edit | None:
    """The same answer in the word that the backend takes; a number is not guessed."""
    word = found.value.strip().lower()
    meant, python = _YES.get(word, read_boolean(word)), model.backend == "python"
    if meant is None or not (python or found.path[1] in TRUTHS):
        return None
    words = ("no", "yes") if python else ("false", "true")
    return SetValue(found.path, quoted(words[meant]))


SETTINGS: Mapping[str, Callable[[Subject, Found], Edit | None]] = MappingProxyType(
    {
        "TK065": _without,
        "TK077": _off,
        "TK078": _off,
        "TK094": _profile,
        "TK099": _warmup_type,
        "TK151": _yes_or_no,
        "TK162": _state_type,
        "TK168": _yes_or_no,
    }
)
"""The edit of a finding, by its rule."""
