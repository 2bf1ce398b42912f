"""The manifests keep to their schemas, to each other and to the code."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from kubernetes_validate import utils, validate

from tritonkit.cli import COMMANDS
from tritonkit.server.container import IMAGE, container_flags
from tritonkit.server.flags import Flags
from tritonkit.units import parse_duration

ROOT = Path(__file__).parents[2]
K8S = ROOT / "docker" / "k8s"
# Files keep to the one, and what is built of them to the other.
OLDEST, NEWEST = "1.30", "1.37"
FILES = sorted(path for path in K8S.rglob("*.yaml") if path.name != "values.yaml")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
POLICY = tomllib.loads((K8S / "base" / "serving.toml").read_text())
ENTRIES = ("overlays/cpu", "overlays/gpu", "kserve", "bench")


@pytest.fixture(scope="session")
def schemas(load_from: Any) -> Any:
    return load_from(Path(__file__).with_name("schemas.py"))


# It reads all definitions of a version anew for each object.
utils.schema_contents = cache(utils.schema_contents)


@cache
def documents(path: Path) -> list[dict[str, Any]]:
    every = yaml.load_all(path.read_text(), yaml.CSafeLoader)
    return [each for each in every if each is not None]


def objects(folder: str = "") -> Iterator[dict[str, Any]]:
    """Those of a folder, or of all, without what kustomize itself reads and patches."""
    for path in FILES:
        ours = path.is_relative_to(K8S / folder) and not path.is_relative_to(K8S / "overlays")
        if ours and path.name != "kustomization.yaml":
            yield from documents(path)


def find(kind: str, name: str, folder: str = "base") -> dict[str, Any]:
    (found,) = (
        each for each in objects(folder) if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def container(kind: str, name: str, folder: str = "base") -> dict[str, Any]:
    (only,) = find(kind, name, folder)["spec"]["template"]["spec"]["containers"]
    return dict(only)


def check(document: dict[str, Any], schemas: Any, version: str) -> None:
    schema = schemas.CUSTOM.get((document["apiVersion"], document["kind"]))
    if schema is not None:
        jsonschema.validate(document, schema)
    else:
        validate(document, version, strict=True)


def parsed(words: list[str]) -> dict[str, Any]:
    """What click makes of a command line of ours."""
    assert words[0] == "tritonkit"
    module, _, name = COMMANDS[words[1]].target.partition(":")
    command = getattr(importlib.import_module(module), name)
    rest = words[2:]
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), rest.pop(0))
    return dict(command.make_context("", rest).params)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(K8S).as_posix())
def test_each_file_keeps_to_its_schema(path: Path, schemas: Any) -> None:
    for document in documents(path):
        if path.name == "kustomization.yaml":
            jsonschema.validate(document, schemas.KUSTOMIZATION)
        elif path.is_relative_to(K8S / "overlays"):
            # A patch has what it changes; what comes of it is checked below.
            assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
        else:
            check(document, schemas, OLDEST)


def test_the_runtimes_pods_keep_to_the_schema_of_pods() -> None:
    spec = find("ServingRuntime", "tritonkit", "kserve")["spec"]
    pod = {"containers": spec["containers"], "volumes": spec["volumes"]}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}
    validate(document, OLDEST, strict=True)


def test_what_kustomizations_name_is_there() -> None:
    for path in (path for path in FILES if path.name == "kustomization.yaml"):
        (document,) = documents(path)
        named = [*document.get("resources", ()), *document.get("components", ())]
        named += [patch["path"] for patch in document.get("patches", ()) if "path" in patch]
        named += [file for each in document.get("configMapGenerator", ()) for file in each["files"]]
        for name in named:
            assert (path.parent / name).exists(), name
        if path.parent.parent.name != "overlays":
            beside = {each.name for each in path.parent.iterdir()} - {"kustomization.yaml"}
            assert beside == set(named)


def test_patches_change_what_the_base_has() -> None:
    there = {(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in objects()}
    for path in (K8S / "overlays").rglob("*.yaml"):
        if path.name != "kustomization.yaml":
            for patch in documents(path):
                key = (patch["apiVersion"], patch["kind"], patch["metadata"]["name"])
                assert key in there


@pytest.fixture(scope="session")
def built(load_from: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The objects of each kustomization, and of an overlay with KEDA."""
    kustomize = load_from(Path(__file__).with_name("kustomize.py"))
    folder = tmp_path_factory.mktemp("keda")
    here = {name: os.path.relpath(K8S / name, folder) for name in ("overlays/cpu", "keda")}
    lines = f"resources: [{here['overlays/cpu']}]\ncomponents: [{here['keda']}]\n"
    (folder / "kustomization.yaml").write_text(lines)
    folders = {entry: K8S / entry for entry in ENTRIES} | {"with KEDA": folder}
    return {entry: (path, kustomize.built(path)) for entry, path in folders.items()}


