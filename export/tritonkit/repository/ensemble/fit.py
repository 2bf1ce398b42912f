"""What does not fit between an ensemble and its models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tritonkit.repository.check.finding import Found
from tritonkit.repository.ensemble.edges import Edges, End, shapes_meet
from tritonkit.repository.text.nearest import did_you_mean

__all__ = [
    "differing_shapes",
    "differing_types",
    "fitting_dims",
    "larger_batches",
    "unknown_inputs",
    "unknown_outputs",
    "unmapped_inputs",
    "wider_inputs",
]


def unknown_inputs(edges: Edges) -> Iterator[Found]:
    """Entries of input maps whose model has no such input."""
    for number, model, config in edges.calls:
        names = [str(tensor.name) for tensor in config.input]
        known = set(names)
        for link in edges.wiring.links_of[number] if edges.has_only(model, names) else ():
            if link.field == "input_map" and link.name not in known:
                mapped = edges.wiring.steps[number].input_map
                yield Found(
                    link.path,
                    message=f"{link.who} maps input {link.name!r}, which its model does not have.",
                    advice=_ask(link.name, [n for n in names if n not in mapped] or names)
                    + _has("input", names),
                    triton=f"in ensemble {edges.wiring.name}, ensemble tensor {link.tensor} is "
                    f"mapping to non-existing input {link.name} in model {model}",
                    tensor=link.tensor,
                    value=link.name,
                )


def unknown_outputs(edges: Edges) -> Iterator[Found]:
    """Entries of output maps whose model has no such output."""
    for number, model, config in edges.calls:
        names = [str(tensor.name) for tensor in config.output]
        known = set(names)
        for link in edges.wiring.links_of[number] if edges.has_only(model, names) else ():
            if link.field == "output_map" and link.name not in known:
                yield Found(
                    link.path,
                    message=f"{link.who} maps output {link.name!r}, which its model does not have.",
                    advice=_ask(link.name, names) + _has("output", names),
                    triton=f"in ensemble {edges.wiring.name}, ensemble tensor {link.tensor} is "
                    f"mapped from non-existing output {link.name} in model {model}",
                    tensor=link.tensor,
                    value=link.name,
                )


def unmapped_inputs(edges: Edges) -> Iterator[Found]:
    """Inputs of models that their steps leave out and must not."""
    for number, model, config in edges.calls:
        step = edges.wiring.steps[number]
        for tensor in config.input:
            name = str(tensor.name)
            # A step without any is told of by itself.
            if name in step.input_map or tensor.optional or not step.input_map:
                continue
            there = name in edges.wiring.inputs or name in edges.wiring.written
            yield Found(
                ("ensemble_scheduling", "step", number),
                message=f"step {number} ({model!r}) leaves out input {name!r}, which its model "
                "needs.",
                advice=f'Add input_map {{ key: "{name}" value: "{name if there else "..."}" }}'
                + ("." if there else ", with the tensor of the ensemble that it takes."),
                triton=f"in ensemble {edges.wiring.name}, input {name} in model {model} is not "
                "mapped to any ensemble tensors",
                tensor=name,
                value=name,
            )


def differing_types(edges: Edges) -> Iterator[Found]:
    """Tensors whose ends have different data types."""
    for tensor, (first, *others) in edges.ends.items():
        wrong = [end for end in others if end.data_type != first.data_type]
        for end, more in _told(first, wrong):
            yield Found(
                (*first.place, "data_type") if end.link is None or first.place else _path(end),
                message=_differ(tensor, first, end, first.data_type, end.data_type, more),
                advice=f"Write data_type: {end.data_type}, which the model has."
                if first.place
                else "Put a step between them that converts it, or make the models agree.",
                triton=f"in ensemble {edges.wiring.name}, ensemble tensor {tensor}: inconsistent "
                f"data type: {first.data_type} is inferred from model {first.model} while "
                f"{end.data_type} is inferred from model {end.model}",
                tensor=tensor,
                value=first.data_type if first.place else end.data_type,
            )


def differing_shapes(edges: Edges, *, by_reshape: bool) -> Iterator[Found]:
    """
    Tensors whose ends have shapes that cannot be the same.

    Args:
        edges: The ensemble's.
        by_reshape: Whether those are wanted that would fit if a model's reshape counted;
            else the others are.
    """
    for tensor, (first, *others) in edges.ends.items():
        wrong = [
            end
            for end in others
            if end.data_type == first.data_type
            and not shapes_meet(first, end)
            and _meet_reshaped(first, end) == by_reshape
        ]
        for end, more in _told(first, wrong):
            yield Found(
                (*first.place, "dims") if first.place else _path(end),
                message=_differ(tensor, first, end, _shape(first), _shape(end), more),
                advice=_shape_advice(first, end, by_reshape=by_reshape),
                triton=f"in ensemble {edges.wiring.name}, ensemble tensor {tensor}: inconsistent "
                f"shape: {_text(first.full)} is inferred from model {first.model} while "
                f"{_text(end.full)} is inferred from model {end.model}",
                tensor=tensor,
                value=_text(first.dims if first.place else end.dims),
            )


def larger_batches(edges: Edges) -> Iterator[Found]:
    """A max_batch_size that is above that of a model which batches."""
    wanted = edges.wiring.config.max_batch_size
    less = [
        (model, int(config.max_batch_size))
        for _, model, config in edges.calls
        if 0 < config.max_batch_size < wanted
    ]
    if less:
        (model, size), least = less[0], min(size for _, size in less)
        others = f", and another of its models {least}" if least < size else ""
        yield Found(
            ("max_batch_size",),
            message=f"the ensemble takes {wanted} rows at once, but {model!r} takes "
            f"{size}{others}.",
            advice=f"Write max_batch_size: {least}, or raise what its models take.",
            triton=f"ensemble {edges.wiring.name} allows maximum batch size {wanted}, but it "
            f"contains model {model} which only allows maximum batch size to be {size}",
            value=str(wanted),
        )


def wider_inputs(edges: Edges) -> Iterator[Found]:
    """Inputs of the ensemble that may have sizes which a step does not take."""
    for tensor, (first, *others) in edges.ends.items():
        if first.place[:1] != ("input",):
            continue
        for end in others:
            if len(end.full) != len(first.full) or end.data_type != first.data_type:
                continue
            axes = [
                axis
                for axis, (mine, its) in enumerate(zip(first.full, end.full, strict=True))
                if mine == -1 and its != -1
            ]
            if axes and shapes_meet(first, end):
                yield Found(
                    (*first.place, "dims"),
                    message=f"the ensemble's input {tensor!r} is {_text(first.full)}, but "
                    f"{end.who} takes {_text(end.full)} only.",
                    advice="Write the sizes that the model takes.",
                    tensor=tensor,
                    value=_text(first.dims),
                )
                break


def _told(first: End, wrong: Sequence[End]) -> Iterable[tuple[End, int]]:
    """What to tell of: one mistake of the ensemble's own tensor, or each of its models'."""
    if first.place:
        return [(wrong[0], len(wrong) - 1)] if wrong else []
    return [(end, 0) for end in wrong]


def _differ(tensor: str, first: End, end: End, mine: str, its: str, more: int) -> str:
    also = f" and {more} more" if more else ""
    if first.place:
        return f"{first.who} {tensor!r} is {mine}, but {end.who}{also} is {its}."
    return f"tensor {tensor!r} is {mine} as {first.who}, but {its} as {end.who}."


def _shape_advice(first: End, end: End, *, by_reshape: bool) -> str:
    if by_reshape:
        return (
            "Between steps Triton compares dims, and a reshape is its own model's matter: "
            "write dims that are equal on both sides."
        )
    if first.place:
        return f"Write dims: {_text(fitting_dims(first, end))}, which the model has."
    if first.batching != end.batching:
        return (
            "One side has a batch axis and the other has none: its dims then begin with -1 and "
            "are the other's after it."
        )
    return "Make the dims equal, with -1 for an axis of any size, or put a step between them."


def fitting_dims(first: End, end: End) -> tuple[int, ...]:
    """The dims with which the ensemble's own tensor meets *end*."""
    if not first.batching:
        return end.full
    if end.batching:
        return end.dims
    return end.dims[1:] if len(end.dims) > 1 and end.dims[0] == -1 else end.dims


def _meet_reshaped(first: End, end: End) -> bool:
    return any(shapes_meet(one, other) for one in _ways(first) for other in _ways(end))


def _ways(end: End) -> list[End]:
    if not end.reshaped:
        return [end]
    fields: dict[str, Any] = {name: getattr(end, name) for name in End.__slots__}
    return [end, End(**{**fields, "dims": end.reshaped})]


def _path(end: End) -> tuple[str | int, ...]:
    return end.link.path if end.link is not None else end.place


def _shape(end: End) -> str:
    return f"{_text(end.full)} with the batch axis" if end.batching else _text(end.full)


def _text(dims: Sequence[int]) -> str:
    return f"[{','.join(map(str, dims))}]"


def _ask(name: str, names: Sequence[str]) -> str:
    question = did_you_mean(name, names)
    return f"{question[0].upper()}{question[1:]} " if question else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _has(kind: str, names: Sequence[str]) -> str:
    if not names:
        return f"It has no {kind}: write those it has into its configuration."
    return f"Its {kind}s are {_listed(names)}."
