"""Steps whose maps are spelt out in part, wired by equal names for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tritonkit.repository.ensemble.edges import Find
from tritonkit.repository.ensemble.sketch import Sketch
from tritonkit.repository.ensemble.step import Step

__all__ = ["Ambiguous", "Wired", "wire"]


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """
    A name that several steps give, none of which goes on from another's.

    Args:
        name: The name, of their output and of what is to take it.
        taker: The step that is to take it; None for the ensemble's output.
        steps: Those that give it.
    """

    name: str
    taker: int | None
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wired:
    """
    Steps with whole maps.

    Args:
        steps: In the order of the sketches.
        inputs: What no step writes, in the order in which steps take it.
        outputs: What clients receive.
        ambiguous: What equal names do not tell.
        unknown: What clients are to receive and no step gives.
        offered: What can be received or taken, by the names of outputs and tensors.
    """

    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ambiguous: tuple[Ambiguous, ...]
    unknown: tuple[str, ...]
    offered: tuple[str, ...]


@dataclass(eq=False, slots=True)
class _Offer:
    """An output that is not spelt out, and the tensor that it goes to once it is wanted."""

    step: int
    name: str
    wanted: bool = False
    gone_on_from: bool = False
    tensor: str = ""


def wire(sketches: Sequence[Sketch], outputs: Sequence[str], find: Find) -> Wired:
    """
    Wire what is not spelt out by equal names.

    An input takes what a step before it gives by that name. Where several do, the last of a
    chain counts, in which each takes what the one before it gives. Where none does, clients
    send it, unless it is optional. Without *outputs* clients receive what is spelt out and
    taken by no step, and what the last step gives.

    Args:
        sketches: The steps, in the order in which they are to run.
        outputs: What clients are to receive; none for the default.
        find: The models.
    """
    return _Wirer(sketches, find).wire(outputs)


class _Wirer:
    def __init__(self, sketches: Sequence[Sketch], find: Find) -> None:
        self._sketches = sketches
        self._configs = [find(sketch.model) for sketch in sketches]
        self._spelt = {tensor for sketch in sketches for tensor in sketch.outputs.values()}
        self._offers: list[_Offer] = []
        self._ambiguous: list[Ambiguous] = []
        self._sent: dict[str, None] = {}

    def wire(self, outputs: Sequence[str]) -> Wired:
        takes = [self._step(number) for number in range(len(self._sketches))]
        received = [self._received(name) for name in outputs] or self._default(takes)
        self._name([one for one in received if isinstance(one, _Offer)])
        steps = [
            Step(
                sketch.model,
                {name: _tensor(taken) for name, taken in taking.items()},
                {
                    **sketch.outputs,
                    **{o.name: o.tensor for o in self._offers if o.step == number and o.wanted},
                },
                sketch.version,
            )
            for number, (sketch, taking) in enumerate(zip(self._sketches, takes, strict=True))
        ]
        return Wired(
            tuple(steps),
            tuple(self._sent),
            tuple(dict.fromkeys(_tensor(one) for one in received)),
            tuple(dict.fromkeys(self._ambiguous)),
            tuple(name for name in outputs if not self._is_there(name)),
            tuple(dict.fromkeys([*sorted(self._spelt), *(o.name for o in self._offers)])),
        )

    def _step(self, number: int) -> dict[str, str | _Offer]:
        """What each input of a step takes: a tensor that has its name, or an offer."""
        sketch, config = self._sketches[number], self._configs[number]
        takes = {name: self._find(tensor, number) for name, tensor in sketch.inputs.items()}
        for tensor in () if config is None else config.input:
            name = str(tensor.name)
            if name not in takes and not (tensor.optional and not self._is_there(name)):
                takes[name] = self._find(name, number)
        for taken in takes.values():
            if isinstance(taken, str):
                if taken not in self._spelt:
                    self._sent[taken] = None
                continue
            taken.wanted = True
            if config is not None and any(t.name == taken.name for t in config.output):
                taken.gone_on_from = True
        self._offers += [
            _Offer(number, str(tensor.name))
            for tensor in (() if config is None else config.output)
            if tensor.name not in sketch.outputs
        ]
        return takes

    def _is_there(self, name: str) -> bool:
        return name in self._spelt or any(offer.name == name for offer in self._offers)

    def _find(self, name: str, taker: int | None) -> str | _Offer:
        if name in self._spelt:
            return name
        offers = [o for o in self._offers if o.name == name and not o.gone_on_from]
        if len(offers) > 1:
            self._ambiguous.append(Ambiguous(name, taker, tuple(o.step for o in offers)))
        return offers[-1] if offers else name

    def _received(self, name: str) -> str | _Offer:
        found = self._find(name, None)
        if isinstance(found, _Offer):
            found.wanted = True
        return found

    def _default(self, takes: Sequence[Mapping[str, str | _Offer]]) -> list[str | _Offer]:
        taken = {id(t) if isinstance(t, _Offer) else t for maps in takes for t in maps.values()}
        found: list[str | _Offer] = [
            tensor
            for sketch in self._sketches
            for tensor in sketch.outputs.values()
            if tensor not in taken
        ]
        # Who spells out outputs of the last step leaves out its others.
        if self._sketches and not self._sketches[-1].outputs:
            last = [o for o in self._offers if o.step == len(self._sketches) - 1]
            for offer in last:
                offer.wanted = True
            found += last
        return found

    def _name(self, received: Sequence[_Offer]) -> None:
        used = {*self._spelt, *self._sent}
        for offer in (*received, *self._offers):
            if offer.wanted and not offer.tensor:
                name, number = offer.name, offer.step
                while name in used:
                    name, number = f"{offer.name}_{number}", number + 1
                used.add(name)
                offer.tensor = name


def _tensor(taken: str | _Offer) -> str:
    return taken.tensor if isinstance(taken, _Offer) else taken
