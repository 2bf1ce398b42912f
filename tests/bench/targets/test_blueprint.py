"""One description of a target, whatever the protocol."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.observe.served import check_kind
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.bench.targets.target import request_of
from tritonkit.bench.tls import Tls
from tritonkit.errors import ConfigError, ModelUnavailable, NotConnected
from tritonkit.server import EmbeddedServer

if TYPE_CHECKING:
    from conftest import Tunnel

X = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.mark.parametrize("scheme", ["http", "grpc", "https", "grpcs"])
async def test_every_scheme(
    server: EmbeddedServer, tunnel: Tunnel, authority_file: Path, scheme: str
) -> None:
    """The same answer, and the same account of the model, after a way through a pickle."""
    plain = server.http_url.removeprefix("http://") if "http" in scheme else server.grpc_url
    async with tunnel(plain, "http/1.1" if "http" in scheme else "h2") as port:
        secure = scheme.endswith("s")
        made = Blueprint(
            model="echo",
            url=f"{scheme}://localhost:{port}" if secure else f"{scheme}://{plain}",
            tls=Tls(ca=authority_file) if secure else None,
            headers={"x-user": "u1"},
        )
        target, served = await ForkingPickler.loads(ForkingPickler.dumps(made)).open()
        channel = await target.channel()
        answer = await channel.send(target.prepare(Item(inputs={"x": X})), monotonic() + 10)
        np.testing.assert_array_equal(target.outputs(answer)["y"], X)
        assert target.way(answer) is None
        assert target.describe()["inputs"] == {"x": "FP32, binary"}
        assert served.signature.max_batch_size == 8
        assert served.server == "triton 2.51.0"
        channel.close()
        await target.aclose()
        await served.aclose()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
async def test_who_is_not_there(server: EmbeddedServer, scheme: str) -> None:
    with pytest.raises(NotConnected, match=r"127\.0\.0\.1:1"):
        await Blueprint(model="echo", url=f"{scheme}://127.0.0.1:1").open()
    url = server.http_url if scheme == "http" else f"grpc://{server.grpc_url}"
    with pytest.raises(ModelUnavailable, match="missing"):
        await Blueprint(model="missing", url=url).open()


async def test_a_mix_has_the_account_of_each_model(server: EmbeddedServer) -> None:
    """And that of the parts of an ensemble among them, once."""
    made = Blueprint(model="copy", version="1", url=server.http_url)
    target, served = await made.open(["pipeline", "copy", "sentiment"])
    assert [other.model for other in served.others] == ["pipeline", "sentiment"]
    assert list(served.configs) == ["copy", "pipeline", "echo", "sentiment"]
    counters = await served.counters()
    assert counters is not None
    assert [each.model for each in counters] == list(served.configs)
    assert served.signature.model == "copy"
    await target.aclose()
    await served.aclose()


async def test_a_mix_with_a_model_that_is_not_there(server: EmbeddedServer) -> None:
    with pytest.raises(ModelUnavailable, match="missing"):
        await Blueprint(model="echo", url=server.http_url).open(["echo", "missing"])


@pytest.mark.parametrize(("model", "version"), [("", "3"), ("mine", "3"), ("other", "")], ids=repr)
def test_the_version_is_of_the_targets_own_model(model: str, version: str) -> None:
    """Items of a mix all name their model."""
    request = request_of(Item(inputs={"x": X}, model=model), "mine", "3")
    assert (request.model, request.version) == (model or "mine", version)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_transaction_policy": {"decoupled": True}}, "'m' is decoupled"),
        ({"sequence_batching": {}}, "'m' has the sequence batcher"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused(config: dict[str, object], reason: str) -> None:
    check_kind("m", {"model_transaction_policy": {"decoupled": False}})
    with pytest.raises(ConfigError, match=reason):
        check_kind("m", config)


@pytest.mark.parametrize("version", ["abc", "-1", "1.0"])
def test_a_version_is_a_whole_number(version: str) -> None:
    with pytest.raises(ConfigError, match=rf"a whole number such as 1, but got '{version}'"):
        Blueprint(model="m", version=version, url="http://localhost:8000")
