"""A step of an ensemble as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tritonkit.errors import RepositoryError

__all__ = ["Sketch", "check_tensors"]

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sketch:
    """
    A step whose maps are spelt out in part.

    Args:
        model: Name of the model.
        inputs: Ensemble tensor by the name of the model's input; those that are left out are
            wired by their names.
        outputs: The same of outputs.
        version: Version of the model; -1 for the newest.

    Raises:
        RepositoryError: If one of them is none, whatever the models are.
    """

    model: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    version: int = -1

    def __post_init__(self) -> None:
        _check_name(self.model, "a step needs the name of a model")
        for kind, maps in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not isinstance(maps, Mapping):
                raise RepositoryError(
                    f"step {self.model!r}: {kind} map names of the model to tensors of the "
                    f"ensemble, such as {{'ids': 'input_ids'}}, but got {maps!r}."
                )
            for name, tensor in maps.items():
                for one in (name, tensor):
                    _check_name(one, f"step {self.model!r}: {kind} map a name to a name")
        number: Any = self.version
        if not isinstance(number, int) or not (number == -1 or 1 <= number <= _LARGEST):
            raise RepositoryError(
                f"step {self.model!r}: a version is a number of 1 or more, or -1 for the newest, "
                f"but got {number!r}."
            )


def check_tensors(field: str, names: tuple[Any, ...]) -> tuple[str, ...]:
    """
    Refuse what is no name of a tensor.

    Raises:
        RepositoryError: With the first that is none.
    """
    for name in names:
        _check_name(name, f"an {field} of the ensemble needs the name of a tensor")
    return names


def _check_name(name: Any, wanted: str) -> None:
    if not isinstance(name, str) or not name:
        raise RepositoryError(f"{wanted}, but got {name!r}.")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise RepositoryError(f"{wanted} in UTF-8, but got {name!r}.") from error
