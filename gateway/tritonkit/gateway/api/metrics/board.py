"""Where the workers of one gateway lay down what they counted."""

from __future__ import annotations

import os
from pathlib import Path

from tritonkit.gateway.api.metrics.family import Family, packed, unpacked

__all__ = ["Board"]


class Board:
    """
    A file for each worker, in a folder of the gateway's own that is new with each start.

    Whoever is scraped lays down its own numbers before it shows any, so that no later
    scrape, of whichever worker, finds an older number than was shown.

    Args:
        folder: None where there is one worker.
        worker: Number of this one.
    """

    def __init__(self, folder: Path | None, worker: int) -> None:
        self._folder = folder
        self._worker = worker
        self._last: list[Family] = []

    def lay_down(self, families: list[Family]) -> None:
        """Write this worker's numbers, whole or not at all."""
        self._last = families
        if self._folder is None:
            return
        path = self._path(str(self._worker))
        # Another name for each writer: a thread that publishes may meet one that is scraped.
        draft = path.with_suffix(f".{os.urandom(4).hex()}")
        try:
            draft.write_bytes(packed(families))
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def read(self) -> dict[str, list[Family]]:
        """The numbers of all workers, by number; those of this one as they were laid down."""
        found = {str(self._worker): self._last}
        if self._folder is None:
            return found
        for path in self._folder.glob("metrics-*.json"):
            worker = path.stem.removeprefix("metrics-")
            if worker != str(self._worker):
                found[worker] = unpacked(path.read_bytes())
        return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))

    def _path(self, worker: str) -> Path:
        assert self._folder is not None
        return self._folder / f"metrics-{worker}.json"
