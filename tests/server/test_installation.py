"""Which tritonserver runs, and in which environment."""

import os
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.server.installation import Installation, find_installation, own_installation
from tritonkit.server.runtime import ensure_runtime


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "tritonserver"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def embedded() -> Installation:
    runtime = ensure_runtime()
    return Installation(tritonserver=runtime.tritonserver, source="embedded", runtime=runtime)


def test_the_variable_comes_first(executable, monkeypatch):
    monkeypatch.setenv("TRITONKIT_TRITONSERVER", str(executable))
    monkeypatch.setenv("PATH", "/nowhere")

    assert find_installation(print) == Installation(
        tritonserver=executable, source="$TRITONKIT_TRITONSERVER"
    )


def test_the_path_comes_next(executable, monkeypatch):
    monkeypatch.delenv("TRITONKIT_TRITONSERVER", raising=False)
    monkeypatch.setenv("PATH", str(executable.parent))

    assert find_installation(print) == Installation(tritonserver=executable, source="PATH")


def test_the_embedded_one_comes_last(monkeypatch, embedded):
    monkeypatch.delenv("TRITONKIT_TRITONSERVER", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")

    assert own_installation() is None
    assert find_installation(print) == embedded


def test_a_variable_that_names_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("TRITONKIT_TRITONSERVER", str(tmp_path))

    with pytest.raises(ConfigError, match=f"must name an executable tritonserver.*{tmp_path}"):
        find_installation(print)


def test_somebody_elses_server_keeps_its_backends_and_environment(executable, tmp_path):
    own = Installation(tritonserver=executable, source="PATH")
    folder = tmp_path / "folder"
    folder.mkdir()

    assert own.environment({"PYTHONPATH": "x"}) == {"PYTHONPATH": "x"}
    assert own.prepare(folder, "p-") == ["--backend-config=python,shm-region-prefix-name=p-"]
    assert list(folder.iterdir()) == []


def test_the_embedded_environment_puts_the_runtime_first(embedded):
    made = embedded.environment(
        {"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/opt/lib", "VIRTUAL_ENV": "/v", "X": "y"}
    )

    assert made["PATH"] == f"{embedded.runtime.bin}:/usr/bin"
    assert made["LD_LIBRARY_PATH"].endswith(":/opt/lib")
    assert made["X"] == "y"
    assert "VIRTUAL_ENV" not in made


def test_an_environment_without_paths_gets_them(embedded):
    made = embedded.environment({})

    assert made["PATH"] == f"{embedded.runtime.bin}:{os.defpath}"
    assert not made["LD_LIBRARY_PATH"].endswith(":")


def test_onnxruntime_reports_home_only_where_the_user_says_so(embedded):
    assert embedded.environment({})["ORT_DISABLE_TELEMETRY"] == "1"
    assert embedded.environment({"ORT_DISABLE_TELEMETRY": "0"})["ORT_DISABLE_TELEMETRY"] == "0"


def test_the_embedded_server_gets_both_backends(embedded, tmp_path):
    arguments = embedded.prepare(tmp_path, "p-")

    assert f"--backend-directory={tmp_path / 'backends'}" in arguments
    assert (tmp_path / "backends" / "onnxruntime" / "model.py").is_file()
    stub = tmp_path / "backends" / "python" / "triton_python_backend_stub"
    assert os.access(stub, os.X_OK)
    for backend in ("python", "onnxruntime"):
        assert f"--backend-config={backend},shm-region-prefix-name=p-" in arguments
