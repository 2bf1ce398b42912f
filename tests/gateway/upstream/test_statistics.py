"""The counters of several Tritons."""

from __future__ import annotations

import json
import urllib.request
from copy import deepcopy
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import tritonclient.http as triton_http
from tests.gateway.running import running_gateway
from tritonclient.utils import InferenceServerException

from tritonkit.gateway.upstream.statistics import summed

if TYPE_CHECKING:
    from conftest import Triton


def entry(endpoint: str, count: int, *sizes: int, version: str = "1") -> dict[str, Any]:
    each = {"count": count, "ns": 10 * count}
    return {
        "name": "m",
        "version": version,
        "last_inference": 1000 + count,
        "inference_count": count,
        "inference_stats": {"success": each, "fail": {"count": 0, "ns": 0}},
        "batch_stats": [{"batch_size": size, "compute_infer": each} for size in sizes],
        "memory_usage": [{"type": "CPU", "id": 0, "byte_size": count}],
        "endpoint": endpoint,
    }


def test_a_sum() -> None:
    entries = [entry("a", 1, 1, 2), entry("b", 2, 2, 4), entry("b", 7, version="2")]
    before = deepcopy(entries)
    first, second = summed(entries)
    assert entries == before
    assert first == {
        "name": "m",
        "version": "1",
        "last_inference": 1002,
        "inference_count": 3,
        "inference_stats": {"success": {"count": 3, "ns": 30}, "fail": {"count": 0, "ns": 0}},
        "batch_stats": [
            {"batch_size": 1, "compute_infer": {"count": 1, "ns": 10}},
            {"batch_size": 2, "compute_infer": {"count": 3, "ns": 30}},
            {"batch_size": 4, "compute_infer": {"count": 2, "ns": 20}},
        ],
        "memory_usage": [{"type": "CPU", "id": 0, "byte_size": 3}],
    }
    assert (second["version"], second["inference_count"]) == ("2", 7)


def test_one_server_alone_is_as_it_was() -> None:
    alone = entry("a", 3, 1)
    assert summed([alone]) == [{k: v for k, v in alone.items() if k != "endpoint"}]
    assert summed([]) == []


def counted(client: triton_http.InferenceServerClient, version: str = "") -> dict[str, Any]:
    """Of the only version."""
    (found,) = client.get_inference_statistics("doubles", version)["model_stats"]
    assert isinstance(found, dict)
    return found


def test_what_a_client_reads(triton: Triton, tmp_path: Path) -> None:
    """One server by two names counts twice, and never less than before."""
    servers = [triton.http, triton.http.replace("127.0.0.1", "localhost")]
    x = triton_http.InferInput("x", [1, 4], "FP32")
    x.set_data_from_numpy(np.ones((1, 4), np.float32))
    with (
        running_gateway(f"server = {servers}", folder=tmp_path) as gateway,
        triton_http.InferenceServerClient(gateway.target) as client,
        triton_http.InferenceServerClient(triton.http_target) as direct,
    ):
        for _ in range(3):
            client.infer("doubles", [x])
            for version in ("", "1"):
                end = monotonic() + 20
                while True:
                    alone, both = counted(direct, version), counted(client, version)
                    assert both.keys() == alone.keys()
                    # A server counts a little after it has answered.
                    if both["inference_count"] == 2 * alone["inference_count"]:
                        break
                    assert monotonic() < end
        with urllib.request.urlopen(f"{gateway.url}/v2/models/stats") as reply:
            names = [each["name"] for each in json.load(reply)["model_stats"]]
        assert sorted(names) == sorted(set(names))
        assert "doubles" in names
        said = []
        for each in (client, direct):
            try:
                each.get_inference_statistics("nope")
            except InferenceServerException as error:
                said.append((error.status(), error.message()))
        assert said[0] == said[1]
