"""Building an ensemble from the models that it calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.target import Target
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.asked import build_faults
from tritonkit.repository.ensemble.called import Called
from tritonkit.repository.ensemble.faults import refuse
from tritonkit.repository.ensemble.infer import assemble
from tritonkit.repository.ensemble.sketch import Sketch, check_tensors
from tritonkit.repository.ensemble.wire import wire
from tritonkit.repository.layout import check_model_name
from tritonkit.repository.model import Model

__all__ = ["Ensemble"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_LARGEST = 2**31 - 1


class Ensemble:
    """
    An ensemble in the making: its steps, wired by the names of their tensors.

        ensemble = Ensemble("embed", repository="model_repository")
        ensemble.step("tokenizer").step("encoder", outputs={"last_hidden_state": "embedding"})
        write_models(Path("model_repository"), [ensemble.model()])

    An input takes what a step before it gives by that name, and clients send the rest. What
    has another name is told by `inputs` and `outputs`: the model's tensor, then the
    ensemble's. Data types, dims and the batch size come from the models' completed
    configurations.

    Args:
        name: What clients call.
        repository: Where the models are that are called; several, as one server loads them.
        target: The server that will load it; completion depends on it.

    Raises:
        RepositoryError: If the name is not one that Triton takes, or a repository cannot be
            read.
    """

    def __init__(
        self,
        name: str,
        repository: str | Path | Sequence[str | Path] = (),
        *,
        target: Target | None = None,
    ) -> None:
        self.name = check_model_name(name)
        given = [repository] if isinstance(repository, str | Path) else repository
        self._called = Called([Path(one) for one in given], target or Target())
        self._called.names()
        self._sketches: list[Sketch] = []
        self._inputs: list[str] = []
        self._outputs: list[str] = []

    def step(
        self,
        model: str | Model | ModelConfig | Ensemble,
        inputs: Mapping[str, str] = _NOTHING,
        outputs: Mapping[str, str] = _NOTHING,
        *,
        version: int = -1,
    ) -> Self:
        """
        Add a call of a model, after those that were added before.

        Args:
            model: Its name in the repository, or a model that is not written yet: then write
                it with the ensemble.
            inputs: Ensemble tensor by the name of the model's input, for those of another name.
            outputs: Ensemble tensor by the name of the model's output, likewise. Of the last
                step, only these are passed on if there are any.
            version: Version of the model; -1 for the newest.

        Returns:
            The ensemble itself.

        Raises:
            RepositoryError: If an argument is none that a step has, or the model that is not
                written yet cannot be built.
        """
        name = model if isinstance(model, str) else self._called.add(model)
        sketch = Sketch(name, inputs, outputs, version)
        self._sketches.append(replace(sketch, inputs=dict(inputs), outputs=dict(outputs)))
        return self

    def input(self, *tensors: str) -> Self:
        """
        Say what clients send, and in which order; else it is all that no step gives.

        Args:
            tensors: Tensors of the ensemble. With any, a step may take no others that are not
                given by a step.

        Returns:
            The ensemble itself.
        """
        self._inputs += check_tensors("input", tensors)
        return self

    def output(self, *tensors: str) -> Self:
        """
        Say what clients receive; else it is what is spelt out and taken by no step, and what the
        last step gives.

        Args:
            tensors: Tensors of the ensemble, or names of outputs that one step has.

        Returns:
            The ensemble itself.
        """
        self._outputs += check_tensors("output", tensors)
        return self

    def config(self, *, max_batch_size: int | None = None) -> ModelConfig:
        """
        Its configuration, which Triton takes.

        Args:
            max_batch_size: None for the most rows that all models take at once.

        Raises:
            RepositoryError: If something does not fit; the message has a line for each thing,
                with what would be right.
        """
        if max_batch_size is not None and not 0 <= max_batch_size <= _LARGEST:
            raise RepositoryError(
                f"max_batch_size is 0, for no batch axis, or up to {_LARGEST}, but got "
                f"{max_batch_size}."
            )
        find = self._called.config
        wired = wire(self._sketches, self._outputs, find)
        config = assemble(
            self.name,
            wired.steps,
            tuple(dict.fromkeys(self._inputs)) or wired.inputs,
            wired.outputs,
            find,
            max_batch_size=max_batch_size,
        )
        refuse(self.name, list(build_faults(config, self._sketches, wired, self._called)))
        return config

    def model(self, *, version: int = 1, max_batch_size: int | None = None) -> Model:
        """
        Its directory, with the version folder that Triton wants of an ensemble too.

        Args:
            version: Its own version.
            max_batch_size: As of `config`.

        Raises:
            RepositoryError: As of `config`.
        """
        config = self.config(max_batch_size=max_batch_size)
        return Model(config, versions={version: {}}, comments=_comments(config))

    def called(self, model: str) -> ModelConfig | None:
        """The completed configuration of a model that a step can call; None where none is."""
        return self._called.config(model)

    def __repr__(self) -> str:
        steps = " -> ".join(sketch.model for sketch in self._sketches)
        return f"Ensemble({self.name!r}: {steps or 'no step'})"


def _comments(config: ModelConfig) -> dict[str, str]:
    steps = [
        f"{step.model_name}: {', '.join(sorted(step.input_map.values()))} -> "
        f"{', '.join(sorted(step.output_map.values()))}"
        for step in config.ensemble_scheduling.step
    ]
    return {
        "max_batch_size": "The most rows of a request."
        if config.max_batch_size
        else "Requests have no batch axis.",
        "input": "What clients send.",
        "output": "What they receive.",
        "ensemble_scheduling": "\n".join(
            [*steps, "In each map the key is the model's tensor, and the value is the ensemble's."]
        ),
    }
