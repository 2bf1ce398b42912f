"""A ModelProto, stepped through: what stands in it besides the weights."""

from __future__ import annotations

from dataclasses import dataclass, field

from tritonkit.repository.graph.parts import Operator
from tritonkit.repository.graph.tensor import GraphTensor, read_tensor
from tritonkit.repository.graph.wire import Buffer, Malformed, fields, signed, text

__all__ = ["Scan", "scan_model"]

_DEEPEST = 100
"""How many graphs may stand in each other: as deep as protobuf's own parsers go."""

# Tags: number << 3 | wire type; 2 is a message or string, 0 a number.
_NODES = {"graph": 0x0A, "function": 0x3A}


@dataclass(slots=True)
class Scan:
    """
    What was found in a model file, as it stands there.

    Args:
        inputs: All inputs of the graph, those with an initialiser too.
        outputs: Its outputs.
        initializers: Names of the main graph's initialisers.
        external: Least size of each external file, by location.
    """

    ir_version: int = 0
    producer: list[str] = field(default_factory=lambda: ["", ""])
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    inputs: list[GraphTensor] = field(default_factory=list)
    outputs: list[GraphTensor] = field(default_factory=list)
    initializers: set[str] = field(default_factory=set)
    operators: set[Operator] = field(default_factory=set)
    functions: set[Operator] = field(default_factory=set)
    external: dict[str, int] = field(default_factory=dict)
    has_graph: bool = False


def scan_model(data: Buffer) -> Scan:
    """
    Step through the ModelProto that *data* is.

    Raises:
        Malformed: If it is none.
    """
    scan = Scan()
    bodies: list[tuple[str, int, int, int]] = []
    for tag, a, b in fields(data, 0, len(data)):
        if tag == 0x08:
            scan.ir_version = signed(a)
        elif tag == 0x12 or tag == 0x1A:
            scan.producer[tag == 0x1A] = text(data, a, b)
        elif tag == 0x3A:
            scan.has_graph = True
            _scan_interface(data, a, b, scan)
            bodies.append(("graph", a, b, 0))
        elif tag == 0x42:
            domain, version = _opset(data, a, b)
            scan.opsets[domain] = version
        elif tag == 0x72:
            key, value = _entry(data, a, b)
            scan.metadata[key] = value
        elif tag == 0xCA:
            scan.functions.add(_function(data, a, b))
            bodies.append(("function", a, b, 0))
    _scan_bodies(data, bodies, scan)
    return scan


def _scan_interface(data: Buffer, start: int, stop: int, scan: Scan) -> None:
    for tag, a, b in fields(data, start, stop):
        if tag == 0x2A:
            scan.initializers.add(_scan_weights(data, a, b, scan))
        elif tag == 0x5A:
            scan.inputs.append(read_tensor(data, a, b))
        elif tag == 0x62:
            scan.outputs.append(read_tensor(data, a, b))
        elif tag == 0x7A:
            scan.initializers.add(_scan_sparse(data, a, b, scan))


def _scan_bodies(data: Buffer, bodies: list[tuple[str, int, int, int]], scan: Scan) -> None:
    """The operators, by a list of graphs and not by recursion."""
    while bodies:
        kind, start, stop, depth = bodies.pop()
        if depth > _DEEPEST:
            raise Malformed(start, f"graphs nested more than {_DEEPEST} deep", sure=False)
        nodes = _NODES[kind]
        for tag, a, b in fields(data, start, stop):
            if tag == nodes:
                inner = _scan_node(data, a, b, scan)
                bodies.extend(("graph", *place, depth + 1) for place in inner)
            elif depth and tag == 0x2A:
                _scan_weights(data, a, b, scan)
            elif depth and tag == 0x7A:
                _scan_sparse(data, a, b, scan)


def _scan_node(data: Buffer, start: int, stop: int, scan: Scan) -> list[tuple[int, int]]:
    """Note the type of a node; the places of graphs in its attributes."""
    domain, name = "", ""
    graphs: list[tuple[int, int]] = []
    for tag, a, b in fields(data, start, stop):
        if tag == 0x22:
            name = text(data, a, b)
        elif tag == 0x3A:
            domain = text(data, a, b)
        elif tag == 0x2A:
            for key, c, d in fields(data, a, b):
                if key == 0x32 or key == 0x5A:
                    graphs.append((c, d))
                elif key == 0x2A or key == 0x52:
                    _scan_weights(data, c, d, scan)
                elif key == 0xB2 or key == 0xBA:
                    _scan_sparse(data, c, d, scan)
    scan.operators.add(Operator(_domain(domain), name))
    return graphs


def _scan_weights(data: Buffer, start: int, stop: int, scan: Scan) -> str:
    """Note the external file of a TensorProto; its name."""
    name, external, entries = "", False, {}
    for tag, a, b in fields(data, start, stop):
        if tag == 0x42:
            name = text(data, a, b)
        elif tag == 0x6A:
            key, value = _entry(data, a, b)
            entries[key] = value
        elif tag == 0x70:
            external = a == 1
    if external:
        location = entries.get("location", "")
        end = _number(entries.get("offset")) + _number(entries.get("length"))
        scan.external[location] = max(end, scan.external.get(location, 0))
    return name


def _scan_sparse(data: Buffer, start: int, stop: int, scan: Scan) -> str:
    """As for weights; a sparse tensor has the name of its values."""
    name = ""
    for tag, a, b in fields(data, start, stop):
        if tag == 0x0A:
            name = _scan_weights(data, a, b, scan)
        elif tag == 0x12:
            _scan_weights(data, a, b, scan)
    return name


def _function(data: Buffer, start: int, stop: int) -> Operator:
    domain, name = "", ""
    for tag, a, b in fields(data, start, stop):
        if tag == 0x0A:
            name = text(data, a, b)
        elif tag == 0x52:
            domain = text(data, a, b)
    return Operator(_domain(domain), name)


def _opset(data: Buffer, start: int, stop: int) -> tuple[str, int]:
    domain, version = "", 0
    for tag, a, b in fields(data, start, stop):
        if tag == 0x0A:
            domain = text(data, a, b)
        elif tag == 0x10:
            version = signed(a)
    return _domain(domain), version


def _entry(data: Buffer, start: int, stop: int) -> tuple[str, str]:
    found = ["", ""]
    for tag, a, b in fields(data, start, stop):
        if tag == 0x0A or tag == 0x12:
            found[tag == 0x12] = text(data, a, b)
    return found[0], found[1]


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _number(given: str | None) -> int:
    # Not int() alone: it takes blanks and underscores, and refuses very many digits.
    if given is None or len(given) > 20 or not (given.isascii() and given.isdecimal()):
        return 0
    return int(given)
