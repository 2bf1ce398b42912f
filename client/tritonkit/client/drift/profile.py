"""What a model's traffic looks like when all is well."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.calibrated import Calibrated
from tritonkit.client.drift.expected import Expected
from tritonkit.client.drift.feature import Feature
from tritonkit.client.drift.features import KINDS, class_features, features_of
from tritonkit.client.drift.noise import FEWEST_ROWS, Noise, noises, scales_for
from tritonkit.client.layers.tiers.confidence import labels as likeliest
from tritonkit.client.layers.tiers.confidence import probabilities
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["FORMAT", "Profile", "Watched"]

Floats = NDArray[np.float64]

FORMAT = 1
"""Of the file; another one is refused, not guessed at."""

MOST_ROWS = 50_000
"""That a profile is made of: the noise of a reference is no concern long before."""

EXPECTED = "accuracy by confidence"
"""The name of the feature."""

WINDOW = 200
"""Rows of the smallest window: half a standard deviation is far outside of its noise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """
    A feature of the reference.

    Args:
        feature: What it reads.
        mean: Of the reference's rows, as the feature encodes them.
        noise: How far away windows are without drift.
    """

    feature: Feature
    mean: Floats
    noise: Noise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """
    A reference: how inputs, outputs and confidence are distributed, and how sure that is.

    Args:
        model: Whose traffic it is.
        rows: That it was made of.
        by_row: Whether the first axis of requests is rows; a whole request is a
            row of a model that does not batch.
        scales: Sizes of windows.
        watched: Features.
        classes: The output that has classes; empty for none.
        labels: How many labels there were.
        accuracy: On the rows with labels; None without.
        agreement: The share of rows on which a better model gave the same class;
            None where none was asked.
    """

    model: str
    rows: int
    by_row: bool
    scales: tuple[int, ...]
    watched: tuple[Watched, ...]
    classes: str = ""
    labels: int = 0
    accuracy: float | None = None
    agreement: float | None = None

    @classmethod
    def of(
        cls,
        model: str,
        inputs: Tensors,
        outputs: Tensors | None = None,
        *,
        classes: str | None = None,
        labels: Sequence[int] | NDArray[Any] | None = None,
        better: NDArray[Any] | None = None,
        by_row: bool = True,
        window: int = WINDOW,
        seed: int = 0,
    ) -> Profile:
        """
        Make one of a sample.

        Rows belong in the order in which they came: what varies from stretch to
        stretch of the sample is no drift later. The sample should span what
        comes and goes, such as a week.

        Args:
            model: Its name.
            inputs: By name, rows first; 100 rows at least, 5,000 say much more. Of more
                than 50,000 every so-many-th is taken.
            outputs: That the model gave.
            classes: The output with probabilities or logits along its last axis; found
                where an output is probabilities. "" for none.
            labels: The right class of each row, as its place among the classes.
            better: What a better model gave in place of that output.
            by_row: False for a model that does not batch.
            window: Rows of the smallest window.
            seed: Of the random features of vectors, and of the bootstrap.

        Raises:
            ConfigError: If the sample is too small, or does not fit together.
        """
        outputs = outputs or {}
        rows = _rows({**inputs, **{f"output {name}": a for name, a in outputs.items()}})
        if rows > MOST_ROWS:
            index = np.linspace(0, rows - 1, MOST_ROWS).astype(np.intp)
            rows = MOST_ROWS
            inputs = {name: array[index] for name, array in inputs.items()}
            outputs = {name: array[index] for name, array in outputs.items()}
            labels = None if labels is None else np.asarray(labels)[index]
            better = None if better is None else better[index]
        if window < 1:
            raise ConfigError(f"window must be at least 1, but got {window=}.")
        found = [
            f for name, rows_ in inputs.items() for f in features_of("input", name, rows_, seed)
        ]
        classes = _classes(outputs) if classes is None else classes
        if classes and classes not in outputs:
            raise ConfigError(f"classes must be one of {sorted(outputs)}, but got {classes!r}.")
        for name, rows_ in outputs.items():
            if name == classes:
                found += class_features(name, rows_)
            else:
                found += features_of("output", name, rows_, seed)
        judged: dict[str, Any] = {}
        if classes:
            judged = {"classes": classes, **_judged(outputs[classes], labels, better)}
            calibrated = judged.pop("calibrated")
            found.append(Expected(EXPECTED, "output", classes, calibrated=calibrated))
        elif labels is not None or better is not None:
            raise ConfigError("labels need an output with classes: classes=...")
        sides = {"input": inputs, "output": outputs}
        encoded = [f.encode(sides[f.side][f.tensor]) for f in found]
        scales = scales_for(rows, window)
        noise = noises(found, encoded, scales, np.random.default_rng(seed))
        watched = tuple(
            Watched(feature=feature, mean=rows_.mean(axis=0), noise=its)
            for feature, rows_, its in zip(found, encoded, noise, strict=True)
        )
        return cls(model=model, rows=rows, by_row=by_row, scales=scales, watched=watched, **judged)

    def __repr__(self) -> str:
        return f"Profile({self.model!r}, rows={self.rows}, features={len(self.watched)})"

    @property
    def calibrated(self) -> Calibrated | None:
        """From confidence to accuracy; None without classes."""
        found = self._expected
        return None if found is None else found[0].calibrated

    @property
    def expected(self) -> float | None:
        """The accuracy that confidence promises on the reference; None without classes."""
        found = self._expected
        return None if found is None else float(found[1][0])

    @property
    def _expected(self) -> tuple[Expected, Floats] | None:
        for it in self.watched:
            if isinstance(it.feature, Expected):
                return it.feature, it.mean
        return None

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write it: all of it or nothing.

        Raises:
            ConfigError: If the file cannot be written.
        """
        target = Path(path)
        arrays: dict[str, NDArray[Any]] = {}
        meta = {name: getattr(self, name) for name in _PLAIN}
        meta |= {"format": FORMAT, "scales": list(self.scales), "watched": []}
        for number, it in enumerate(self.watched):
            feature = it.feature
            state = dict(feature.state())
            for key in [key for key, value in state.items() if isinstance(value, np.ndarray)]:
                arrays[f"{number}.{key}"] = state.pop(key)
            arrays[f"{number}.mean"] = it.mean
            arrays[f"{number}.noise"] = it.noise.windows
            meta["watched"].append(
                {
                    "kind": feature.kind,
                    "name": feature.name,
                    "side": feature.side,
                    "tensor": feature.tensor,
                    "reference_noise": it.noise.reference,
                    "state": state,
                }
            )
        arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
        try:
            handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).chmod(0o644)
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigError(f"{target} cannot be written: {error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """
        Read one.

        Raises:
            ConfigError: If it is none, is damaged, or is of another format.
        """
        try:
            with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = dict(file)
            meta = json.loads(arrays["meta"].tobytes())
            if meta["format"] != FORMAT:
                raise ConfigError(
                    f"{path} is a drift profile of format {meta['format']}, and this version "
                    f"reads format {FORMAT}; make it again with: tritonkit drift profile"
                )
            return cls._restored(meta, arrays)
        except FileNotFoundError as error:
            raise ConfigError(f"there is no drift profile {path}.") from error
        except ConfigError:
            raise
        except (
            OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError,
            zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError,
        ) as error:  # fmt: skip
            raise ConfigError(f"{path} is no drift profile, or is damaged: {error}") from error
        except Exception as error:
            # zlib has an error of its own, below Exception alone.
            if type(error).__module__ != "zlib":
                raise
            raise ConfigError(f"{path} is damaged: {error}") from error

    @classmethod
    def _restored(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Profile:
        watched = []
        for number, it in enumerate(meta["watched"]):
            prefix = f"{number}."
            own = {
                key.removeprefix(prefix): array
                for key, array in arrays.items()
                if key.startswith(prefix)
            }
            feature = KINDS[it["kind"]].restored(
                it["name"], it["side"], it["tensor"], {**it["state"], **own}
            )
            noise = Noise(windows=own["noise"], reference=float(it["reference_noise"]))
            if len(noise.windows) != len(meta["scales"]):
                raise ValueError(f"{it['name']} has another number of scales")
            watched.append(Watched(feature=feature, mean=own["mean"], noise=noise))
        plain = {name: meta[name] for name in _PLAIN}
        return cls(**plain, scales=tuple(meta["scales"]), watched=tuple(watched))


_PLAIN = (
    "model",
    "rows",
    "by_row",
    "classes",
    "labels",
    "accuracy",
    "agreement",
)


def _rows(tensors: Tensors) -> int:
    counts = {name: len(array) if array.ndim else 0 for name, array in tensors.items()}
    if not counts or len(set(counts.values())) != 1:
        raise ConfigError(f"a profile needs the same number of rows in each tensor: {counts}.")
    (rows,) = set(counts.values())
    if rows < FEWEST_ROWS:
        raise ConfigError(f"a profile needs {FEWEST_ROWS} rows at least, but got {rows}.")
    return rows


def _classes(outputs: Tensors) -> str:
    """The only output that is probabilities; empty where there is none, or no telling."""
    found = [
        name
        for name, rows in outputs.items()
        if rows.dtype.kind == "f"
        and rows.ndim == 2
        and rows.shape[1] > 1
        and (rows >= 0).all()
        and (np.abs(rows.astype(np.float64).sum(axis=1) - 1) < 0.01).all()
    ]
    return found[0] if len(found) == 1 else ""


def _judged(
    rows: NDArray[Any],
    labels: Sequence[int] | NDArray[Any] | None,
    better: NDArray[Any] | None,
) -> dict[str, Any]:
    shares = probabilities("classes", rows)
    confidences = np.minimum(shares.max(axis=-1), 1.0).reshape(len(rows), -1).min(axis=1)
    given = likeliest(shares)
    judged: dict[str, Any] = {"calibrated": Calibrated.identity()}
    if labels is not None:
        right = _right(given, np.asarray(labels))
        judged["calibrated"] = Calibrated.of(confidences, right)
        judged |= {"labels": len(right), "accuracy": float(right.mean())}
    if better is not None:
        if better.shape != rows.shape:
            raise ConfigError(
                f"a better model must answer {list(rows.shape)}, but got {list(better.shape)}."
            )
        judged["agreement"] = float((given == likeliest(better)).all(axis=1).mean())
    return judged


def _right(given: NDArray[np.intp], labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind not in "iu":
        raise ConfigError(f"labels must be whole numbers, but got {labels.dtype}.")
    if len(labels) != len(given):
        raise ConfigError(
            f"there must be a label for each of {len(given)} rows, not {len(labels)}."
        )
    right: NDArray[np.bool_] = (given == labels.reshape(len(labels), -1)).all(axis=1)
    return right
