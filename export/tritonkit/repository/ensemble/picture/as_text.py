"""A picture as plain text: each step with where its inputs come from."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.ensemble.picture.diagram import Box, Diagram, Port

__all__ = ["render_text"]


def render_text(diagram: Diagram) -> str:
    """Lines that say what a terminal cannot draw."""
    lines = [f"{diagram.title}  {diagram.detail}", *_lines(diagram, "  ")]
    if diagram.faults:
        lines += ["", *(f"({number}) {text}" for number, text in diagram.faults.items())]
    return "".join(f"{line}\n" for line in lines)


def _lines(diagram: Diagram, indent: str) -> Iterator[str]:
    for number, box in enumerate(diagram.boxes):
        if box.kind in ("input", "output", "nothing"):
            yield f"{indent}{_own(diagram, number)}"
            continue
        yield f"{indent}{box.title}  {box.detail}{_marks(box.faults)}"
        for index, port in enumerate(box.inputs):
            source = next(
                (w for w in diagram.wires if (w.target, w.input) == (number, index)), None
            )
            place = "nothing" if source is None else _from(diagram, source.source, source.tensor)
            yield f"{indent}  <- {_port(port)}  from {place}{_marks(port.faults)}"
        for port in box.outputs:
            yield f"{indent}  -> {_port(port)}{_marks(port.faults)}"
        if box.inside is not None:
            yield f"{indent}  inside:"
            yield from _lines(box.inside, f"{indent}    ")


def _own(diagram: Diagram, number: int) -> str:
    box = diagram.boxes[number]
    shape = next((port.shape for port in (*box.inputs, *box.outputs) if port.shape), box.detail)
    text = f"{box.kind} {box.title}  {shape}{_marks(box.faults)}"
    if box.kind != "output":
        return text
    source = next((w for w in diagram.wires if w.target == number), None)
    return f"{text}  from {'nothing' if source is None else diagram.boxes[source.source].title}"


def _from(diagram: Diagram, number: int, tensor: str) -> str:
    box: Box = diagram.boxes[number]
    if box.kind == "input":
        return f"the client's {tensor}"
    return f"{box.title}'s {tensor}" if box.kind != "nothing" else f"nothing: {tensor}"


def _port(port: Port) -> str:
    return f"{port.label}  {port.shape}" if port.shape else port.label


def _marks(faults: tuple[int, ...]) -> str:
    return "".join(f"  ({number})" for number in faults)
