"""A Hugging Face folder with an image classifier as a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export import images as images_package
from tritonkit.export.child import require_installed, run_child
from tritonkit.export.graphs.classes import Activation, append_classes
from tritonkit.export.graphs.shapes import BATCH, set_dims
from tritonkit.export.json_file import value_of
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.hugging_face.class_names import class_names
from tritonkit.export.sources.hugging_face.folder import (
    digest_folders,
    read_config,
    require_safetensors,
)
from tritonkit.export.sources.hugging_face.hub import commit_note
from tritonkit.export.sources.images.generated_images import generated_images
from tritonkit.export.sources.images.image_processor import read_image_processor
from tritonkit.export.sources.source import Converted, Feeds, Part, Source
from tritonkit.extras import require
from tritonkit.repository import Tensor

if TYPE_CHECKING:
    from tritonkit.export.images.preprocess import ImagePreprocessor

__all__ = ["HEADS", "ImageClassifier"]

HEADS = ("ForImageClassification", "ForImageClassificationWithTeacher")
"""How the architectures end that it takes."""


@dataclass(eq=False, slots=True)
class ImageClassifier(Source):
    """
    A network that names what an image shows, and how images are made ready for it.

    It takes `image`, the bytes of a JPEG, PNG or WebP file, and answers `label`, the name
    of the most probable class, and `probabilities`, one for each class.

    Args:
        path: What the user named.
        folder: The folder with config.json, preprocessor_config.json and weights.
        name: Short name.
        digest: sha256 over the files that decide the answers, 64 hex digits.
        classes: Names of the classes.
        activation: "softmax" where a class is one of several, "sigmoid" where several
            can hold at once.
        preprocessor: How images are made ready.
        revision: The commit on the hub; empty for a folder.
    """

    path: str
    folder: Path
    name: str
    digest: str
    classes: tuple[str, ...]
    activation: Activation
    preprocessor: ImagePreprocessor
    revision: str = ""

    kind = "image classifier of transformers"
    role = "classifier"
    comparison = "classes"
    judged = "probabilities"
    versions = ("optimum", "optimum-onnx", "pillow", "torch", "transformers")

    @classmethod
    def read(cls, folder: Path, *, path: str = "", revision: str = "") -> ImageClassifier:
        """
        Read a folder as `save_pretrained` of a model and its image processor writes it.

        Args:
            folder: The folder.
            path: What the user named, where it is not the folder.
            revision: The commit on the hub, if it comes from there.

        Raises:
            ConfigError: If it has a part that export cannot convert; the message names it.
            MissingExtra: If Pillow is not installed.
        """
        folder = folder.resolve()
        path = path or str(folder)
        file, config = folder / "config.json", read_config(folder)
        _refuse_other_models(config, file)
        require_safetensors(folder)
        classes = class_names(config, file)
        problem = value_of(config, "problem_type", str, file=file)
        if problem == "regression":
            raise ConfigError(f"{file}: export converts image classifiers, no regression.")
        several = problem == "multi_label_classification" or len(classes) == 1
        model_type = value_of(config, "model_type", str, file=file) or ""
        return cls(
            path=path,
            folder=folder,
            name=Path(path).name,
            digest=digest_folders([folder]),
            classes=classes,
            activation="sigmoid" if several else "softmax",
            preprocessor=read_image_processor(folder, model_type),
            revision=revision,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """The commit on the hub, if it comes from there."""
        return commit_note(self.revision)

    @property
    def before(self) -> Part:
        """Decodes images, and makes pixels of them."""
        here = Path(images_package.__file__).parent
        return Part(
            role="image",
            inputs=(Tensor("image", "TYPE_STRING", (1,)),),
            outputs=(Tensor("pixel_values", "TYPE_FP32", (3, *self.preprocessor.size)),),
            files={name: here / name for name in ("model.py", "preprocess.py")},
            parameters=self.preprocessor.parameters(),
        )

    def builtin_samples(self) -> Samples:
        """24 generated images; they show no classifier what it was trained on."""
        images = np.array(generated_images(), np.object_)
        return Samples({"image": images}, "built-in, generated")

    def convert(self, folder: Path, samples: Samples) -> Converted:
        """
        Convert with optimum, and let transformers and torch answer *samples*.

        Raises:
            ConfigError: If a sample is no image.
            ExportError: If the conversion fails; the message ends with its output.
            MissingExtra: If the export extra is not installed.
        """
        require_installed("onnx", "optimum", "torch", "transformers", extra="export")
        pixels = self.prepare(samples)["pixel_values"]
        images = folder / "images"
        images.mkdir()
        for number, content in enumerate(samples.columns["image"]):
            (images / f"{number}").write_bytes(content)
        np.save(images / "pixels.npy", pixels)
        run_child(
            "tritonkit.export.sources.images.conversion",
            [str(self.folder), self.activation, str(folder)],
            folder=folder,
            what=f"{self.path} could not be converted to ONNX",
        )
        onnx = require("onnx", extra="export")
        graph = folder / "model.onnx"
        onnx.save(self._sized(onnx.load(graph)), graph)
        probabilities = np.load(folder / "probabilities.npy")
        labels = np.array(self.classes, np.object_)[probabilities.argmax(axis=1)]
        return Converted(
            graph, {"label": list(labels[:, np.newaxis]), "probabilities": list(probabilities)}
        )

    def prepare(self, samples: Samples) -> Feeds:
        """
        Pixels, FP32 (samples, 3, height, width).

        Raises:
            ConfigError: If there is no column `image`, or a sample is no image.
        """
        if "image" not in samples.columns:
            raise ConfigError(
                "the samples have no column 'image'; an image classifier takes image files."
            )
        read: list[NDArray[np.uint8]] = []
        for position, content in enumerate(samples.columns["image"]):
            try:
                read.append(self.preprocessor.read(content))
            except ValueError as error:
                raise ConfigError(f"sample {position}: {error}.") from error
        return {"pixel_values": self.preprocessor.normalise(read)}

    def finish(self, model: Any) -> Any:
        """Append softmax or sigmoid, and the name of the most probable class."""
        return append_classes(self._sized(model), self.classes, activation=self.activation)

    def _sized(self, model: Any) -> Any:
        sizes: Mapping[str, tuple[int | str, ...]] = {
            "pixel_values": (BATCH, 3, *self.preprocessor.size),
            "logits": (BATCH, len(self.classes)),
        }
        set_dims(model, sizes)
        return model


def _refuse_other_models(config: Mapping[str, Any], file: Path) -> None:
    architectures = value_of(config, "architectures", list, file=file) or ["no architecture"]
    if not str(architectures[0]).endswith(HEADS):
        raise ConfigError(
            f"{file}: {architectures[0]} is no image classifier; export converts architectures "
            f"that end in {HEADS[0]}."
        )
    channels = value_of(config, "num_channels", int, file=file)
    if channels not in (None, 3):
        raise ConfigError(
            f"{file}: export's images have 3 channels, but the model takes {channels}."
        )
