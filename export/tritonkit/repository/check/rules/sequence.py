"""The sequence batcher and the control inputs that it fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tritonclient.grpc import model_config_pb2

from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "CORRELATION_ID",
    "Control",
    "control_of_a_wrong_type",
    "control_values_missing",
    "control_without_name",
    "first_controls",
    "kind_given_twice",
    "preferred_sequence_size",
    "slot_utilization",
    "tensor_given_twice",
]

CORRELATION_ID = "CONTROL_SEQUENCE_CORRID"
"""The kind of control that has a data type, and no values for no and yes."""

_KIND = model_config_pb2.ModelSequenceBatching.Control.Kind
_VALUES = ("int32_false_true", "fp32_false_true", "bool_false_true")
_CORRELATION_TYPES = ("TYPE_UINT64", "TYPE_INT64", "TYPE_UINT32", "TYPE_INT32", "TYPE_STRING")


class Control(NamedTuple):
    """
    What the batcher tells a model by one of its inputs.

    Args:
        tensor: The input.
        control: As the configuration has it.
        path: Where it stands.
        kind: The name of its kind.
    """

    tensor: str
    control: Any
    path: tuple[str | int, ...]
    kind: str

    @property
    def values(self) -> list[str]:
        """Which of the pairs of false and true it gives."""
        return [name for name in _VALUES if getattr(self.control, name)]


def _controls(model: Subject) -> Iterator[Control]:
    for number, tensor in enumerate(model.given.sequence_batching.control_input):
        for index, control in enumerate(tensor.control):
            path = ("sequence_batching", "control_input", number, "control", index)
            if control.kind in _KIND.values():
                yield Control(tensor.name, control, path, _KIND.Name(control.kind))


def first_controls(model: Subject) -> Iterator[Control]:
    """The first control of each kind, which is the one that Triton looks at."""
    seen = set()
    for control in _controls(model):
        if control.kind not in seen:
            seen.add(control.kind)
            yield control


@rule("TK083", "control-without-name", Severity.ERROR, "a control input without a name")
def control_without_name(model: Subject) -> Iterator[Found]:
    """The sequence batcher fills an input of the model, and must know which one."""
    for index, tensor in enumerate(model.given.sequence_batching.control_input):
        if not tensor.name:
            yield Found(
                ("sequence_batching", "control_input", index),
                message="A control input has no name.",
                advice="Write the name of the model's input that takes it.",
                triton=f"sequence batching control tensor must have a name for {model.name}",
            )


@rule("TK084", "tensor-given-twice", Severity.ERROR, "one tensor for several control inputs")
def tensor_given_twice(model: Subject) -> Iterator[Found]:
    """
    Each control input is a tensor of its own: one cannot say start and end at once.

    Triton refuses a second control_input of the same name.
    """
    seen = set()
    for index, tensor in enumerate(model.given.sequence_batching.control_input):
        if tensor.name and tensor.name in seen:
            yield Found(
                ("sequence_batching", "control_input", index, "name"),
                message=f"Control input {tensor.name!r} stands here a second time.",
                advice="Use an input of its own for each kind of control.",
                triton=f"sequence batching control tensor '{tensor.name}' is specified for "
                f"multiple control kinds for {model.name}",
                tensor=tensor.name,
                value=tensor.name,
            )
        seen.add(tensor.name)


@rule("TK085", "kind-given-twice", Severity.ERROR, "one kind of control for several tensors")
def kind_given_twice(model: Subject) -> Iterator[Found]:
    """
    Each kind of control goes to one tensor.

    A control without a kind is CONTROL_SEQUENCE_START, so that a forgotten kind shows
    as a second start.
    """
    seen = set()
    for control in _controls(model):
        if control.kind in seen:
            yield Found(
                control.path,
                message=f"{control.kind} is given a second time, to {control.tensor!r}.",
                advice="Give each kind to one tensor; left out, the kind is "
                "CONTROL_SEQUENCE_START.",
                triton=f"sequence batching specifies multiple {control.kind} tensors for "
                f"{model.name}",
                tensor=control.tensor,
                value=control.kind,
            )
        seen.add(control.kind)


@rule("TK086", "control-values-missing", Severity.ERROR, "a control without its two values")
def control_values_missing(model: Subject) -> Iterator[Found]:
    """
    Start, end and ready are told by two values: the first for no, the second for yes.

    They are given as one of int32_false_true, fp32_false_true and bool_false_true, which
    is the data type of the tensor too.
    """
    for control in first_controls(model):
        if control.kind == CORRELATION_ID:
            continue
        given, end = control.values, f"for {control.kind} for {model.name}"
        if len(given) == 1 and len(getattr(control.control, given[0])) == 2:
            continue
        if not given:
            path, value = control.path, ""
            message = f"{control.kind} has no values for no and yes."
            triton = (
                "sequence batching must specify either 'int32_false_true', 'fp32_false_true' "
                f"or 'bool_false_true' {end}"
            )
        elif len(given) > 1:
            path, value = (*control.path, given[1]), given[1]
            message = f"{control.kind} has {' and '.join(given)}."
            triton = (
                "sequence batching specifies more than one from 'int32_false_true', "
                f"'fp32_false_true' and 'bool_false_true' {end}"
            )
        else:
            path = (*control.path, given[0])
            value = ", ".join(map(str, getattr(control.control, given[0])))
            message = f"{given[0]} of {control.kind} is [{value}]."
            triton = f"sequence batching control '{given[0]}' must have exactly 2 entries {end}"
        yield Found(
            path,
            message=message,
            advice="Write one of int32_false_true, fp32_false_true and bool_false_true, with "
            "the two values for no and yes.",
            triton=triton,
            tensor=control.tensor,
            value=value,
        )


@rule("TK087", "correlation-id-of-a-wrong-type", Severity.ERROR, "a correlation id of a wrong type")
def control_of_a_wrong_type(model: Subject) -> Iterator[Found]:
    """
    The correlation id is a number or a string that a client chose, and not a yes or no.

    It needs a data_type, one of the five that Triton can put an id in, and no values for
    false and true.
    """
    for control in first_controls(model):
        if control.kind != CORRELATION_ID:
            continue
        for values in control.values[:1]:
            yield Found(
                (*control.path, values),
                message=f"{control.kind} has {values}.",
                advice=f"Leave {values} out, and write data_type.",
                triton="sequence batching must not specify either 'int32_false_true', "
                f"'fp32_false_true' or 'bool_false_true' for {control.kind} for {model.name}",
                tensor=control.tensor,
                value=values,
            )
        data_type = data_type_name(control.control.data_type)
        if data_type not in _CORRELATION_TYPES and not control.values:
            missing = data_type == "TYPE_INVALID"
            yield Found(
                control.path if missing else (*control.path, "data_type"),
                message=f"{control.kind} has {'no data_type' if missing else data_type}.",
                advice=f"Write a data_type that is one of {', '.join(_CORRELATION_TYPES)}.",
                triton=f"unexpected data type for control {control.kind} for {model.name}. "
                "Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and "
                "TYPE_STRING",
                tensor=control.tensor,
                value="" if missing else data_type,
            )


@rule("TK088", "preferred-sequence-size", Severity.ERROR, "a preferred batch size out of range")
def preferred_sequence_size(model: Subject) -> Iterator[Found]:
    """
    The oldest-first strategy sends a batch off as soon as it has one of the preferred sizes.

    Each is from 1 to max_batch_size, as the file has it before Triton completes it.
    """
    largest = model.given.max_batch_size
    for index, size in enumerate(model.given.sequence_batching.oldest.preferred_batch_size):
        if 0 < size <= largest:
            continue
        limit = "be <= max batch size" if size > 0 else "be positive"
        yield Found(
            ("sequence_batching", "oldest", "preferred_batch_size", index),
            message=f"A preferred batch size is {size}, and max_batch_size is {largest}.",
            advice="Leave it out, or write a size from 1 to max_batch_size.",
            triton=f"sequence batching preferred batch size must {limit} for {model.name}",
            value=str(size),
        )


@rule("TK089", "slot-utilization", Severity.ERROR, "minimum_slot_utilization out of range")
def slot_utilization(model: Subject) -> Iterator[Found]:
    """
    The direct strategy waits until this share of its slots has requests: 0 to 1.

    It waits no longer than max_queue_delay_microseconds.
    """
    utilization = model.given.sequence_batching.direct.minimum_slot_utilization
    if not 0 <= utilization <= 1 and utilization == utilization:
        yield Found(
            ("sequence_batching", "direct", "minimum_slot_utilization"),
            message=f"minimum_slot_utilization is {utilization:g}.",
            advice="Write a share from 0 to 1.",
            triton="sequence batching minimum slot utilization must be in range (0.0, 1.0] for "
            f"{model.name}",
            value=f"{utilization:g}",
        )
