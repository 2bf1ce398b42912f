from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.repository.check.case import Files, write_files
from tests.repository.check.cases.ensemble_config import TENSOR, ensemble, step
from tests.repository.check.cases.ensemble_edges import MODELS

from tritonkit.cli import main
from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.target import Target
from tritonkit.repository.ensemble.picture.as_mermaid import render_mermaid
from tritonkit.repository.ensemble.picture.as_svg import render_svg
from tritonkit.repository.ensemble.picture.as_text import render_text
from tritonkit.repository.ensemble.picture.diagram import Box, Diagram, Port, Wire
from tritonkit.repository.ensemble.picture.draw import draw
from tritonkit.repository.ensemble.picture.layout import lay_out

if TYPE_CHECKING:
    from tests.devtools import Browser

SUM = ensemble(
    step("add", {"x": "a"}, {"y": "left", "z": "right"}),
    step("join", {"p": "left", "q": "right"}, {"y": "b"}),
    max_batch_size=2,
)
OUTER = ensemble(
    step("sum", {"a": "a"}, {"b": "k"}), step("add", {"x": "k"}, {"y": "b"}), max_batch_size=2
)
WRONG = ensemble(
    step("add", {"x": "a"}, {"y": "k"}),
    step("jion", {"p": "k"}, {"y": "b"}),
    step("join", {"p": "nobody"}, {"y": "c"}),
    inputs={"a": "data_type: TYPE_FP32 dims: 5"},
    outputs={"b": TENSOR, "c": TENSOR},
    max_batch_size=2,
)
FILES: Files = {
    **MODELS,
    **{f"{name}/1/": "" for name in ("sum", "outer", "wrong", "circle")},
    "sum/config.pbtxt": SUM,
    "outer/config.pbtxt": OUTER,
    "wrong/config.pbtxt": WRONG,
    "circle/config.pbtxt": ensemble(step("circle", {"a": "a"}, {"b": "b"})),
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repository = tmp_path / "model_repository"
    repository.mkdir()
    write_files(repository, FILES)
    return repository


def _drawn(repository: Path, model: str, *, opened: bool = False) -> Diagram:
    subject = Neighbours([repository], Target()).get(model)
    assert subject is not None
    return draw(subject, opened=opened)


def test_text_says_where_each_tensor_comes_from(repository: Path):
    assert render_text(_drawn(repository, "sum")) == (
        "sum  ensemble, up to 2 rows\n"
        "  input a  FP32 [4]\n"
        "  add  python, up to 8 rows\n"
        "    <- x (a)  FP32 [4]  from the client's a\n"
        "    -> y (left)  FP32 [4]\n"
        "    -> z (right)  FP32 [4]\n"
        "  join  python, up to 2 rows\n"
        "    <- p (left)  FP32 [4]  from add's left\n"
        "    <- q (right)  FP32 [4]  from add's right\n"
        "    -> y (b)  FP32 [4]\n"
        "  output b  FP32 [4]  from join\n"
    )


def test_a_single_model_is_drawn_with_its_tensors(repository: Path):
    diagram = _drawn(repository, "add")
    assert [(box.kind, box.title) for box in diagram.boxes] == [
        ("input", "x"),
        ("model", "add"),
        ("output", "y"),
        ("output", "z"),
    ]
    assert not diagram.faults


def test_mermaid_ties_what_is_inside_to_what_is_outside(repository: Path):
    text = render_mermaid(_drawn(repository, "outer", opened=True))
    assert "  n0 --> n1_0\n" in text
    assert '  subgraph n1["sum, ensemble, up to 2 rows"]\n' in text
    assert '    n1_1 -->|"left<br/>FP32 [4]<br/>right<br/>FP32 [4]"| n1_2\n' in text
    assert '  n1_3 -->|"k<br/>FP32 [4]"| n2\n' in text
    assert "subgraph" not in render_mermaid(_drawn(repository, "outer"))


def test_what_is_wrong_is_shown_where_it_is(repository: Path):
    diagram = _drawn(repository, "wrong")
    told = {number: text.partition(".")[0] for number, text in diagram.faults.items()}
    assert told == {
        1: "The ensemble's input 'a' is [-1,5] with the batch axis, but input 'x' of step 0 "
        "('add') is [-1,4] with the batch axis",
        2: "Step 1 calls 'jion', which no repository has",
        3: "Step 2 ('join') takes tensor 'nobody', which no step writes and which is no input of "
        "the ensemble",
    }
    boxes = {box.title: box for box in diagram.boxes}
    assert boxes["a"].faults == (1,)
    assert boxes["jion"].faults == (2,)
    assert boxes["jion"].detail == "not there"
    assert boxes["join"].inputs[0].faults == (3,)
    assert boxes["nobody"].kind == "nothing"
    assert [wire.tensor for wire in diagram.wires if wire.wrong] == ["a", "nobody"]
    assert "linkStyle 0,1 stroke:#d1242f" in render_mermaid(diagram)
    assert render_svg(diagram).count('<circle class="mark"') > 6


def test_ensembles_in_a_circle_are_opened_once(repository: Path):
    diagram = _drawn(repository, "circle", opened=True)
    assert "in a circle" in diagram.faults[1]
    assert [box.inside for box in diagram.boxes] == [None, None, None]


@pytest.mark.parametrize(("steps", "depth", "opened"), [(1, 30, 20), (2, 11, 500)])
def test_a_picture_of_very_many_ensembles_opens_some(
    tmp_path: Path, steps: int, depth: int, opened: int
):
    """Ensembles that call an ensemble, again and again: the rest is said not to be opened."""
    files: dict[str, str | bytes | Path] = {"sum0/1/": "", "sum0/config.pbtxt": SUM}
    for number in range(1, depth + 1):
        tensors = ["a", *(f"t{n}" for n in range(1, steps)), "b"]
        calls = [step(f"sum{number - 1}", {"a": x}, {"b": y}) for x, y in pairwise(tensors)]
        files |= {
            f"sum{number}/1/": "",
            f"sum{number}/config.pbtxt": ensemble(*calls, max_batch_size=2),
        }
    write_files(tmp_path, {**MODELS, **files})
    diagram = _drawn(tmp_path, f"sum{depth}", opened=True)
    boxes = [box for box in _boxes(diagram) if box.kind == "ensemble"]
    assert sum(box.inside is not None for box in boxes) == opened
    assert all(box.detail.endswith(", not opened") == (box.inside is None) for box in boxes)
    ElementTree.fromstring(render_svg(diagram))
    assert render_mermaid(diagram).count("subgraph") == opened


def _boxes(diagram: Diagram) -> Iterator[Box]:
    for box in diagram.boxes:
        yield box
        if box.inside is not None:
            yield from _boxes(box.inside)


NASTY = Diagram(
    "m",
    "python",
    (
        Box("input", 'a"b#1;<i>&`\n%%', outputs=(Port("", "STRING [1]"),)),
        Box(
            "model", "]|}--> end", "python", (Port("]]x", "STRING [1]", "t]"),), (Port("名" * 60),)
        ),
        Box("output", "\x00\x1b[31m", inputs=(Port(""),)),
    ),
    (Wire(0, 0, 1, 0, 't"]'), Wire(1, 0, 2, 0, "n")),
    {1: "<b>wrong</b>"},
)


def test_no_name_breaks_mermaid():
    """Between quotes stand no characters that mermaid knows, but its own entities."""
    text = render_mermaid(NASTY)
    assert text.splitlines()[3] == (
        '  n0(["a#34;b#35;1#59;#60;i#62;#38;#96; #37;#37;<br/>STRING [1]"])'
    )
    for label in re.findall(r'"([^"]*)"', text):
        assert not re.search(r"[<>&`{}|;%#]", re.sub(r"#\d+;|<br/>", "", label)), label


def test_no_name_breaks_svg():
    root = ElementTree.fromstring(render_svg(NASTY))
    assert "]|}--> end" in "".join(root.itertext())
    assert not re.search(r"[\x00\x1b]", render_svg(NASTY))


def test_svg_is_named_and_described(repository: Path):
    """For those who do not see it; and it is the same each time."""
    text = render_svg(_drawn(repository, "sum"))
    root = ElementTree.fromstring(text)
    title, desc = root[0], root[1]
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {desc.attrib['id']}"
    assert title.text == "sum"
    assert desc.text is not None
    assert desc.text.endswith("join takes p (left), q (right) and gives y (b).")
    assert text == render_svg(_drawn(repository, "sum"))


def _fan(width: int, depth: int) -> Diagram:
    """Layers of boxes in which each takes from all of the layer before, and from the first."""
    boxes = [Box("input", "in", outputs=(Port("", "FP32 [4]"),))]
    wires = []
    layer = [0]
    for level in range(depth):
        following = []
        for number in range(width):
            ports = tuple(Port(f"from{source}", "FP32 [4]") for source in (*layer, 0))
            following.append(len(boxes))
            boxes.append(Box("model", f"m{level}_{number}", "python", ports, (Port("y"),)))
            wires += [Wire(s, 0, len(boxes) - 1, i, "t") for i, s in enumerate((*layer, 0))]
        layer = following
    return Diagram("fan", "ensemble", tuple(boxes), tuple(wires))


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (1, 6), (4, 3), (7, 2)])
def test_boxes_stand_apart_and_right_of_what_they_take(width: int, depth: int):
    diagram = _fan(width, depth)
    layout = lay_out(diagram)
    for one, other in combinations(layout.boxes, 2):
        assert (
            one.x + one.size.width < other.x
            or other.x + other.size.width < one.x
            or one.y + one.size.height < other.y
            or other.y + other.size.height < one.y
        )
    for wire, way in zip(diagram.wires, layout.ways, strict=True):
        source, target = layout.boxes[wire.source], layout.boxes[wire.target]
        assert way[0][0] == source.x + source.size.width < target.x == way[-1][0]
        assert target.y < way[-1][1] < target.y + target.size.height
    assert min(placed.y for placed in layout.boxes) >= 0


