"""The compose files keep to their specification, to the code, and to what is safe."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from compose_spec import PyCompose

from tritonkit.gateway.config.reading import read_config

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
FILES = sorted(DOCKER.glob("compose*.yaml"))
POLICY = tomllib.loads((DOCKER / "gateway" / "serving.toml").read_text())
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<how>[?-])(?P<rest>[^}]*))?\}")
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def interpolated(text: str, values: dict[str, str]) -> str:
    """As compose does it before it reads the document."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = values.get(found["name"])
        if given is None and found["how"] == "-":
            return found["rest"]
        assert given is not None, f"{found['name']} is not in env.example"
        return given

    return VARIABLE.sub(value, text)


def secrets() -> dict[str, str]:
    lines = (DOCKER / "env.example").read_text().splitlines()
    return {line.partition("=")[0]: "0f" * 32 for line in lines if line and line[0] != "#"}


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(interpolated(path.read_text(), secrets()))
    return document


COMPOSE = read(DOCKER / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_compose_keeps_to_its_specification(path: Path) -> None:
    text = interpolated(path.read_text(), secrets())
    # Merge keys are YAML's, and read by compose before it looks.
    assert PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text))).service_names()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_overlays_change_what_is_there(path: Path) -> None:
    document = read(path)
    assert set(document["services"]) <= set(SERVICES)
    for service in document["services"].values():
        assert set(service.get("networks", ())) <= set(COMPOSE["networks"])


def test_the_gateway_alone_is_reachable_and_from_this_machine_alone() -> None:
    assert {name for name, each in SERVICES.items() if "ports" in each} == {"gateway"}
    assert {name for name, each in SERVICES.items() if "outside" in each["networks"]} == {"gateway"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for path in FILES:
        for service in read(path)["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined_pinned_and_asked_for_its_health(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert PINNED.fullmatch(service["image"])
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert limits["memory"]
    image = DOCKER / name / "Dockerfile"
    assert "healthcheck" in service or "HEALTHCHECK" in image.read_text()
    assert service.get("user", "") not in ("root", "0")
    assert "user" in service or "\nUSER " in image.read_text()


def test_what_must_be_set_is_in_the_example_and_nothing_else() -> None:
    text = "".join(path.read_text() for path in FILES)
    needed = {found["name"] for found in VARIABLE.finditer(text) if found["how"] == "?"}
    assert needed == set(secrets())


def test_no_secret_of_the_environment_is_laid_into_what_cannot_be_written() -> None:
    """Compose refuses that."""
    assert "secrets" not in COMPOSE
    assert not any("secrets" in service for service in SERVICES.values())


def test_no_secret_is_written_down() -> None:
    for line in (DOCKER / "env.example").read_text().splitlines():
        assert line.startswith("#") or line.endswith("=")
    assert "/docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, target = volume.split(":")[:2]
        assert target.startswith("/")
        if source.startswith("."):
            assert (DOCKER / source).exists() or source == "../model_repository", source
        else:
            assert source in COMPOSE["volumes"]


def listens(url: str) -> None:
    """That a service of this name listens there."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    service = SERVICES[str(parts.hostname)]
    inside = {port.rpartition(":")[2] for port in service.get("ports", ())}
    assert str(parts.port) in {*service.get("expose", ()), *inside}, url


def test_the_gateway_finds_triton_and_redis() -> None:
    environment = SERVICES["gateway"]["environment"]
    listens(POLICY["server"])
    for store in ("CACHE_URL", "REDIS_URL"):
        listens(environment[store])

    text = (DOCKER / "gateway" / "serving.toml").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(environment)


def test_prometheus_finds_both_and_has_a_token_that_the_gateway_knows() -> None:
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    for job in jobs.values():
        for static in job["static_configs"]:
            for target in static["targets"]:
                listens(target)
    file = jobs["gateway"]["authorization"]["credentials_file"]
    prometheus = SERVICES["prometheus"]
    (command,) = prometheus["command"]
    (variable,) = prometheus["environment"]
    assert f'"${variable}" > {file}' in command
    assert any(file.startswith(f"{place.partition(':')[0]}/") for place in prometheus["tmpfs"])
    tenant = POLICY["gateway"]["tenants"]["prometheus"]
    assert tenant == {"token": f"${{{variable}}}", "rights": ["metrics"]}
    mounts = dict(volume.split(":")[:2] for volume in prometheus["volumes"])
    assert mounts["./prometheus/rules"] == "/etc/prometheus/rules"
    assert f"--config.file={mounts['./prometheus/prometheus.yml']} " in command


def test_the_guide_names_images_and_ports_that_are_there() -> None:
    guide = (ROOT / "docs" / "guides" / "deploy.md").read_text()
    for name in ("cache", "redis", "prometheus", "grafana"):
        assert f"`{SERVICES[name]['image']}`" in guide
    (port,) = SERVICES["gateway"]["ports"]
    assert f"http://localhost:{port.rpartition(':')[2]}/v2/models" in guide
    for service in read(DOCKER / "compose.ports.yaml")["services"].values():
        (published,) = service["ports"]
        assert f"`{published.rpartition(':')[0]}`" in guide
    for path in FILES:
        assert f"docker/{path.name}" in guide


def test_who_depends_on_another_waits_for_its_health() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert other in SERVICES


def test_a_budgets_window_is_not_evicted_from_redis_nor_crowded_out_by_answers() -> None:
    command = SERVICES["redis"]["command"][-1]
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command
    assert "--maxmemory-policy allkeys-lru" in SERVICES["cache"]["command"][-1]


@pytest.mark.parametrize("place", ["gateway", "k8s/base"])
def test_the_cache_has_a_redis_of_its_own(place: str) -> None:
    """A Redis that evicts nothing is full of answers some day, and then refuses reservations."""
    policy = tomllib.loads((DOCKER / place / "serving.toml").read_text())
    layers = {layer["type"]: layer for layer in policy["layers"]}
    (shared,) = (store for store in layers["cache"]["stores"] if store["type"] == "redis")
    assert shared["url"] == "${CACHE_URL}"
    assert layers["budget"]["ledger"]["url"] == policy["jobs"]["url"] == "${REDIS_URL}"


@pytest.mark.parametrize("place", ["gateway", "k8s/base"])
def test_the_policies_are_those_of_a_gateway_that_drains_in_time(place: str) -> None:
    environment = {
        "APP_TOKEN": "0f" * 32,
        "METRICS_TOKEN": "f0" * 32,
        "OPS_TOKEN": "00" * 32,
        "CACHE_URL": "redis://:secret@cache:6379/0",
        "REDIS_URL": "redis://:secret@redis:6379/0",
    }
    policy, config = read_config(
        (DOCKER / place / "serving.toml").read_text(), environment=environment
    )
    assert not policy.warnings
    assert {tenant.name for tenant in config.tenants} == {"app", "ops", "prometheus"}
    if place == "gateway":
        # The supervisor of many workers gives them ten seconds more.
        longest = config.bounds.drain_delay + config.bounds.grace + 10
        assert float(SERVICES["gateway"]["stop_grace_period"].removesuffix("s")) > longest
