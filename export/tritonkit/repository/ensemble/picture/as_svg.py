"""A picture as SVG: no script, no font and no file beside it; in the viewer's light or dark."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from tritonkit.repository.ensemble.picture.diagram import Box, Diagram, Port
from tritonkit.repository.ensemble.picture.layout import Layout, Placed, lay_out
from tritonkit.repository.ensemble.picture.size import (
    HEADER,
    PADDING,
    PORT,
    TURN,
    port_offset,
    shortened,
    text_width,
)

__all__ = ["render_svg"]

_MARGIN = 24.0
_TITLE = 44.0
_LINE = 18.0
_LEAST_WIDTH = 420.0

_STYLE = """
  svg { --back: #ffffff; --box: #f6f8fa; --line: #6e7781; --text: #1f2328; --soft: #57606a;
        --ensemble: #eef3fb; --pill: #ffffff; --wrong: #cf222e; color-scheme: light dark; }
  @media (prefers-color-scheme: dark) {
    svg { --back: #0d1117; --box: #161b22; --line: #8b949e; --text: #e6edf3; --soft: #9da7b3;
          --ensemble: #131d2e; --pill: #0d1117; --wrong: #ff7b72; }
  }
  text { font: 12px ui-sans-serif, system-ui, "Segoe UI", "Liberation Sans", sans-serif;
         fill: var(--text); }
  .title { font-size: 16px; font-weight: 600; } .name { font-size: 13px; font-weight: 600; }
  .soft { fill: var(--soft); font-size: 11px; font-weight: 400; } .end { text-anchor: end; }
  .middle { text-anchor: middle; } .back { fill: var(--back); }
  .box { fill: var(--box); stroke: var(--line); } .ensemble { fill: var(--ensemble); }
  .pill { fill: var(--pill); stroke: var(--line); } .nothing { stroke-dasharray: 4 3; }
  .wire { fill: none; stroke: var(--line); stroke-width: 1.5; } .dot { fill: var(--line); }
  .wrong { stroke: var(--wrong); stroke-width: 2; } .mark { fill: var(--wrong); }
  .number { fill: var(--back); font-size: 10px; font-weight: 700; text-anchor: middle; }
""".strip("\n")


def render_svg(diagram: Diagram) -> str:
    """A whole SVG file; equal diagrams give equal files."""
    layout = lay_out(diagram)
    width = max(layout.width + 2 * _MARGIN, _LEAST_WIDTH, _title_width(diagram))
    faults = list(_faults(diagram, width))
    height = _TITLE + layout.height + 2 * _MARGIN
    parts = [
        f'<rect class="back" width="{_n(width)}" height="{_n(height + _below(faults))}" rx="8"/>',
        f'<text class="title" x="{_n(_MARGIN)}" y="30">{_escaped(shortened(diagram.title))}'
        f'<tspan class="soft" dx="10">{_escaped(diagram.detail)}</tspan></text>',
        *_picture(diagram, layout, _MARGIN, _TITLE + _MARGIN / 2),
        *(
            _mark(number, _MARGIN + 8, height + line * _LINE - 4) if number else ""
            for line, (number, _) in enumerate(faults)
        ),
        *(
            _text(_MARGIN + 24, height + line * _LINE, text)
            for line, (_, text) in enumerate(faults)
        ),
    ]
    size = f"{_n(width)} {_n(height + _below(faults))}"
    body = "\n".join(f"  {part}" for part in parts if part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{_n(width)}" '
        f'height="{_n(height + _below(faults))}" role="img" aria-labelledby="title desc">\n'
        f'  <title id="title">{_escaped(diagram.title)}</title>\n'
        f'  <desc id="desc">{_escaped(diagram.describe())}</desc>\n'
        f"  <style>\n{_STYLE}\n  </style>\n{body}\n</svg>\n"
    )


def _picture(diagram: Diagram, layout: Layout, x: float, y: float) -> Iterator[str]:
    yield f'<g transform="translate({_n(x)} {_n(y)})">'
    for wire, way in zip(diagram.wires, layout.ways, strict=True):
        kind = "wire wrong" if wire.wrong else "wire"
        yield f'<path class="{kind}" d="{_path(way)}"><title>{_escaped(wire.tensor)}</title></path>'
    for box, placed in zip(diagram.boxes, layout.boxes, strict=True):
        yield from _pill(box, placed) if box.kind in _PILLS else _box(box, placed)
    yield "</g>"


_PILLS = ("input", "output", "nothing")


def _pill(box: Box, placed: Placed) -> Iterator[str]:
    size = placed.size
    kind = f"pill {box.kind}{' wrong' if _wrong(box) or box.kind == 'nothing' else ''}"
    yield (
        f'<rect class="{kind}" x="{_n(placed.x)}" y="{_n(placed.y)}" width="{_n(size.width)}" '
        f'height="{_n(size.height)}" rx="{_n(size.height / 2)}"/>'
    )
    middle = placed.x + size.width / 2
    shape = next((port.shape for port in (*box.inputs, *box.outputs) if port.shape), box.detail)
    yield _text(middle, placed.y + (20 if shape else 27), box.title, "name middle")
    if shape:
        yield _text(middle, placed.y + 35, shape, "soft middle")
    yield from _marks(box.faults, placed.x + size.width - 8, placed.y + 6)


def _box(box: Box, placed: Placed) -> Iterator[str]:
    size = placed.size
    kind = f"box {box.kind}{' wrong' if box.faults else ''}"
    yield (
        f'<rect class="{kind}" x="{_n(placed.x)}" y="{_n(placed.y)}" width="{_n(size.width)}" '
        f'height="{_n(size.height)}" rx="6"/>'
    )
    yield _text(placed.x + PADDING, placed.y + 20, box.title, "name")
    yield _text(placed.x + PADDING, placed.y + 36, box.detail, "soft")
    yield from _marks(box.faults, placed.x + size.width - 12, placed.y + 14)
    for side, ports in (("input", box.inputs), ("output", box.outputs)):
        for index, port in enumerate(ports):
            yield from _port(box, placed, side, index, port)
    if box.inside is not None and placed.inside is not None:
        rows = max(len(box.inputs), len(box.outputs), 1)
        top = placed.y + HEADER + rows * PORT + PADDING
        left = placed.x + (size.width - placed.inside.width) / 2
        yield from _picture(box.inside, placed.inside, left, top)


def _port(box: Box, placed: Placed, side: str, index: int, port: Port) -> Iterator[str]:
    y = placed.y + port_offset(box, side, index)
    is_input = side == "input"
    edge = placed.x if is_input else placed.x + placed.size.width
    x = edge + PADDING if is_input else edge - PADDING
    end = "" if is_input else " end"
    yield f'<circle class="{"mark" if port.faults else "dot"}" cx="{_n(edge)}" cy="{_n(y)}" r="3"/>'
    yield _text(x, y - 2 if port.shape else y + 4, port.label, f"port{end}")
    if port.shape:
        yield _text(x, y + 12, port.shape, f"soft{end}")
    far = text_width(port.label) + 14
    yield from _marks(port.faults, x + far if is_input else x - far, y - 5, right=is_input)


def _path(way: Sequence[tuple[float, float]]) -> str:
    (x, y), *_ = way
    parts = [f"M{_n(x)} {_n(y)}"]
    for number, ((x1, y1), (x2, y2)) in enumerate(pairwise(way)):
        if x1 == x2:
            # A wire that goes back turns below its boxes: to the right first, then to the left.
            bend = x1 + (TURN if number == 0 else -TURN)
            parts.append(f"C{_n(bend)} {_n(y1)} {_n(bend)} {_n(y2)} {_n(x2)} {_n(y2)}")
            continue
        if y1 == y2:
            parts.append(f"H{_n(x2)}")
            continue
        bend = max((x2 - x1) / 2, 36)
        parts.append(f"C{_n(x1 + bend)} {_n(y1)} {_n(x2 - bend)} {_n(y2)} {_n(x2)} {_n(y2)}")
    return " ".join(parts)


def _faults(diagram: Diagram, width: float) -> Iterator[tuple[int, str]]:
    """What is wrong, in lines that are as wide as the picture; the number with the first."""
    most = int((width - 2 * _MARGIN - 24) / 6.2)
    for number, text in diagram.faults.items():
        plain = "".join(c if c.isprintable() else " " for c in text)
        for line, part in enumerate(textwrap.wrap(plain, most)):
            yield (number if line == 0 else 0), part


def _below(faults: Sequence[tuple[int, str]]) -> float:
    return len(faults) * _LINE + _MARGIN / 2 if faults else 0.0


def _marks(faults: tuple[int, ...], x: float, y: float, *, right: bool = False) -> Iterator[str]:
    for index, number in enumerate(faults if right else reversed(faults)):
        yield _mark(number, x + (18 if right else -18) * index, y)


def _mark(number: int, x: float, y: float) -> str:
    return (
        f'<circle class="mark" cx="{_n(x)}" cy="{_n(y)}" r="8"/>'
        f'<text class="number" x="{_n(x)}" y="{_n(y + 3.5)}">{number}</text>'
    )


def _wrong(box: Box) -> bool:
    return bool(box.faults or any(port.faults for port in (*box.inputs, *box.outputs)))


def _title_width(diagram: Diagram) -> float:
    return text_width(diagram.title) * 1.4 + text_width(diagram.detail) + 2 * _MARGIN + 12


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    shown = text if kind == "" else shortened(text)
    whole = f"<title>{_escaped(text)}</title>" if shown != text else ""
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{_n(x)}" y="{_n(y)}">{whole}{_escaped(shown)}</text>'


def _escaped(text: str) -> str:
    """Text in XML, which has no place for control characters."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def _n(number: float) -> str:
    """A number as short as a tenth of a pixel needs."""
    return f"{number:.1f}".removesuffix(".0")
