"""Small image classifiers with random weights, in folders as transformers writes them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.images.image_classifier import ImageClassifier


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer of five classes on 32 by 32 pixels."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("sources") / "tiny-vit"
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        id2label=dict(enumerate(("cat", "dog", "éléphant", "鳥", "a fish"))),
    )
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessor(size=size).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def convnext(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose images are resized, then cropped, and whose classes can go together."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("sources") / "tiny-convnext"
    torch.manual_seed(0)
    config = transformers.ConvNextConfig(
        hidden_sizes=[8, 8, 8, 16],
        depths=[1, 1, 1, 1],
        num_labels=3,
        problem_type="multi_label_classification",
    )
    transformers.ConvNextForImageClassification(config).save_pretrained(folder)
    size = {"shortest_edge": 32}
    transformers.ConvNextImageProcessor(size=size, resample=3).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(vit: Path, tmp_path: Path) -> Callable[..., Path]:
    """
    Makes a copy of `vit`'s folder.

    Keyword arguments replace keys of its JSON files: `processor={"do_pad": True}`; a key
    whose new value is ... is left out.
    """

    def make(**changes: dict[str, Any]) -> Path:
        made = tmp_path / "changed"
        made.mkdir()
        (made / "model.safetensors").symlink_to(vit / "model.safetensors")
        names = {"config": "config.json", "processor": "preprocessor_config.json"}
        for key, name in names.items():
            content = {**json.loads((vit / name).read_text()), **changes.get(key, {})}
            kept = {k: v for k, v in content.items() if v is not ...}
            (made / name).write_text(json.dumps(kept))
        return made

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Makes an image file of random pixels."""

    def make(
        width: int, height: int, *, mode: str = "RGB", kind: str = "PNG", **options: Any
    ) -> bytes:
        generator = np.random.default_rng(width * 1000 + height)
        coarse = generator.integers(0, 256, (-(-height // 4), -(-width // 4), 4), np.uint8)
        pixels = np.ascontiguousarray(coarse.repeat(4, 0).repeat(4, 1)[:height, :width])
        if mode == "I;16":
            deep = pixels[:, :, 0].astype(np.uint16) * 257
            image = Image.fromarray(deep)
        else:
            rgba = Image.fromarray(pixels)
            image = rgba if mode == "RGBA" else rgba.convert("RGB").convert(mode)
        file = io.BytesIO()
        image.save(file, format=kind, **options)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def image_files(encode: Callable[..., bytes]) -> dict[str, bytes]:
    """Image files that decoders treat differently, by what is special about them."""
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "ordinary JPEG": encode(120, 80, kind="JPEG"),
        "ordinary PNG": encode(80, 120),
        "ordinary WebP": encode(90, 90, kind="WEBP"),
        "grey": encode(64, 40, mode="L"),
        "grey JPEG": encode(64, 40, mode="L", kind="JPEG"),
        "black and white": encode(50, 50, mode="1"),
        "palette": encode(60, 60, mode="P"),
        "palette with transparency": encode(60, 60, mode="P", transparency=b"\x00\x80\xff"),
        "transparent": encode(70, 50, mode="RGBA"),
        "transparent WebP": encode(70, 50, mode="RGBA", kind="WEBP"),
        "16 bits": encode(48, 36, mode="I;16"),
        "CMYK": encode(48, 36, mode="CMYK", kind="JPEG"),
        "turned by EXIF": encode(120, 60, kind="JPEG", exif=turned),
        "tall": encode(20, 400),
        "wide": encode(400, 20),
        "one pixel": encode(1, 1),
        "one row": encode(9, 1),
        "three rows": encode(9, 3),
        "as wanted": encode(32, 32),
        "odd": encode(33, 35),
    }


@pytest.fixture(scope="session")
def converted(
    vit: Path,
    convnext: Path,
    tmp_path_factory: pytest.TempPathFactory,
    image_files: dict[str, bytes],
) -> dict[str, Any]:
    """By name: the source, samples with every kind of file, the conversion, the finished graph."""
    found = {}
    for folder in (vit, convnext):
        source = ImageClassifier.read(folder, path=str(folder))
        scratch = tmp_path_factory.mktemp(source.name)
        files = [*source.builtin_samples().columns["image"], *image_files.values()]
        samples = Samples({"image": np.array(files, object)}, "test")
        made = source.convert(scratch, samples)
        finished = scratch / "finished.onnx"
        onnx.save(source.finish(onnx.load(made.graph)), finished)
        found[source.name] = source, samples, made, finished
    return found
