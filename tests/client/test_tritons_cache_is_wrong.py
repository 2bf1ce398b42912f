"""
Four questions that Triton's own response cache answers wrongly, and ours answers rightly.

Its key leaves out shape, requested outputs and request parameters, and knows no
reload. Each question is put to two models of the same code on one server, whose
cache is on: "cached" uses it, "plain" stands behind our cache. Ours cannot mend
the answers of "cached": what Triton's cache got wrong reaches every client.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import AsyncClient, Cache, InferResponse

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer

RECHECK = 0.1

MODEL = """
import json

import numpy as np
import triton_python_backend_utils as pb

FACTOR = 1


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb.get_input_tensor_by_name(request, "x").as_numpy()
        factor = FACTOR * int(json.loads(request.parameters()).get("factor", 1))
        outputs = {"sums": x.sum(axis=1, keepdims=True) * factor, "twice": 2 * x * factor}
        wanted = request.requested_output_names()
        return pb.InferenceResponse(
            [pb.Tensor(name, outputs[name].astype(np.float32)) for name in wanted]
        )
"""


def config(*, rows: bool, cached: bool, digest: str) -> str:
    dims = "-1" if rows else "-1, -1"
    parameters = {"tritonkit.model_digest": digest, "tritonkit.batch_invariant": "true" * rows}
    return "\n".join(
        [
            'backend: "python"',
            f"max_batch_size: {8 if rows else 0}",
            f'input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {dims} ] }} ]',
            'output [ { name: "sums", data_type: TYPE_FP32, dims: [ '
            f"{'1' if rows else '-1, 1'} ] }} ]",
            f'output [ {{ name: "twice", data_type: TYPE_FP32, dims: [ {dims} ] }} ]',
            *(["response_cache { enable: true }"] if cached else []),
            *(
                f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}'
                for name, value in parameters.items()
                if value
            ),
        ]
    )


KINDS = {"rows": (True, "A"), "whole": (False, "")}
"""By row, of a model that states a digest; and whole, of one that states nothing."""


def write(repository: Path, kind: str, factor: int) -> list[str]:
    """The models "cached" and "plain" of a kind; returns their names."""
    rows, digest = KINDS[kind]
    folders = {
        cached: repository / f"{'cached' if cached else 'plain'}_{kind}" for cached in (1, 0)
    }
    for cached, folder in folders.items():
        (folder / "1").mkdir(parents=True, exist_ok=True)
        (folder / "config.pbtxt").write_text(
            config(rows=rows, cached=bool(cached), digest=digest and f"{digest}{factor}")
        )
        # Of another size: Python might take the compiled one for as new.
        code = MODEL.replace("FACTOR = 1", f"FACTOR = {factor}") + "#" * factor
        (folder / "1" / "model.py").write_text(code)
    return [folder.name for folder in folders.values()]


@dataclass(frozen=True)
class Pair:
    """Asks both models of a kind the same."""

    url: str
    repository: Path
    kind: str
    triton: AsyncClient
    ours: AsyncClient

    async def infer(self, x: Any, **options: Any) -> tuple[InferResponse, InferResponse]:
        """Triton's answer, and ours."""
        inputs = {"x": np.array(x, dtype=np.float32)}
        return (
            await self.triton.infer(f"cached_{self.kind}", inputs, **options),
            await self.ours.infer(f"plain_{self.kind}", inputs, **options),
        )

    async def reload(self, factor: int) -> None:
        """Load other models in place, under the same version; wait for *recheck*."""

        def load(name: str) -> None:
            url = f"{self.url}/v2/repository/models/{name}/load"
            with urllib.request.urlopen(urllib.request.Request(url, data=b"{}")):
                pass

        names = write(self.repository, self.kind, factor)
        await asyncio.gather(*(asyncio.to_thread(load, name) for name in names))
        await asyncio.sleep(RECHECK)


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer
) -> tuple[str, Path]:
    repository = tmp_path_factory.mktemp("cached_models")
    server = triton_server_session(
        repository,
        model_control_mode="explicit",
        load_models=[name for kind in KINDS for name in write(repository, kind, 1)],
        cache_size=16 * 2**20,
    )
    return server.http_url, repository


@pytest.fixture(params=list(KINDS))
async def pair(request: pytest.FixtureRequest, server: tuple[str, Path]) -> AsyncIterator[Pair]:
    async with (
        AsyncClient(server[0]) as triton,
        AsyncClient(server[0], [Cache(recheck=RECHECK)]) as ours,
    ):
        yield Pair(*server, request.param, triton, ours)


def listed(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.tolist() for name, array in answer.items()}


async def test_shape(pair: Pair) -> None:
    """Six floats as [2, 3], then as [3, 2]: two sums, where there are three."""
    values = np.arange(6) + 10
    await pair.infer(values.reshape(2, 3), outputs=["sums"])
    triton, ours = await pair.infer(values.reshape(3, 2), outputs=["sums"])
    assert listed(triton) == {"sums": [[33.0], [42.0]]}
    assert listed(ours) == {"sums": [[21.0], [25.0], [29.0]]}


async def test_requested_outputs(pair: Pair) -> None:
    """One output, then the other one, then both: always the first."""
    x = [[20, 21]]
    await pair.infer(x, outputs=["sums"])
    for outputs in (["twice"], ["sums", "twice"], None):
        expected = {"sums": [[41.0]], "twice": [[40.0, 42.0]]}
        for _ in range(2):
            triton, ours = await pair.infer(x, outputs=outputs)
            assert listed(triton) == {"sums": [[41.0]]}
            assert listed(ours) == {name: expected[name] for name in outputs or expected}


async def test_parameters(pair: Pair) -> None:
    """The same input under another parameter: the answer of the first."""
    x = [[30, 31]]
    for factor in (1, 100, 1):
        triton, ours = await pair.infer(x, outputs=["sums"], parameters={"factor": factor})
        assert listed(triton) == {"sums": [[61.0]]}
        assert listed(ours) == {"sums": [[61.0 * factor]]}


async def test_the_cache_of_ours_is_one(pair: Pair) -> None:
    await pair.infer([[60, 61]])
    _, ours = await pair.infer([[60, 61]])
    assert ours.trace.origins == ("memory",)


async def test_reload_in_place(pair: Pair) -> None:
    """
    Another model under the same version: in Triton's cache the one before answers.

    Ours notices by itself, also when the first model comes back.
    """
    x, y = [[40, 41]], [[50, 51]]
    await pair.infer(x, outputs=["sums"])
    await pair.reload(3)
    triton, ours = await pair.infer(x, outputs=["sums"])
    assert listed(triton) == {"sums": [[81.0]]}
    assert listed(ours) == {"sums": [[243.0]]}
    # What Triton's cache has not seen shows that it is the new model which answers.
    triton, ours = await pair.infer(y, outputs=["sums"])
    assert listed(triton) == listed(ours) == {"sums": [[303.0]]}

    await pair.reload(1)
    triton, ours = await pair.infer(y, outputs=["sums"])
    assert listed(triton) == {"sums": [[303.0]]}
    assert listed(ours) == {"sums": [[101.0]]}
