"""What is wrong with the flow of an ensemble's tensors, whatever its models are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tritonkit.repository.check.finding import Found
from tritonkit.repository.ensemble.circles import circles
from tritonkit.repository.ensemble.wiring import Wiring
from tritonkit.repository.text.nearest import did_you_mean

__all__ = [
    "idle_steps",
    "unread_inputs",
    "unread_tensors",
    "unwritten_outputs",
    "written_inputs",
    "written_twice",
]

_MOST = 200
"""How many names are looked at for one that is near."""
_SHOWN = 8


def idle_steps(wiring: Wiring) -> Iterator[Found]:
    """Steps without a model, an input or an output."""
    for number, step in enumerate(wiring.steps):
        for field, wanted in (
            ("model_name", "Name the model that the step calls."),
            ("input_map", "Map each input of the model to a tensor of the ensemble."),
            ("output_map", "Map at least one output of the model to a tensor of the ensemble."),
        ):
            if not getattr(step, field):
                yield Found(
                    ("ensemble_scheduling", "step", number),
                    message=f"step {number} has no {field}.",
                    advice=wanted,
                    triton=f"must specify '{field}' in step {number} of ensemble '{wiring.name}'",
                )


def written_twice(wiring: Wiring) -> Iterator[Found]:
    """Tensors that more than one output goes to."""
    for tensor, (first, *others) in wiring.written.items():
        for link in others:
            yield Found(
                link.path,
                message=f"{link.who} writes tensor {tensor!r}, which {first.who} writes too.",
                advice=f"Give output {link.name!r} a tensor of its own.",
                triton=f"ensemble tensor '{tensor}' can appear in an output map only once for "
                f"ensemble '{wiring.name}' step {link.step}",
                tensor=tensor,
                value=tensor,
            )


def unread_inputs(wiring: Wiring) -> Iterator[Found]:
    """Inputs of the ensemble that no map names."""
    for index, name in enumerate(tensor.name for tensor in wiring.config.input):
        if name not in wiring.tensors:
            yield Found(
                ("input", index, "name"),
                message=f"no step takes the ensemble's input {name!r}.",
                advice=_advice(
                    _near(name, wiring.missing),
                    f"Map an input of a step to {name!r}, or remove it.",
                ),
                triton=f"ensemble input '{name}' for ensemble {wiring.name}' is not used",
                tensor=name,
                value=name,
            )


def unwritten_outputs(wiring: Wiring) -> Iterator[Found]:
    """What keeps outputs of the ensemble from being written, each cause once."""
    for index, name in enumerate(tensor.name for tensor in wiring.config.output):
        if name not in wiring.tensors:
            yield Found(
                ("output", index, "name"),
                message=f"no step writes the ensemble's output {name!r}.",
                advice=_advice(
                    _near(name, wiring.written),
                    f"Map an output of a step to {name!r}, or remove it.",
                ),
                triton=f"ensemble output '{name}' for ensemble {wiring.name}' is not used",
                tensor=name,
                value=name,
            )
    for cause in wiring.missing:
        if cause in wiring.blocked:
            yield _missing(wiring, cause, _not_written(wiring, wiring.blocked[cause], cause))
    for circle in _circles(wiring):
        output = next((wiring.blocked[t] for t in circle if t in wiring.blocked), None)
        if output is not None:
            yield _circle(wiring, circle, _not_written(wiring, output, _last(wiring, output)))


def unread_tensors(wiring: Wiring) -> Iterator[Found]:
    """Tensors that lead nowhere or come from nowhere, where no output of the ensemble suffers."""
    for tensor, (link, *_) in wiring.written.items():
        if tensor not in wiring.read and tensor not in wiring.outputs:
            yield Found(
                link.path,
                message=f"{link.who} writes tensor {tensor!r}, which no step takes and which is "
                "no output of the ensemble.",
                advice=_advice(
                    _near(tensor, [*wiring.missing[:_MOST], *_unwritten(wiring)]),
                    "Remove the entry: an output of a model may be left out.",
                ),
                triton=_unused(wiring, tensor),
                tensor=tensor,
                value=tensor,
            )
    for cause in wiring.missing:
        if cause not in wiring.blocked:
            yield _missing(wiring, cause, _unused(wiring, cause))
    for circle in _circles(wiring):
        if wiring.blocked.keys().isdisjoint(circle):
            yield _circle(wiring, circle, _unused(wiring, circle[0]))


def written_inputs(wiring: Wiring) -> Iterator[Found]:
    """Inputs of the ensemble that a step writes."""
    for tensor, links in wiring.written.items():
        if tensor in wiring.inputs:
            for link in links:
                yield Found(
                    link.path,
                    message=f"{link.who} writes tensor {tensor!r}, which clients send.",
                    advice=f"Give output {link.name!r} a tensor of its own.",
                    tensor=tensor,
                    value=tensor,
                )


def _missing(wiring: Wiring, tensor: str, triton: str) -> Found:
    link = wiring.read[tensor][0]
    also = f" and {len(wiring.read[tensor]) - 1} more" if len(wiring.read[tensor]) > 1 else ""
    known = list(islice((t for t in (*wiring.inputs, *wiring.written)), _MOST))
    known = sorted(t for t in known if t not in wiring.outputs) or sorted(known)
    return Found(
        link.path,
        message=f"{link.who}{also} takes tensor {tensor!r}, which no step writes and which is no "
        "input of the ensemble.",
        advice=_advice(
            _near(tensor, known),
            f"Take one of {_listed(known)}, or make {tensor!r} an input of the ensemble.",
        ),
        triton=triton,
        tensor=tensor,
        value=tensor,
    )


def _circle(wiring: Wiring, circle: tuple[str, ...], triton: str) -> Found:
    link = wiring.written[circle[0]][0]
    steps = " and ".join(dict.fromkeys(wiring.written[tensor][0].who for tensor in circle))
    way = " -> ".join(repr(tensor) for tensor in (*circle, circle[0]))
    return Found(
        link.path,
        message=f"{steps} wait for one another: {way}."
        if " and " in steps
        else f"{steps} waits for itself: {way}.",
        advice="Let one of them take what is there before it."
        if " and " in steps
        else "Give its output a tensor of its own.",
        triton=triton,
        tensor=circle[0],
        value=circle[0],
    )


def _circles(wiring: Wiring) -> list[tuple[str, ...]]:
    """Tensors that wait for themselves, in the order in which they flow."""

    def before(tensor: str) -> list[str]:
        return [one for one in wiring.before(tensor) if one in wiring.waiting]

    waiting = (tensor for tensor in wiring.tensors if tensor in wiring.waiting)
    return [(one[0], *reversed(one[1:])) for one in circles(waiting, before)]


def _last(wiring: Wiring, output: str) -> str:
    """The tensor that Triton names where *output* waits for a circle."""
    seen: set[str] = set()
    last = output
    while True:
        waits = [t for t in wiring.before(last) if t not in wiring.ready and t not in seen]
        if not waits:
            return last
        last = waits[0]
        seen.add(last)


def _not_written(wiring: Wiring, output: str, cause: str) -> str:
    text = f"output '{output}' for ensemble '{wiring.name}' is not written"
    if cause == output:
        return text
    return f"{text}: at least one of its depending tensors, '{cause}', is not connected"


def _unused(wiring: Wiring, tensor: str) -> str:
    return f"ensemble tensor '{tensor}' is unused in ensemble '{wiring.name}'"


def _unwritten(wiring: Wiring) -> list[str]:
    return [name for name in wiring.outputs if name not in wiring.tensors]


def _advice(question: str, rest: str) -> str:
    return f"{question[0].upper()}{question[1:]} {rest}" if question else rest


def _near(name: str, names: Iterable[str]) -> str:
    return did_you_mean(name, islice(names, _MOST))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(repr(name) for name in names[:_SHOWN])}{more}"
