"""
Sets perf_analyzer up beside tritonkit, for who wants to compare the two.

perf_analyzer is NVIDIA's load generator. Its binary comes in the wheel of
tritonclient 2.50.0; two libraries that it needs do not: `libb64` comes from Debian,
`libcudart` lies in the embedded runtime. Nothing is installed: all of it goes into
one folder, whole or not at all. Linux on x86-64 with apt-get, no root.

    python bench/perf_analyzer/set_up.py

prints the command that runs it.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tritonkit.errors import TritonkitError
from tritonkit.server.runtime import ensure_runtime

__all__ = ["set_up"]

FOLDER = Path(__file__).parents[2] / ".build" / "perf_analyzer"
VERSION = "2.50.0"
WHEEL_SHA256 = "421fbb69ae6ab8cdb2c35b82134fcef2fe11e7af7718b1fcbc53335ab9bfe889"
BINARY = f"tritonclient-{VERSION}.data/data/bin/perf_analyzer"
LIBB64 = "libb64-0d"


class SetUpError(TritonkitError):
    """perf_analyzer cannot be set up here."""


def set_up(folder: Path = FOLDER) -> Path:
    """
    Make perf_analyzer ready; quick where it is already.

    Returns:
        A script that runs it.

    Raises:
        SetUpError: If this machine cannot run it, or a part cannot be had.
    """
    script = folder / "perf_analyzer"
    if script.exists():
        return script
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SetUpError(
            "the wheel holds a binary for Linux on x86-64, "
            f"but this is {platform.system()} on {platform.machine()}."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as text:
        made = Path(text) / "made"
        (made / "lib").mkdir(parents=True)
        _take_binary(Path(text), made)
        _take_libb64(Path(text), made / "lib")
        _link_cudart(made / "lib")
        _write_script(made)
        _run([str(made / "perf_analyzer"), "--version"], "does not start")
        made.rename(folder)
    return script


def _take_binary(aside: Path, made: Path) -> None:
    _run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download"),
            *("--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(aside)),
            *("--platform", "manylinux1_x86_64", f"tritonclient=={VERSION}"),
        ],
        "cannot be downloaded",
    )
    (wheel,) = aside.glob("tritonclient-*.whl")
    if (digest := hashlib.sha256(wheel.read_bytes()).hexdigest()) != WHEEL_SHA256:
        raise SetUpError(f"{wheel.name} must have the SHA-256 {WHEEL_SHA256}, but has {digest}.")
    with zipfile.ZipFile(wheel) as archive, archive.open(BINARY) as source:
        binary = made / "perf_analyzer.bin"
        with binary.open("wb") as sink:
            shutil.copyfileobj(source, sink)
    binary.chmod(0o755)


def _take_libb64(aside: Path, libraries: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SetUpError(f"apt-get and dpkg-deb are needed to fetch {LIBB64}.")
    # apt's own user may not write into a private folder; it then downloads as this user.
    _run(["apt-get", "download", "--quiet", LIBB64], "cannot be downloaded", aside)
    (package,) = aside.glob(f"{LIBB64}_*.deb")
    _run(["dpkg-deb", "--extract", str(package), str(aside / "deb")], "cannot be unpacked")
    for library in (aside / "deb").rglob("libb64.so.*"):
        shutil.copy(library, libraries / library.name)


def _link_cudart(libraries: Path) -> None:
    site = ensure_runtime().root
    found = sorted(site.rglob("nvidia_pytriton.libs/libcudart-*.so.12*"))
    if not found:
        raise SetUpError(f"libcudart.so.12 is not in the embedded runtime {site}.")
    (libraries / "libcudart.so.12").symlink_to(found[0])


def _write_script(made: Path) -> None:
    script = made / "perf_analyzer"
    script.write_text(
        "#!/bin/sh\n"
        'here="$(cd "$(dirname "$0")" && pwd)"\n'
        'export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        'exec "$here/perf_analyzer.bin" "$@"\n'
    )
    script.chmod(0o755)


def _run(command: list[str], failure: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode:
        raise SetUpError(f"perf_analyzer {failure}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    try:
        print(set_up())
    except TritonkitError as error:
        sys.exit(f"Error: {error}")
