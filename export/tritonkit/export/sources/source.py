"""What every kind of source is to the rest of export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

from tritonkit.export.samples.samples import Samples
from tritonkit.repository import Tensor

__all__ = ["Answers", "Comparison", "Converted", "Feeds", "Part", "Source"]

Feeds: TypeAlias = Mapping[str, NDArray[Any]]
"""What one run of an ONNX graph is fed, by input; the first axis is rows."""

Answers: TypeAlias = Mapping[str, Sequence[NDArray[Any]]]
"""By output of the finished graph, one array for each sample, without the row axis."""

Comparison: TypeAlias = Literal["embeddings", "classes", "token_classes", "ranks", "values"]
"""
How answers are judged.

embeddings: by direction, and by what a search among them finds.
classes: a probability for each class; by the most probable one.
token_classes: a row of classes for each token, (tokens, classes).
ranks: an ordered list of strings, best first.
values: numbers; by their difference.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    A model of Triton's Python backend, in front of a graph or behind it.

    Args:
        role: What it does in a word, such as "tokenizer"; ends its name, NAME_tokenizer.
        inputs: Its inputs, dims without the batch axis.
        outputs: Its outputs, dims without the batch axis.
        files: What its version directory holds; model.py among them.
        parameters: What its model.py reads from the configuration.
        shared: Whether all precisions of an export use one such model.
    """

    role: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    files: Mapping[str, Path | bytes]
    parameters: Mapping[str, str] = field(default_factory=dict)
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Converted:
    """
    A source as ONNX.

    Args:
        graph: FP32 ONNX file of opset 17, before `Source.finish`; what stages work on.
        reference: The answers of the source's own library to the samples, by output of
            the finished graph.
    """

    graph: Path
    reference: Answers


class Source(ABC):
    """
    A model as people have it.

    A source is read and checked when it is made; nothing heavy is imported until
    `convert`. What it tells must stay the same for its whole life.
    """

    kind: str
    """What it is, in words: "sentence-transformers folder"."""

    path: str
    """What the user named: a folder, a file, a hub id; empty for an object in memory."""

    name: str
    """Short name, of the folder or file: what a served model is called unless told."""

    digest: str
    """sha256 over all that decides the answers, 64 hex digits."""

    role: str
    """What its graph is: "encoder", "classifier"; ends its name where parts stand beside it."""

    comparison: Comparison
    """How its answers are judged."""

    judged: str
    """The output that is judged first, such as "embedding"."""

    versions: tuple[str, ...]
    """Packages that take part in its conversion, for the card."""

    @abstractmethod
    def builtin_samples(self) -> Samples | None:
        """Samples of its own; None where only its user has any."""

    @abstractmethod
    def convert(self, folder: Path, samples: Samples) -> Converted:
        """
        Convert to ONNX and let the source's own library answer *samples*.

        Args:
            folder: An empty directory to write into.
            samples: Of this source's columns.

        Raises:
            ConfigError: If the source or a sample is one that export cannot convert.
            ExportError: If the conversion fails; the message ends with its output.
            MissingExtra: If an extra is not installed.
        """

    @abstractmethod
    def prepare(self, samples: Samples) -> Feeds:
        """*samples* as one batch of the graph, made as the part in front makes it."""

    def finish(self, model: Any) -> Any:
        """
        Append to *model* what is not quantised: pooling, softmax, labels, static shapes.

        Args:
            model: onnx.ModelProto, converted and perhaps quantised; it may be changed.

        Returns:
            The onnx.ModelProto that Triton runs. Each of its inputs and outputs has a
            symbolic first axis, the batch, unless `batched` is False, and static
            sizes where they are known.
        """
        return model

    def rows(self, feeds: Feeds, outputs: Mapping[str, NDArray[Any]]) -> Answers:
        """
        What the finished graph gave for *feeds*, a row at a time.

        A source whose outputs are padded cuts the padding off here.
        """
        del feeds
        return {name: list(output) for name, output in outputs.items()}

    @property
    def batched(self) -> bool:
        """Whether the first axis of every input and output is the batch."""
        return True

    @property
    def before(self) -> Part | None:
        """What turns a client's inputs into the graph's."""
        return None

    @property
    def after(self) -> Part | None:
        """What turns the graph's outputs into a client's."""
        return None

    @property
    def passed_on(self) -> tuple[str, ...]:
        """Outputs of the part in front that clients receive too, such as "attention_mask"."""
        return ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, where it has any; written into labels.txt."""
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the card says of the source besides, such as "opset 9, converted to 17"."""
        return ()

    @property
    def needed_input_sizes(self) -> Mapping[str, tuple[int, ...]]:
        """For each graph input of variable size, dims of a short warm-up request."""
        return {}