def test_a_wire_that_closes_a_circle_is_drawn_back():
    ports = (Port("x"),), (Port("y"),)
    boxes = tuple(Box("model", name, "", *ports) for name in ("one", "two"))
    diagram = Diagram("m", "", boxes, (Wire(0, 0, 1, 0, "t"), Wire(1, 0, 0, 0, "u")))
    layout = lay_out(diagram)
    one, two = layout.boxes
    assert one.x < two.x
    start, *turns, end = layout.ways[1]
    assert (start[0], end[0]) == (two.x + two.size.width, one.x)
    low = max(one.y + one.size.height, two.y + two.size.height)
    assert all(low < y <= layout.height for _, y in turns)
    ElementTree.fromstring(render_svg(diagram))


def test_marks_are_read_from_left_to_right():
    box = Box("model", "one", "", faults=(8, 9))
    text = render_svg(Diagram("m", "", (box,), ()))
    places = re.findall(r'<text class="number" x="([0-9.]+)" y="[0-9.]+">(\d)</text>', text)
    assert [number for _, number in sorted(places, key=lambda one: float(one[0]))] == ["8", "9"]


def test_texts_stand_in_their_boxes(repository: Path, browser: Browser, tmp_path: Path):
    """As Chromium draws them: inside the picture, and none over another."""
    drawn = [_drawn(repository, "wrong"), _drawn(repository, "outer", opened=True), NASTY]
    for number, diagram in enumerate(drawn):
        file = tmp_path / f"{number}.svg"
        file.write_text(render_svg(diagram), encoding="utf-8")
        browser.open(file, width=1200)
        found = browser.value(
            "[...document.querySelectorAll('text')].map(t => { const b = "
            "t.getBoundingClientRect(); return [t.textContent, b.left, b.top, b.right, b.bottom] })"
        )
        width, height = map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', file.read_text())[0])
        for text, left, top, right, bottom in found:
            assert min(left, top, width - right, height - bottom) >= 0, text
        for (text, *one), (other_text, *other) in combinations(found, 2):
            apart = one[2] <= other[0] or other[2] <= one[0]
            below = one[3] <= other[1] + 3 or other[3] <= one[1] + 3
            assert apart or below, (text, other_text)


