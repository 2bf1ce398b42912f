"""What the doctor finds; the machine is the real one, its folders and variables are ours."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tritonkit.server.doctor import Finding, State, can_serve, examine
from tritonkit.server.runtime import runtime_path


def found(subject: str, **options: object) -> Finding:
    (finding,) = [each for each in examine(**options) if each.subject == subject]  # type: ignore[arg-type]
    return finding


def test_this_machine_can_serve():
    findings = examine()

    assert can_serve(findings)
    assert found("runtime").found == f"installed in {runtime_path()}"
    assert all(finding.remedy for finding in findings if finding.state is not State.OK)


def test_every_finding_that_keeps_from_serving_counts():
    fine = Finding("a", State.OK, "")
    odd = Finding("b", State.WARNING, "", "do this")
    bad = Finding("c", State.MISSING, "", "do that")

    assert can_serve([fine, odd])
    assert not can_serve([fine, odd, bad])


def test_a_runtime_that_is_not_installed_yet_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert found("runtime").state is State.OK
    assert "not installed yet" in found("runtime").found
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))

    assert found("runtime").state is State.MISSING
    assert found("runtime").remedy == "set XDG_DATA_HOME to a folder that can be written"


def test_somebody_elses_server_needs_nothing_of_the_embedded_one(monkeypatch):
    monkeypatch.setenv("TRITONKIT_TRITONSERVER", sys.executable)
    subjects = [finding.subject for finding in examine()]

    assert subjects[:2] == ["tritonserver", "shared memory"]


def test_a_variable_that_names_nothing(monkeypatch):
    monkeypatch.setenv("TRITONKIT_TRITONSERVER", "/no/tritonserver")

    assert found("tritonserver").state is State.MISSING
    assert "must name an executable" in found("tritonserver").remedy


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert found(f"port {port}", ports=[port]).state is State.WARNING


def test_no_shared_memory(tmp_path):
    assert found("shared memory", shared_memory=tmp_path / "none").state is State.MISSING


def test_no_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert found("docker").state is State.WARNING
    assert "docker is not installed" in found("docker").remedy


@pytest.mark.parametrize(("named", "code"), [("", 0), ("/no/tritonserver", 1)])
def test_the_command_exits_with_what_it_found(named, code, monkeypatch):
    monkeypatch.setenv("TRITONKIT_TRITONSERVER", named)
    command = [sys.executable, "-m", "tritonkit", "doctor"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == told.returncode == code
    subjects = [finding["subject"] for finding in json.loads(done.stdout)]
    assert all(subject in told.stdout for subject in subjects)


def test_a_library_that_is_missing_is_named(monkeypatch, tmp_path):
    """Of a Python that was built without --enable-shared."""
    import sysconfig

    monkeypatch.setitem(sysconfig.get_config_vars(), "LIBDIR", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setitem(sysconfig.get_config_vars(), "LIBPL", str(tmp_path))
    monkeypatch.setitem(sysconfig.get_config_vars(), "MULTIARCH", "")

    assert found("libpython").state is State.MISSING
    assert "apt install libpython3" in found("libpython").remedy
    assert not Path(tmp_path / "lib").exists()
