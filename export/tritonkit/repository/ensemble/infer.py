"""An ensemble's own inputs, outputs and batch size, told by its models."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.config import add_steps
from tritonkit.repository.ensemble.edges import Edges, End, Find
from tritonkit.repository.ensemble.step import Step
from tritonkit.repository.ensemble.wiring import Wiring
from tritonkit.repository.tensor import Tensor, add_tensors

__all__ = ["assemble"]


def assemble(
    name: str,
    steps: Sequence[Step],
    inputs: Sequence[str],
    outputs: Sequence[str],
    find: Find,
    *,
    max_batch_size: int | None = None,
) -> ModelConfig:
    """
    The configuration of an ensemble, whether or not Triton would take it.

    Args:
        name: Its name.
        steps: Its steps, whole.
        inputs: What clients send.
        outputs: What clients receive.
        find: Its models.
        max_batch_size: None for the most that all its models take.

    Raises:
        RepositoryError: If a model's tensor is one that no model can have.
    """
    config = ModelConfig(name=name, platform="ensemble")
    add_steps(config, steps)
    edges = Edges(Wiring(config), find)
    rows = _rows(edges)
    config.max_batch_size = rows if max_batch_size is None else max_batch_size
    # Where a model takes one row at a time, the others get one too.
    single = not rows and max_batch_size is None
    for field, kind, names in (
        (config.input, "input_map", inputs),
        (config.output, "output_map", outputs),
    ):
        for tensor in names:
            ends = [e for e in edges.ends.get(tensor, ()) if e.link and e.link.field == kind]
            if ends:
                dims = [_dims(end, config.max_batch_size > 0, single=single) for end in ends]
                try:
                    told = Tensor(tensor, ends[0].data_type, _narrowest(dims))
                except RepositoryError as error:
                    raise RepositoryError(
                        f"ensemble {name!r} cannot be built:\n  {ends[0].who} is no tensor: {error}"
                    ) from error
                add_tensors(field, [told])
            else:
                field.add(name=tensor)
    return config


def _rows(edges: Edges) -> int:
    """The most rows that all models take at once; 0 where one of them takes a single row."""
    sizes = [int(config.max_batch_size) for _, _, config in edges.calls]
    batching = [size for size in sizes if size > 0]
    open_ended = all(
        end.batching or (len(end.dims) > 1 and end.dims[0] == -1)
        for ends in edges.ends.values()
        for end in ends
    )
    return min(batching) if batching and open_ended else 0


def _dims(end: End, batching: bool, *, single: bool) -> tuple[int, ...]:
    """The dims of the ensemble's own tensor that meets *end*."""
    if batching == end.batching or (end.batching and single):
        return end.dims
    if batching:
        return end.dims[1:] if len(end.dims) > 1 and end.dims[0] == -1 else end.dims
    return end.full


def _narrowest(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The first shape, with the sizes that another one fixes."""
    first = list(shapes[0])
    for other in shapes[1:]:
        if len(other) == len(first):
            first = [b if a == -1 else a for a, b in zip(first, other, strict=True)]
    return tuple(first)