def test_the_command_writes_what_the_file_is_called(repository: Path, tmp_path: Path):
    for name, begins in (("a.svg", "<svg"), ("a.mmd", "flowchart LR"), ("a.txt", "sum  ensemble")):
        file = tmp_path / name
        words = ["config", "graph", str(repository), "sum", "-o", str(file)]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        assert file.read_text(encoding="utf-8").startswith(begins)


def test_the_command_writes_no_text_into_what_is_called_otherwise(repository: Path, tmp_path: Path):
    """But where the format is given, whatever the file is called; and it replaces it whole."""
    file = tmp_path / "a.png"
    words = ["config", "graph", str(repository), "sum", "-o", str(file)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "no picture is written as .png; name the file .svg, .mmd or .txt" in refused.output
    assert not file.exists()
    file.write_text("before")
    inode = file.stat().st_ino
    assert CliRunner().invoke(main, [*words, "--format", "svg"]).exit_code == 0
    assert file.read_text().startswith("<svg")
    assert file.stat().st_ino != inode


@pytest.mark.parametrize(
    ("model", "told"),
    [("sun", "did you mean 'sum'?"), ("broken", "cannot be read; `tritonkit check")],
)
def test_the_command_says_what_it_cannot_draw(repository: Path, model: str, told: str):
    (repository / "broken").mkdir()
    (repository / "broken" / "config.pbtxt").write_text("input {")
    result = CliRunner().invoke(main, ["config", "graph", str(repository), model])
    assert result.exit_code == 2
    assert told in result.output
