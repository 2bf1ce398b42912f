"""How many tokens a request or an answer holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from tritonkit.client.layers.budget.cost import tokens as tokens_of_rows
from tritonkit.client.types import InferRequest, InferResponse

__all__ = ["Tokenizer", "answer_counter", "request_counter"]


@runtime_checkable
class Tokenizer(Protocol):
    """One of `tokenizers` or of `transformers`, or what looks like it."""

    def encode(self, text: str, /) -> Any:
        """The tokens, or an object that has them as `ids`."""


def request_counter(
    count: Callable[[InferRequest], int] | Tokenizer | None,
) -> Callable[[InferRequest], int]:
    """The function that *count* is or stands for; None for what the inputs tell."""
    if count is None:
        return lambda request: sum(tokens_of_rows(request))
    if isinstance(count, Tokenizer):
        return lambda request: _encoded(count, list(request.inputs.values()))
    return count


def answer_counter(
    count: Callable[[InferResponse], int] | Tokenizer | None,
) -> Callable[[InferResponse], int]:
    """The function that *count* is or stands for; None for what the outputs tell."""
    if count is None:
        return _given
    if isinstance(count, Tokenizer):
        return lambda response: _encoded(count, list(response.outputs.values()))
    return count


def _given(response: InferResponse) -> int:
    numbers = response.outputs.get("output_ids")
    if numbers is not None:
        return int(numbers.size)
    return sum(len(text.split()) for text in _texts(list(response.outputs.values())))


def _encoded(tokenizer: Any, arrays: Sequence[NDArray[Any]]) -> int:
    count = 0
    for text in _texts(arrays):
        plain = text.decode(errors="replace") if isinstance(text, bytes) else text
        found = tokenizer.encode(plain)
        count += len(getattr(found, "ids", found))
    return count


def _texts(arrays: Sequence[NDArray[Any]]) -> list[str | bytes]:
    return [
        text
        for array in arrays
        if array.dtype.kind in "OSUT"
        for text in array.ravel().tolist()
        if isinstance(text, (str, bytes))
    ]
