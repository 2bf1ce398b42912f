"""A torch.nn.Module of this process as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.graphs.judged import judged_output
from tritonkit.export.graphs.session import open_graph, run_graph
from tritonkit.export.graphs.signature import Signature
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Comparison, Converted, Feeds, Source
from tritonkit.export.sources.torch.call import answer_batch
from tritonkit.export.sources.torch.example_rows import close, largest, random_like
from tritonkit.export.sources.torch.trace import trace
from tritonkit.export.sources.torch.trials import (
    Columns,
    FreeAxes,
    free_axes,
    other_numbers,
    other_sizes,
)
from tritonkit.extras import require

if TYPE_CHECKING:
    import torch

__all__ = ["TorchModule"]

_SAMPLES = 64
_LOOK = "Look for a constant size in a view or reshape; x.shape[0] or -1 would work."


class TorchModule(Source):
    """
    A torch.nn.Module, converted by tracing it in evaluation mode.

    A trace holds what one batch did. It is therefore run on other batch sizes, other sizes
    of the axes in dynamic_axes and other numbers, and refused where it does not answer as
    the module does.

    Args:
        module: The module; its mode, weights and buffers are left as they are.
        example_inputs: A tensor for each input, by name; the first axis is the batch.
            They are given by name if forward has parameters of these names, else in
            this order.
        name: What a served model is called; the class's name unless given.
        output_names: Names of what it answers, in order. Unless given: the keys of a dict,
            else output, or output_0, output_1, ... of several.
        dynamic_axes: Axes of any size besides the batch, by input or output, such as
            {"ids": {1: "length"}}.
        comparison: "values", or "classes" where the judged output holds a number for
            each class.
        judged: The output that is judged; the first one of floating point unless given.

    Raises:
        ConfigError: If the module cannot answer batches of any size, or an argument
            does not fit it.
        ExportError: If torch cannot convert it, or the trace does not answer as the
            module does; the message gives torch's reason.
        MissingExtra: If the export extra is not installed.
    """

    kind = "torch module"
    path = ""
    role = "model"
    versions = ("onnx", "torch")

    def __init__(
        self,
        module: torch.nn.Module,
        example_inputs: Mapping[str, torch.Tensor],
        *,
        name: str | None = None,
        output_names: Sequence[str] | None = None,
        dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
        comparison: Comparison = "values",
        judged: str | None = None,
    ) -> None:
        label = type(module).__name__
        if not isinstance(module, require("torch", extra="export").nn.Module):
            raise ConfigError(f"a TorchModule takes a torch.nn.Module, but got {module!r:.60}.")
        self.name = name or label
        self._module = module
        self._examples = _examples(example_inputs, label)
        self._keys = tuple(answer_batch(module, self._rows(2)))
        self._names = tuple(output_names) if output_names is not None else self._keys
        if len(self._names) != len(self._keys):
            raise ConfigError(
                f"{label} answers {len(self._keys)} tensors, but output_names has "
                f"{len(self._names)}."
            )
        axes = dict(dynamic_axes or {})
        unknown = sorted(set(axes) - {*self._examples, *self._names})
        if unknown:
            raise ConfigError(f"dynamic_axes names {unknown[0]!r}, which {label} does not have.")
        free = free_axes(self._arrays(), axes)
        self._model, warned = trace(module, self._rows(2), self._names, axes)
        try:
            self._signature = Signature.of(self._model)
        except ExportError as error:
            raise ConfigError(f"{label}: {error}") from error
        if not self._signature.batched:
            fixed = [name for name, dims in self._signature.dims.items() if dims[0] == 2]
            raise ExportError(
                f"the ONNX graph of {label}, traced with 2 rows, has 2 rows in {', '.join(fixed)} "
                f"whatever it is given. {_LOOK}"
            )
        self._check(label, warned, free)
        self.digest = _digest(module, self._model)
        self.judged = judged_output(self._signature.outputs, judged, comparison, where=label)
        self.comparison = comparison

    @property
    def needed_input_sizes(self) -> Mapping[str, tuple[int, ...]]:
        """Dims of the example, for each input of variable size."""
        return {
            tensor.name: tuple(self._examples[tensor.name].shape[1:]) or (1,)
            for tensor in self._signature.inputs
            if -1 in tensor.dims
        }

    def builtin_samples(self) -> Samples:
        """The rows of the example inputs, filled up to 64 with random ones like them."""
        generator = np.random.default_rng(0)
        columns = {
            name: np.concatenate([array, random_like(array, _SAMPLES, generator)])[:_SAMPLES]
            for name, array in self._arrays().items()
        }
        return Samples(columns, "the example inputs, and random ones like them, seed 0")

    def convert(self, folder: Path, samples: Samples) -> Converted:
        """
        Write the graph, and let the module itself answer *samples*, one at a time.

        Raises:
            ConfigError: If a sample does not fit the module.
        """
        onnx = require("onnx", extra="export")
        answers: dict[str, list[NDArray[Any]]] = {name: [] for name in self._names}
        for position in range(len(samples)):
            feeds = self._signature.feeds(samples.take([position]))
            for name, rows in self._signature.rows(self._answer(feeds)).items():
                answers[name].extend(rows)
        graph = folder / "model.onnx"
        onnx.save(self._model, graph)
        return Converted(graph, answers)

    def prepare(self, samples: Samples) -> Feeds:
        """The columns of *samples*, in the types of the module's inputs."""
        return self._signature.feeds(samples)

    def finish(self, model: Any) -> Any:
        """Write the sizes of inputs and outputs that stages may have lost."""
        return self._signature.write(model)

    def rows(self, feeds: Feeds, outputs: Mapping[str, NDArray[Any]]) -> Answers:
        """The answers by sample."""
        del feeds
        return self._signature.rows(outputs)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: tensor.cpu().numpy() for name, tensor in self._examples.items()}

    def _rows(self, count: int) -> dict[str, Any]:
        """*count* rows of the example inputs, over again where there are fewer."""
        return {
            name: tensor[[row % len(tensor) for row in range(count)]]
            for name, tensor in self._examples.items()
        }

    def _fed(self, columns: Columns) -> Feeds:
        return self._signature.feeds(Samples(columns, "trial"))

    def _answer(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """What the module answers, with the axes that the graph has."""
        torch = require("torch", extra="export")
        tensors = {
            name: torch.from_numpy(feeds[name].reshape(len(feeds[name]), *example.shape[1:]))
            if example.ndim == 1
            else torch.from_numpy(feeds[name])
            for name, example in self._examples.items()
        }
        given = {name: t.to(self._examples[name].device) for name, t in tensors.items()}
        arrays = {}
        outputs = answer_batch(self._module, given).values()
        for tensor, output in zip(self._signature.outputs, outputs, strict=True):
            array = output.detach().cpu().numpy()
            arrays[tensor.name] = array if array.ndim > len(tensor.dims) else array[:, np.newaxis]
        return arrays

    def _check(self, label: str, warned: tuple[str, ...], free: FreeAxes) -> None:
        """Refuse a trace that is true of its own batch only."""
        session = open_graph(self._model.SerializeToString(), what=label)
        examples = self._arrays()
        batches = [
            *other_numbers(examples),
            *other_sizes(examples, free, lambda columns: self._answer(self._fed(columns))),
        ]
        trials = [(feeds, self._answer(feeds)) for feeds in map(self._fed, batches)]
        scales = {}
        for name, first in trials[0][1].items():
            if first.dtype.kind == "f":
                scales[name] = largest(expected[name] for _, expected in trials)
                if not any(np.isfinite(expected[name]).any() for _, expected in trials[1:]):
                    raise ConfigError(
                        f"{label} answers {name!r} with no finite number for inputs like the "
                        "example, so nothing shows that its graph is right; give others."
                    )
        for feeds, expected in trials:
            count = len(next(iter(feeds.values())))
            shape = ", ".join(f"{name} {list(array.shape)}" for name, array in feeds.items())
            again = self._answer(feeds)
            try:
                outputs = run_graph(session, feeds, f"a batch of {count}")
            except ConfigError as error:
                raise ExportError(
                    f"the ONNX graph of {label} was traced with 2 rows; {error}. {_LOOK}"
                ) from error
            found = dict(zip(expected, outputs, strict=True))
            for name, array in expected.items():
                if not close(array, again[name], scales.get(name, 0.0)):
                    raise ConfigError(
                        f"{label} answers {name!r} differently each time, in evaluation mode too; "
                        "what is random in it must go."
                    )
                if not close(array, found[name], scales.get(name, 0.0)):
                    hint = f" torch warned: {warned[0]}" if warned else ""
                    raise ExportError(
                        f"the ONNX graph of {label} does not answer {name!r} as the module does "
                        f"for other inputs than it was traced with ({shape}). A forward "
                        f"without branches or loops that depend on values would work.{hint}"
                    )


def _examples(given: Mapping[str, Any], label: str) -> dict[str, Any]:
    torch = require("torch", extra="export")
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"example_inputs must name each input, as in {{'x': tensor}}, but is a "
            f"{type(given).__name__}."
        )
    for name, tensor in given.items():
        if not isinstance(tensor, torch.Tensor) or tensor.ndim == 0 or len(tensor) == 0:
            raise ConfigError(
                f"example_inputs[{name!r}] must be a tensor whose first axis is the batch, "
                f"but got {tensor!r:.60}."
            )
    rows = {name: len(tensor) for name, tensor in given.items()}
    if len(set(rows.values())) != 1:
        raise ConfigError(
            f"the example inputs of {label} must be one batch, but have {rows or 'no'} rows."
        )
    for name, tensor in given.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ConfigError(
                f"example_inputs[{name!r}] holds numbers that are not finite; what the graph is "
                "tried on is made like the example, and shows nothing then."
            )
    return {name: tensor.detach() for name, tensor in given.items()}


def _digest(module: Any, model: Any) -> str:
    kind = type(module)
    total = hashlib.sha256(f"{kind.__module__}.{kind.__qualname__}\n".encode())
    for name, value in module.state_dict().items():
        if hasattr(value, "detach"):
            array = value.detach().cpu().contiguous().reshape(-1)
            total.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
            total.update(array.view(require("torch", extra="export").uint8).numpy().tobytes())
    total.update(model.SerializeToString(deterministic=True))
    return total.hexdigest()
