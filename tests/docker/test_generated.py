"""What docker/generate.py writes is what is there, and what Grafana reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

TEXT = {"type": "string", "minLength": 1}
SOURCE = {"const": {"type": "prometheus", "uid": "prometheus"}}
PLACE = {
    "type": "object",
    "properties": {
        "x": {"minimum": 0, "maximum": 23},
        "y": {"minimum": 0},
        "w": {"minimum": 1, "maximum": 24},
        "h": {"minimum": 1},
    },
    "required": ["x", "y", "w", "h"],
    "additionalProperties": False,
}
# The part of a dashboard that Grafana cannot do without.
DASHBOARD = {
    "type": "object",
    "properties": {
        "uid": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"},
        "title": TEXT,
        "schemaVersion": {"type": "integer", "minimum": 36},
        "time": {"type": "object", "required": ["from", "to"]},
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"enum": ["row", "stat", "timeseries"]},
                    "title": TEXT,
                    "gridPos": PLACE,
                    "datasource": SOURCE,
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 26,
                        "items": {
                            "type": "object",
                            "properties": {"expr": TEXT, "refId": TEXT, "datasource": SOURCE},
                            "required": ["expr", "refId", "legendFormat", "datasource"],
                        },
                    },
                },
                "required": ["id", "type", "title", "gridPos"],
                "if": {"properties": {"type": {"const": "row"}}},
                "else": {"required": ["targets", "datasource", "fieldConfig", "options"]},
            },
        },
    },
    "required": ["uid", "title", "schemaVersion", "time", "panels", "templating"],
}


@pytest.fixture(scope="module")
def generate(load_from: Callable[[Path], ModuleType], docker: Path) -> ModuleType:
    return load_from(docker / "generate.py")


@pytest.fixture(scope="module")
def dashboard(generate: ModuleType) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(generate.DASHBOARD.read_text())
    return document


def test_what_is_there_is_what_is_written(generate: ModuleType) -> None:
    for path, text in generate.written().items():
        assert path.read_text(encoding="utf-8") == text, "python docker/generate.py"


def test_the_dashboard_is_one(dashboard: dict[str, Any]) -> None:
    jsonschema.validate(dashboard, DASHBOARD)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_no_panel_covers_another(dashboard: dict[str, Any]) -> None:
    for one, other in combinations((panel["gridPos"] for panel in dashboard["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
        assert one["x"] + one["w"] <= 24


def test_grafana_finds_prometheus_and_the_dashboard(
    docker: Path, dashboard: dict[str, Any]
) -> None:
    provisioning = docker / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    assert {"type": source["type"], "uid": source["uid"]} == SOURCE["const"]
    services = yaml.safe_load((docker / "compose.yaml").read_text())["services"]
    (port,) = services["prometheus"]["expose"]
    assert source["url"] == f"http://prometheus:{port}"

    (provider,) = yaml.safe_load((provisioning / "dashboards" / "tritonkit.yaml").read_text())[
        "providers"
    ]
    mounts = {
        target: source
        for source, target, _ in (each.split(":") for each in services["grafana"]["volumes"][:2])
    }
    folder = docker / mounts[provider["options"]["path"]]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / Path(home).name).is_file()
    assert [path.stem for path in folder.iterdir()] == [dashboard["uid"]]
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
