"""
The conversion of an image classifier, run as a child process.

    python -m tritonkit.export.sources.images.conversion FOLDER ACTIVATION OUT

OUT holds images/: the image files 0, 1, ... and pixels.npy, what export makes of them.
model.onnx and probabilities.npy are put into OUT.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.graphs.opset import OPSET
from tritonkit.extras import require

__all__: list[str] = []

_BATCH = 16
_TOLERANCE = 1e-5


def _export(source: str, folder: Path) -> None:
    onnx = require("onnx", extra="export")
    exporters = require("optimum.exporters.onnx", extra="export")
    exporters.main_export(
        source,
        output=folder,
        task="image-classification",
        library_name="transformers",
        device="cpu",
        opset=OPSET,
        do_validation=False,
        use_safetensors=True,
    )
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    names = [tensor.name for tensor in (*graph.input, *graph.output)]
    if names != ["pixel_values", "logits"]:
        raise SystemExit(
            f"export feeds pixel_values and reads logits, but the graph has {', '.join(names)}"
        )


def _answer(source: str, activation: str, images: Path) -> NDArray[np.float32]:
    """As transformers' pipeline does, with its image processor on Pillow."""
    torch = require("torch", extra="export")
    transformers = require("transformers", extra="export")
    loaded = require("transformers.image_utils", extra="export").load_image
    processor = transformers.AutoImageProcessor.from_pretrained(source, use_fast=False)
    model = transformers.AutoModelForImageClassification.from_pretrained(
        source, dtype=torch.float32, use_safetensors=True
    ).eval()
    ours = np.load(images / "pixels.npy")
    answers = []
    for start in range(0, len(ours), _BATCH):
        numbers = range(start, min(start + _BATCH, len(ours)))
        pixels = processor(
            [loaded(str(images / f"{number}")) for number in numbers],
            return_tensors="pt",
            # Else an image 1 or 3 pixels high is taken for channels.
            input_data_format="channels_last",
        ).pixel_values
        _compare(ours[numbers.start : numbers.stop], pixels.numpy())
        with torch.inference_mode():
            logits = model(pixel_values=pixels).logits
            answers.append(_activate(torch, logits, activation).numpy())
    return np.concatenate(answers)


def _compare(ours: NDArray[np.float32], theirs: NDArray[Any]) -> None:
    if ours.shape != theirs.shape:
        raise SystemExit(
            f"export makes images of {ours.shape[1:]}, but transformers of {theirs.shape[1:]}"
        )
    difference = float(np.abs(ours - theirs).max())
    if not difference <= _TOLERANCE:
        raise SystemExit(f"export's pixels differ from transformers' by up to {difference:.2g}")


def _activate(torch: Any, logits: Any, activation: str) -> Any:
    return torch.sigmoid(logits) if activation == "sigmoid" else torch.softmax(logits, dim=1)


def _main(source: str, activation: str, out: str) -> None:
    folder = Path(out)
    np.save(folder / "probabilities.npy", _answer(source, activation, folder / "images"))
    _export(source, folder)


if __name__ == "__main__":
    _main(*sys.argv[1:])
