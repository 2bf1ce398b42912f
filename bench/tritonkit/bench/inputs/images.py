"""Pictures as a model takes them: decoded and resized, or as the bytes of their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.entry import Encoded, Entry
from tritonkit.client import Signature, TensorSpec
from tritonkit.client.wire.datatypes import DATATYPES, to_bfloat16
from tritonkit.errors import ConfigError, InvalidInput
from tritonkit.extras import require

__all__ = ["SCALINGS", "SUFFIXES", "Images", "Scaling"]

Scaling: TypeAlias = Literal["none", "unit", "symmetric", "imagenet"]
"""0 to 255; 0 to 1; -1 to 1; 0 to 1 less ImageNet's mean, over its standard deviation."""

SCALINGS: tuple[Scaling, ...] = get_args(Scaling)

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""Of the files that are taken for pictures."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


class Images:
    """
    Entries of one picture each, in the order of their names.

    A text input, and one of UINT8 with one dynamic dimension, gets the file as it is,
    for a model that decodes. Any other gets pixels, channels first or last as its
    dimensions say; where they leave height and width open the picture keeps its own.

    Args:
        files: The pictures.
        signature: Of the model that takes them.
        name: The input; None for the only one that can take them.
        scaling: Of the values; None for "none" with integers and "unit" with floats.

    Raises:
        ConfigError: If no input can take them, or several can.
        MissingExtra: If Pillow is not installed and pixels are wanted.
    """

    def __init__(
        self,
        files: Sequence[Path],
        signature: Signature,
        *,
        name: str | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        self._files = files
        self._scaling = scaling
        if name is None:
            takers = [spec.name for spec in signature.inputs.values() if _takes(spec)]
            if len(takers) != 1:
                raise ConfigError(
                    f"{files[0]}: {len(takers) or 'none'} of the inputs of model "
                    f"{signature.model!r} can take a picture: "
                    f"{', '.join(takers or signature.inputs)}; name one: NAME=PATH."
                )
            (name,) = takers
        elif name not in signature.inputs:
            raise ConfigError(
                f"model {signature.model!r} has no input {name!r}; "
                f"it takes {', '.join(signature.inputs)}."
            )
        self._name = name

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Entry]:
        for path in self._files:
            yield Entry(place=str(path), inputs={self._name: _Picture(path, self._scaling)})


@dataclass(frozen=True, slots=True)
class _Picture(Encoded):
    path: Path
    scaling: Scaling | None

    def array(self, datatype: str, dims: Sequence[int]) -> NDArray[Any]:
        if _as_bytes(datatype, dims):
            try:
                data = self.path.read_bytes()
            except OSError as error:
                raise InvalidInput(f"cannot be read: {error}") from error
            if datatype == "UINT8":
                return np.frombuffer(data, dtype=np.uint8)
            array = np.empty(1, dtype=np.object_)
            array[0] = data
            return array.reshape([1] * len(dims))
        first, channels, height, width = _layout(dims)
        pixels = self._pixels(channels, height, width)
        if first:
            pixels = np.moveaxis(pixels, -1, 0)
        return np.ascontiguousarray(_scaled(pixels, datatype, self.scaling, first=first))

    def _pixels(self, channels: int, height: int, width: int) -> NDArray[np.uint8]:
        """Height, width, channels."""
        image = require("PIL.Image", extra="export")
        try:
            with image.open(self.path) as opened:
                size = (
                    width if width > 0 else opened.width,
                    height if height > 0 else opened.height,
                )
                picture = opened.convert(_MODES[channels])
                if size != picture.size:
                    picture = picture.resize(size, image.Resampling.BILINEAR)
        # Pillow raises SyntaxError for some broken files.
        except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:
            raise InvalidInput(f"is no picture that Pillow can read: {error}") from error
        return np.asarray(picture, dtype=np.uint8).reshape(size[1], size[0], channels)


def _takes(spec: TensorSpec) -> bool:
    dims = spec.shape[1:] if spec.batched else spec.shape
    if _as_bytes(spec.datatype, dims):
        return True
    return spec.datatype not in ("BOOL", "BYTES") and len(dims) == 3 and _guess(dims) is not None


def _as_bytes(datatype: str, dims: Sequence[int]) -> bool:
    """Whether the input takes the file as it is."""
    if datatype == "BYTES":
        return all(dim in (-1, 1) for dim in dims)
    return datatype == "UINT8" and tuple(dims) == (-1,)


def _guess(dims: Sequence[int]) -> bool | None:
    """Whether the channels are the first of three dimensions; None where they cannot be told."""
    # A picture of three rows is less likely than one of three channels, and so on.
    for channels in (3, 1, 4):
        if channels in (dims[0], dims[2]):
            return dims[0] == channels
    return None


def _layout(dims: Sequence[int]) -> tuple[bool, int, int, int]:
    """Whether channels come first; channels, height, width."""
    first = _guess(dims) if len(dims) == 3 else None
    if first is None:
        raise InvalidInput(
            f"has dimensions {list(dims)}: a picture needs three, with 1, 3 or 4 channels "
            "first or last; tell them with --shape, such as image:3,224,224"
        )
    channels, height, width = dims if first else (dims[2], dims[0], dims[1])
    return first, channels, height, width


def _scaled(
    pixels: NDArray[np.uint8], datatype: str, scaling: Scaling | None, *, first: bool
) -> NDArray[Any]:
    dtype = DATATYPES[datatype]
    if dtype.kind != "f":
        if scaling not in (None, "none"):
            raise InvalidInput(f"is {datatype}, which cannot be scaled by {scaling!r}: use 'none'")
        if dtype == np.int8:
            raise InvalidInput("is INT8, which does not hold pixels of 0 to 255")
        return pixels.astype(dtype)
    values: NDArray[Any] = pixels.astype(np.float32)
    match scaling or "unit":
        case "unit":
            values = values / 255
        case "symmetric":
            values = values / 127.5 - 1
        case "imagenet":
            if pixels.shape[0 if first else -1] != 3:
                raise InvalidInput("has no three channels, for which ImageNet's scaling is")
            by_channel = (3, 1, 1) if first else (3,)
            mean, std = _IMAGENET_MEAN.reshape(by_channel), _IMAGENET_STD.reshape(by_channel)
            values = (values / 255 - mean) / std
    return to_bfloat16(values) if datatype == "BF16" else values.astype(dtype)
