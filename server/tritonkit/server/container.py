"""The same server in NVIDIA's container, where docker is."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from tritonkit.errors import ServerError
from tritonkit.server.flags import Flags

__all__ = ["IMAGE", "MOUNT", "SHM_SIZE", "docker_command", "docker_problem", "run_container"]

IMAGE = "tritonkit-server:24.10"
"""Built from docker/Dockerfile: NVIDIA's 24.10 image, which carries Triton 2.51 as the
embedded runtime does, and the tokenizers package."""

MOUNT = "/models"
"""Where the container sees the repository."""

SHM_SIZE = "1g"
"""Docker's default of 64 MB holds the tensors of few Python models."""

# Inside the container; outside, ports are published on the host that was asked for.
_HTTP, _GRPC, _METRICS = 8000, 8001, 8002


def docker_command(flags: Flags, repository: Path, *, image: str = IMAGE) -> list[str]:
    """
    The command line that serves *repository*.

    Args:
        flags: As for the embedded server. Its host and ports are those of this
            machine; a port of 0 lets docker choose.
        repository: A folder of this machine, mounted read-only.
        image: What to run.
    """
    inside = replace(
        flags,
        repository=MOUNT,
        host="0.0.0.0",
        http_port=_HTTP,
        grpc_port=_GRPC,
        metrics_port=_METRICS,
    )
    published = {_HTTP: flags.http_port, _GRPC: flags.grpc_port, _METRICS: flags.metrics_port}
    return [
        *("docker", "run", "--rm", "--init", f"--shm-size={SHM_SIZE}"),
        *(f"--publish={flags.host}:{port or ''}:{to}" for to, port in published.items()),
        f"--volume={repository.absolute()}:{MOUNT}:ro",
        image,
        "tritonserver",
        *inside.arguments(),
    ]


def docker_problem() -> str | None:
    """What keeps containers from running here, with what to do; None if nothing does."""
    if shutil.which("docker") is None:
        return "docker is not installed: https://docs.docker.com/engine/install"
    done = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return f"docker's engine does not answer: {reason[-1] if reason else 'no reason given'}"
    return None


def run_container(flags: Flags, repository: Path) -> int:
    """
    Serve *repository* in a container until it ends or Ctrl-C ends it.

    Returns:
        The container's exit code.

    Raises:
        ServerError: If docker cannot run it.
    """
    problem = docker_problem()
    if problem is not None:
        raise ServerError(f"{problem}. Without docker: `tritonkit serve --mode embedded`.")
    known = subprocess.run(
        ["docker", "image", "inspect", IMAGE], capture_output=True, check=False
    ).returncode
    if known:
        raise ServerError(
            f"the image {IMAGE} is not built: docker build --tag {IMAGE} docker/ "
            "(in a clone of tritonkit)."
        )
    return subprocess.run(docker_command(flags, repository), check=False).returncode
