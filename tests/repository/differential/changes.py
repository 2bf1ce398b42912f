"""What people do to a configuration, and to a model's directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st
from tests.repository.differential.written import Written

from tritonkit.repository import ModelConfig

__all__ = ["CHANGES", "ENSEMBLE_CHANGES", "FILE_CHANGES"]

Draw: TypeAlias = st.DrawFn
Change: TypeAlias = "Callable[[Draw, ModelConfig], None]"

_few = st.integers(0, 3)


# Changes of one field, as people make them.


def _tensors(config: ModelConfig) -> list[Any]:
    return [*config.input, *config.output]


def _tensor(draw: Draw, config: ModelConfig) -> Any:
    tensors = _tensors(config)
    return draw(st.sampled_from(tensors)) if tensors else config.input.add(name="x9")


def _dims(draw: Draw) -> list[int]:
    return draw(st.lists(st.sampled_from([-1, 1, 2, 3, 4, 16, 0, -2]), max_size=3))


def change_max_batch_size(draw: Draw, config: ModelConfig) -> None:
    config.max_batch_size = draw(st.sampled_from([-1, 0, 1, 2, 8]))


def change_dim(draw: Draw, config: ModelConfig) -> None:
    tensor = _tensor(draw, config)
    if tensor.dims:
        at = draw(st.integers(0, len(tensor.dims) - 1))
        tensor.dims[at] = draw(st.sampled_from([-1, 1, 2, 4, 0, -2]))


def change_dims(draw: Draw, config: ModelConfig) -> None:
    tensor = _tensor(draw, config)
    tensor.dims[:] = _dims(draw)


def change_reshape(draw: Draw, config: ModelConfig) -> None:
    tensor = _tensor(draw, config)
    tensor.reshape.SetInParent()
    tensor.reshape.shape[:] = _dims(draw)


def change_type(draw: Draw, config: ModelConfig) -> None:
    _tensor(draw, config).data_type = draw(st.integers(0, 14))


def change_name(draw: Draw, config: ModelConfig) -> None:
    _tensor(draw, config).name = draw(st.sampled_from(["", "z", "x0", "y0", "x1", "X0"]))


def drop_tensor(draw: Draw, config: ModelConfig) -> None:
    side = draw(st.sampled_from([config.input, config.output]))
    if side:
        del side[draw(st.integers(0, len(side) - 1))]


def drop_side(draw: Draw, config: ModelConfig) -> None:
    del draw(st.sampled_from([config.input, config.output]))[:]


def add_tensor(draw: Draw, config: ModelConfig) -> None:
    side = draw(st.sampled_from([config.input, config.output]))
    side.add(name=draw(st.sampled_from(["extra", "x0"])), data_type=11, dims=[1])


def change_flags(draw: Draw, config: ModelConfig) -> None:
    kind = draw(st.sampled_from(["optional", "allow_ragged_batch", "format", "shape", "label"]))
    if config.input and kind == "optional":
        draw(st.sampled_from(list(config.input))).optional = True
    elif config.input and kind == "allow_ragged_batch":
        draw(st.sampled_from(list(config.input))).allow_ragged_batch = True
    elif config.input and kind == "format":
        draw(st.sampled_from(list(config.input))).format = draw(st.integers(0, 2))
    elif kind == "shape":
        _tensor(draw, config).is_shape_tensor = True
    elif config.output:
        draw(st.sampled_from(list(config.output))).label_filename = draw(
            st.sampled_from(["labels.txt", "../labels.txt", "missing/labels.txt"])
        )


def change_batching(draw: Draw, config: ModelConfig) -> None:
    batching = config.dynamic_batching
    batching.SetInParent()
    batching.preferred_batch_size[:] = draw(
        st.lists(st.sampled_from([-1, 0, 1, 4, 8, 16]), max_size=2)
    )
    batching.max_queue_delay_microseconds = draw(st.sampled_from([0, 100]))
    batching.priority_levels = draw(st.sampled_from([0, 0, 1, 2]))
    batching.default_priority_level = draw(st.sampled_from([0, 1, 2, 3]))
    batching.preserve_ordering = draw(st.booleans())
    if draw(st.sampled_from([0, 0, 1])):
        policy = batching.default_queue_policy
        policy.timeout_action = draw(st.integers(0, 1))
        policy.default_timeout_microseconds = draw(st.sampled_from([0, 1000]))
        policy.max_queue_size = draw(_few)
    if draw(st.sampled_from([0, 0, 1])):
        level = draw(st.sampled_from([0, 1, 2, 5]))
        batching.priority_queue_policy[level].timeout_action = draw(st.integers(0, 1))


def change_sequence(draw: Draw, config: ModelConfig) -> None:
    sequence = config.sequence_batching
    sequence.SetInParent()
    for _ in range(draw(_few)):
        name = draw(st.sampled_from(["", "START", "READY", "ID"]))
        control_input = sequence.control_input.add(name=name)
        for _ in range(draw(st.integers(0, 2))):
            control = control_input.control.add(kind=draw(st.integers(0, 3)))
            if draw(st.booleans()):
                control.int32_false_true[:] = draw(st.sampled_from([[0, 1], [0], [0, 1, 2]]))
            if draw(st.sampled_from([0, 0, 1])):
                control.fp32_false_true[:] = [0, 1]
            control.data_type = draw(st.sampled_from([0, 0, 5, 11, 13]))
    kind = draw(st.sampled_from(["", "direct", "oldest"]))
    if kind == "direct":
        sequence.direct.minimum_slot_utilization = draw(st.sampled_from([0.0, 0.5, 1.5, -1.0]))
    elif kind == "oldest":
        sequence.oldest.max_candidate_sequences = draw(_few)
        sequence.oldest.preferred_batch_size[:] = draw(
            st.lists(st.sampled_from([0, 1, 4, 16]), max_size=2)
        )


def change_cache(draw: Draw, config: ModelConfig) -> None:
    config.response_cache.enable = True


def change_decoupled(draw: Draw, config: ModelConfig) -> None:
    config.model_transaction_policy.decoupled = True


def change_instances(draw: Draw, config: ModelConfig) -> None:
    group = config.instance_group.add(
        count=draw(st.sampled_from([0, 1, 2, -1])), kind=draw(st.integers(0, 3))
    )
    group.gpus[:] = draw(st.sampled_from([[], [], [], [0], [-1]]))
    group.profile[:] = draw(st.sampled_from([[], [], [], ["0"], ["a"]]))
    if draw(st.sampled_from([0, 0, 1])):
        group.rate_limiter.resources.add(name="R", count=1)
        if draw(st.booleans()):
            setattr(group.rate_limiter.resources.add(name="R", count=1), "global", True)


def change_warmup(draw: Draw, config: ModelConfig) -> None:
    warmup = config.model_warmup.add(
        name="w", batch_size=draw(st.sampled_from([0, 1, 4, 100])), count=draw(_few)
    )
    for tensor in config.input:
        if draw(st.sampled_from([0, 1, 1, 1, 1])):
            entry = warmup.inputs[tensor.name]
            entry.data_type = draw(st.sampled_from([tensor.data_type] * 4 + [0, 11]))
            entry.dims[:] = draw(
                st.sampled_from([[abs(dim) for dim in tensor.dims], list(tensor.dims), [1]])
            )
            kind = draw(st.sampled_from(["zero", "zero", "random", "file", ""]))
            if kind == "zero":
                entry.zero_data = True
            elif kind == "random":
                entry.random_data = True
            elif kind == "file":
                entry.input_data_file = "missing"
    if draw(st.sampled_from([0, 0, 0, 1])):
        warmup.inputs["unknown"].zero_data = True


def change_policy(draw: Draw, config: ModelConfig) -> None:
    kind = draw(st.sampled_from(["latest", "all", "specific"]))
    if kind == "latest":
        config.version_policy.latest.num_versions = draw(_few)
    elif kind == "all":
        config.version_policy.all.SetInParent()
    else:
        config.version_policy.specific.versions[:] = draw(st.lists(st.integers(0, 2), max_size=2))


def change_identity(draw: Draw, config: ModelConfig) -> None:
    kind = draw(st.sampled_from(["name", "wrong", "platform", "backend", "file", "runtime"]))
    if kind == "name":
        config.name = "m"
    elif kind == "wrong":
        config.name = draw(st.sampled_from(["other", "a/b", ".."]))
    elif kind == "platform":
        config.platform = draw(
            st.sampled_from(["onnxruntime_onnx", "ensemble", "tensorrt_plan", "nonsense"])
        )
    elif kind == "backend":
        # Not "python": Triton 2.51 answers after minutes where its file is missing.
        config.backend = draw(st.sampled_from(["", "onnxruntime", "nonsense"]))
    elif kind == "file" and config.backend != "python":
        config.default_model_filename = draw(st.sampled_from(["model.onnx", "other.onnx"]))
    elif kind == "runtime":
        config.runtime = "libnothing.so"


def change_metrics(draw: Draw, config: ModelConfig) -> None:
    control = config.model_metrics.metric_control.add()
    if draw(st.booleans()):
        control.metric_identifier.family = draw(
            st.sampled_from(["", "nv_inference_first_response_histogram_ms", "nv_other"])
        )
    if draw(st.booleans()):
        control.histogram_options.buckets[:] = draw(st.sampled_from([[], [1.0, 2.0]]))


def change_batch_input(draw: Draw, config: ModelConfig) -> None:
    entry = config.batch_input.add(
        kind=draw(st.integers(0, 4)), data_type=draw(st.sampled_from([0, 8, 11, 9]))
    )
    entry.target_name.extend(draw(st.lists(st.sampled_from(["b", "x0"]), max_size=2)))
    entry.source_input.extend(draw(st.lists(st.sampled_from(["x0", "z"]), max_size=2)))


def change_parameter(draw: Draw, config: ModelConfig) -> None:
    key = draw(
        st.sampled_from(
            ["execution_mode", "intra_op_thread_count", "enable_mem_arena", "execution_mod"]
        )
    )
    config.parameters[key].string_value = draw(st.sampled_from(["0", "1", "2", "x", "-1"]))


def change_optimization(draw: Draw, config: ModelConfig) -> None:
    kind = draw(st.sampled_from(["graph", "cpu", "gpu", "pinned"]))
    if kind == "graph":
        config.optimization.graph.level = draw(st.integers(-2, 3))
    elif kind == "cpu":
        config.optimization.execution_accelerators.cpu_execution_accelerator.add(
            name=draw(st.sampled_from(["openvino", "nonsense"]))
        )
    elif kind == "gpu":
        config.optimization.execution_accelerators.gpu_execution_accelerator.add(
            name=draw(st.sampled_from(["tensorrt", "cuda", "nonsense"]))
        )
    else:
        config.optimization.input_pinned_memory.enable = draw(st.booleans())


CHANGES: Sequence[Change] = [
    change_max_batch_size,
    change_dim,
    change_dim,
    change_dims,
    change_dims,
    change_reshape,
    change_type,
    change_name,
    drop_tensor,
    drop_side,
    add_tensor,
    change_flags,
    change_batching,
    change_batching,
    change_sequence,
    change_cache,
    change_decoupled,
    change_instances,
    change_warmup,
    change_policy,
    change_identity,
    change_metrics,
    change_batch_input,
    change_parameter,
    change_optimization,
]


# Changes of an ensemble's wiring.


def _step(draw: Draw, config: ModelConfig) -> Any:
    steps = list(config.ensemble_scheduling.step)
    return draw(st.sampled_from(steps)) if steps else None


def change_map(draw: Draw, config: ModelConfig) -> None:
    step = _step(draw, config)
    if step is None:
        return
    side = draw(st.sampled_from(["input_map", "output_map"]))
    wires = getattr(step, side)
    kind = draw(st.sampled_from(["drop", "key", "tensor", "clear"]))
    keys = sorted(wires)
    if kind == "clear" or not keys:
        wires.clear()
    elif kind == "drop":
        del wires[draw(st.sampled_from(keys))]
    elif kind == "key":
        wires["unknown"] = wires.pop(keys[0])
    else:
        names = sorted({t.name for t in (*config.input, *config.output)} | {"t_0_y0", "t_9"})
        wires[draw(st.sampled_from(keys))] = draw(st.sampled_from(names))


def change_step(draw: Draw, config: ModelConfig) -> None:
    step = _step(draw, config)
    kind = draw(st.sampled_from(["version", "model", "drop", "again", "itself"]))
    if step is None:
        return
    if kind == "version":
        step.model_version = draw(st.sampled_from([1, 2, 0, -2]))
    elif kind == "model":
        step.model_name = draw(st.sampled_from(["", "nobody", "p0"]))
    elif kind == "itself":
        step.model_name = "e"
    elif kind == "drop":
        del config.ensemble_scheduling.step[0]
    else:
        config.ensemble_scheduling.step.add().CopyFrom(step)


ENSEMBLE_CHANGES: Sequence[Change] = [
    change_map,
    change_map,
    change_map,
    change_step,
    change_step,
    change_max_batch_size,
    change_dim,
    change_dims,
    change_reshape,
    change_type,
    change_name,
    drop_tensor,
    add_tensor,
    change_instances,
    change_warmup,
    change_cache,
    change_decoupled,
    change_policy,
    change_identity,
    change_optimization,
]


# Changes of the directory.


def move_version(draw: Draw, model: Written) -> None:
    new = draw(st.sampled_from(["v1", "01", "2", "0", "latest"]))
    model.files = {
        path.replace("1/", f"{new}/", 1): content for path, content in model.files.items()
    }
    model.folders = [new for _ in model.folders]


def drop_files(draw: Draw, model: Written) -> None:
    if _runs_python(model):
        return
    if draw(st.booleans()):
        model.folders = ["1"]
    model.files = {}


def rename_file(draw: Draw, model: Written) -> None:
    if _runs_python(model):
        return
    model.files = {f"1/{path[2:]}.bak": content for path, content in model.files.items()}


def _runs_python(model: Written) -> bool:
    # Where its file is missing, Triton 2.51 answers after minutes.
    return any(path.endswith(".py") for path in model.files)


def drop_config(draw: Draw, model: Written) -> None:
    model.given = False


def add_version(draw: Draw, model: Written) -> None:
    model.files |= {f"3{path[1:]}": content for path, content in model.files.items()}
    model.folders += ["3" for _ in model.folders]


def garble(draw: Draw, model: Written) -> None:
    model.files = {
        path: content[: draw(st.integers(0, len(content)))] for path, content in model.files.items()
    }


FILE_CHANGES: Sequence[Callable[[Draw, Written], None]] = [
    move_version,
    drop_files,
    rename_file,
    drop_config,
    add_version,
    garble,
]
