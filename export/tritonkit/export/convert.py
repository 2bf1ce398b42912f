"""
From a transformers folder to an ONNX encoder, and the source's own embeddings.

torch, transformers and optimum run in a process of their own: their warnings,
threads and memory end with it, and it sees no network. Its output is shown
when it fails, and only then.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ExportError
from tritonkit.export.source import SentenceTransformer, read_source
from tritonkit.extras import require

__all__ = ["OPSET", "convert"]

OPSET = 17
"""Every onnxruntime from 1.13 takes it, so each Triton release in use does too."""

_REFERENCE_BATCH = 16
_TAIL = 30


def convert(
    source: SentenceTransformer, folder: Path, texts: Sequence[str]
) -> tuple[Path, NDArray[np.float32]]:
    """
    Convert the encoder of *source* and embed *texts* with the source itself.

    Args:
        source: What to convert.
        folder: An empty directory to write into.
        texts: What to embed.

    Returns:
        The ONNX file, with inputs input_ids and attention_mask and output
        last_hidden_state; and the embeddings by torch, shape (texts, dimension).

    Raises:
        ExportError: If the conversion fails; the message ends with its output.
        MissingExtra: If the export extra is not installed.
    """
    for module in ("onnx", "optimum", "torch", "transformers"):
        _require_installed(module)
    (folder / "texts.json").write_text(json.dumps(list(texts)))
    process = subprocess.run(
        [sys.executable, "-m", "tritonkit.export.convert", str(source.path), str(folder)],
        env=os.environ
        | {
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            # torch leaves a cache behind.
            "TMPDIR": str(folder),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if process.returncode != 0:
        tail = "\n".join(process.stdout.splitlines()[-_TAIL:])
        raise ExportError(
            f"{source.transformer} could not be converted to ONNX "
            f"(exit status {process.returncode}):\n{tail}"
        )
    return folder / "model.onnx", np.load(folder / "reference.npy")


def _require_installed(module: str) -> None:
    """Fail early, in words, without paying for the import."""
    if importlib.util.find_spec(module) is None:
        require(module, extra="export")


def _export_encoder(source: SentenceTransformer, folder: Path) -> None:
    exporters = require("optimum.exporters.onnx", extra="export")
    # Without library_name the graph depends on whether sentence-transformers is installed.
    exporters.main_export(
        str(source.transformer),
        output=folder,
        task="feature-extraction",
        library_name="transformers",
        device="cpu",
        opset=OPSET,
        do_validation=False,
    )


def _embed(source: SentenceTransformer, texts: Sequence[str]) -> NDArray[np.float32]:
    """As sentence-transformers does, from the same weights, without its package."""
    torch = require("torch", extra="export")
    transformers = require("transformers", extra="export")
    tokenizer = transformers.AutoTokenizer.from_pretrained(source.transformer)
    model = transformers.AutoModel.from_pretrained(source.transformer, dtype=torch.float32).eval()
    if source.lower_case:
        texts = [text.lower() for text in texts]
    batches = []
    for start in range(0, len(texts), _REFERENCE_BATCH):
        features = tokenizer(
            list(texts[start : start + _REFERENCE_BATCH]),
            padding=True,
            truncation=True,
            max_length=source.max_length,
            return_tensors="pt",
        )
        with torch.inference_mode():
            tokens = model(**features).last_hidden_state
            pooled = _pool(tokens, features["attention_mask"].unsqueeze(-1), source.pooling)
            if source.normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=1)
        batches.append(pooled.numpy())
    return np.concatenate(batches)


def _pool(tokens: Any, mask: Any, mode: str) -> Any:
    if mode == "cls":
        return tokens[:, 0]
    if mode == "max":
        return tokens.masked_fill(mask == 0, float("-inf")).max(dim=1).values
    return (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)


def _fold_token_types(file: Path) -> None:
    """
    Make token types, which are zeros for a single text, a part of the graph.

    A tensor less to tokenise, send, join and split for each request.
    """
    onnx = require("onnx", extra="export")
    model = onnx.load(str(file))
    inputs = {tensor.name: tensor for tensor in model.graph.input}
    if "token_type_ids" in inputs:
        model.graph.input.remove(inputs["token_type_ids"])
        zero = onnx.helper.make_tensor("token_types/zero", onnx.TensorProto.INT64, [1], [0])
        nodes = [
            onnx.helper.make_node("Shape", ["input_ids"], ["token_types/shape"]),
            onnx.helper.make_node(
                "ConstantOfShape", ["token_types/shape"], ["token_type_ids"], value=zero
            ),
        ]
        for position, node in enumerate(nodes):
            model.graph.node.insert(position, node)
    names = [tensor.name for tensor in model.graph.input]
    if names != ["input_ids", "attention_mask"]:
        raise SystemExit(
            f"export feeds input_ids and attention_mask, but the encoder takes {names}"
        )
    onnx.save(model, str(file))


def _main() -> None:
    source, folder = read_source(Path(sys.argv[1])), Path(sys.argv[2])
    texts = json.loads((folder / "texts.json").read_text())
    _export_encoder(source, folder)
    _fold_token_types(folder / "model.onnx")
    np.save(folder / "reference.npy", _embed(source, texts))


if __name__ == "__main__":
    _main()
