"""Names of a configuration's values."""

from __future__ import annotations

from functools import cache

from tritonclient.grpc import model_config_pb2

__all__ = ["data_type_name"]


@cache
def data_type_name(number: int) -> str:
    """The TYPE_ name of a data type; its number where it is none that is known."""
    known = model_config_pb2.DataType.DESCRIPTOR.values_by_number.get(number)
    return known.name if known else str(number)
