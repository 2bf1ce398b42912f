"""No spelling of a path leads anywhere but where it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.gateway.http.paths import place

ADMIN = [
    "/v2/repository/models/m/load",
    "/v2/repository/models/m/unload",
    "/v2/trace/setting",
    "/v2/models/m/trace/setting",
    "/v2/models/m/versions/1/trace/setting",
    "/v2/logging",
    "/v2/systemsharedmemory/status",
    "/v2/systemsharedmemory/region/r/register",
    "/v2/cudasharedmemory/unregister",
]


@pytest.mark.parametrize(
    ("target", "kind", "model", "version"),
    [
        ("/v2", "read", "", ""),
        ("/v2/health/live", "live", "", ""),
        ("/v2/health/ready", "ready", "", ""),
        ("/v2/models/stats", "read", "", ""),
        ("/v2/models/m", "read", "m", ""),
        ("/v2/models/m/versions/3", "read", "m", "3"),
        ("/v2/models/m/ready", "model ready", "m", ""),
        ("/v2/models/m/config", "read", "m", ""),
        ("/v2/models/m/infer", "infer", "m", ""),
        ("/v2/models/m/versions/3/infer?a=b", "infer", "m", "3"),
        ("/v2/models/a%20b/infer", "infer", "a b", ""),
        ("/%76%32/models/m/infer", "infer", "m", ""),
        ("/v2/models/m/generate_stream", "generate", "m", ""),
        ("/v2/repository/index", "read", "", ""),
        ("/", "app", "", ""),
        ("/metrics?x", "app", "", ""),
        ("/v2x", "app", "", ""),
        ("/v2/nothing", "unknown", "", ""),
        ("/V2/logging", "unknown", "", ""),
    ],
)
def test_says_what_a_target_names(target: str, kind: str, model: str, version: str) -> None:
    found = place(target.encode())
    assert (found.kind, found.model, found.version) == (kind, model, version)


@pytest.mark.parametrize("target", ADMIN)
def test_knows_what_changes_a_server(target: str) -> None:
    assert place(target.encode()).kind == "admin"
    assert place(f"{target}?a=/v2/models/m".encode()).kind == "admin"


@pytest.mark.parametrize(
    "target",
    [
        "/v2//logging",
        "//v2/logging",
        "/v2/logging/",
        "/v2/./logging",
        "/v2/%2e/logging",
        "/v2/models/m/%2E%2e/%2e%2e/logging",
        "/v2/models/..%2f..%2flogging",
        "/v2/models/m%2f..%2f..%2flogging/infer",
        "/v2/models/m\\..\\logging",
        "/v2%2flogging",
        "/v2/models/m;/../../logging",
        "/x/../v2/logging",
        "/v2/%256cogging",
        "/v2/LOGGING",
        "/v2/logging%00",
        "/v2/logging#a",
        "/v2/logging\t",
        "http://other/v2/logging",
        "v2/logging",
        "*",
        "",
        "/v2/models/\xff",
        "/v2/models/%ff",
    ],
)
def test_no_trick_reaches_what_changes_a_server(target: str) -> None:
    found = place(target.encode("latin-1"))
    assert found.kind in ("wrong", "unknown", "app")


# fmt: off
PIECE = st.sampled_from([
    "v2", "V2", "%76%32", "logging", "%6cogging", "trace", "setting", "models", "m", "versions",
    "1", "repository", "load", "index", ".", "..", "%2e", "%2f", "", "infer", "health", "é",
    "%C3%A9",
])
# fmt: on


@given(st.lists(PIECE, max_size=7))
def test_what_goes_on_names_the_same(pieces: list[str]) -> None:
    """A path that is sent on, read again, is itself; so there is one reading of it."""
    found = place(("/" + "/".join(pieces)).encode())
    if found.kind in ("wrong", "unknown", "app"):
        return
    again = place(found.path.encode())
    assert again == found
    assert "//" not in found.path
    assert "/./" not in found.path
    assert "/../" not in found.path
    if "logging" in found.path.split("/"):
        assert found.kind in ("admin", "read", "infer", "generate", "model ready")
        assert (found.path == "/v2/logging") == (found.kind == "admin" and not found.model)
