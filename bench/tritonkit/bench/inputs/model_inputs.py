"""What the requests of one model hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tritonkit.bench.inputs.budget import MAX_BYTES, tensors_bytes, within
from tritonkit.bench.inputs.different import different
from tritonkit.bench.inputs.dims import Dim, Spread, chosen_dims
from tritonkit.bench.inputs.expectation import Tolerances
from tritonkit.bench.inputs.files import Source, open_source
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.inputs.images import Scaling
from tritonkit.bench.inputs.popularity import InTurn, Popularity
from tritonkit.bench.inputs.rows import Rows
from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.client import Signature
from tritonkit.errors import ConfigError
from tritonkit.units import format_size

__all__ = ["DISTINCT_REQUESTS", "POPULAR_REQUESTS", "ModelInputs"]

DISTINCT_REQUESTS = 64
"""Enough that no cache along the way is flattered, few enough to make in advance."""

_MOST_TRIES = 4
"""Times as many requests are made at most as are wanted, so that as many differ."""

POPULAR_REQUESTS = 10_000
"""Of which some are popular: with few of them a cache would soon have them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInputs:
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
                10,000. As many as fit into 256 MB, unless it is said. What is made
                differs; a file is sent as it is, with what it repeats.
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
        items = within(
            self._checked(rows.requests(count, batch_size, made.stream(batch_size)))
            if rows is not None
            else (
                Item(inputs=tensors, rows=batch_size)
                for tensors in different(made.generate(_MOST_TRIES * count, batch_size), count)
            ),
            MAX_BYTES,
        )
        if distinct is not None and len(items) < distinct:
            self._refuse(distinct, items)
        order = popularity or InTurn()
        return Workload(
            items=items,
            order=order,
            description=self._description(signature, made, rows, len(items) * batch_size),
            popularity=str(order),
        )

    def _refuse(self, distinct: int, items: Sequence[Item]) -> None:
        size = max(tensors_bytes(item.inputs) for item in items)
        if (len(items) + 1) * size > MAX_BYTES:
            raise ConfigError(
                f"{distinct} distinct requests are more than {format_size(MAX_BYTES)}, "
                f"which is what is made in advance: {len(items)} fit."
            )
        raise ConfigError(
            f"there cannot be {distinct} distinct requests: of these inputs there are {len(items)}."
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
