from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tritonkit import cli
from tritonkit.errors import ConfigError
from tritonkit.lazy_group import LazyCommand


def test_help_lists_every_command_without_importing_an_area() -> None:
    code = (
        "import sys\n"
        "from tritonkit.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "areas = [m for m in sys.modules if m.startswith('tritonkit.') and m.count('.') > 1]\n"
        "assert not areas, areas\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in cli.COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli.main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} [OPTIONS]" in result.output


def test_our_errors_are_one_line_and_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise ConfigError("ttl must be positive, but got -1.")

    monkeypatch.setitem(sys.modules, "a_command", type("M", (), {"fails": fails}))
    monkeypatch.setitem(cli.COMMANDS, "fails", LazyCommand("a_command:fails", "Fails."))
    result = CliRunner().invoke(cli.main, ["fails"])
    assert result.exit_code == 2
    assert result.output == "Error: ttl must be positive, but got -1.\n"


def test_python_dash_m_runs_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tritonkit", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("tritonkit, version ")


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(cli.main, ["swerve"]).exit_code == 2
