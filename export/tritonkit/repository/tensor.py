"""The description of one input or output in a model configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import model_config_pb2

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig

__all__ = ["Tensor", "add_tensors", "config_inputs", "config_outputs"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """
    An input or output.

    Args:
        name: Its name.
        data_type: As config.pbtxt has it, such as "TYPE_FP32".
        dims: Sizes of each axis without the batch axis; -1 for any size.
    """

    name: str
    data_type: str
    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise RepositoryError("a tensor needs a name.")
        if self.data_type not in model_config_pb2.DataType.keys():  # noqa: SIM118, an enum, no dict
            raise RepositoryError(
                f"tensor {self.name!r}: {self.data_type!r} is no data type of Triton, "
                "which are such as 'TYPE_FP32', 'TYPE_INT64', 'TYPE_STRING'."
            )
        if not self.dims or any(size < 1 and size != -1 for size in self.dims):
            raise RepositoryError(
                f"tensor {self.name!r}: dims must be sizes of 1 or more, or -1, "
                f"but got {list(self.dims)}."
            )


def add_tensors(field: Any, tensors: Iterable[Tensor]) -> None:
    """Append *tensors* to `config.input` or `config.output`."""
    for tensor in tensors:
        field.add(
            name=tensor.name,
            data_type=model_config_pb2.DataType.Value(tensor.data_type),
            dims=tensor.dims,
        )


def config_inputs(config: ModelConfig) -> tuple[Tensor, ...]:
    """The inputs that *config* names, in its order."""
    return _tensors(config.input)


def config_outputs(config: ModelConfig) -> tuple[Tensor, ...]:
    """The outputs that *config* names, in its order."""
    return _tensors(config.output)


def _tensors(field: Any) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(t.name, model_config_pb2.DataType.Name(t.data_type), tuple(t.dims)) for t in field
    )
