"""Ensembles: what their own configuration says."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.ensemble.flow import (
    idle_steps,
    unread_inputs,
    unread_tensors,
    unwritten_outputs,
    written_inputs,
    written_twice,
)
from tritonkit.repository.ensemble.wiring import Wiring

__all__ = [
    "ensemble_with_backend",
    "ensemble_with_fields_of_models",
    "ensemble_with_scheduler",
    "ensemble_without_scheduling",
    "ensemble_without_steps",
    "incomplete_step",
    "input_unread",
    "input_written",
    "output_unwritten",
    "tensor_unread",
    "tensor_written_twice",
]

_SCHEDULERS = ("dynamic_batching", "sequence_batching")


@rule("TK104", "ensemble-with-backend", Severity.ERROR, "An ensemble names a backend")
def ensemble_with_backend(model: Subject) -> Iterator[Found]:
    """
    An ensemble runs in Triton itself, which passes tensors from step to step. Its platform is
    "ensemble", and it has no backend. Triton refuses one that names a backend too.
    """
    if model.given.platform == "ensemble" and model.given.backend:
        yield Found(
            ("backend",),
            message=f"an ensemble has no backend, but this one names {model.given.backend!r}.",
            advice="Remove the line.",
            triton=f"Ensemble model '{model.name}' must have platform type 'ensemble' and empty "
            "backend type",
            value=str(model.given.backend),
        )


@rule(
    "TK105",
    "ensemble-without-scheduling",
    Severity.ERROR,
    "platform and ensemble_scheduling do not agree",
)
def ensemble_without_scheduling(model: Subject) -> Iterator[Found]:
    """
    What makes an ensemble is written in two places: the platform is "ensemble", and
    ensemble_scheduling has the steps. Triton refuses a model that has one of them alone.
    """
    given = model.given
    steps = given.HasField("ensemble_scheduling")
    if given.platform == "ensemble" and not steps and not _scheduler(model):
        yield Found(
            ("platform",),
            message="the platform is 'ensemble', but there is no ensemble_scheduling.",
            advice="Write the steps into ensemble_scheduling, or name the model's own backend.",
            triton=_not_set(model),
            value="ensemble",
        )
    if given.platform != "ensemble" and steps:
        told = f"the platform is {given.platform!r}" if given.platform else "there is no platform"
        yield Found(
            ("platform",) if given.platform else ("ensemble_scheduling",),
            message=f"there is an ensemble_scheduling, but {told}.",
            advice='Write platform: "ensemble" in place of the backend.'
            if given.backend
            else 'Write platform: "ensemble".',
            triton=_whose_platform(model),
            value=str(given.platform),
        )


@rule(
    "TK127",
    "ensemble-with-scheduler",
    Severity.ERROR,
    "An ensemble has a batcher in place of its steps",
)
def ensemble_with_scheduler(model: Subject) -> Iterator[Found]:
    """
    A model has one scheduler: a batcher, or the steps of an ensemble. An ensemble hands each
    request to its models as it is, and they batch: write dynamic_batching into their
    configurations. Where both stand in one file, Triton cannot read the file.
    """
    name = _scheduler(model)
    if model.given.platform == "ensemble" and name:
        yield Found(
            (name,),
            message=f"an ensemble has no {name}: its models batch.",
            advice=f"Write ensemble_scheduling in place of {name}, which is for its models.",
            triton=_not_set(model),
            value=name,
        )


@rule(
    "TK106",
    "ensemble-with-fields-of-models",
    Severity.ERROR,
    "An ensemble has what only its models can have",
)
def ensemble_with_fields_of_models(model: Subject) -> Iterator[Found]:
    """
    An ensemble has no instances: it keeps no memory of a device and runs nothing itself.
    instance_group, optimization and model_warmup belong into its models' configurations.
    """
    if not model.given.HasField("ensemble_scheduling"):
        return
    for field, there, text in (
        ("instance_group", bool(model.given.instance_group), "instance group should not be"),
        ("optimization", model.given.HasField("optimization"), "optimization should not be"),
        ("model_warmup", bool(model.given.model_warmup), "model_warmup can not be"),
    ):
        if there:
            yield Found(
                (field,),
                message=f"an ensemble has no {field}.",
                advice="Remove it; write it for the models that the ensemble calls.",
                triton=f"{text} specified for ensemble '{model.name}'",
                value=field,
            )


@rule("TK107", "ensemble-without-steps", Severity.ERROR, "An ensemble has no step")
def ensemble_without_steps(model: Subject) -> Iterator[Found]:
    """An ensemble is its steps, each a call of a model. Triton refuses one that has none."""
    scheduling = model.given.ensemble_scheduling
    if model.given.HasField("ensemble_scheduling") and not scheduling.step:
        yield Found(
            ("ensemble_scheduling",),
            message="the ensemble has no step.",
            advice="Write a step for each model that it calls.",
            triton=f"must specify 'step' for ensemble '{model.name}'",
        )


@rule("TK108", "incomplete-step", Severity.ERROR, "A step lacks its model, inputs or outputs")
def incomplete_step(model: Subject) -> Iterator[Found]:
    """
    A step says which model it calls, what the model is given and what becomes of its outputs.
    In both maps the key is the model's tensor, and the value is the ensemble's.
    """
    yield from idle_steps(_wiring(model))


@rule("TK109", "tensor-written-twice", Severity.ERROR, "Two outputs go to one tensor")
def tensor_written_twice(model: Subject) -> Iterator[Found]:
    """
    A tensor of an ensemble is written once in a request, by one output of one step. Steps that
    do the same work on two branches need a tensor for each.
    """
    yield from written_twice(_wiring(model))


@rule("TK111", "input-unread", Severity.ERROR, "An input of the ensemble is taken by no step")
def input_unread(model: Subject) -> Iterator[Found]:
    """
    Every input of an ensemble must be in the input_map of a step. Most often a name is
    misspelt in one of the two places: the value in the map is the ensemble's tensor.
    """
    if model.given.ensemble_scheduling.step:
        yield from unread_inputs(_wiring(model))


@rule("TK112", "output-unwritten", Severity.ERROR, "An output of the ensemble is never written")
def output_unwritten(model: Subject) -> Iterator[Found]:
    """
    A step runs once all its inputs are there. An output of the ensemble is never written where
    no step writes it, where a step on the way takes a tensor that nothing writes, or where
    steps wait for one another. Triton names one tensor of the way; the finding stands where
    the flow is broken.
    """
    if model.given.ensemble_scheduling.step:
        yield from unwritten_outputs(_wiring(model))


@rule("TK113", "tensor-unread", Severity.ERROR, "A tensor of the ensemble is used by nothing")
def tensor_unread(model: Subject) -> Iterator[Found]:
    """
    A tensor that a step writes must be taken by another step, or be an output of the ensemble.
    An output of a model that nothing needs is left out of the output_map.
    """
    yield from unread_tensors(_wiring(model))


@rule("TK180", "input-written", Severity.REQUEST, "A step writes an input of the ensemble")
def input_written(model: Subject) -> Iterator[Found]:
    """
    A tensor that clients send and a step writes too starts the steps again that take it, each
    time that it is written. Triton loads such an ensemble, and never answers its requests.
    """
    yield from written_inputs(_wiring(model))


def _wiring(model: Subject) -> Wiring:
    return Wiring(model.config)


def _scheduler(model: Subject) -> str:
    return next((name for name in _SCHEDULERS if model.given.HasField(name)), "")


def _not_set(model: Subject) -> str:
    return f"ensemble scheduling must be set for ensemble {model.name} whose platform is ensemble"


def _whose_platform(model: Subject) -> str:
    if not model.given.platform and not model.backend:
        # Triton looks for a backend first.
        return (
            "Invalid model name: Could not determine backend for model "
            f"'{model.name}' with no backend in model configuration. Expected model name of the "
            "form 'model.<backend_name>'."
        )
    return (
        f"ensemble scheduling cannot be set for model '{model.name}' whose platform is not ensemble"
    )
