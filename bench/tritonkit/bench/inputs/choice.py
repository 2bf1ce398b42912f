"""What requests hold, how often each of them comes, and what their answers must be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tritonkit.bench.inputs.budget import MAX_BYTES, within
from tritonkit.bench.inputs.dims import Dim, Spread, chosen_dims
from tritonkit.bench.inputs.entry import Rows
from tritonkit.bench.inputs.expectation import Tolerances
from tritonkit.bench.inputs.files import Source, open_source
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.inputs.images import Scaling
from tritonkit.bench.inputs.mix import mixed
from tritonkit.bench.inputs.popularity import InTurn, Popularity
from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.client import Signature
from tritonkit.errors import ConfigError
from tritonkit.units import format_size

__all__ = ["DISTINCT_REQUESTS", "POPULAR_REQUESTS", "InputChoice", "Inputs"]

DISTINCT_REQUESTS = 64
"""Enough that no cache along the way is flattered, few enough to make in advance."""

POPULAR_REQUESTS = 10_000
"""Of which some are popular: with few of them a cache would soon have them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """
    What the requests of one model hold.

    Args:
        sources: Files and folders; inputs that they do not have are made.
        shapes: Of inputs without the batch dimension, by name.
        values: Of inputs, in the forms that `Client.infer` takes, by name.
        texts: What text inputs are made of.
        integers: Ranges of random integers by input name, without their ends.
        zero: Whether numbers that are made are 0 instead of random.
        scaling: Of pictures; None for what fits their input.
        expected: An `.npz` of expected outputs for the only source.
        tolerances: For what is expected.
        checked: Whether answers are compared with what is expected.
    """

    sources: Sequence[Source] = ()
    shapes: Mapping[str, Sequence[Dim]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    texts: Sequence[str] = ()
    integers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    zero: bool = False
    scaling: Scaling | None = None
    expected: Path | None = None
    tolerances: Tolerances = field(default_factory=Tolerances)
    checked: bool = True

    def __post_init__(self) -> None:
        if self.expected is not None and len(self.sources) != 1:
            raise ConfigError(
                f"expected outputs belong to one file of inputs, row by row, "
                f"but there are {len(self.sources) or 'none'}."
            )

    def workload(
        self,
        signature: Signature,
        *,
        batch_size: int = 1,
        seed: int = 0,
        distinct: int | None = None,
        popularity: Popularity | None = None,
    ) -> Workload:
        """
        The requests of one model.

        Args:
            signature: The model's.
            batch_size: Rows of each request.
            seed: Of everything random.
            distinct: How many different requests there are; None for all that files
                have, up to 10,000, and otherwise for 64, with a popularity for
                10,000. As many as fit into 256 MB, unless it is said.
            popularity: How often each comes; None for in turn.

        Raises:
            ConfigError: If the model does not take them, a file is wrong, or so many
                different requests are not there or do not fit.
        """
        rows = self._rows(signature)
        made = RequestInputs(
            signature,
            seed=seed,
            shapes={n: d for n, d in self.shapes.items() if rows is None or n not in rows.names},
            values=self.values,
            texts=self.texts or SENTENCES,
            zero=self.zero,
            integers=self.integers,
            without=() if rows is None else rows.names,
        )
        count = distinct or (DISTINCT_REQUESTS if popularity is None else POPULAR_REQUESTS)
        if rows is not None:
            self._check_overlap(signature, rows)
            whole = -(-rows.count // batch_size)
            if distinct is not None and distinct > whole:
                raise ConfigError(
                    f"there cannot be {distinct} distinct requests: the files hold {rows.count} "
                    f"rows, {whole} requests of batch size {batch_size}."
                )
            count = distinct or min(whole, POPULAR_REQUESTS)
        # The batch size is checked where nothing is left to make as well.
        others = made.generate(count, batch_size)
        items = within(
            self._checked(rows.requests(count, batch_size, others))
            if rows is not None
            else (Item(inputs=tensors, rows=batch_size) for tensors in others),
            MAX_BYTES,
        )
        if distinct is not None and len(items) < distinct:
            raise ConfigError(
                f"{distinct} distinct requests are more than {format_size(MAX_BYTES)}, "
                f"which is what is made in advance: {len(items)} fit."
            )
        order = popularity or InTurn()
        return Workload(
            items=items,
            order=order,
            description=self._description(signature, made, rows, len(items) * batch_size),
            popularity=str(order),
        )

    def _rows(self, signature: Signature) -> Rows | None:
        if not self.sources:
            return None
        files = [
            open_source(source, signature, scaling=self.scaling, expected=self.expected)
            for source in self.sources
        ]
        given = [spec for name, spec in signature.inputs.items() if name in self.shapes]
        # A shape is checked for an input that brings its own as well.
        chosen_dims(given, self.shapes)
        return Rows(
            signature,
            files,
            shapes={
                name: tuple(-1 if isinstance(dim, Spread) else dim for dim in dims)
                for name, dims in self.shapes.items()
            },
            tolerances=self.tolerances,
        )

    def _check_overlap(self, signature: Signature, rows: Rows) -> None:
        for what, names in (("values", self.values), ("a range", self.integers)):
            for name in names:
                if name in rows.names:
                    raise ConfigError(
                        f"input {name!r} is given by {self._paths()} and by {what} as well: "
                        "leave one out."
                    )
        open_texts = [
            spec.name
            for spec in signature.inputs.values()
            if spec.datatype == "BYTES" and spec.name not in {*rows.names, *self.values}
        ]
        if self.texts and not open_texts:
            raise ConfigError(
                f"texts are given, but {self._paths()} has all text inputs of model "
                f"{signature.model!r} that there are: leave one out."
            )

    def _checked(self, items: Iterator[Item]) -> Iterator[Item]:
        return items if self.checked else (replace(item, check=None) for item in items)

    def _paths(self) -> str:
        return ", ".join(str(source.path) for source in self.sources)

    def _description(
        self, signature: Signature, made: RequestInputs, rows: Rows | None, used: int
    ) -> dict[str, str]:
        description = made.describe()
        if rows is not None:
            part = f"{used} of " if used < rows.count else ""
            for name, spec in signature.inputs.items():
                if name in rows.names:
                    description[name] = (
                        f"{spec.datatype} {list(spec.shape)}, "
                        f"{part}{rows.count} rows of {self._paths()}"
                    )
        return description


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChoice:
    """
    What is sent to a model, or to each model of a mix.

    Args:
        inputs: Of every model; in a mix, what names an input is for those that have it.
        by_model: Of models of a mix, what they have instead or in addition.
        distinct: How many different requests of each model there are.
        popularity: How often each of them comes; None for in turn.
        shares: Of the models of a mix, in proportion; empty without a mix.
    """

    inputs: Inputs = field(default_factory=Inputs)
    by_model: Mapping[str, Inputs] = field(default_factory=dict)
    distinct: int | None = None
    popularity: Popularity | None = None
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.distinct is not None and self.distinct < 1:
            raise ConfigError(f"distinct must be at least 1, but got {self.distinct}.")
        for model in self.by_model:
            if model not in self.shares:
                raise ConfigError(f"model {model!r} has inputs of its own, but no share.")
        sources = [s for each in (self.inputs, *self.by_model.values()) for s in each.sources]
        if self.inputs.scaling is not None and not any(s.has_pictures for s in sources):
            raise ConfigError(
                f"a scaling of pictures ({self.inputs.scaling}) is given, but no picture."
            )

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the mix; empty without one."""
        return tuple(self.shares)

    def workload(
        self,
        signature: Signature,
        *,
        batch_size: int = 1,
        seed: int = 0,
        others: Iterable[Signature] = (),
    ) -> Workload:
        """
        Everything that is sent.

        Args:
            signature: Of the model; of a mix any of its models.
            batch_size: Rows of each request.
            seed: Of everything random.
            others: Of the other models of the mix.

        Raises:
            ConfigError: If a model does not take it, or a file is wrong.
        """
        signatures = {each.model: each for each in (signature, *others)}
        workload = self._made(signature, signatures, batch_size, seed)
        self._check_tolerances(signatures.values(), workload)
        return workload

    def _made(
        self,
        signature: Signature,
        signatures: Mapping[str, Signature],
        batch_size: int,
        seed: int,
    ) -> Workload:
        if not self.shares:
            return self._part(self.inputs, signature, batch_size, seed)
        if signature.model not in self.shares:
            raise ConfigError(
                f"model {signature.model!r} is not in the mix of {', '.join(self.shares)}."
            )
        if lacking := [model for model in self.shares if model not in signatures]:
            raise ConfigError(f"the mix needs the signature of model {lacking[0]!r} as well.")
        self._check_names(signatures)
        return mixed(
            {
                model: self._part(self._of(signatures[model]), signatures[model], batch_size, seed)
                for model in self.shares
            },
            self.shares,
        )

    def _part(self, inputs: Inputs, signature: Signature, batch_size: int, seed: int) -> Workload:
        return inputs.workload(
            signature,
            batch_size=batch_size,
            seed=seed,
            distinct=self.distinct,
            popularity=self.popularity,
        )

    def _of(self, signature: Signature) -> Inputs:
        """Of one model of the mix."""
        every, own = self.inputs, self.by_model.get(signature.model, Inputs())
        known = signature.inputs
        takes_text = any(spec.datatype == "BYTES" for spec in known.values())
        return replace(
            every,
            sources=own.sources or every.sources,
            shapes={n: v for n, v in every.shapes.items() if n in known} | dict(own.shapes),
            values={n: v for n, v in every.values.items() if n in known} | dict(own.values),
            integers={n: v for n, v in every.integers.items() if n in known} | dict(own.integers),
            texts=own.texts or (every.texts if takes_text else ()),
            expected=own.expected or every.expected,
        )

    def _check_tolerances(self, signatures: Iterable[Signature], workload: Workload) -> None:
        tolerances = self.inputs.tolerances
        named = {*tolerances.rtol, *tolerances.atol}
        known = [name for signature in signatures for name in signature.outputs]
        for name in sorted(named - {"", *known}):
            raise ConfigError(
                f"a tolerance is given for output {name!r}, but the outputs are {', '.join(known)}."
            )
        if named and all(item.check is None for item in workload.items):
            raise ConfigError("a tolerance is given, but no file says what to expect of an answer.")

    def _check_names(self, signatures: Mapping[str, Signature]) -> None:
        known = {name for model in self.shares for name in signatures[model].inputs}
        for name in (*self.inputs.shapes, *self.inputs.values, *self.inputs.integers):
            if name not in known:
                raise ConfigError(
                    f"no model of the mix has an input {name!r}; "
                    f"they take {', '.join(sorted(known))}."
                )
