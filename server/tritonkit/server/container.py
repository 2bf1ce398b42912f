"""The same server in NVIDIA's container, where docker is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from tritonkit.errors import ServerError
from tritonkit.server.flags import Flags

__all__ = [
    "IMAGE",
    "MOUNT",
    "SHM_SIZE",
    "container_flags",
    "docker_command",
    "docker_problem",
    "run_container",
]

IMAGE = "tritonkit-server:24.10"
"""Built from docker/server/Dockerfile: NVIDIA's 24.10 image, which carries Triton 2.51 as the
embedded runtime does, and the tokenizers package."""

MOUNT = "/models"
"""Where the container sees the repository."""

SHM_SIZE = "1g"
"""Docker's default of 64 MB holds the tensors of few Python models."""

_ENGINE_SECONDS = 20

# Inside the container; outside, ports are published on the host that was asked for.
_HTTP, _GRPC, _METRICS = 8000, 8001, 8002


def container_flags(flags: Flags) -> Flags:
    """The flags inside the container for those of this machine; ports are mapped outside."""
    return replace(
        flags,
        repository=MOUNT,
        host="0.0.0.0",
        http_port=_HTTP,
        grpc_port=_GRPC,
        metrics_port=_METRICS,
    )


def docker_command(flags: Flags, repository: Path, *, image: str = IMAGE) -> list[str]:
    """
    The command line that serves *repository*.

    Args:
        flags: As for the embedded server. Its host and ports are those of this
            machine.
        repository: A folder of this machine, mounted read-only.
        image: What to run.
    """
    host = f"[{flags.host}]" if ":" in flags.host else flags.host
    published = {_HTTP: flags.http_port, _GRPC: flags.grpc_port, _METRICS: flags.metrics_port}
    return [
        *("docker", "run", "--rm", "--init", f"--shm-size={SHM_SIZE}"),
        *(f"--publish={host}:{port}:{inside}" for inside, port in published.items()),
        f"--mount=type=bind,{_field(f'source={repository.absolute()}')},target={MOUNT},readonly",
        image,
        "tritonserver",
        *container_flags(flags).arguments(),
    ]


def _field(text: str) -> str:
    """One of those between the commas of `--mount`, which are a line of CSV."""
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(c in text for c in ',"\n') else text


def docker_problem() -> str | None:
    """What keeps containers from running here, with what to do; None if nothing does."""
    if shutil.which("docker") is None:
        return "docker is not installed: https://docs.docker.com/engine/install"
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ENGINE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"docker's engine does not answer within {_ENGINE_SECONDS} s"
    if done.returncode:
        lines = (done.stderr or done.stdout).split("\n")
        reason = next((line.strip(" .") for line in reversed(lines) if line.strip()), "no reason")
        return f"docker's engine does not answer: {reason}"
    return None


def run_container(flags: Flags, repository: Path, progress: Callable[[str], None]) -> NoReturn:
    """
    Become the docker client that serves *repository* in the foreground.

    The process is replaced, so that signals reach the client, which hands them
    to the server and removes the container at its end.

    Raises:
        ServerError: If docker cannot run it.
    """
    problem = docker_problem()
    if problem is not None:
        raise ServerError(f"{problem}; without docker: `tritonkit serve --mode embedded`")
    image = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    if image.returncode:
        raise ServerError(
            f"the image {IMAGE} is not built: docker build --tag {IMAGE} docker/server "
            "(in a clone of tritonkit)."
        )
    progress(
        f"HTTP on {flags.host}, port {flags.http_port}; gRPC on {flags.grpc_port}; "
        f"metrics on {flags.metrics_port}"
    )
    command = docker_command(flags, repository)
    os.execvp(command[0], command)
