"""The probe on a real model: float32 keeps rows apart, dynamic int8 does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tritonkit.client import AsyncClient, probe_row_independence

if TYPE_CHECKING:
    from tritonkit.export import Export
    from tritonkit.server.testing import TritonServer

TEXTS = [
    "hello",
    "Where is the library?",
    "A cat sat on the mat, and nobody minded.",
    "naïve café, ünïcode and 漢字",
    "word " * 60,
    "Prices rose by 3.5 % in the third quarter, which was less than most had expected.",
    "ok",
    "the the the the",
]


async def test_precisions(repository: Path, exported: Export, triton_server: TritonServer) -> None:
    server = triton_server(repository)
    async with AsyncClient(server.http_url) as client:
        fp32, int8 = [
            await probe_row_independence(client, model, {"text": TEXTS}, rounds=1)
            for model in ("minilm", "minilm_int8")
        ]
    assert fp32.verdict == "independent", fp32
    assert int8.verdict == "dependent", int8
    assert fp32.outputs["embedding"].error < 1e-6 < 1e-4 < int8.outputs["embedding"].error
