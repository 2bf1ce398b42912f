"""Preprocessing gives the pixels that transformers' image processors on Pillow give."""

import json
import struct
import warnings
import zlib

import numpy as np
import pytest
import transformers
from transformers.image_utils import load_image

from tritonkit.export.images.preprocess import ImagePreprocessor
from tritonkit.export.sources.images.image_processor import read_image_processor

PROCESSORS = {
    "ViT": transformers.ViTImageProcessor(size={"height": 24, "width": 40}),
    "ViT, Lanczos": transformers.ViTImageProcessor(size={"height": 32, "width": 32}, resample=1),
    "ViT, raw": transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, do_rescale=False, do_normalize=False
    ),
    "ViT, not normalised": transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, do_normalize=False
    ),
    "ConvNext, small": transformers.ConvNextImageProcessor(
        size={"shortest_edge": 32}, crop_pct=0.8, resample=3
    ),
    "ConvNext, large": transformers.ConvNextImageProcessor(size={"shortest_edge": 384}),
    "CLIP": transformers.CLIPImageProcessor(
        size={"shortest_edge": 36}, crop_size={"height": 32, "width": 30}
    ),
    "CLIP, crop larger than size": transformers.CLIPImageProcessor(
        size={"shortest_edge": 21}, crop_size={"height": 32, "width": 33}
    ),
    "Bit": transformers.BitImageProcessor(size={"shortest_edge": 20}, crop_size=20),
    "DeiT": transformers.DeiTImageProcessor(
        size={"height": 36, "width": 36}, crop_size={"height": 32, "width": 32}
    ),
    "DeiT, only cropped": transformers.DeiTImageProcessor(
        do_resize=False, crop_size={"height": 41, "width": 32}
    ),
    "Beit": transformers.BeitImageProcessor(
        size={"height": 40, "width": 40}, crop_size={"height": 32, "width": 32}
    ),
    "MobileNetV1": transformers.MobileNetV1ImageProcessor(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}
    ),
    "MobileNetV2": transformers.MobileNetV2ImageProcessor(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}
    ),
    "Siglip": transformers.SiglipImageProcessor(size={"height": 32, "width": 32}),
    "Pvt": transformers.PvtImageProcessor(size={"height": 32, "width": 32}),
    "Segformer": transformers.SegformerImageProcessor(size={"height": 32, "width": 32}),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_those_of_transformers(name, image_files, tmp_path):
    processor = PROCESSORS[name]
    processor.save_pretrained(tmp_path)
    preprocessor = read_image_processor(tmp_path, "")

    ours = preprocessor.normalise([preprocessor.read(content) for content in image_files.values()])

    for pixels, (what, content) in zip(ours, image_files.items(), strict=True):
        path = tmp_path / "image"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = load_image(str(path))
        theirs = processor(image, input_data_format="channels_last")["pixel_values"][0]
        np.testing.assert_array_equal(pixels, theirs, err_msg=what)


@pytest.mark.parametrize("name", PROCESSORS)
def test_parameters_bring_the_same_preprocessor_back(name, tmp_path):
    PROCESSORS[name].save_pretrained(tmp_path)
    preprocessor = read_image_processor(tmp_path, "")

    parameters = json.loads(json.dumps(preprocessor.parameters()))

    assert ImagePreprocessor.from_parameters(parameters) == preprocessor
    assert all(parameters.values())


@pytest.fixture
def preprocessor():
    return ImagePreprocessor(
        resize=(8, 8), crop=(), resample=2, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "these 0 bytes are no JPEG, PNG or WebP image"),
        (b"no image at all", "these 15 bytes are no JPEG, PNG or WebP image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "are no JPEG, PNG or WebP image"),
        (b"BM" + bytes(60), "are no JPEG, PNG or WebP image"),
    ],
)
def test_what_is_no_image_is_refused_in_words(preprocessor, content, message):
    with pytest.raises(ValueError, match=message):
        preprocessor.read(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_image_is_refused_in_words(preprocessor, encode, kind):
    content = encode(64, 64, kind=kind)

    with pytest.raises(ValueError, match=r"^(the image is broken|these \d+ bytes are no)"):
        preprocessor.read(content[: len(content) // 2])


def test_an_image_without_memory_for_it_is_refused_in_words(preprocessor, encode, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("tritonkit.export.images.preprocess.ImageOps.exif_transpose", fail)

    with pytest.raises(ValueError, match=r"^the image takes more memory than there is$"):
        preprocessor.read(encode(9, 9))


def png_of_claimed_size(width, height):
    """A PNG of a few bytes that says it is larger."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(preprocessor, side):
    with pytest.raises(ValueError, match="the image has more than 89478485 pixels"):
        preprocessor.read(png_of_claimed_size(side, side))


def test_an_image_that_resizing_would_blow_up_is_refused(encode):
    keeps_proportions = ImagePreprocessor(
        resize=(256,), crop=(224, 224), resample=2, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3
    )

    with pytest.raises(ValueError, match="60000 by 1 pixels: too long for its breadth"):
        keeps_proportions.read(encode(60_000, 1))


def test_a_broken_image_says_nothing_of_the_next(preprocessor, encode):
    with pytest.raises(ValueError, match="are no JPEG"):
        preprocessor.read(b"broken")

    assert preprocessor.read(encode(9, 9)).shape == (8, 8, 3)


def test_no_images_make_an_empty_batch(preprocessor):
    assert preprocessor.normalise([]).shape == (0, 3, 8, 8)
