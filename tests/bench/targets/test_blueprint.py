"""One description of a target, whatever the protocol."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.bench.tls import Tls
from tritonkit.errors import ModelUnavailable, NotConnected
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
