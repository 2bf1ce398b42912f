"""What goes on to one of several Tritons as it came."""

from __future__ import annotations

import re
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tritonclient.http as triton_http
from tests.gateway.running import running_gateway
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from conftest import Triton


def asked(url: str) -> dict[str, int]:
    """Requests that each server got."""
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        text = reply.read().decode()
    found = re.findall(r'endpoint_requests_total\{.*endpoint="(.+?)".*\} (\d+)', text)
    return {endpoint: int(count) for endpoint, count in found}


def test_the_steps_of_a_sequence_go_to_one_server(triton: Triton, tmp_path: Path) -> None:
    """Which is known by its two names, since a server is counted by its name."""
    servers = [triton.http, triton.http.replace("127.0.0.1", "localhost")]
    x = triton_http.InferInput("x", [1, 4], "FP32")
    x.set_data_from_numpy(np.ones((1, 4), np.float32))
    with (
        running_gateway(f"server = {servers}", folder=tmp_path) as gateway,
        triton_http.InferenceServerClient(gateway.target) as client,
    ):
        for number in range(1, 9):
            before = asked(gateway.url)
            for _ in range(4):
                # The model may know of none.
                with suppress(InferenceServerException):
                    client.infer("doubles", [x], sequence_id=number, sequence_start=True)
            after = asked(gateway.url)
            assert sorted(after[name] - before.get(name, 0) for name in after)[:-1] in ([], [0])
        assert sorted(asked(gateway.url)) == sorted(servers)
        assert min(asked(gateway.url).values()) > 0
