"""Ensembles: the models that they call, and whether those can be called."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.ensemble.call_graph import Below
from tritonkit.repository.ensemble.circles import (
    Calls,
    bottom_up,
    circle_through,
    circular_text,
    reached,
    reached_circle,
)
from tritonkit.repository.text.nearest import did_you_mean

__all__ = [
    "ensemble_above_circle",
    "ensembles_in_circle",
    "model_not_there",
    "model_refused",
    "version_not_served",
]

_POLLED = frozenset(
    f"TK{number:03}"
    for number in (1, 2, 3, 8, 9, 10, 17, *range(65, 71), *range(76, 90), *range(102, 114), 127)
)
"""What core finds before it loads anything: to the ensemble such a model is not there."""

_GRAPH = frozenset(f"TK{number:03}" for number in range(114, 126))
"""What core finds between models, before it loads the ensemble that has it."""


@rule("TK114", "model-not-there", Severity.ERROR, "A step calls a model that is not there")
def model_not_there(model: Subject) -> Iterator[Found]:
    """
    A step calls a model by the name of its directory, in the same repository or in another one
    of the same server. A name that two repositories have is ambiguous, and is none to Triton.
    Its message has only the first name that it misses.
    """
    for number, name in _steps(model):
        found = model.neighbours.directories.get(name, ())
        if len(found) == 1:
            continue
        question = did_you_mean(name, model.neighbours.directories)
        yield Found(
            ("ensemble_scheduling", "step", number, "model_name"),
            message=f"step {number} calls {name!r}, which "
            + ("more than one repository has." if found else "no repository has."),
            advice="Keep one of them, or rename the others."
            if found
            else f"{question[0].upper()}{question[1:]}"
            if question
            else "Add the model, or correct its name.",
            triton=_not_available(model, name),
            value=name,
        )


@rule("TK115", "model-refused", Severity.ERROR, "A step calls a model that Triton refuses")
def model_refused(model: Subject) -> Iterator[Found]:
    """
    An ensemble is loaded after its models. Where Triton refuses one of them, it refuses the
    ensemble too, with the model's error in its message. Repair the model: its own findings
    say what is wrong with it.
    """
    told: set[str] = set()
    neighbours = model.neighbours
    calls = _calls(model)
    for number, name in _steps(model):
        other = neighbours.get(name)
        if other is None or name in told or len(neighbours.directories[name]) != 1:
            continue
        told.add(name)
        # A circle is its own finding, and would be asked about without end.
        if neighbours.below(model.name).in_circle and model.name in reached(name, calls):
            continue
        # The deepest first, so that none asks for one that asks for one, and so on.
        for one in bottom_up(name, lambda n: () if neighbours.is_looked_at(n) else calls(n)):
            neighbours.errors(one)
        errors = [error.rule.id for error in neighbours.errors(name)]
        if errors or not other.served:
            more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
            why = f"{errors[0]}{more}" if errors else "it serves no version"
            yield Found(
                ("ensemble_scheduling", "step", number, "model_name"),
                message=f"step {number} calls {name!r}, which Triton refuses: {why}.",
                advice=f"Repair {name!r} first.",
                triton=_refused(model, other, errors),
                value=name,
            )


@rule("TK116", "version-not-served", Severity.ERROR, "A step calls a version that is not served")
def version_not_served(model: Subject) -> Iterator[Found]:
    """
    A step's model_version is one that the model's version_policy serves, or -1 for the newest.
    A step without model_version asks for version 0, which no model has: that is protobuf's
    default, and -1 must be written.
    """
    for number, step in enumerate(model.given.ensemble_scheduling.step):
        name, version = str(step.model_name), int(step.model_version)
        other = model.neighbours.get(name) if model.directory is not None else None
        served = () if other is None else other.served
        # What is not known to serve anything, serves no version 0 either.
        if version in (-1, *served) or (not served and version) or not name:
            continue
        has = ", ".join(map(str, served))
        yield Found(
            ("ensemble_scheduling", "step", number, "model_version"),
            message=f"step {number} calls {name!r} without model_version, which is version 0."
            if version == 0
            else f"step {number} calls version {version} of {name!r}, which serves {has}.",
            advice=f"Write model_version: -1 for the newest, or one of those it serves: {has}."
            if version
            else "Write model_version: -1, which is the newest.",
            triton=f"ensemble '{model.name}' depends on '{name}' whose required version {version} "
            "is not loaded.",
            value=str(version),
        )


@rule("TK117", "ensembles-in-circle", Severity.ERROR, "Ensembles call one another in a circle")
def ensembles_in_circle(model: Subject) -> Iterator[Found]:
    """
    An ensemble may call ensembles, but none that leads back to itself. Triton names the first
    and the last of the circle, and "..." for what is between.
    """
    circle = circle_through(model.name, _calls(model)) if _below(model).in_circle else ()
    if circle:
        closing = circle[1] if len(circle) > 1 else circle[0]
        number = next(n for n, name in _steps(model) if name == closing)
        yield Found(
            ("ensemble_scheduling", "step", number, "model_name"),
            message=f"ensembles call one another in a circle: {' -> '.join((*circle, circle[0]))}.",
            advice="Call a model in place of one of them.",
            triton=circular_text(model.name, _calls(model)),
            value=closing,
        )


@rule(
    "TK182",
    "ensemble-above-circle",
    Severity.ERROR,
    "An ensemble calls ensembles that call one another in a circle",
)
def ensemble_above_circle(model: Subject) -> Iterator[Found]:
    """
    Triton looks for circles by following the calls of each ensemble until it comes back to it.
    From an ensemble that leads into a circle of others it never comes back: the whole server
    ends with an overflow of its stack, and its log says nothing.
    """
    circle = reached_circle(model.name, _calls(model)) if _below(model).to_circle else ()
    if circle:
        number = next(n for n, name in _steps(model) if circle[0] in reached(name, _calls(model)))
        yield Found(
            ("ensemble_scheduling", "step", number, "model_name"),
            message=f"step {number} leads to ensembles that call one another in a circle: "
            f"{' -> '.join((*circle, circle[0]))}.",
            advice="Break the circle: with it the whole server crashes.",
            value=str(model.given.ensemble_scheduling.step[number].model_name),
        )


def _steps(model: Subject) -> list[tuple[int, str]]:
    """Number and model of each step that names one, where there is a repository to look into."""
    if model.directory is None:
        return []
    steps = model.given.ensemble_scheduling.step
    return [(number, str(s.model_name)) for number, s in enumerate(steps) if s.model_name]


def _calls(model: Subject) -> Calls:
    """What each model calls; a configuration that stands alone has none around it."""
    return model.neighbours.calls if model.directory is not None else lambda name: ()


def _below(model: Subject) -> Below:
    return (
        Below(False, False, frozenset())
        if model.directory is None
        else model.neighbours.below(model.name)
    )


def _not_available(model: Subject, name: str) -> str:
    return f"ensemble {model.name} contains models that are not available or ambiguous: {name}"


def _refused(model: Subject, other: Subject, errors: list[str]) -> str:
    """Triton's text up to the other's own error."""
    if _POLLED & set(errors):
        return _not_available(model, other.name)
    depends = f"ensemble '{model.name}' depends on '{other.name}'"
    if _GRAPH & set(errors):
        return f"{depends} which is not valid. Model '{other.name}' failed with error: "
    text = (
        f"{depends} which has no loaded version. Model '{other.name}' loading failed with error: "
    )
    if other.served:
        return text
    return f"{text}at least one version must be available under the version policy of model " + (
        f"'{other.name}'"
    )
