"""
The conversion of a text model, run as a child process.

    python -m tritonkit.export.sources.texts.conversion FOLDER TASK OUT

OUT holds texts.json; model.onnx and answers.npz are put beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tritonkit.export.graphs.opset import OPSET
from tritonkit.export.sources.answer_file import write_answers
from tritonkit.export.sources.hugging_face.read import read_hugging_face
from tritonkit.export.sources.source import Answers
from tritonkit.export.sources.texts.text import TextSource
from tritonkit.extras import require

__all__: list[str] = []


def _export(source: TextSource, folder: Path) -> None:
    exporters = require("optimum.exporters.onnx", extra="export")
    # Without library_name the graph depends on whether sentence-transformers is installed.
    exporters.main_export(
        str(source.transformer),
        output=folder,
        task="feature-extraction" if source.task == "sentence-similarity" else source.task,
        library_name="transformers",
        device="cpu",
        opset=OPSET,
        do_validation=False,
        use_safetensors=True,
    )


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
            f"export feeds input_ids and attention_mask, but the encoder takes {', '.join(names)}"
        )
    onnx.save(model, str(file))


def _answers(source: TextSource, texts: list[str]) -> Answers:
    """What *source* answers; asked by length, so that little of a batch is padding."""
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    answers = source.answer_with_torch([texts[at] for at in order])
    places = sorted(range(len(order)), key=order.__getitem__)
    return {name: [rows[at] for at in places] for name, rows in answers.items()}


def _main(path: str, task: str, out: str) -> None:
    source, folder = read_hugging_face(path, task=task), Path(out)
    assert isinstance(source, TextSource)
    texts = json.loads((folder / "texts.json").read_text())
    write_answers(folder / "answers.npz", _answers(source, texts))
    _export(source, folder)
    _fold_token_types(folder / "model.onnx")


if __name__ == "__main__":
    _main(*sys.argv[1:])
