"""A step of an ensemble as one word of a shell: "encoder@2:input_ids=ids,mask=mask"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.nearest import did_you_mean

__all__ = ["NOTATION", "StepText", "parse_step"]

NOTATION = "MODEL[@VERSION][:NAME=TENSOR,...]"
"""How a step is written; NAME is an input or output of the model."""

_STEP = re.compile(r"(?P<model>[^:@]+)(?:@(?P<version>[^:]*))?(?::(?P<maps>.*))?", re.DOTALL)
_MAP = re.compile(r"(?P<name>[^=]+?)(?P<sign>->|<-|=)(?P<tensor>[^=]+)")


@dataclass(frozen=True, slots=True)
class StepText:
    """
    A step as it is written.

    Args:
        model: Name of the model.
        version: Its version; -1 for the newest.
        maps: Name of the model's tensor, the sign, and name of the ensemble's: "<-" for an
            input, "->" for an output, "=" for the one that the model has.
    """

    model: str
    version: int
    maps: tuple[tuple[str, str, str], ...]

    def sides(self, config: ModelConfig | None) -> tuple[dict[str, str], dict[str, str]]:
        """
        The maps of inputs and of outputs.

        A name that the model has on neither side is put where it is nearer to one.

        Args:
            config: The model's completed configuration; None where it is not there.

        Raises:
            RepositoryError: If a name is both an input and an output of the model, and "="
                does not tell which, or if one is mapped twice.
        """
        takes = [] if config is None else [str(tensor.name) for tensor in config.input]
        gives = [] if config is None else [str(tensor.name) for tensor in config.output]
        inputs: dict[str, str] = {}
        outputs: dict[str, str] = {}
        for name, sign, tensor in self.maps:
            if sign == "=" and name in takes and name in gives:
                raise RepositoryError(
                    f"step {self.model!r}: {name!r} is an input and an output of the model. Write "
                    f"'{name}<-{tensor}' for the input, or '{name}->{tensor}' for the output."
                )
            is_output = name in gives or (name not in takes and _nearer(name, gives, takes))
            given = sign == "->" or (sign == "=" and is_output)
            side = outputs if given else inputs
            if name in side:
                raise RepositoryError(
                    f"step {self.model!r} maps {name!r} twice: to {side[name]!r} and to "
                    f"{tensor!r}. Leave one of them out."
                )
            side[name] = tensor
        return inputs, outputs


def parse_step(text: str) -> StepText:
    """
    Read a step.

    Raises:
        RepositoryError: If it is none; the message has the part that is wrong.
    """
    found = _STEP.fullmatch(text)
    if found is None:
        raise RepositoryError(f"a step is written {NOTATION}, but got {text!r}.")
    version = found["version"]
    if version is not None and not re.fullmatch(r"-1|[1-9][0-9]*", version):
        raise RepositoryError(
            f"step {text!r}: a version is a number of 1 or more, but got {version!r}."
        )
    maps = [_parse_map(part, text) for part in (found["maps"] or "").split(",") if part.strip()]
    return StepText(found["model"].strip(), int(version or -1), tuple(maps))


def _parse_map(part: str, text: str) -> tuple[str, str, str]:
    found = _MAP.fullmatch(part)
    name, tensor = (found["name"].strip(), found["tensor"].strip()) if found else ("", "")
    if found is None or not name or not tensor:
        raise RepositoryError(
            f"step {text!r}: a map is written NAME=TENSOR, INPUT<-TENSOR or OUTPUT->TENSOR, "
            f"but got {part.strip()!r}."
        )
    return name, found["sign"], tensor


def _nearer(name: str, gives: list[str], takes: list[str]) -> bool:
    return bool(did_you_mean(name, gives)) and not did_you_mean(name, takes)
