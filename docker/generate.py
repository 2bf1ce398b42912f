"""
Writes what follows from something else in docker/.

    python docker/generate.py

The dashboard is made of docker/grafana/panels.yaml, and the rules of Prometheus are laid into
an object as Kubernetes wants them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

DOCKER = Path(__file__).parent
PANELS = DOCKER / "grafana" / "panels.yaml"
DASHBOARD = DOCKER / "grafana" / "dashboards" / "tritonkit.json"
RULES = DOCKER / "k8s" / "base" / "rules.yaml"
_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_WIDTH, _ACROSS = 24, 3
_NUMBERS = "Now"
"""The row whose panels are one number each."""


def dashboard() -> dict[str, Any]:
    """As Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in yaml.safe_load(PANELS.read_text(encoding="utf-8")).items():
        numbers = title == _NUMBERS
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": place,
            }
        )
        top += 1
        across = len(row) if numbers else _ACROSS
        height, width = (4 if numbers else 8), _WIDTH // across
        for position, (name, unit, lines) in enumerate(row):
            down, right = divmod(position, across)
            place = {"h": height, "w": width, "x": right * width, "y": top + down * height}
            panels.append(
                {
                    "id": len(panels) + 1,
                    "title": name,
                    "gridPos": place,
                    "datasource": _SOURCE,
                    "targets": _targets(lines),
                    **(_number(unit) if numbers else _course(unit)),
                }
            )
        top += -(-len(row) // across) * height
    return {
        "uid": "tritonkit",
        "title": "tritonkit",
        "description": "Written by docker/generate.py.",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "browser",
        "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"},
        "tags": ["tritonkit"],
        "templating": {"list": [_models()]},
        "annotations": {"list": [_alerts()]},
        "panels": panels,
    }


def _targets(lines: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"refId": chr(ord("A") + i), "expr": expr, "legendFormat": label, "datasource": _SOURCE}
        for i, (expr, label) in enumerate(lines.items())
    ]


def _number(unit: str) -> dict[str, Any]:
    return {
        "type": "stat",
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
    }


def _course(unit: str) -> dict[str, Any]:
    custom = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    return {
        "type": "timeseries",
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def _models() -> dict[str, Any]:
    return {
        "name": "model",
        "label": "Model",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": "label_values(nv_inference_count, model)", "refId": "models"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "enable": True,
        "datasource": _SOURCE,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }


def rules() -> dict[str, Any]:
    """What docker/prometheus/rules says, as an object of the Prometheus operator."""
    groups = [
        group
        for path in sorted((DOCKER / "prometheus" / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "tritonkit"},
        "spec": {"groups": groups},
    }


def written() -> dict[Path, str]:
    """Each file with its text."""
    head = "# Written by docker/generate.py from docker/prometheus/rules.\n"
    return {
        DASHBOARD: json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n",
        RULES: head + yaml.safe_dump(rules(), sort_keys=False, width=100),
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCKER.parent))
