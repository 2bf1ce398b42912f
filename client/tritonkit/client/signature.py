"""What a model takes and gives, from its metadata and configuration."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.conversion import to_array
from tritonkit.client.wire.datatypes import DATATYPES
from tritonkit.errors import InvalidInput, ProtocolError

__all__ = ["Signature", "TensorSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """
    One input or output.

    Args:
        name: Its name.
        datatype: Triton's name of its type.
        shape: With the batch dimension, where the model batches; -1 is any size.
        optional: Whether a request may leave it out.
        batched: Whether its first dimension is the rows of the request.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False
    batched: bool = False

    def __str__(self) -> str:
        return f"{self.datatype} {list(self.shape)}"

    def takes(self, array: NDArray[Any]) -> bool:
        """Whether *array* needs neither conversion nor a closer look."""
        return (
            array.dtype == DATATYPES[self.datatype]
            and array.shape[self.batched :] == self.shape[self.batched :]
            and self.datatype not in ("BF16", "BYTES")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    The tensors of a model.

    Args:
        model: Name of the model.
        inputs: In the model's order, by name.
        outputs: In the model's order, by name.
        max_batch_size: Rows a request may have; 0 where the model does not batch.
        instances: Requests that the model works on at a time; 0 where its
            configuration does not say, as an ensemble's.
    """

    model: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    max_batch_size: int
    instances: int = 0

    @classmethod
    def read(cls, metadata: Mapping[str, Any], config: Mapping[str, Any]) -> Signature:
        """
        Read a server's answers.

        Args:
            metadata: KServe v2 model metadata.
            config: Triton's model configuration.

        Raises:
            ProtocolError: If they are not what the protocol says.
        """
        try:
            fields = {field["name"]: field for field in config.get("input", ())}
            max_batch_size = int(config.get("max_batch_size", 0))
            return cls(
                model=metadata["name"],
                inputs=_specs(metadata["inputs"], fields, max_batch_size),
                outputs=_specs(metadata["outputs"], {}, max_batch_size),
                max_batch_size=max_batch_size,
                instances=sum(map(_instances, config.get("instance_group", ()))),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(
                f"the metadata or the configuration of a model cannot be read: {error!r}"
            ) from error

    def arrays(self, inputs: Mapping[str, Any] | Any) -> dict[str, NDArray[Any]]:
        """
        A user's inputs as the arrays that the model takes.

        Args:
            inputs: Arrays, nested lists, scalars, str or bytes by input name; or
                one of them by itself, for the only input that the model needs.

        Raises:
            InvalidInput: If a name, a type or a shape does not fit the model, or
                a value would change on the way.
        """
        if not isinstance(inputs, Mapping):
            inputs = {self._only_input(): inputs}
        if inputs.keys() != self.inputs.keys():
            self._check_names(inputs)
        arrays = {}
        rows: dict[str, int] = {}
        for name, value in inputs.items():
            spec = self.inputs[name]
            if type(value) is np.ndarray and spec.takes(value):
                arrays[name] = value
                if spec.batched:
                    rows[name] = len(value)
                continue
            try:
                array = to_array(value, spec.datatype, spec.shape, batched=spec.batched)
            except InvalidInput as error:
                raise InvalidInput(
                    f"input {name!r} of model {self.model!r} {error}", model=self.model
                ) from error
            arrays[name] = array
            if spec.batched:
                rows[name] = len(array)
        if rows:
            self._check_rows(rows)
        return arrays

    def _only_input(self) -> str:
        names = [name for name, spec in self.inputs.items() if not spec.optional]
        names = names or list(self.inputs)
        if len(names) != 1:
            pairs = ", ".join(f"{name!r}: ..." for name in names)
            raise InvalidInput(
                f"the inputs of model {self.model!r} must be named, for there are {len(names)}: "
                f"{{{pairs}}}; its inputs are {_listed(self.inputs.values())}",
                model=self.model,
            )
        return names[0]

    def check_outputs(self, outputs: Sequence[str]) -> None:
        """
        Check the names of wanted outputs.

        Raises:
            InvalidInput: If the model has no such output.
        """
        for name in outputs:
            if name not in self.outputs:
                raise InvalidInput(
                    f"model {self.model!r} has no output {name!r}{_hint(name, self.outputs)}; "
                    f"its outputs are {_listed(self.outputs.values())}",
                    model=self.model,
                )

    def _check_rows(self, rows: Mapping[str, int]) -> None:
        count = next(iter(rows.values()))
        if len(rows) > 1 and any(other != count for other in rows.values()):
            raise InvalidInput(
                f"the inputs of model {self.model!r} must have the same number of rows, but got "
                + ", ".join(f"{name}: {count}" for name, count in rows.items()),
                model=self.model,
            )
        if not 1 <= count <= self.max_batch_size:
            raise InvalidInput(
                f"model {self.model!r} takes 1 to {self.max_batch_size} rows a request, "
                f"but got {count}",
                model=self.model,
            )

    def _check_names(self, inputs: Collection[str]) -> None:
        missing = [n for n, spec in self.inputs.items() if n not in inputs and not spec.optional]
        unknown = [name for name in inputs if name not in self.inputs]
        if not missing and not unknown:
            return
        parts = [f"no input {name!r}{_hint(name, self.inputs)}" for name in unknown]
        has = f"model {self.model!r} has {' and '.join(parts)}" if parts else ""
        needs = f"model {self.model!r} needs {', '.join(map(repr, missing))}" if missing else ""
        raise InvalidInput(
            f"{'; '.join(filter(None, (has, needs)))}; "
            f"its inputs are {_listed(self.inputs.values())}",
            model=self.model,
        )


def _specs(
    tensors: Iterable[Mapping[str, Any]],
    fields: Mapping[str, Mapping[str, Any]],
    max_batch_size: int,
) -> dict[str, TensorSpec]:
    specs = {}
    for tensor in tensors:
        name = tensor["name"]
        field = fields.get(name, {})
        datatype = tensor["datatype"]
        if datatype not in DATATYPES:
            raise ValueError(f"datatype {datatype!r} of {name!r}")
        specs[name] = TensorSpec(
            name=name,
            datatype=datatype,
            shape=tuple(int(dimension) for dimension in tensor["shape"]),
            optional=bool(field.get("optional", False)),
            # A shape tensor of TensorRT holds one value for the whole batch.
            batched=max_batch_size > 0 and not field.get("is_shape_tensor", False),
        )
    return specs


def _instances(group: Mapping[str, Any]) -> int:
    # On GPUs the count is for each of them.
    return int(group.get("count", 1)) * max(1, len(group.get("gpus", ())))


def _hint(name: str, known: Iterable[str]) -> str:
    by_lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def _listed(specs: Iterable[TensorSpec]) -> str:
    return ", ".join(
        f"{spec.name}: {spec}{' (optional)' if spec.optional else ''}" for spec in specs
    )
