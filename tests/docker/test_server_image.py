"""The images of the server agree with the embedded one; checked without docker."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tritonkit.server.container import IMAGE, MOUNT, SHM_SIZE, container_flags
from tritonkit.server.flags import Flags
from tritonkit.server.runtime import REQUIREMENTS

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PINS = dict(
    line.split("==")
    for line in REQUIREMENTS.read_text().splitlines()
    if line and not line.startswith("#")
)
# The release of Triton in the wheel of the embedded server, by the wheel's version.
RELEASES = {"0.7.0": "24.10"}


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    service: dict[str, Any] = compose["services"]["triton"]
    return service


def test_compose_serves_with_the_flags_of_the_command(service):
    assert service["command"] == [
        "tritonserver",
        *container_flags(Flags(repository="model_repository")).arguments(),
    ]


def test_compose_runs_the_image_of_the_command(service):
    assert service["image"] == IMAGE
    assert (DOCKER / service["build"] / "Dockerfile").is_file()


def test_compose_mounts_the_repository_read_only(service):
    source, target, mode = service["volumes"][0].split(":")

    assert (DOCKER / source).resolve() == ROOT / "model_repository"
    assert (target, mode) == (MOUNT, "ro")


def test_compose_gives_the_shared_memory_of_the_command(service):
    assert service["shm_size"] == SHM_SIZE


def test_compose_waits_longer_than_triton_for_a_stop(service):
    (timeout,) = [a for a in service["command"] if a.startswith("--exit-timeout-secs=")]

    assert int(service["stop_grace_period"].removesuffix("s")) > int(timeout.partition("=")[2])


def test_compose_asks_for_readiness(service):
    assert service["healthcheck"]["test"][-1] == "http://localhost:8000/v2/health/ready"


def test_the_image_is_of_the_release_that_is_embedded():
    release = RELEASES[PINS["nvidia-pytriton"]]
    text = (DOCKER / "server" / "Dockerfile").read_text()
    (base,) = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)

    assert base == f"nvcr.io/nvidia/tritonserver:{release}-py3"
    assert IMAGE.endswith(f":{release}")
    assert f"docker build --tag {IMAGE} docker/server" in text


def test_the_image_cuts_text_and_reads_images_as_the_embedded_server_does():
    text = (DOCKER / "server" / "Dockerfile").read_text()
    installed = re.findall(r"(\S+)==(\S+)", text)

    assert installed == [(name, PINS[name]) for name in ("pillow", "tokenizers")]


def test_the_slim_image_is_called_after_the_release_that_it_embeds():
    text = (DOCKER / "server" / "cpu.Dockerfile").read_text()

    assert f"--tag tritonkit-server-cpu:{RELEASES[PINS['nvidia-pytriton']]} ." in text
    assert "tritonkit.server.runtime" in text
