"""A picture as mermaid text, which GitHub and others draw where it stands in Markdown."""

from __future__ import annotations

import re

from tritonkit.repository.ensemble.picture.diagram import Box, Diagram, Port, Wire

__all__ = ["render_mermaid"]

_SHAPES = {
    "input": ('(["', '"])'),
    "output": ('(["', '"])'),
    "model": ('["', '"]'),
    "ensemble": ('[["', '"]]'),
    "nothing": ('{{"', '"}}'),
}
_SPECIAL = re.compile(r"""["#<>&`\\{}|;%]""")
_STYLE = "stroke:#d1242f,stroke-width:3px"


def render_mermaid(diagram: Diagram) -> str:
    """
    The text of a flow chart from left to right, without the fence.

    Names are escaped; what is wrong is red, and stands in boxes of its own.
    """
    lines = [
        "flowchart LR",
        f"  accTitle: {_line(diagram.title)}",
        f"  accDescr: {_line(diagram.describe())}",
    ]
    chart = _Chart()
    chart.add(diagram, "n", "  ")
    lines += chart.lines
    for number, text in diagram.faults.items():
        lines.append(f'  fault{number}["{number}: {_escaped(text)}"]:::fault')
    if diagram.faults:
        lines.append(f"  classDef fault {_STYLE}")
    if chart.wrong:
        lines.append(f"  linkStyle {','.join(map(str, chart.wrong))} {_STYLE}")
    return "".join(f"{line}\n" for line in lines)


class _Chart:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wrong: list[int] = []
        self._links = 0

    def add(self, diagram: Diagram, prefix: str, indent: str) -> None:
        for number, box in enumerate(diagram.boxes):
            name = f"{prefix}{number}"
            if box.inside is None:
                self.lines.append(f"{indent}{name}{_box(box)}")
                continue
            # The title of a subgraph has room for one line.
            title = _title(box).replace("<br/>", ", ")
            self.lines.append(f'{indent}subgraph {name}["{title}"]')
            self.add(box.inside, f"{name}_", f"{indent}  ")
            self.lines.append(f"{indent}end")
        between: dict[tuple[str, str], list[Wire]] = {}
        for wire in sorted(diagram.wires, key=lambda wire: (wire.source, wire.output)):
            ends = (
                _end(diagram.boxes[wire.source], f"{prefix}{wire.source}", wire.output, "output"),
                _end(diagram.boxes[wire.target], f"{prefix}{wire.target}", wire.input, "input"),
            )
            between.setdefault(ends, []).append(wire)
        for (source, target), wires in between.items():
            labels = dict.fromkeys(_label(diagram, wire) for wire in wires)
            label = "<br/>".join(one for one in labels if one)
            arrow = f'-->|"{label}"|' if label else "-->"
            self.lines.append(f"{indent}{source} {arrow} {target}")
            if any(wire.wrong for wire in wires):
                self.wrong.append(self._links)
            self._links += 1


def _end(box: Box, name: str, port: int, kind: str) -> str:
    """What a wire is tied to: of an ensemble that is opened, its own input or output."""
    if box.inside is None:
        return name
    wanted = (box.inputs if kind == "input" else box.outputs)[port].name
    inner = (n for n, one in enumerate(box.inside.boxes) if (one.kind, one.title) == (kind, wanted))
    number = next(inner, None)
    return name if number is None else f"{name}_{number}"


def _label(diagram: Diagram, wire: Wire) -> str:
    source = diagram.boxes[wire.source]
    if source.kind in ("input", "nothing") or diagram.boxes[wire.target].kind == "output":
        # The tensor stands in its own box.
        return ""
    port: Port = source.outputs[wire.output]
    return (
        f"{_escaped(wire.tensor)}<br/>{_escaped(port.shape)}"
        if port.shape
        else (_escaped(wire.tensor))
    )


def _box(box: Box) -> str:
    before, after = _SHAPES[box.kind]
    wrong = box.faults or any(port.faults for port in (*box.inputs, *box.outputs))
    return f"{before}{_title(box)}{after}{':::fault' if wrong else ''}"


def _title(box: Box) -> str:
    shape = next((port.shape for port in (*box.inputs, *box.outputs) if port.shape), "")
    more = shape if box.kind in ("input", "output") else box.detail
    marks = sorted({*box.faults, *(n for p in (*box.inputs, *box.outputs) for n in p.faults)})
    parts = [_escaped(box.title), _escaped(more), " ".join(f"({mark})" for mark in marks)]
    return "<br/>".join(part for part in parts if part)


def _escaped(text: str) -> str:
    """Text between quotes; mermaid takes characters by their number between # and ;."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)


def _line(text: str) -> str:
    return _escaped(text).strip()
