"""Whether a lost call is dropped, which decides whether Hedge may ask twice."""

from __future__ import annotations

import pytest

from tritonkit.client import Endpoints


@pytest.mark.parametrize(
    ("urls", "cancels"),
    [
        (("grpc://localhost:1", "grpc://localhost:2"), True),
        (("grpc://localhost:1", "http://localhost:2"), False),
        (("http://localhost:1",), False),
    ],
)
def test_only_where_each_of_them_drops_it(urls: tuple[str, ...], cancels: bool) -> None:
    assert Endpoints(*urls).cancels is cancels
