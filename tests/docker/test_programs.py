"""What `make test` does where a program that tests drive is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parents[1]
APT = """#!/bin/sh
for word; do case $word in
    Dir::State::Lists=*) test -d "${word#*=}/partial" || exit 100;;
    download) echo package > prometheus.deb;;
esac; done
"""
DPKG = """#!/bin/sh
mkdir -p all/usr/bin
echo one > all/usr/bin/prometheus
echo other > all/usr/bin/promtool
"""


@pytest.fixture
def bare(
    load_from: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    """The script on a machine whose PATH has nothing, and whose user is not root."""
    monkeypatch.syspath_prepend(TESTS)
    debian = load_from(TESTS / "debian.py")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(debian, "_TAKEN", tmp_path / "build" / "taken")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    return debian


def test_without_apt_it_says_what_is_needed(
    bare: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    assert bare.main() == 1
    chromium, prometheus = capfd.readouterr().err.splitlines()
    assert chromium.startswith("put a Chromium ")
    assert prometheus.startswith("put Prometheus, 2.42 or later, with promtool ")


def test_without_root_it_takes_prometheus_and_says_why_not_chromium(
    bare: ModuleType, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, script in (("apt-get", APT), ("dpkg-deb", DPKG)):
        path = tmp_path / "bin" / name
        path.write_text(script)
        path.chmod(0o755)
    for name in ("mkdir", "test", "sh"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name, path="/usr/bin:/bin")))

    assert bare.main() == 1
    (chromium,) = capfd.readouterr().err.splitlines()
    assert chromium.startswith("put a Chromium ")
    assert "sudo" in chromium
    taken = tmp_path / "build" / "taken"
    assert {path.name: path.read_text() for path in taken.iterdir()} == {
        "prometheus": "one\n", "promtool": "other\n",
    }  # fmt: skip
    assert [path.name for path in taken.parent.iterdir()] == ["taken"]
