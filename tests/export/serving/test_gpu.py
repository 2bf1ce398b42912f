"""GPU configurations, against the protobuf and the rules of Triton; no GPU is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.serving import ServingOptions, check_gpu_precision, served_models
from tritonkit.export.sources.source import Part, Source
from tritonkit.export.stages.recipe import PRECISIONS
from tritonkit.repository import Model, parse_config, render_config, write_models
from tritonkit.server.testing import TritonServer

MakeSource = Callable[..., Source]
MakeGraph = Callable[[str], Path]

GPU = ServingOptions(target="gpu", instances=2)

# What Triton's onnxruntime backend maps to TensorRT; it refuses any other key.
TENSORRT_KEYS = {
    "precision_mode",
    "max_workspace_size_bytes",
    "trt_engine_cache_enable",
    "trt_engine_cache_path",
    "trt_timing_cache_enable",
    "trt_timing_cache_path",
}


def gpu_models(source: Source, graph: Path, precision: str) -> tuple[Model, ...]:
    return served_models(
        source, graph, name="m", precision=precision, options=GPU, batch_invariant=True
    )


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_graph_is_on_the_gpu_in_the_precision_it_was_judged_in(
    make_source: MakeSource, make_graph: MakeGraph, precision: str
) -> None:
    (model,) = gpu_models(make_source(), make_graph("double"), precision)
    # As Triton reads it: through the text.
    config = parse_config(render_config(model.config, model.comments), source="test")
    (group,) = config.instance_group
    assert (group.kind, group.count, list(group.gpus)) == (group.KIND_GPU, 2, [])
    tensorrt, cuda = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert (tensorrt.name, cuda.name) == ("tensorrt", "cuda")
    assert set(tensorrt.parameters) <= TENSORRT_KEYS
    assert tensorrt.parameters["precision_mode"] == precision.upper()
    # The provider makes one folder and not the one that it is in.
    assert tensorrt.parameters["trt_engine_cache_path"] == "/tmp/tritonkit-tensorrt-m"
    assert tensorrt.parameters["trt_timing_cache_path"] == "/tmp/tritonkit-tensorrt-m"
    assert cuda.parameters["cudnn_conv_algo_search"] == "HEURISTIC"
    assert "intra_op_thread_count" not in config.parameters
    assert config.dynamic_batching is not None


def test_the_comment_says_when_engines_are_built(
    make_source: MakeSource, make_graph: MakeGraph
) -> None:
    """With warm-up before the model is ready, without at the first client's request."""
    for warmup, said in ((True, "at the warm-up requests"), (False, "at the first request")):
        (model,) = served_models(
            make_source(),
            make_graph("double"),
            name="m",
            options=ServingOptions(target="gpu", warmup=warmup),
            batch_invariant=True,
        )
        assert said in model.comments["optimization"]


def test_parts_stay_on_the_cpu(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part, speaker: Part
) -> None:
    source = make_source(before=tokenizer, after=speaker)
    before, graph, after, ensemble = gpu_models(source, make_graph("sum"), "fp16")
    for part in (before, after):
        (group,) = part.config.instance_group
        assert group.kind == group.KIND_CPU
        assert not part.config.HasField("optimization")
    assert graph.config.HasField("optimization")
    # Triton refuses each of these on an ensemble.
    assert not ensemble.config.instance_group
    assert not ensemble.config.HasField("optimization")
    assert not ensemble.config.model_warmup
    assert not ensemble.config.HasField("dynamic_batching")


@pytest.mark.parametrize("precision", [p for p in PRECISIONS if p not in ("fp32", "fp16")])
def test_what_is_made_for_a_cpu_is_refused_by_name(
    make_source: MakeSource, make_graph: MakeGraph, precision: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{precision} is made for a CPU.*choose fp32 or fp16"):
        check_gpu_precision(precision)
    with pytest.raises(ConfigError, match=precision):
        gpu_models(make_source(), make_graph("double"), precision)


def test_tritons_text_parser_takes_it(
    make_source: MakeSource,
    make_graph: MakeGraph,
    model_repository: Path,
    triton_server: TritonServer,
) -> None:
    """Without a GPU the server refuses the instances, and nothing before them."""
    write_models(model_repository, gpu_models(make_source(), make_graph("double"), "fp16"))
    server = triton_server(model_repository, exit_on_error=False)
    (state,) = server.models()
    assert "has kind KIND_GPU" in f"{state.reason} {server.log_path.read_text()}"
