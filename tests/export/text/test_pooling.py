from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tritonkit.errors import ExportError
from tritonkit.export.graphs.pooling import PoolingMode, append_pooling

TOKENS = np.random.default_rng(7).normal(size=(3, 5, 4)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], np.int64)


def encoder(token_type: int = TensorProto.FLOAT, mask: str = "attention_mask") -> Any:
    """Hands its tokens through."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["tokens"], ["last_hidden_state"])],
        "encoder",
        [
            helper.make_tensor_value_info("tokens", token_type, ["batch", "sequence", 4]),
            helper.make_tensor_value_info(mask, TensorProto.INT64, ["batch", "sequence"]),
        ],
        [helper.make_tensor_value_info("last_hidden_state", token_type, ["batch", "sequence", 4])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: Any, tokens: NDArray[Any], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (embeddings,) = session.run(["embedding"], {"tokens": tokens, "attention_mask": mask})
    result: NDArray[np.float32] = embeddings
    return result


def expected(mode: PoolingMode) -> NDArray[np.float32]:
    rows = [tokens[mask == 1] for tokens, mask in zip(TOKENS, MASK, strict=True)]
    pool = {"cls": lambda r: r[0], "max": lambda r: r.max(axis=0), "mean": lambda r: r.mean(axis=0)}
    return np.stack([pool[mode](row) for row in rows])


@pytest.mark.parametrize("mode", ["cls", "max", "mean"])
def test_padding_takes_no_part(mode: PoolingMode) -> None:
    model = append_pooling(encoder(), mode, normalize=False, dimension=4)
    np.testing.assert_allclose(run(model, TOKENS, MASK), expected(mode), rtol=1e-6)


@pytest.mark.parametrize("mode", ["cls", "max", "mean"])
def test_normalised_embeddings_have_length_1(mode: PoolingMode) -> None:
    model = append_pooling(encoder(), mode, normalize=True, dimension=4)
    wanted = expected(mode)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(run(model, TOKENS, MASK), wanted, rtol=1e-6)


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_rows_without_tokens_and_zero_rows_stay_finite(mode: PoolingMode) -> None:
    model = append_pooling(encoder(), mode, normalize=True, dimension=4)
    zeros = np.zeros_like(TOKENS)
    assert np.isfinite(run(model, zeros, MASK)).all()
    assert np.isfinite(run(model, TOKENS, np.zeros_like(MASK))).all()


def test_half_precision_tokens_are_summed_in_single_precision() -> None:
    tokens = np.full((1, 4096, 4), 20.0, np.float16)
    model = append_pooling(encoder(TensorProto.FLOAT16), "mean", normalize=False, dimension=4)
    embedding = run(model, tokens, np.ones((1, 4096), np.int64))
    assert embedding.dtype == np.float32
    np.testing.assert_array_equal(embedding, np.full((1, 4), 20.0, np.float32))


def test_the_only_output_has_a_static_last_dimension() -> None:
    """Triton compares an output's dims exactly."""
    model = append_pooling(encoder(), "mean", normalize=True, dimension=4)
    (output,) = model.graph.output
    batch, dimension = output.type.tensor_type.shape.dim
    assert (output.name, batch.dim_param, dimension.dim_value) == ("embedding", "batch_size", 4)


def test_the_model_given_is_left_as_it_was() -> None:
    model = encoder()
    before = model.SerializeToString()
    append_pooling(model, "mean", normalize=True, dimension=4)
    assert model.SerializeToString() == before


def test_an_encoder_without_a_mask_is_refused() -> None:
    with pytest.raises(ExportError, match="attention_mask"):
        append_pooling(encoder(mask="mask"), "mean", normalize=True, dimension=4)


def test_old_onnxruntimes_can_read_it() -> None:
    """onnxruntime 1.19, in Triton 24.10, reads IR version 10 and opset 21 at most."""
    model = append_pooling(encoder(), "max", normalize=True, dimension=4)
    assert model.ir_version <= 10
    assert max(entry.version for entry in model.opset_import) <= 21
    onnx.checker.check_model(model, full_check=True)
