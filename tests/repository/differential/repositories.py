"""Random repositories: right configurations, with changes as people make them."""

from __future__ import annotations

from typing import Any, TypeAlias

from hypothesis import strategies as st
from tests.repository.differential.changes import CHANGES, ENSEMBLE_CHANGES, FILE_CHANGES
from tests.repository.differential.graphs import DATA_TYPES, GraphSpec, TensorSpec, graph_bytes
from tests.repository.differential.written import Repository, Written

from tritonkit.repository import ModelConfig

__all__ = ["repositories"]

Draw: TypeAlias = st.DrawFn

PYTHON_MODEL = b"""class TritonPythonModel:
    def execute(self, requests):
        return []
"""

_sizes = st.sampled_from([1, 2, 3, 4, 16])
_types = st.sampled_from(sorted(DATA_TYPES))
_few = st.integers(0, 3)
_TYPE_NUMBERS = {"TYPE_FP32": 11, "TYPE_FP64": 12, "TYPE_INT32": 8, "TYPE_INT64": 9}
_TYPE_NUMBERS |= {"TYPE_BOOL": 1, "TYPE_UINT8": 2}


@st.composite
def graphs(draw: Draw) -> GraphSpec:
    """Graphs that batch, and some that do not."""
    batches = draw(st.sampled_from([True, True, True, False]))

    def shape() -> tuple[int | None, ...]:
        inner = tuple(draw(st.lists(st.one_of(st.none(), _sizes), max_size=2)))
        if batches:
            return (None, *inner)
        return inner

    inputs = tuple(
        TensorSpec(f"x{i}", draw(_types), shape()) for i in range(draw(st.integers(1, 2)))
    )
    outputs = []
    for i in range(draw(st.integers(1, 2))):
        of = draw(st.integers(0, len(inputs) - 1))
        outputs.append((TensorSpec(f"y{i}", draw(_types), inputs[of].shape), of))
    return GraphSpec(inputs, tuple(outputs))


def right_config(graph: GraphSpec, *, backend: str, max_batch_size: int) -> ModelConfig:
    """The configuration that *graph* asks for."""
    config = ModelConfig(backend=backend, max_batch_size=max_batch_size)
    sides = ((config.input, graph.inputs), (config.output, [t for t, _ in graph.outputs]))
    for side, tensors in sides:
        for tensor in tensors:
            shape = tensor.shape[1:] if max_batch_size else tensor.shape
            dims = [-1 if size is None else size for size in shape]
            entry = side.add(
                name=tensor.name, data_type=_TYPE_NUMBERS[tensor.data_type], dims=dims or [1]
            )
            if not dims and max_batch_size:
                entry.reshape.SetInParent()
    return config


@st.composite
def models(draw: Draw, name: str, *, changes: int) -> Written:
    """A model of the onnxruntime or the python backend."""
    graph = draw(graphs())
    batches = all(t.shape and t.shape[0] is None for t in graph.inputs)
    backend = draw(st.sampled_from(["onnxruntime", "onnxruntime", "python"]))
    max_batch_size = draw(st.sampled_from([4, 8, 1, 0])) if batches else 0
    config = right_config(graph, backend=backend, max_batch_size=max_batch_size)
    if backend == "onnxruntime":
        model = Written(name, config, {"1/model.onnx": graph_bytes(graph)})
    else:
        model = Written(name, config, {"1/model.py": PYTHON_MODEL})
    for _ in range(changes):
        change = draw(st.sampled_from(CHANGES))
        change(draw, model.config)
        if draw(st.sampled_from([0] * 12 + [1])):
            draw(st.sampled_from(FILE_CHANGES))(draw, model)
    return model


@st.composite
def repositories(draw: Draw) -> Repository:
    """A model with up to three changes, or an ensemble over one to three models."""
    if draw(st.sampled_from([0, 0, 1])):
        return draw(ensembles())
    return Repository([draw(models("m", changes=draw(_few)))])


@st.composite
def ensembles(draw: Draw) -> Repository:
    """A chain, each step fed by the one before where it can, with up to three changes."""
    parts = [
        draw(models(f"p{i}", changes=draw(st.sampled_from([0, 0, 0, 1]))))
        for i in range(draw(st.integers(1, 3)))
    ]
    config = ModelConfig(platform="ensemble")
    config.max_batch_size = min(part.config.max_batch_size for part in parts)
    written: dict[str, Any] = {}
    for number, part in enumerate(parts):
        step = config.ensemble_scheduling.step.add(model_name=part.name, model_version=-1)
        for tensor in part.config.input:
            fits = [
                name
                for name, other in written.items()
                if (other.data_type, list(other.dims)) == (tensor.data_type, list(tensor.dims))
            ]
            if fits and draw(st.sampled_from([True, True, False])):
                step.input_map[tensor.name] = draw(st.sampled_from(fits))
            else:
                own = f"in_{number}_{tensor.name}"
                entry = config.input.add(
                    name=own, data_type=tensor.data_type, dims=list(tensor.dims)
                )
                if tensor.HasField("reshape"):
                    entry.reshape.CopyFrom(tensor.reshape)
                step.input_map[tensor.name] = own
        for tensor in part.config.output:
            own = f"t_{number}_{tensor.name}"
            step.output_map[tensor.name] = own
            written[own] = tensor
    read = {name for step in config.ensemble_scheduling.step for name in step.input_map.values()}
    for name, tensor in written.items():
        if name not in read or draw(st.sampled_from([True, False, False])):
            entry = config.output.add(
                name=name,
                data_type=tensor.data_type,
                dims=list(tensor.dims),
            )
            if tensor.HasField("reshape"):
                entry.reshape.CopyFrom(tensor.reshape)
    ensemble = Written("e", config, folders=["1"])
    for _ in range(draw(_few)):
        draw(st.sampled_from(ENSEMBLE_CHANGES))(draw, ensemble.config)
        if draw(st.sampled_from([0] * 12 + [1])):
            draw(st.sampled_from(FILE_CHANGES))(draw, ensemble)
    return Repository([*parts, ensemble])
