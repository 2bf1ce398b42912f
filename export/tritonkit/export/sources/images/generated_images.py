"""Images that a classifier is judged by where its user has none."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from tritonkit.extras import require

__all__ = ["generated_images"]

_SIZES = ((96, 96), (160, 120), (120, 200), (64, 256), (300, 224), (33, 47))


def generated_images() -> list[bytes]:
    """
    24 image files: gradients, shapes and noise of several sizes, as PNG, JPEG and WebP.

    The same each time with the same Pillow.
    """
    image_module = require("PIL.Image", extra="export")
    generator = np.random.default_rng(0)
    files = []
    for number in range(24):
        width, height = _SIZES[number % len(_SIZES)]
        pixels = _PICTURES[number % len(_PICTURES)](height, width, generator)
        file = io.BytesIO()
        image = image_module.fromarray(pixels)
        image.save(file, format=("PNG", "JPEG", "WEBP")[number % 3], quality=90)
        files.append(file.getvalue())
    return files


def _gradient(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    first, second, third = generator.integers(0, 256, (3, 3))
    return (
        np.asarray(first * (1 - down) * (1 - across) + second * down + third * across * (1 - down))
        .clip(0, 255)
        .astype(np.uint8)
    )


def _noise(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    coarse = generator.integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, 0).repeat(8, 1)[:height, :width])


def _disc(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    ground, colour = generator.integers(0, 256, (2, 3), np.uint8)
    y, x = np.ogrid[:height, :width]
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) / 3) ** 2
    return np.asarray(np.where(inside[:, :, None], colour, ground))


def _stripes(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    one, other = generator.integers(0, 256, (2, 3), np.uint8)
    y, x = np.ogrid[:height, :width]
    dark = (y * int(generator.integers(1, 4)) + x) // 12 % 2 == 0
    return np.asarray(np.where(dark[:, :, None], one, other))


_PICTURES = (_gradient, _noise, _disc, _stripes)
