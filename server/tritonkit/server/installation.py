"""Which tritonserver runs, and in which environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.server.runtime import Runtime, ensure_runtime

__all__ = ["VARIABLE", "Installation", "find_installation", "own_installation"]

VARIABLE = "TRITONKIT_TRITONSERVER"
"""Names a tritonserver to run instead of the embedded one."""

BACKENDS = Path(__file__).parent / "backends"
"""Backends of ours, written in Python; the embedded server has no onnxruntime of its own."""

# A stub that met the caller's packages would load the wrong numpy.
_PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """
    A tritonserver and what it needs around it.

    Args:
        tritonserver: The executable.
        source: Where it was found, in words.
        runtime: The embedded runtime; None for somebody else's server, which
            knows its own backends.
    """

    tritonserver: Path
    source: str
    runtime: Runtime | None = None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The variables for the server, made from those of this process."""
        if self.runtime is None:
            return dict(base)
        environment = {k: v for k, v in base.items() if k not in _PYTHON_VARIABLES}
        environment["PATH"] = f"{self.runtime.bin}:{base.get('PATH', os.defpath)}"
        environment["LD_LIBRARY_PATH"] = ":".join(
            filter(None, [self.runtime.ld_library_path, base.get("LD_LIBRARY_PATH")])
        )
        # onnxruntime 1.29 and newer report to their maker unless told not to.
        environment.setdefault("ORT_DISABLE_TELEMETRY", "1")
        return environment

    def prepare(self, folder: Path, shm_prefix: str) -> list[str]:
        """
        Lay out the backend directory in *folder*, where this server needs one of ours.

        Args:
            folder: Empty.
            shm_prefix: Start of the names of the Python backend's shared memory.

        Returns:
            The arguments that tell the server.
        """
        if self.runtime is None:
            return [_shm_argument("python", shm_prefix)]
        backends = folder / "backends"
        backends.mkdir()
        (backends / "python").symlink_to(self.runtime.python_backend)
        ours = sorted(entry for entry in BACKENDS.iterdir() if (entry / "model.py").is_file())
        for backend in ours:
            (backends / backend.name).symlink_to(backend)
        return [
            f"--backend-directory={backends}",
            f"--cache-directory={self.runtime.caches}",
            # There is no GPU library to ask.
            "--allow-gpu-metrics=false",
            *(_shm_argument(name, shm_prefix) for name in ("python", *(b.name for b in ours))),
        ]


def _shm_argument(backend: str, prefix: str) -> str:
    return f"--backend-config={backend},shm-region-prefix-name={prefix}"


def own_installation() -> Installation | None:
    """
    The server of `$TRITONKIT_TRITONSERVER`, else the one on PATH; None if there is neither.

    Raises:
        ConfigError: If the variable names no executable.
    """
    named = os.environ.get(VARIABLE)
    found = shutil.which(named or "tritonserver")
    if found is not None:
        return Installation(tritonserver=Path(found), source=f"${VARIABLE}" if named else "PATH")
    if named:
        raise ConfigError(f"{VARIABLE} must name an executable tritonserver, but is {named!r}.")
    return None


def find_installation(progress: Callable[[str], None]) -> Installation:
    """
    The user's own server, else the embedded one.

    Args:
        progress: Told when the embedded one has to be installed first.

    Raises:
        ConfigError: If `$TRITONKIT_TRITONSERVER` names no executable.
        RuntimeInstallError: If the embedded one cannot be installed.
    """
    own = own_installation()
    if own is not None:
        return own
    runtime = ensure_runtime(progress=progress)
    return Installation(tritonserver=runtime.tritonserver, source="embedded", runtime=runtime)
