"""The accuracy budget: how much may be lost."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tritonkit.errors import ConfigError
from tritonkit.export.accuracy.accuracy import Accuracy
from tritonkit.export.sources.source import Comparison

__all__ = ["Budget", "default_budget", "tightest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """
    How far a model may be from its source; a limit of None is not looked at.

    An answer that is NaN or infinite where the source's is not is within no budget.

    Args:
        max_loss: Largest share of the task's metric that may be lost, 0 to 1.
        min_agreement: Least share of samples with the source's class or neighbour, 0 to 1.
        min_cosine: Least mean cosine, -1 to 1.
        min_cosine_each: Least cosine of any sample to the source, extremes too, -1 to 1.
        max_relative_difference: Largest mean absolute difference, as a share of the mean
            absolute value of the source's, 0 to 1. A cosine does not see lengths.
        batch_invariant: Whether an answer must not depend on its batch.

    Raises:
        ConfigError: If a limit is outside its range.
    """

    max_loss: float | None = None
    min_agreement: float | None = None
    min_cosine: float | None = None
    min_cosine_each: float | None = None
    max_relative_difference: float | None = None
    batch_invariant: bool = False

    def __post_init__(self) -> None:
        ranges = {
            "max_loss": (0, 1),
            "min_agreement": (0, 1),
            "min_cosine": (-1, 1),
            "min_cosine_each": (-1, 1),
            "max_relative_difference": (0, 1),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"{name} must be {least} to {most}, but got {value}.")

    def limits(self) -> tuple[str, ...]:
        """Each limit in words; empty where there is none."""
        said = {
            "max_loss": "at most {:.2%} of the metric lost",
            "min_agreement": "agreement of {:g} or more",
            "min_cosine": "a mean cosine of {:g} or more",
            "min_cosine_each": "a cosine of {:g} or more for each sample",
            "max_relative_difference": "a difference of at most {:.2%} of an output's size",
        }
        values = {name: getattr(self, name) for name in said}
        found = [
            text.format(values[name]) for name, text in said.items() if values[name] is not None
        ]
        return (*found, *["no dependence on the batch"] * self.batch_invariant)

    def findings(self, accuracy: Accuracy) -> tuple[str, ...]:
        """Each limit that *accuracy* misses, in words; empty where it keeps them all."""
        found = [
            f"output {name!r} is NaN or infinite for {output.not_finite} "
            f"{'sample' if output.not_finite == 1 else 'samples'}, unlike the source's"
            for name, output in accuracy.outputs.items()
            if output.not_finite
        ]
        # `not <=` and `not >=` refuse NaN too.
        if self.max_loss is not None and not accuracy.loss <= self.max_loss:
            found.append(
                f"{accuracy.metric} {accuracy.value:.4f} is {accuracy.loss:.2%} below the "
                f"source's {accuracy.source_value:.4f}, where {self.max_loss:.2%} is allowed"
            )
        if self.min_agreement is not None and not accuracy.agreement >= self.min_agreement:
            found.append(f"agreement {accuracy.agreement:.4f}, where {self.min_agreement} is due")
        if self.min_cosine is not None and not accuracy.cosine_mean >= self.min_cosine:
            found.append(f"mean cosine {accuracy.cosine_mean:.4f}, where {self.min_cosine} is due")
        if self.min_cosine_each is not None:
            found += [
                f"output {name!r}: cosine {output.cosine_min:.4f} for one sample, "
                f"where {self.min_cosine_each} is due"
                for name, output in accuracy.outputs.items()
                if not output.not_finite and not output.cosine_min >= self.min_cosine_each
            ]
        if self.max_relative_difference is not None:
            found += [
                f"output {name!r} differs by {output.relative_difference:.2%} of its size, "
                f"where {self.max_relative_difference:.2%} is allowed"
                for name, output in accuracy.outputs.items()
                if not output.relative_difference <= self.max_relative_difference
            ]
        if self.batch_invariant and not accuracy.batch.invariant:
            found.append(
                f"an answer depends on its batch (cosine {accuracy.batch.cosine_min:.4f} at worst)"
            )
        return tuple(found)


_COSINE = {
    "fp32": 0.9999,
    "fp16": 0.999,
    "w8": 0.99,
    "mixed": 0.95,
    "int8": 0.95,
    "int8_static": 0.9,
    "w4": 0.9,
}
"""
Least mean cosine of embeddings.

all-MiniLM-L6-v2 converted well: fp16 0.9999, w8 0.9991, mixed 0.998, int8 0.9625 by
tensor, int8_static 0.937, w4 0.964; a static quantisation that broke it 0.369.
"""

_DISCRETE = {"fp32": 0.999, "fp16": 0.995, "w8": 0.98}
"""
Least mean cosine of probabilities, 0.9 for the other precisions.

A class that flips is worth a whole sample, and a tree whose threshold lies between
the float64 and the float32 of a number flips one that is right.
"""


def default_budget(precision: str, comparison: Comparison) -> Budget:
    """
    What *precision* always keeps unless the conversion is broken.

    It is no promise of accuracy: that is what a user's own budget asks for. fp32 computes
    what the source does, so its answers must look the same to users, alone and in any batch,
    and no sample may be answered otherwise; where answers are probabilities or lists, single
    ones may flip. The others must keep the direction of answers; which class or neighbour
    wins may be a narrow thing, so agreement is not looked at. Of numbers R² must be kept too.

    Args:
        precision: Out of PRECISIONS.
        comparison: How answers are judged.
    """
    exact = precision == "fp32"
    if comparison == "embeddings":
        return Budget(
            min_agreement=0.99 if exact else None,
            min_cosine=_COSINE[precision],
            min_cosine_each=0.999 if exact else None,
            max_relative_difference={"fp32": 0.01, "fp16": 0.05}.get(precision),
            batch_invariant=exact,
        )
    if comparison == "values":
        return Budget(
            max_loss={"fp32": 0.01, "fp16": 0.01, "w8": 0.05}.get(precision, 0.25),
            min_agreement=0.99 if exact else None,
            min_cosine=_DISCRETE.get(precision, 0.9),
            batch_invariant=exact,
        )
    if comparison == "ranks":
        # Two ranks that are all but equal change places by rounding, in another batch too.
        return Budget(
            min_agreement=0.98 if exact else None,
            min_cosine={"fp32": 0.98, "fp16": 0.9, "w8": 0.8}.get(precision, 0.4),
        )
    return Budget(
        min_agreement=0.99 if exact else None,
        min_cosine=_DISCRETE.get(precision, 0.9),
        batch_invariant=exact,
    )


def tightest(one: Budget, other: Budget) -> Budget:
    """The budget that is kept by whatever keeps both."""
    limits: dict[str, float | None] = {}
    for field in fields(Budget):
        if field.name != "batch_invariant":
            given = [
                value
                for value in (getattr(one, field.name), getattr(other, field.name))
                if value is not None
            ]
            closest = min if field.name.startswith("max_") else max
            limits[field.name] = closest(given, default=None)
    return Budget(batch_invariant=one.batch_invariant or other.batch_invariant, **limits)
