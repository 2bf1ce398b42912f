"""The wheel alone in a fresh environment: what the base install promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.repository.check.case import write_files
from tests.repository.check.onnx_files import graph

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "onnx", "onnxruntime", "redis", "matplotlib", "transformers", "grpc", "aiohttp"]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the built wheel and its base dependencies."""
    folder = tmp_path_factory.mktemp("thin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    # What builds it is installed here, and pip installs from outside: compiling nothing
    # ahead and without a pip of its own, the environment is made in half the time.
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    run(*pip, *build, cwd=folder)
    (wheel,) = folder.glob("tritonkit-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    install = ("install", "--quiet", "--no-compile", "-c", ROOT / "constraints.txt", wheel)
    run(*pip, "--python", python, *install, cwd=folder)
    return python


def test_client_imports_without_anything_heavy(thin: Path, tmp_path: Path) -> None:
    code = (
        "import sys, tritonkit.client\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])\n"
        "import importlib.util\n"
        "print([m for m in ('torch', 'onnx', 'redis', 'matplotlib')"
        " if importlib.util.find_spec(m)])\n"
    )
    assert run(thin, "-c", code, cwd=tmp_path) == "[]\n[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve"],
        ["doctor"],
        ["infer"],
        ["cache", "warm"],
        ["export"],
        ["bench"],
        ["bench", "run"],
    ],
)
def test_every_command_explains_itself_in_the_base_install(
    thin: Path, tmp_path: Path, arguments: list[str]
) -> None:
    assert "Usage: " in run(thin, "-m", "tritonkit", *arguments, "--help", cwd=tmp_path)


def test_a_command_of_an_extra_names_the_extra(thin: Path, minilm: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [thin, "-m", "tritonkit", "export", minilm],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "tritonkit[export]" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_needs_no_extra(thin: Path, tmp_path: Path) -> None:
    """An ONNX graph is read without the package that writes one here."""
    rows = "(float[b,4] x) => (float[b,4] y) { y = Identity(x) }"
    config = (
        "max_batch_size: 8\n"
        'input { name: "x" data_type: TYPE_FP32 dims: 5 }\n'
        'output { name: "y" data_type: TYPE_FP32 dims: 4 }\n'
    )
    write_files(tmp_path, {"r/m/config.pbtxt": config, "r/m/1/model.onnx": graph(rows)})
    done = subprocess.run(
        [thin, "-m", "tritonkit", "check", "r"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "TK042" in done.stdout


def test_the_wheel_holds_the_backend_of_the_embedded_server(thin: Path, tmp_path: Path) -> None:
    code = (
        "from importlib.resources import files\n"
        "print(files('tritonkit.server').joinpath('backends/onnxruntime/model.py').is_file())\n"
    )
    assert run(thin, "-c", code, cwd=tmp_path) == "True\n"
