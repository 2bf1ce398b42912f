"""The accuracy that confidence promises, as a feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.calibrated import Calibrated
from tritonkit.client.drift.feature import Feature, Floats, Side, State
from tritonkit.client.drift.reading import Reading

__all__ = ["Expected"]


class Expected(Feature):
    """
    The probability of each row to be right, as a model's calibrated confidence has it.

    Its fall decides; a rise is no distance.

    Args:
        name: For alerts.
        side: Outputs.
        tensor: The output with classes.
        calibrated: From confidence to that probability.
    """

    kind = "expected"
    measure = "fall"
    threshold = 0.01

    def __init__(self, name: str, side: Side, tensor: str, *, calibrated: Calibrated) -> None:
        super().__init__(name, side, tensor)
        self.calibrated = calibrated

    def encode(self, rows: NDArray[Any]) -> Floats:
        """The probability itself, shape (rows, 1)."""
        return self.calibrated(Reading(kind="max_probability")(rows))[:, None]

    def distance(self, reference: Floats, observed: Floats) -> Floats:
        """The fall of the mean."""
        found: Floats = np.maximum(0.0, reference[0] - observed[..., 0])
        return found

    def measures(self, reference: Floats, observed: Floats) -> Mapping[str, float]:
        """The fall, and the accuracy to expect."""
        return {
            "fall": float(self.distance(reference, observed)),
            "expected_accuracy": float(observed[0]),
        }

    def change(self, reference: Floats, observed: Floats) -> str:
        """From where to where."""
        return f"the accuracy to expect was {reference[0]:.1%} and is {observed[0]:.1%}"

    def state(self) -> State:
        """The calibration."""
        calibrated = self.calibrated
        return {"knots": calibrated.knots, "rates": calibrated.rates, "counts": calibrated.counts}

    @classmethod
    def restored(cls, name: str, side: Side, tensor: str, state: State) -> Expected:
        """The feature that had this state."""
        calibrated = Calibrated(state["knots"], state["rates"], state["counts"])
        return cls(name, side, tensor, calibrated=calibrated)
