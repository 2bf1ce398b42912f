"""The picture of a model: its boxes and wires, with what check finds wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tritonkit.repository.check.checker import findings_of
from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.finding import Finding, Severity
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.picture.diagram import Box, Diagram, Port, Wire
from tritonkit.repository.ensemble.wiring import Link, Wiring

__all__ = ["draw"]

_DEEPEST = 20
_MOST = 500
"""How deep, and how many, ensembles are opened; a picture with more is none."""


def draw(model: Subject, *, opened: bool = False) -> Diagram:
    """
    The picture of an ensemble, or of a single model with its tensors.

    Args:
        model: The model.
        opened: Whether ensembles that it calls are shown with what is in them: to a depth
            of 20, and 500 of them.
    """
    numbers = _Numbers(model.name)
    diagram = _draw(model, opened, frozenset(), numbers)
    return Diagram(diagram.title, diagram.detail, diagram.boxes, diagram.wires, dict(numbers.told))


class _Numbers:
    """What is wrong, numbered as it is met."""

    def __init__(self, model: str) -> None:
        self.told: dict[int, str] = {}
        self.opened = 0
        self._model = model

    def of(self, finding: Finding) -> int:
        whose = "" if finding.model == self._model else f"{finding.model}: "
        self.told[len(self.told) + 1] = f"{whose}{finding.found.message} {finding.found.advice}"
        return len(self.told)


class _Faults:
    """The numbers of what is wrong, by the place in the configuration."""

    def __init__(self, model: Subject, numbers: _Numbers) -> None:
        self._at: list[tuple[tuple[str | int, ...], int]] = [
            (finding.found.path, numbers.of(finding))
            for finding in _findings(model)
            if finding.severity is not Severity.WARNING and finding.found.file is None
        ]

    def at(self, *path: str | int) -> tuple[int, ...]:
        """Those at *path* and in what is below it."""
        return tuple(number for at, number in self._at if at[: len(path)] == path)

    def of_step(self, step: int) -> tuple[int, ...]:
        """Those of a step that are about none of its tensors."""
        of = ("ensemble_scheduling", "step", step)
        return tuple(
            number
            for at, number in self._at
            if at[:3] == of and at[3:4] not in (("input_map",), ("output_map",))
        )

    def elsewhere(self) -> tuple[int, ...]:
        """Those that no box and no port shows."""
        return tuple(
            number
            for at, number in self._at
            if at[:1] not in (("input",), ("output",)) and len(at) < 3
        )


def _draw(model: Subject, opened: bool, above: frozenset[str], numbers: _Numbers) -> Diagram:
    faults = _Faults(model, numbers)
    config = model.config
    if model.is_ensemble:
        return _Ensemble(model, faults, numbers, opened, above | {model.name}).diagram()
    inputs = _ports(config.input, lambda n: faults.at("input", n))
    outputs = _ports(config.output, lambda n: faults.at("output", n))
    box = Box("model", model.name, _detail(config), inputs, outputs, faults.elsewhere())
    sent = [Box("input", p.name, outputs=(Port("", p.shape),)) for p in inputs]
    got = [Box("output", p.name, inputs=(Port("", p.shape),)) for p in outputs]
    middle = len(sent)
    wires = [Wire(n, 0, middle, n, p.name, bool(p.faults)) for n, p in enumerate(inputs)]
    wires += [
        Wire(middle, n, middle + 1 + n, 0, p.name, bool(p.faults)) for n, p in enumerate(outputs)
    ]
    return Diagram(model.name, _detail(config), (*sent, box, *got), tuple(wires))


class _Ensemble:
    def __init__(
        self,
        model: Subject,
        faults: _Faults,
        numbers: _Numbers,
        opened: bool,
        above: frozenset[str],
    ) -> None:
        self._model = model
        self._wiring = Wiring(model.config)
        self._faults = faults
        self._numbers = numbers
        self._opened = opened
        self._above = above
        self._boxes: list[Box] = []
        # Where each tensor comes from: number of the box, number of the port, whether wrong.
        self._sources: dict[str, tuple[int, int, bool]] = {}

    def diagram(self) -> Diagram:
        config = self._model.config
        for index, tensor in enumerate(config.input):
            wrong = self._faults.at("input", index)
            self._source(str(tensor.name), len(self._boxes), 0, bool(wrong))
            port = (Port("", _shape(tensor)),)
            self._boxes.append(Box("input", str(tensor.name), outputs=port, faults=wrong))
        for name in self._wiring.missing:
            self._source(name, len(self._boxes), 0, True)
            self._boxes.append(Box("nothing", name, "nothing writes it", outputs=(Port(""),)))
        first = len(self._boxes)
        for number in range(len(self._wiring.steps)):
            self._boxes.append(self._step(number))
        wires = list(self._wires(first))
        for index, tensor in enumerate(config.output):
            name = str(tensor.name)
            wrong = self._faults.at("output", index)
            if name in self._sources:
                source, output, bad = self._sources[name]
                wires.append(Wire(source, output, len(self._boxes), 0, name, bad or bool(wrong)))
            taken = (Port("", _shape(tensor)),)
            self._boxes.append(Box("output", name, inputs=taken, faults=wrong))
        return Diagram(self._model.name, _detail(config), tuple(self._boxes), tuple(wires), {})

    def _source(self, tensor: str, box: int, port: int, wrong: bool) -> None:
        self._sources.setdefault(tensor, (box, port, wrong))

    def _step(self, number: int) -> Box:
        step = self._wiring.steps[number]
        called = self._model.neighbours.get(str(step.model_name))
        known = called is not None and called.parsed
        config = called.config if called is not None and known else ModelConfig()
        inputs = self._mapped(number, "input_map", step.input_map, config.input)
        outputs = self._mapped(number, "output_map", step.output_map, config.output)
        for index, port in enumerate(outputs):
            tensor = step.output_map.get(port.name)
            if tensor is not None:
                self._source(tensor, len(self._boxes), index, bool(port.faults))
        inside = None
        nested = called is not None and known and called.is_ensemble
        detail = _detail(config) if known else "not there" if called is None else "unreadable"
        if self._opened and nested and called is not None and called.name not in self._above:
            if len(self._above) <= _DEEPEST and self._numbers.opened < _MOST:
                self._numbers.opened += 1
                inside = _draw(called, True, self._above, self._numbers)
            else:
                detail = f"{detail}, not opened"
        version = int(step.model_version)
        if version not in (-1, 0):
            detail = f"version {version}, {detail}"
        return Box(
            "ensemble" if nested else "model",
            str(step.model_name) or "(no model)",
            detail,
            inputs,
            outputs,
            self._faults.of_step(number),
            inside,
        )

    def _mapped(
        self, step: int, field: str, mapping: Mapping[str, str], tensors: Iterable[Any]
    ) -> tuple[Port, ...]:
        """The ports of the model's tensors, those that are not mapped left out."""
        known = {str(tensor.name): tensor for tensor in tensors}
        names = [name for name in known if name in mapping]
        names += sorted(name for name in mapping if name not in known)
        return tuple(
            Port(
                name,
                _shape(known[name]) if name in known else "",
                mapping[name] if mapping[name] != name else "",
                self._faults.at("ensemble_scheduling", "step", step, field, name),
            )
            for name in names
        )

    def _wires(self, first: int) -> Iterator[Wire]:
        for link in self._wiring.links:
            if link.field == "input_map" and link.tensor in self._sources:
                yield self._wire(link, first + link.step)

    def _wire(self, link: Link, target: int) -> Wire:
        source, output, wrong = self._sources[link.tensor]
        ports = self._boxes[target].inputs
        index = next(n for n, port in enumerate(ports) if port.name == link.name)
        bad = wrong or bool(ports[index].faults)
        return Wire(source, output, target, index, link.tensor, bad)


def _findings(model: Subject) -> list[Finding]:
    if model is model.neighbours.get(model.name):
        return model.neighbours.findings(model.name)
    return findings_of(model)


def _ports(tensors: Iterable[Any], faults: Any) -> tuple[Port, ...]:
    return tuple(
        Port(str(tensor.name), _shape(tensor), faults=faults(index))
        for index, tensor in enumerate(tensors)
    )


def _shape(tensor: Any) -> str:
    name = data_type_name(tensor.data_type).removeprefix("TYPE_")
    return f"{name} [{','.join(map(str, tensor.dims))}]"


def _detail(config: ModelConfig) -> str:
    kind = (
        "ensemble"
        if config.HasField("ensemble_scheduling")
        else str(config.backend or config.platform or "model")
    )
    rows = f"up to {config.max_batch_size} rows" if config.max_batch_size > 0 else "no batch axis"
    decoupled = ", decoupled" if config.model_transaction_policy.decoupled else ""
    return f"{kind}, {rows}{decoupled}"
