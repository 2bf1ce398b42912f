"""Building an ensemble from the models that it calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.finding import Found
from tritonkit.repository.check.target import Target
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.called import Called
from tritonkit.repository.ensemble.circles import circle_through
from tritonkit.repository.ensemble.edges import Edges
from tritonkit.repository.ensemble.faults import edge_faults, flow_faults, refuse
from tritonkit.repository.ensemble.infer import assemble
from tritonkit.repository.ensemble.nested import unanswered_steps
from tritonkit.repository.ensemble.sketch import Sketch, check_tensors
from tritonkit.repository.ensemble.wire import Ambiguous, Wired, wire
from tritonkit.repository.ensemble.wiring import Wiring
from tritonkit.repository.layout import check_model_name
from tritonkit.repository.model import Model
from tritonkit.repository.text.nearest import did_you_mean

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
        refuse(self.name, list(self._faults(config, wired)))
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

    def _faults(self, config: ModelConfig, wired: Wired) -> Iterator[Found]:
        wiring = Wiring(config)
        unknown = [*self._models_not_there(), *self._versions_not_served()]
        ambiguous = [self._ambiguous(one) for one in wired.ambiguous]
        yield from unknown
        yield from ambiguous
        yield from _unknown_outputs(wired)
        yield from self._nothing_known(config, wired)
        # What flows cannot be told where a model or an output is not known.
        if not wired.unknown and all(self._called.config(s.model) for s in self._sketches):
            yield from (one for one in flow_faults(wiring) if not _is_idle(one))
        yield from edge_faults(Edges(wiring, self._called.config))
        yield from unanswered_steps(wiring, self._wiring)
        circle = circle_through(self.name, self._calls)
        if circle:
            yield Found(
                (),
                f"ensembles call one another in a circle: {' -> '.join((*circle, circle[0]))}.",
                "Call a model in place of one of them.",
            )

    def _models_not_there(self) -> Iterator[Found]:
        for number, sketch in enumerate(self._sketches):
            ambiguous = self._called.is_ambiguous(sketch.model)
            there = self._called.config(sketch.model) is not None
            if (there and not ambiguous) or sketch.model == self.name:
                continue
            names = self._called.names()
            question = did_you_mean(sketch.model, names)
            if ambiguous:
                message, advice = "which more than one repository has", "Keep one, or rename it."
            elif self._called.unreadable(sketch.model):
                message, advice = "whose configuration cannot be read", "Repair it first."
            else:
                message = "which is not there"
                advice = (
                    f"{question[0].upper()}{question[1:]}"
                    if question
                    else f"There are {', '.join(map(repr, names[:20]))}."
                    if names
                    else "Give the repository, or the models themselves."
                )
            yield Found(
                ("ensemble_scheduling", "step", number, "model_name"),
                f"step {number} calls {sketch.model!r}, {message}.",
                advice,
            )

    def _versions_not_served(self) -> Iterator[Found]:
        for number, sketch in enumerate(self._sketches):
            served = self._called.versions(sketch.model)
            if served is None or (served and sketch.version in (-1, *served)):
                continue
            has = ", ".join(map(str, served))
            yield Found(
                ("ensemble_scheduling", "step", number, "model_version"),
                f"step {number} calls version {sketch.version} of {sketch.model!r}, which serves "
                f"{has or 'none'}.",
                "Take -1 for the newest, or one of those." if has else "Add a version folder.",
            )

    def _nothing_known(self, config: ModelConfig, wired: Wired) -> Iterator[Found]:
        """Steps of which nothing is taken, and tensors that no configuration describes."""
        asked = {number for one in wired.ambiguous for number in one.steps}
        for number, step in enumerate(wired.steps):
            called = self._called.config(step.model)
            if called is None:
                continue
            if not step.outputs and not wired.unknown and number not in asked:
                names = ", ".join(repr(str(tensor.name)) for tensor in called.output)
                yield Found(
                    ("ensemble_scheduling", "step", number),
                    f"nothing takes what step {number} ({step.model!r}) gives: "
                    f"{names or 'its configuration names no output'}.",
                    "Let a later step take one of them, or make it an output of the ensemble."
                    if names
                    else "Write the model's inputs and outputs into its configuration.",
                )
        # Where a model has no such input or output, that is told by itself.
        blank = {str(t.name) for t in (*config.input, *config.output) if not t.data_type}
        dark = {
            tensor
            for step in wired.steps
            if (called := self._called.config(step.model)) is not None
            for maps, has in ((step.inputs, called.input), (step.outputs, called.output))
            for tensor in maps.values()
            if not has
        }
        guessed = blank & dark
        for tensor in (*config.input, *config.output):
            if tensor.name in guessed and tensor.name not in wired.unknown:
                yield Found(
                    (),
                    f"no model's configuration describes tensor {tensor.name!r}.",
                    "Write the inputs and outputs of the models into their configurations.",
                )

    def _ambiguous(self, one: Ambiguous) -> Found:
        steps = " and ".join(f"{n} ({self._sketches[n].model!r})" for n in one.steps)
        taker = (
            "an output of the ensemble"
            if one.taker is None
            else f"step {one.taker} ({self._sketches[one.taker].model!r})"
        )
        return Found(
            (),
            f"{taker} is to take {one.name!r}, which steps {steps} all give.",
            f"Map output {one.name!r} to a tensor of another name in all of them but one.",
        )

    def _wiring(self, name: str) -> Wiring | None:
        config = self._called.config(name)
        return None if config is None else Wiring(config)

    def _calls(self, name: str) -> list[str]:
        if name == self.name:
            return [sketch.model for sketch in self._sketches]
        config = self._called.config(name)
        return [] if config is None else [s.model_name for s in config.ensemble_scheduling.step]


def _is_idle(fault: Found) -> bool:
    """Whether it is about a step as a whole, of which more is told here."""
    return len(fault.path) == 3 and fault.path[0] == "ensemble_scheduling"


def _unknown_outputs(wired: Wired) -> Iterator[Found]:
    for name in wired.unknown:
        question = did_you_mean(name, wired.offered)
        yield Found(
            ("output",),
            f"output {name!r} is none that a step gives.",
            f"{question[0].upper()}{question[1:]}"
            if question
            else f"There are {', '.join(map(repr, wired.offered)) or 'none'}.",
        )


def _comments(config: ModelConfig) -> dict[str, str]:
    steps = [
        f"{step.model_name}: {', '.join(sorted(step.input_map.values()))} -> "
        f"{', '.join(sorted(step.output_map.values()))}"
        for step in config.ensemble_scheduling.step
    ]
    return {
        "max_batch_size": "The most rows of a request that all steps take."
        if config.max_batch_size
        else "Requests have no batch axis.",
        "input": "What clients send.",
        "output": "What they receive.",
        "ensemble_scheduling": "\n".join(
            [*steps, "In each map the key is the model's tensor, and the value is the ensemble's."]
        ),
    }
