"""What keeps an ensemble from being built, in the terms of what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tritonkit.repository.check.finding import Found
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.called import Called
from tritonkit.repository.ensemble.circles import circle_through
from tritonkit.repository.ensemble.edges import Edges
from tritonkit.repository.ensemble.faults import edge_faults, flow_faults
from tritonkit.repository.ensemble.nested import unanswered_steps
from tritonkit.repository.ensemble.sketch import Sketch
from tritonkit.repository.ensemble.wire import Ambiguous, Wired
from tritonkit.repository.ensemble.wiring import Wiring
from tritonkit.repository.text.nearest import did_you_mean

__all__ = ["build_faults"]


def build_faults(
    config: ModelConfig, sketches: Sequence[Sketch], wired: Wired, called: Called
) -> Iterator[Found]:
    """
    What keeps an ensemble from being built.

    Args:
        config: It, whether or not Triton would take it.
        sketches: Its steps as they are asked for.
        wired: The same with whole maps.
        called: Its models.
    """

    def find(name: str) -> Wiring | None:
        found = called.config(name)
        return None if found is None else Wiring(found)

    def calls(name: str) -> list[str]:
        if name == config.name:
            return [sketch.model for sketch in sketches]
        found = called.config(name)
        return [] if found is None else [s.model_name for s in found.ensemble_scheduling.step]

    wiring = Wiring(config)
    yield from _models_not_there(wiring.name, sketches, called)
    yield from _versions_not_served(sketches, called)
    yield from (_ambiguous(one, sketches) for one in wired.ambiguous)
    yield from _unknown_outputs(wired)
    yield from _nothing_known(config, wired, called)
    # What flows cannot be told where a model or an output is not known.
    if not wired.unknown and all(called.config(s.model) for s in sketches):
        yield from (one for one in flow_faults(wiring) if not _is_idle(one))
    yield from edge_faults(Edges(wiring, called.config))
    yield from unanswered_steps(wiring, find)
    circle = circle_through(wiring.name, calls)
    if circle:
        yield Found(
            (),
            f"ensembles call one another in a circle: {' -> '.join((*circle, circle[0]))}.",
            "Call a model in place of one of them.",
        )


def _models_not_there(name: str, sketches: Sequence[Sketch], called: Called) -> Iterator[Found]:
    for number, sketch in enumerate(sketches):
        ambiguous = called.is_ambiguous(sketch.model)
        there = called.config(sketch.model) is not None
        if (there and not ambiguous) or sketch.model == name:
            continue
        names = called.names()
        question = did_you_mean(sketch.model, names)
        if ambiguous:
            message, advice = "which more than one repository has", "Keep one, or rename it."
        elif called.unreadable(sketch.model):
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


def _versions_not_served(sketches: Sequence[Sketch], called: Called) -> Iterator[Found]:
    for number, sketch in enumerate(sketches):
        served = called.versions(sketch.model)
        if served is None or (served and sketch.version in (-1, *served)):
            continue
        has = ", ".join(map(str, served))
        yield Found(
            ("ensemble_scheduling", "step", number, "model_version"),
            f"step {number} calls version {sketch.version} of {sketch.model!r}, which serves "
            f"{has or 'none'}.",
            "Take -1 for the newest, or one of those." if has else "Add a version folder.",
        )


def _nothing_known(config: ModelConfig, wired: Wired, called: Called) -> Iterator[Found]:
    """Steps of which nothing is taken, and tensors that no configuration describes."""
    asked = {number for one in wired.ambiguous for number in one.steps}
    for number, step in enumerate(wired.steps):
        model = called.config(step.model)
        if model is None:
            continue
        if not step.outputs and not wired.unknown and number not in asked:
            names = ", ".join(repr(str(tensor.name)) for tensor in model.output)
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
        if (model := called.config(step.model)) is not None
        for maps, has in ((step.inputs, model.input), (step.outputs, model.output))
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


def _ambiguous(one: Ambiguous, sketches: Sequence[Sketch]) -> Found:
    steps = " and ".join(f"{n} ({sketches[n].model!r})" for n in one.steps)
    taker = (
        "an output of the ensemble"
        if one.taker is None
        else f"step {one.taker} ({sketches[one.taker].model!r})"
    )
    return Found(
        (),
        f"{taker} is to take {one.name!r}, which steps {steps} all give.",
        f"Map output {one.name!r} to a tensor of another name in all of them but one.",
    )


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
