from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.images import SCALINGS
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.client import Signature
from tritonkit.client.wire.datatypes import from_bfloat16
from tritonkit.errors import ConfigError, MissingExtra

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(PIXELS).save(path)
    return path


def sent(path: Path, model: Signature, batch_size: int = 1, **options: Any) -> np.ndarray:
    inputs = ModelInputs(sources=[Source(path=path)], **options)
    (item,) = inputs.workload(model, batch_size=batch_size).items
    return item.inputs["x"]


def test_channels_stand_where_the_model_has_them(sign, picture: Path) -> None:
    last = sent(picture, sign(x="UINT8 4,6,3"))
    np.testing.assert_array_equal(last, PIXELS[np.newaxis])
    first = sent(picture, sign(x="UINT8 3,4,6"))
    np.testing.assert_array_equal(first, np.moveaxis(PIXELS, -1, 0)[np.newaxis])
    assert first.flags.c_contiguous
    assert sent(picture, sign(x="FP32 1,4,6")).shape == (1, 1, 4, 6)
    assert (sent(picture, sign(x="UINT8 4,4,6"))[0, 3] == 255).all()


def test_a_picture_is_resized_to_the_models_size_and_kept_where_it_is_open(
    sign, picture: Path
) -> None:
    expected = Image.fromarray(PIXELS).resize((10, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(sent(picture, sign(x="UINT8 8,10,3"))[0], np.asarray(expected))
    model = sign(x="FP32 3,-1,-1")
    assert sent(picture, model).shape == (1, 3, 4, 6)
    assert sent(picture, model, shapes={"x": (3, 8, 10)}).shape == (1, 3, 8, 10)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        (None, PIXELS / 255),
        ("none", PIXELS),
        ("unit", PIXELS / 255),
        ("symmetric", PIXELS / 127.5 - 1),
        ("imagenet", (PIXELS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_values_are_scaled(
    sign, picture: Path, scaling: Any, expected: np.ndarray, first: bool
) -> None:
    array = sent(picture, sign(x="FP32 3,4,6" if first else "FP32 4,6,3"), scaling=scaling)[0]
    assert array.dtype == np.float32
    # float32 has 24 bits of precision; values are up to 255.
    np.testing.assert_allclose(
        np.moveaxis(array, 0, -1) if first else array, expected, rtol=1e-6, atol=1e-6
    )


def test_narrow_floats_are_narrowed_after_the_scaling(sign, picture: Path) -> None:
    half = sent(picture, sign(x="FP16 4,6,3"))
    assert half.dtype == np.float16
    brain = sent(picture, sign(x="BF16 4,6,3"))
    # Bfloat16 has 8 bits of precision.
    np.testing.assert_allclose(from_bfloat16(brain.view("<u2"))[0], PIXELS / 255, rtol=2**-8)


def test_a_model_that_decodes_gets_the_file(sign, picture: Path) -> None:
    data = picture.read_bytes()
    assert sent(picture, sign(x="BYTES 1")).tolist() == [[data]]
    assert sent(picture, sign(x="UINT8 -1")).tobytes() == data


def test_a_folder_gives_its_pictures_by_name(sign, tmp_path: Path) -> None:
    for name, value in (("b.PNG", 2), ("a.jpg", 1), ("c.ppm", 3)):
        Image.new("RGB", (8, 8), (value * 80,) * 3).save(tmp_path / name)
    inputs = ModelInputs(sources=[Source.parse(f"x={tmp_path}")])
    workload = inputs.workload(sign(x="UINT8 8,8,3", size="INT64 2"))
    assert [item.inputs["x"][0, 0, 0, 0] for item in workload.items] == [80, 160, 240]
    assert workload.items[0].inputs["size"].shape == (1, 2)
    assert workload.description["x"] == f"UINT8 [-1, 8, 8, 3], 3 rows of {tmp_path}"
    assert sent(tmp_path, sign(x="UINT8 8,8,3"), batch_size=3).shape == (3, 8, 8, 3)


def test_pictures_of_several_sizes_do_not_share_a_request(sign, tmp_path: Path) -> None:
    for name, size in (("a.png", (4, 4)), ("b.png", (5, 4))):
        Image.new("RGB", size).save(tmp_path / name)
    with pytest.raises(ConfigError, match=r"b.png: input 'x' has shape \[4, 5, 3\], but in .*a"):
        sent(tmp_path, sign(x="UINT8 -1,-1,3"), batch_size=2)


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ({"x": "FP32 4"}, {}, "none of the inputs of model 'm' can take a picture: x; name one"),
        ({"x": "FP32 3,4,6", "y": "FP32 4,6,3"}, {}, "2 of the inputs .*: x, y; name one"),
        ({"x": "UINT8 3,4,6"}, {"scaling": "unit"}, "UINT8, which cannot be scaled by 'unit'"),
        ({"x": "INT8 3,4,6"}, {}, "'x' is INT8, which does not hold pixels"),
        ({"x": "FP32 1,4,6"}, {"scaling": "imagenet"}, "no three channels, for which ImageNet"),
        ({"x": "FP32 3,-1,-1"}, {"shapes": {"x": (1, 4, 6)}}, r"'x' must fit \[3, -1, -1\]"),
    ],
)
def test_what_takes_no_picture_is_refused(
    sign, picture: Path, inputs: dict[str, str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        sent(picture, sign(**inputs), **options)


def test_a_named_input_that_takes_no_picture_is_refused(sign, picture: Path) -> None:
    def workload(name: str, **model: str) -> None:
        ModelInputs(sources=[Source(path=picture, name=name)]).workload(sign(**model))

    with pytest.raises(ConfigError, match="no input 'z'; it takes x"):
        workload("z", x="FP32 3,4,4")
    with pytest.raises(ConfigError, match=r"'x' has dimensions \[-1, -1, -1\]: .* --shape, such"):
        workload("x", x="FP32 -1,-1,-1")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_a_broken_picture_is_refused(sign, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken.png: input 'x' is no picture that Pillow"):
        sent(path, sign(x="UINT8 3,4,6"))


def test_a_truncated_picture_is_refused(sign, picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:-30])
    with pytest.raises(ConfigError, match="is no picture that Pillow can read"):
        sent(picture, sign(x="UINT8 3,4,6"))


def test_a_folder_of_pictures_and_something_else_is_refused(sign, picture: Path) -> None:
    (picture.parent / "notes").touch()
    with pytest.raises(ConfigError, match="notes must be named as an input or an output"):
        sent(picture.parent, sign(x="UINT8 3,4,6"))
    inputs = ModelInputs(sources=[Source(path=picture.parent, name="x")])
    with pytest.raises(ConfigError, match=r"must hold pictures only, .* 'x', but it holds notes"):
        inputs.workload(sign(x="UINT8 3,4,6"))


def test_without_pillow_the_extra_is_named(
    sign, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str, *, extra: str) -> None:
        raise MissingExtra(f"{module} comes with {extra}")

    monkeypatch.setattr("tritonkit.bench.inputs.images.require", missing)
    with pytest.raises(MissingExtra, match=r"PIL\.Image comes with export"):
        sent(picture, sign(x="UINT8 3,4,6"))
    # A model that decodes needs none.
    assert sent(picture, sign(x="BYTES 1")).shape == (1, 1)


def test_every_scaling_is_documented() -> None:
    assert SCALINGS == ("none", "unit", "symmetric", "imagenet")
