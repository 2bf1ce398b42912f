"""Image files to pixels as a network takes them."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["FORMATS", "ImagePreprocessor"]

FORMATS = ("JPEG", "PNG", "WEBP")
"""What is decoded. Pillow knows formats that start other programs; nobody can send them."""

# A model configuration drops empty strings.
_NONE = "none"


@dataclass(frozen=True)
class ImagePreprocessor:
    """
    Decodes, resizes, crops and normalises, as transformers' image processors on Pillow do.

    Args:
        resize: (height, width), or (shortest edge,) that keeps the proportions, or ().
        crop: (height, width) that is cut out of the centre, black where the image is
            smaller; or ().
        resample: Pillow's number of the filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic.
        scale: What values 0 to 255 are multiplied by.
        mean: Then subtracted from red, green and blue.
        std: Then divided by.
    """

    resize: tuple[int, ...]
    crop: tuple[int, ...]
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_parameters(cls, values: dict[str, str]) -> ImagePreprocessor:
        """From the strings that `parameters` makes."""
        return cls(
            resize=_sizes(values["resize"]),
            crop=_sizes(values["crop"]),
            resample=int(values["resample"]),
            scale=float(values["scale"]),
            mean=tuple(map(float, values["mean"].split())),
            std=tuple(map(float, values["std"].split())),
        )

    def parameters(self) -> dict[str, str]:
        """As strings, which is what a model configuration holds."""
        return {
            "resize": " ".join(map(str, self.resize)) or _NONE,
            "crop": " ".join(map(str, self.crop)) or _NONE,
            "resample": str(self.resample),
            "scale": repr(self.scale),
            "mean": " ".join(map(repr, self.mean)),
            "std": " ".join(map(repr, self.std)),
        }

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what comes out."""
        height, width = self.crop or self.resize
        return height, width

    def read(self, content: bytes) -> NDArray[np.uint8]:
        """
        Decode, resize and crop one image.

        Returns:
            RGB, shape (height, width, 3).

        Raises:
            ValueError: If *content* is no image, is broken or too large; in words.
        """
        image = self._resized(_decoded(content))
        return _centre(np.asarray(image), self.crop) if self.crop else np.asarray(image)

    def normalise(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """
        Join what `read` gave.

        Returns:
            FP32, shape (images, 3, height, width).
        """
        # There are 256 values a channel: each is worked out once, to the last bit as
        # transformers does, which multiplies in double precision.
        values = (np.arange(256, dtype=np.float64) * self.scale).astype(np.float32)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        table = (values - mean[:, np.newaxis]) / std[:, np.newaxis]
        pixels = np.empty((len(images), 3, *self.size), np.float32)
        for image, target in zip(images, pixels, strict=True):
            for channel in range(3):
                np.take(table[channel], image[:, :, channel], out=target[channel])
        return pixels

    def _resized(self, image: Image.Image) -> Image.Image:
        if not self.resize:
            return image
        if len(self.resize) == 2:
            height, width = self.resize
        else:
            edge, short = self.resize[0], min(image.size)
            width, height = (edge if n == short else int(edge * n / short) for n in image.size)
        # A file of a few bytes can hold one row of many thousand pixels.
        if height * width > _most_pixels():
            raise ValueError(
                f"the image is {image.width} by {image.height} pixels: too long for its breadth"
            )
        return image.resize((width, height), resample=self.resample)


def _sizes(text: str) -> tuple[int, ...]:
    return () if text == _NONE else tuple(map(int, text.split()))


def _decoded(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Of odd palettes, for instance, which nobody can act on.
            warnings.simplefilter("ignore")
            # Without it a bomb of up to twice the limit is decoded.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            return ImageOps.exif_transpose(image).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the image has more than {_most_pixels()} pixels") from error
    except UnidentifiedImageError as error:
        formats = "JPEG, PNG or WebP"
        raise ValueError(f"these {len(content)} bytes are no {formats} image") from error
    except MemoryError as error:
        raise ValueError("the image takes more memory than there is") from error
    except Exception as error:  # decoders raise what they like on broken files
        raise ValueError(f"the image is broken: {error}") from error


def _most_pixels() -> int:
    return Image.MAX_IMAGE_PIXELS or 2**31


def _centre(image: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """
    Cut *size* out of the centre.

    Where something is odd, a cut leaves the smaller half in front and a black border
    the larger one, as transformers has it.
    """
    for axis, wanted in enumerate(size):
        have = image.shape[axis]
        if have < wanted:
            front = math.ceil((wanted - have) / 2)
            border = [(0, 0)] * image.ndim
            border[axis] = (front, wanted - have - front)
            image = np.pad(image, border)
        else:
            start = (have - wanted) // 2
            image = image.take(range(start, start + wanted), axis)
    return image
