"""The command line that serves in a container; no docker engine is needed to look at it."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tritonkit.server.container import IMAGE, docker_command
from tritonkit.server.flags import Flags

# Stands for the docker client: it has an engine and the image, and says what it runs.
DOCKER = """\
#!/bin/sh
case "$1" in
  version|image) exit 0;;
esac
trap 'echo interrupted; exit 130' INT
echo "$@"
while :; do sleep 0.05; done
"""


def test_the_same_flags_behind_published_ports(tmp_path):
    flags = Flags(repository=str(tmp_path), http_port=9000, cache_size=1000, extra=("--x=y",))
    command = docker_command(flags, tmp_path)

    assert command == [
        *("docker", "run", "--rm", "--init", "--shm-size=1g"),
        "--publish=127.0.0.1:9000:8000",
        "--publish=127.0.0.1:8001:8001",
        "--publish=127.0.0.1:8002:8002",
        f"--mount=type=bind,source={tmp_path},target=/models,readonly",
        IMAGE,
        "tritonserver",
        "--model-repository=/models",
        *("--http-address=0.0.0.0", "--http-port=8000"),
        *("--grpc-address=0.0.0.0", "--grpc-port=8001"),
        *("--metrics-address=0.0.0.0", "--metrics-port=8002"),
        "--model-control-mode=none",
        *("--exit-on-error=false", "--strict-readiness=true", "--exit-timeout-secs=10"),
        "--cache-config=local,size=1000",
        "--x=y",
    ]


def test_a_repository_with_a_comma_or_a_quote_in_its_name_is_one_field_of_the_mount(tmp_path):
    folder = tmp_path / 'one,two "three"'
    command = docker_command(Flags(repository=str(folder)), folder)
    (mount,) = (word for word in command if word.startswith("--mount="))
    (fields,) = csv.reader([mount.removeprefix("--mount=")])
    assert fields == ["type=bind", f"source={folder}", "target=/models", "readonly"]


def test_a_relative_repository_is_mounted_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = docker_command(Flags(repository="models"), Path("models"))

    assert f"--mount=type=bind,source={tmp_path}/models,target=/models,readonly" in command


def test_an_ipv6_address_is_published_in_brackets():
    command = docker_command(Flags(repository="m", host="::1"), Path("m"))

    assert "--publish=[::1]:8000:8000" in command


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bin" / "docker"
    path.parent.mkdir()
    path.write_text(DOCKER)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return path


def serve(repository: Path) -> subprocess.Popen[str]:
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-m", "tritonkit", "serve", str(repository), "--mode", "docker"]
    return subprocess.Popen(
        [*command, *ports], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_serving_becomes_the_docker_client_so_that_signals_reach_it(docker, two_models):
    with serve(two_models) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        ran = process.stdout.readline()
        process.send_signal(signal.SIGINT)

        assert process.stdout.read() == "interrupted\n"
    assert process.returncode == 130
    assert told.startswith("HTTP on 127.0.0.1, port ")
    http, grpc, metrics = map(int, re.findall(r"(\d+)(?:;|$)", told.strip()))
    flags = Flags(repository=str(two_models), http_port=http, grpc_port=grpc, metrics_port=metrics)
    assert ran.split() == docker_command(flags, two_models)[1:]


def test_a_machine_without_docker_is_told(two_models, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with serve(two_models) as process:
        said, _ = process.communicate()

    assert process.returncode == 1
    assert said == (
        "Error: docker is not installed: https://docs.docker.com/engine/install; "
        "without docker: `tritonkit serve --mode embedded`\n"
    )


def test_an_image_that_is_not_built_is_told(docker, two_models):
    docker.write_text(DOCKER.replace("version|image) exit 0", "version) exit 0;;\n  image) exit 1"))
    with serve(two_models) as process:
        said, _ = process.communicate()

    assert process.returncode == 1
    assert f"docker build --tag {IMAGE} docker/server" in said


def test_an_engine_that_does_not_answer_is_told(docker, two_models):
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the daemon.' >&2\nexit 1\n")
    with serve(two_models) as process:
        said, _ = process.communicate()

    assert process.returncode == 1
    assert said == (
        "Error: docker's engine does not answer: Cannot connect to the daemon; "
        "without docker: `tritonkit serve --mode embedded`\n"
    )
