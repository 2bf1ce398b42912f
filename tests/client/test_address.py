from __future__ import annotations

import pytest

from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8000", Address("http", "localhost", 8000)),
        ("http://localhost", Address("http", "localhost", 80)),
        ("https://triton.example/", Address("https", "triton.example", 443)),
        ("https://example:8443/a/b/", Address("https", "example", 8443, "/a/b")),
        ("grpc://localhost", Address("grpc", "localhost", 8001)),
        ("grpcs://[::1]:9", Address("grpcs", "::1", 9)),
        ("HTTP://LocalHost:1", Address("http", "localhost", 1)),
    ],
)
def test_reads(url: str, address: Address) -> None:
    assert Address.parse(url) == address


def test_is_written_as_a_url() -> None:
    assert str(Address.parse("http://[::1]:8000/prefix")) == "http://[::1]:8000/prefix"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:8000", "must start with http://"),
        ("127.0.0.1:8000", "must start with"),
        ("ftp://localhost", "must start with"),
        ("http:localhost:8000", "must start with"),
        ("", "must start with"),
        ("http://", "needs a host"),
        ("http://:8000", "needs a host"),
        ("http://a b", "needs a host"),
        ("http://a\r\nX", "needs a host"),
        ("http://localhost:http", "is not a URL"),
        ("http://localhost:99999", "is not a URL"),
        ("http://localhost:0", "the port"),
        ("http://localhost/?a=b", "scheme, host, port and path only"),
        ("http://localhost/#a", "scheme, host, port and path only"),
        ("grpc://localhost/a", "no path"),
    ],
)
def test_refuses(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Address.parse(url)


def test_a_refusal_keeps_the_password_for_itself() -> None:
    with pytest.raises(ConfigError, match="credentials belong into headers") as error:
        Address.parse("http://user:secret@localhost:8000")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_host_that_is_no_name(host: str) -> None:
    with pytest.raises(ConfigError, match="needs a host name"):
        Address.parse(f"http://{host}:8000")
