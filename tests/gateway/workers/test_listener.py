"""Where the gateway listens, and what it says where it cannot."""

from __future__ import annotations

import socket

import pytest

from tritonkit.errors import ConfigError
from tritonkit.gateway.workers.listener import listen, url_of


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_listens(host: str, shown: str) -> None:
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(listener) == f"http://{shown}:{port}"
        socket.create_connection((host, port)).close()
        with pytest.raises(ConfigError) as error:
            listen(host, port)
    assert str(error.value) == f"cannot listen on {shown}:{port}: something listens there already."


@pytest.mark.parametrize("host", ["", "no such host", "256.1.1.1", "a" * 300, "a..b"])
def test_says_that_a_host_is_none(host: str) -> None:
    with pytest.raises(ConfigError, match=f"host must be a name or an address, but got '{host}'"):
        listen(host, 0)