@pytest.mark.parametrize("entry", [*ENTRIES, "with KEDA"])
def test_what_is_built_keeps_to_its_schema(entry: str, built: Any, schemas: Any) -> None:
    _, objects = built[entry]
    for document in objects:
        check(document, schemas, NEWEST)
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "tritonkit"
    scalers = {each["kind"] for each in objects if each["metadata"]["name"] == "triton"}
    assert ("ScaledObject" in scalers) is (entry == "with KEDA")
    assert ("HorizontalPodAutoscaler" in scalers) is entry.startswith("overlays/")


if KUBECTL := shutil.which("kubectl"):
    # Only as a witness of kustomize.py: up to release 12, that of Debian is too old to build these.
    def test_kubectl_builds_the_same(built: Any) -> None:
        for folder, objects in built.values():
            command = [str(KUBECTL), "kustomize", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            text = re.sub(r"\bpolicy-[a-z0-9]{10}\b", "policy", done.stdout)
            theirs = list(yaml.load_all(text, yaml.CSafeLoader))
            assert len(theirs) == len(objects)
            assert all(each in theirs for each in objects)


def test_pods_are_confined() -> None:
    kinds = ("Deployment", "Job")
    specs = [each["spec"]["template"]["spec"] for each in objects() if each["kind"] in kinds]
    assert len(specs) == 3
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        for each in spec["containers"]:
            context = each["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert each["resources"]["limits"]["memory"]
            mounted = {mount["name"] for mount in each["volumeMounts"]}
            assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_images_are_those_that_are_built() -> None:
    files = [path.read_text() for path in (ROOT / "docker").rglob("*Dockerfile")]
    built = set(re.findall(r"--tag (\S+)", "\n".join(files)))
    assert container("Deployment", "triton")["image"] == IMAGE
    used = {IMAGE, container("Deployment", "gateway")["image"]}
    used.add(container("Job", "load", "bench")["image"])
    for overlay in ("cpu", "gpu"):
        (document,) = documents(K8S / "overlays" / overlay / "kustomization.yaml")
        for image in document["images"]:
            used.add(f"{image.get('newName', image['name'])}:{image['newTag']}")
    assert used == built
    assert {tag for tag in built if not tag.startswith("tritonkit-server")} == {
        f"tritonkit-{name}:{VERSION}" for name in ("gateway", "bench")
    }


def test_the_guide_builds_what_the_overlay_that_it_applies_runs() -> None:
    guide = (ROOT / "docs" / "guides" / "deploy.md").read_text()
    (overlay,) = set(re.findall(r"^kubectl apply --kustomize \S+/overlays/(\w+)", guide, re.M))
    (document,) = documents(K8S / "overlays" / overlay / "kustomization.yaml")
    for image in document["images"]:
        name = f"registry.example/{image.get('newName', image['name'])}:{image['newTag']}"
        assert re.search(rf"^docker build .*--tag {re.escape(name)} ", guide, re.M), name
        assert f"\ndocker push {name}\n" in guide


def test_triton_is_told_what_the_embedded_server_is() -> None:
    flags = container_flags(Flags(repository="here"))
    wanted = ["tritonserver", *flags.arguments()]
    assert container("Deployment", "triton")["args"] == wanted

    (kserve,) = find("ServingRuntime", "tritonkit", "kserve")["spec"]["containers"]
    assert kserve["image"] == IMAGE
    assert kserve["args"] == [word.replace("=/models", "=/mnt/models") for word in wanted]

    (patch,) = documents(K8S / "overlays" / "cpu" / "triton.yaml")
    (slim,) = patch["spec"]["template"]["spec"]["containers"]
    options = parsed([*slim["command"], *slim["args"]])
    assert str(options["repository"]) == flags.repository
    assert options["host"] == flags.host
    ports = {
        port["name"]: port["containerPort"] for port in container("Deployment", "triton")["ports"]
    }
    assert ports == {
        "http": options["http_port"], "grpc": options["grpc_port"],
        "metrics": options["metrics_port"],
    }  # fmt: skip
    assert (
        f"USER {patch['spec']['template']['spec']['securityContext']['runAsUser']}:"
        in (ROOT / "docker" / "server" / "cpu.Dockerfile").read_text()
    )


def test_services_and_monitors_point_at_ports_that_are_there() -> None:
    for name in ("triton", "gateway"):
        ports = {port["name"] for port in container("Deployment", name)["ports"]}
        labels = find("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        service = find("Service", name)["spec"]
        monitor = find("PodMonitor", name)["spec"]
        assert {port["targetPort"] for port in service["ports"]} == ports
        assert {each["port"] for each in monitor["podMetricsEndpoints"]} <= ports
        assert labels[monitor["jobLabel"]] == name
        budget = find("PodDisruptionBudget", name)["spec"]
        for selector in (service["selector"], monitor["selector"]["matchLabels"],
                         budget["selector"]["matchLabels"]):  # fmt: skip
            assert selector.items() <= labels.items()
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = container("Deployment", name)[probe]["httpGet"]
            assert get["port"] in ports
            assert get["path"] in ("/v2/health/live", "/v2/health/ready")


def test_the_network_lets_through_what_is_needed_and_names_pods_that_are_there() -> None:
    for name in ("gateway", "triton"):
        numbers = {port["containerPort"] for port in container("Deployment", name)["ports"]}
        rules = find("NetworkPolicy", name)["spec"]["ingress"]
        assert {port["port"] for rule in rules for port in rule["ports"]} == numbers
    assert find("NetworkPolicy", "nobody")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress"],
    }


def test_the_gateway_has_what_its_policy_asks_for() -> None:
    gateway = container("Deployment", "gateway")
    environment = {each["name"]: each for each in gateway["env"]}
    text = (K8S / "base" / "serving.toml").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(environment) - {"REDIS_PASSWORD"}

    for name, variable in (("cache", "CACHE_URL"), ("redis", "REDIS_URL")):
        host = redis(name)["fullnameOverride"]
        assert environment[variable]["value"] == f"redis://:$(REDIS_PASSWORD)@{host}:6379"
    # Its pods have the chart's name.
    guard = find("NetworkPolicy", "redis")["spec"]
    assert guard["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "redis"}}
    assert {"podSelector": guard["podSelector"]} in guard["ingress"][1]["from"]
    (_, store) = next(each for each in POLICY["layers"] if each["type"] == "cache")["stores"]
    budget = next(each for each in POLICY["layers"] if each["type"] == "budget")
    assert store["cluster"] is budget["ledger"]["cluster"] is POLICY["jobs"]["cluster"] is True
    (server,) = POLICY["server"]["servers"]
    service = find("Service", "triton")
    assert server == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert service["spec"]["clusterIP"] == "None"


def test_secrets_are_those_of_one_secret() -> None:
    auths = [redis(name)["auth"] for name in ("cache", "redis")]
    keys = {auth["existingSecretPasswordKey"] for auth in auths}
    names = {auth["existingSecret"] for auth in auths}
    pods = (container("Deployment", "gateway"), container("Job", "load", "bench"))
    for each in pods:
        for variable in each["env"]:
            if "valueFrom" in variable:
                names.add(variable["valueFrom"]["secretKeyRef"]["name"])
                keys.add(variable["valueFrom"]["secretKeyRef"]["key"])
    (endpoint,) = find("PodMonitor", "gateway")["spec"]["podMetricsEndpoints"]
    names.add(endpoint["authorization"]["credentials"]["name"])
    assert names == {"tritonkit"}
    assert keys == {"app-token", "metrics-token", "ops-token", "redis-password"}
    assert endpoint["authorization"]["credentials"]["key"] in keys
    guide = (ROOT / "docs" / "guides" / "deploy.md").read_text()
    assert set(re.findall(r"--from-literal=([\w-]+)=", guide)) == keys


def redis(name: str) -> dict[str, Any]:
    """What the chart of a Redis is told."""
    return dict(yaml.safe_load((K8S / name / "values.yaml").read_text()))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("redis", {"appendonly yes", "maxmemory-policy noeviction"}),
        ("cache", {"appendonly no", "maxmemory-policy allkeys-lru"}),
    ],
)
def test_each_redis_keeps_what_it_must_and_is_that_of_compose(name: str, lines: set[str]) -> None:
    values = redis(name)
    assert lines <= set(values["extraConfig"].splitlines())
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    ours = f"{values['image']['repository']}:{values['image']['tag']}"
    assert compose["services"][name]["image"] == f"{ours}-alpine"
    assert values["pdb"]["minAvailable"] == values["replicaCount"] - 1
    (spread,) = values["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == {"app.kubernetes.io/instance": name}


def test_the_guide_installs_what_the_values_are_for() -> None:
    guide = (ROOT / "docs" / "guides" / "deploy.md").read_text()
    for chart in ("cache", "redis", "adapter"):
        text = (K8S / chart / "values.yaml").read_text()
        command = re.findall(r"^#     (helm .*\n#       .*)$", text, re.MULTILINE)
        assert command[0].replace("\n#       ", "\n  ") in guide


def test_what_ends_has_time_to_end() -> None:
    triton = find("Deployment", "triton")["spec"]["template"]["spec"]
    (command,) = (each["lifecycle"]["preStop"]["exec"]["command"] for each in triton["containers"])
    assert command[0] == "sleep"
    exit_timeout = Flags(repository="here").exit_timeout
    assert triton["terminationGracePeriodSeconds"] > float(command[1]) + exit_timeout
    # The gateways look the addresses up meanwhile.
    assert float(command[1]) > parse_duration(POLICY["server"]["dns"], name="dns")

    gateway = find("Deployment", "gateway")["spec"]["template"]["spec"]
    bounds = [
        parse_duration(POLICY["gateway"][name], name=name) for name in ("drain_delay", "grace")
    ]
    assert gateway["terminationGracePeriodSeconds"] > sum(bounds) + 10
    (probe,) = (each["readinessProbe"] for each in gateway["containers"])
    assert bounds[0] > probe["periodSeconds"] * probe.get("failureThreshold", 3)


def test_the_autoscaler_reads_what_the_adapter_tells() -> None:
    values = yaml.safe_load((K8S / "adapter" / "values.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    (patch,) = documents(K8S / "overlays" / "gpu" / "autoscaler.yaml")
    (scaled,) = documents(K8S / "keda" / "scaledobject.yaml")
    for spec in (find("HorizontalPodAutoscaler", "triton")["spec"], patch["spec"]):
        pods = next(each["pods"] for each in spec["metrics"] if each["type"] == "Pods")
        assert pods["metric"]["name"] == rule["name"]["as"]
        (trigger,) = scaled["spec"]["triggers"]
        assert trigger["metadata"]["threshold"] == pods["target"]["averageValue"]
    spec = find("HorizontalPodAutoscaler", "triton")["spec"]
    assert scaled["spec"]["maxReplicaCount"] == spec["maxReplicas"]
    assert scaled["spec"]["minReplicaCount"] == spec["minReplicas"]


def test_the_load_is_shared_by_as_many_as_the_job_has(tmp_path: Path) -> None:
    job = find("Job", "load", "bench")["spec"]
    load = container("Job", "load", "bench")
    values = {each["name"]: each.get("value", "secret") for each in load["env"]}
    assert job["completions"] == job["parallelism"] == int(values["SHARDS"])
    assert job["completionMode"] == "Indexed"
    (script,) = load["args"]
    text = script.replace("\\\n", " ").partition("exec ")[2]
    for name, value in {**values, "JOB_COMPLETION_INDEX": "3"}.items():
        text = text.replace(f"${name}", value)
    options = parsed(shlex.split(text.replace("/results", str(tmp_path))))

    service = find("Service", "gateway")
    address = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert options["url"] == address
    assert str(options["shard"]) == "3/8"
    assert "/results/part-$JOB_COMPLETION_INDEX.json" in script


def test_its_pods_begin_together() -> None:
    (script,) = container("Job", "load", "bench")["args"]
    (line,) = (line for line in script.splitlines() if line.startswith("sleep"))
    begins = set()
    # Pods that start within a minute of each other.
    for second in range(1_790_000_000, 1_790_000_060):
        arithmetic = line.removeprefix("sleep $((").removesuffix("))").replace("/", "//")
        begins.add(second + eval(arithmetic, {"now": second}))
    assert len(begins) <= 2
    assert all(begin % 300 == 0 for begin in begins)
