"""The preprocessor_config.json of an image model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import read_json, value_of
from tritonkit.extras import require

if TYPE_CHECKING:
    from tritonkit.export.images.preprocess import ImagePreprocessor

__all__ = ["CONFIG_NAME", "read_image_processor"]

CONFIG_NAME = "preprocessor_config.json"

_CROPPING = ("Beit", "Bit", "CLIP", "DeiT", "MobileNetV1", "MobileNetV2")
_PLAIN = ("Pvt", "Segformer", "Siglip", "ViT")
_KNOWN = sorted((*_CROPPING, "ConvNext", *_PLAIN))
# Old files name no processor; transformers goes by the model then.
_BY_MODEL = {
    "beit": "Beit",
    "bit": "Bit",
    "clip": "CLIP",
    "convnext": "ConvNext",
    "convnextv2": "ConvNext",
    "cvt": "ConvNext",
    "data2vec-vision": "Beit",
    "deit": "DeiT",
    "dinov2": "Bit",
    "focalnet": "Bit",
    "hiera": "Bit",
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
    "pvt": "Pvt",
    "regnet": "ConvNext",
    "resnet": "ConvNext",
    "segformer": "Segformer",
    "siglip": "Siglip",
    "swin": "ViT",
    "swinv2": "ViT",
    "van": "ConvNext",
    "vit": "ViT",
    "vit_msn": "ViT",
}
# What other processors do. They are refused by name, as an unknown key may be harmless.
_UNSUPPORTED = ("do_flip_channel_order", "do_pad", "rescale_offset", "do_thumbnail")
_FILTERS = range(6)
_WRITE = "AutoImageProcessor.from_pretrained(FOLDER, use_fast=False).save_pretrained(FOLDER)"


def read_image_processor(folder: Path, model_type: str) -> ImagePreprocessor:
    """
    Read how a model wants its images.

    Args:
        folder: Holds the preprocessor_config.json.
        model_type: Of the model's config.json; tells the processor where the file does not.

    Raises:
        ConfigError: If a setting is missing, wrong, or one that export does not know; the
            message names it.
        MissingExtra: If Pillow is not installed.
    """
    require("PIL", extra="export")
    from tritonkit.export.images.preprocess import ImagePreprocessor

    file = folder / CONFIG_NAME
    if not file.is_file():
        raise ConfigError(f"{file} is missing; {_WRITE} writes it for models that have one.")
    config = read_json(file, dict)
    kind = _kind(config, file, model_type)
    for key in _UNSUPPORTED:
        if config.get(key):
            raise ConfigError(f"{file}: export's preprocessing has no {key}; false would work.")
    resize, crop = _sizes(config, file, kind)
    if len(crop or resize) != 2:
        raise ConfigError(
            f"{file}: images would come out in different sizes, and a batch needs one; do_resize "
            "with size {height, width}, or do_center_crop, would work."
        )
    normalised = _flag(config, "do_normalize", file)
    rescaled = _flag(config, "do_rescale", file)
    return ImagePreprocessor(
        resize=resize,
        crop=crop,
        resample=_resample(config, file) if resize else 0,
        scale=_number(config, "rescale_factor", file, 1 / 255) if rescaled else 1.0,
        mean=_colours(config, "image_mean", file) if normalised else (0.0,) * 3,
        std=_colours(config, "image_std", file) if normalised else (1.0,) * 3,
    )


def _kind(config: dict[str, Any], file: Path, model_type: str) -> str:
    """The processor's name without ImageProcessor and Fast."""
    named = value_of(config, "image_processor_type", str, file=file) or value_of(
        config, "feature_extractor_type", str, file=file
    )
    kind = str(named or _BY_MODEL.get(model_type, model_type))
    for ending in ("Fast", "ImageProcessor", "FeatureExtractor"):
        kind = kind.removesuffix(ending)
    if kind not in _KNOWN:
        raise ConfigError(
            f"{file}: export cannot preprocess as {named or model_type} does; it knows the image "
            f"processors {', '.join(_KNOWN)}."
        )
    return kind


def _sizes(
    config: dict[str, Any], file: Path, kind: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What to resize to and what to cut out, as `ImagePreprocessor` has them."""
    resize: tuple[int, ...] = ()
    crop: tuple[int, ...] = ()
    if _flag(config, "do_resize", file):
        shortest = kind in ("Bit", "CLIP", "ConvNext", "MobileNetV1", "MobileNetV2")
        resize = _size(config, "size", file, square=not shortest)
        if kind == "ConvNext":
            if len(resize) == 2:
                raise ConfigError(f"{file}: size must be the shortest_edge for ConvNext.")
            resize, crop = _convnext(resize[0], _number(config, "crop_pct", file, 224 / 256))
        elif len(resize) == 1 and not shortest:
            raise ConfigError(f"{file}: size must be height and width for {kind}.")
    if kind in _CROPPING and _flag(config, "do_center_crop", file):
        crop = _size(config, "crop_size", file, square=True)
    return resize, crop


def _convnext(edge: int, share: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """ConvNext's processor crops small images and squeezes large ones."""
    return ((int(edge / share),), (edge, edge)) if edge < 384 else ((edge, edge), ())


def _size(config: dict[str, Any], key: str, file: Path, *, square: bool) -> tuple[int, ...]:
    size = config.get(key)
    if isinstance(size, int):
        size = {"height": size, "width": size} if square else {"shortest_edge": size}
    if isinstance(size, dict):
        for names in (("height", "width"), ("shortest_edge",)):
            found = tuple(size[name] for name in names if name in size)
            if set(size) == set(names) and all(type(n) is int and n > 0 for n in found):
                return found
    raise ConfigError(
        f"{file}: {key} must be {{height, width}} or {{shortest_edge}} in pixels, but got "
        f"{size!r}; {_WRITE} writes it."
    )


def _flag(config: dict[str, Any], key: str, file: Path) -> bool:
    flag = value_of(config, key, bool, file=file)
    # Processors default to true, but take null for false.
    return bool(flag) if key in config else True


def _number(config: dict[str, Any], key: str, file: Path, default: float) -> float:
    given = value_of(config, key, float, int, file=file)
    number = default if given is None else float(given)
    if not 0 < number < math.inf:
        raise ConfigError(f"{file}: {key} must be above 0, but got {number}.")
    return number


def _colours(config: dict[str, Any], key: str, file: Path) -> tuple[float, ...]:
    values: Any = config.get(key)
    listed: list[Any] = values if isinstance(values, list) else [values] * 3
    if len(listed) != 3 or not all(
        type(value) in (int, float) and math.isfinite(value) for value in listed
    ):
        raise ConfigError(
            f"{file}: {key} must be a number each for red, green and blue, but got {values!r}; "
            f"{_WRITE} writes it."
        )
    if key == "image_std" and not all(value > 0 for value in listed):
        raise ConfigError(f"{file}: image_std must be above 0, but got {values!r}.")
    return tuple(map(float, listed))


def _resample(config: dict[str, Any], file: Path) -> int:
    number = value_of(config, "resample", int, file=file)
    if number not in _FILTERS:
        raise ConfigError(
            f"{file}: resample must be one of Pillow's filters, 0 to {_FILTERS.stop - 1}, but got "
            f"{number}; {_WRITE} writes it."
        )
    return int(number)
