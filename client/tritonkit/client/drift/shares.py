"""What a row is made of: scripts and character trigrams of a text, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.feature import Feature, Floats, Side, State, moved
from tritonkit.client.drift.measures import jensen_shannon_distance, population_stability_index
from tritonkit.client.drift.reading import as_text

__all__ = ["Shares"]

Parts: TypeAlias = Literal["scripts", "trigrams", "tokens"]

_MOST_CHARACTERS = 2000
_BUCKETS = 64

# The first code point of each block, and what is written with it. Latin letters are apart
# from those with marks, which English hardly has.
_BLOCKS = [
    (0x0000, "control"), (0x0020, "spaces"), (0x0021, "signs"), (0x0030, "digits"),
    (0x003A, "signs"), (0x0041, "latin"), (0x005B, "signs"), (0x0061, "latin"),
    (0x007B, "signs"), (0x00C0, "latin with marks"), (0x0250, "other"), (0x0370, "greek"),
    (0x0400, "cyrillic"), (0x0530, "other"), (0x0590, "hebrew"), (0x0600, "arabic"),
    (0x0700, "other"), (0x0900, "devanagari"), (0x0980, "indic"), (0x0E00, "thai"),
    (0x0E80, "other"), (0x1100, "hangul"), (0x1200, "other"), (0x1E00, "latin with marks"),
    (0x1F00, "greek"), (0x2000, "signs"), (0x2E80, "han"), (0x3040, "kana"), (0x3100, "han"),
    (0xA000, "other"), (0xAC00, "hangul"), (0xD7B0, "other"), (0xF900, "han"),
    (0xFB00, "other"), (0x1F000, "emoji"), (0x1FB00, "other"), (0x20000, "han"),
    (0x32000, "other"),
]  # fmt: skip
_STARTS = np.array([start for start, _ in _BLOCKS], dtype=np.uint32)
_SCRIPTS = list(dict.fromkeys(script for _, script in _BLOCKS))
_SCRIPT_OF = np.array([_SCRIPTS.index(script) for _, script in _BLOCKS])


class Shares(Feature):
    """
    The shares of the parts of a row; averaged over rows, each of which counts as one.

    Scripts tell alphabets apart, trigrams (hashed to 64 buckets) languages of one
    alphabet, topics and formats. The Jensen-Shannon distance decides.

    Args:
        name: For alerts.
        side: Inputs or outputs.
        tensor: What it reads.
        parts: "scripts" or "trigrams" of a text's first 2,000 characters, or
            "tokens", hashed numbers other than 0.
    """

    kind = "shares"
    measure = "jensen_shannon"
    threshold = 0.1

    def __init__(self, name: str, side: Side, tensor: str, *, parts: Parts) -> None:
        super().__init__(name, side, tensor)
        self.parts: Parts = parts

    def encode(self, rows: NDArray[Any]) -> Floats:
        """The shares of each row; the last is for a row that has no part at all."""
        count = len(_SCRIPTS) if self.parts == "scripts" else _BUCKETS
        found = np.zeros((len(rows), count + 1))
        for row, value in enumerate(rows.reshape(len(rows), -1)):
            places = self._places(value)
            if len(places):
                found[row, :-1] = np.bincount(places, minlength=count) / len(places)
            else:
                found[row, -1] = 1.0
        return found

    def distance(self, reference: Floats, observed: Floats) -> Floats:
        """0 to 1."""
        return jensen_shannon_distance(reference, observed)

    def measures(self, reference: Floats, observed: Floats) -> Mapping[str, float]:
        """Jensen-Shannon and PSI."""
        return {
            "jensen_shannon": float(jensen_shannon_distance(reference, observed)),
            "psi": float(population_stability_index(reference, observed)),
        }

    def change(self, reference: Floats, observed: Floats) -> str:
        """The part whose share has changed most; a bucket of hashes has no name."""
        names = [f"{self.parts} in bucket {bucket}" for bucket in range(_BUCKETS)]
        return moved(
            [*(_SCRIPTS if self.parts == "scripts" else names), "empty rows"], reference, observed
        )

    def state(self) -> State:
        """Which parts."""
        return {"parts": self.parts}

    @classmethod
    def restored(cls, name: str, side: Side, tensor: str, state: State) -> Shares:
        """The feature that had this state."""
        return cls(name, side, tensor, parts=state["parts"])

    def _places(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.parts == "tokens":
            codes = values[values != 0].astype(np.uint32)
            return _bucket(codes)
        text = as_text(values[0])[:_MOST_CHARACTERS]
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        if self.parts == "scripts":
            found: NDArray[Any] = _SCRIPT_OF[np.searchsorted(_STARTS, codes, side="right") - 1]
            return found
        one, two = np.uint32(1_000_003), np.uint32(8_191)
        return _bucket(codes[:-2] * one + codes[1:-1] * two + codes[2:])


def _bucket(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Fibonacci hashing: the upper 6 of 32 bits."""
    hashed: NDArray[np.intp] = ((codes * np.uint32(2_654_435_769)) >> np.uint32(26)).astype(np.intp)
    return hashed
