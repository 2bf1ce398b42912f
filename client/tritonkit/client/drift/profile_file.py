"""The file of a profile."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.features import KINDS
from tritonkit.client.drift.noise import Noise
from tritonkit.client.drift.profile import Profile, Watched
from tritonkit.errors import ConfigError

__all__ = ["FORMAT", "read", "write"]

FORMAT = 1
"""Of the file; another one is refused, not guessed at."""

_PLAIN = (
    "model",
    "rows",
    "by_row",
    "classes",
    "labels",
    "accuracy",
    "agreement",
)


def write(profile: Profile, path: str | os.PathLike[str]) -> None:
    """Write *profile*; see its `save`."""
    target = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    meta = {name: getattr(profile, name) for name in _PLAIN}
    meta |= {"format": FORMAT, "scales": list(profile.scales), "watched": []}
    for number, it in enumerate(profile.watched):
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
                # mypy takes a name for allow_pickle, which none of these is.
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


def read(path: str | os.PathLike[str]) -> Profile:
    """Read a profile; see its `load`."""
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = dict(file)
        meta = json.loads(arrays["meta"].tobytes())
        if meta["format"] != FORMAT:
            raise ConfigError(
                f"{path} is a drift profile of format {meta['format']}, and this version "
                f"reads format {FORMAT}; make it again with: tritonkit drift profile"
            )
        return _restored(meta, arrays)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no drift profile {path}.") from error
    except ConfigError:
        raise
    except Exception as error:
        # Whatever numpy, zipfile, zlib and json make of bytes that are no profile.
        raise ConfigError(f"{path} is no drift profile, or is damaged: {error}") from error


def _restored(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Profile:
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
    return Profile(**plain, scales=tuple(meta["scales"]), watched=tuple(watched))
