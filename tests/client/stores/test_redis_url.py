"""The URL of a Redis: what is refused, and that no password is ever shown."""

from __future__ import annotations

import pytest

from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.stores.redis.redis_url import masked
from tritonkit.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@host", "redis://:***@host"),
        ("rediss://me:secret@host:1/2", "rediss://me:***@host:1/2"),
        ("redis://me@host", "redis://me@host"),
        ("redis://:se/cr@et@host/0", "redis://:***@host/0"),
        ("unix:///run/redis.sock?db=1&password=secret", "unix:///run/redis.sock?db=1&password=***"),
        ("rediss://host?ssl_password=secret&db=1", "rediss://host?ssl_password=***&db=1"),
        ("nonsense", "nonsense"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("url", "cluster"),
    [
        ("localhost:6379", False),
        ("http://:secret@localhost", False),
        ("redis://:secret@localhost/notanumber", False),
        ("redis://:secret@localhost:notaport", False),
        ("redis://:secret@localhost/notadb?timeout=secret", False),
        ("redis://:secret@localhost?colour=blue", False),
        ("redis://:secret@localhost?decode_responses=yes", False),
        ("redis://:secret@localhost?db=secret", False),
        ("unix://", False),
        ("unix:///run/redis.sock", True),
        ("redis://:secret@localhost/1", True),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str, cluster: bool) -> None:
    with pytest.raises(ConfigError) as caught:
        Redis(url, cluster=cluster)
    text = str(caught.value)
    assert masked(url).partition("?")[0] in text
    assert "secret" not in text.replace("=secret", "")
    assert caught.value.__cause__ is None


def test_a_store_shows_itself_without_its_password() -> None:
    assert repr(Redis("redis://:secret@host/1")) == "Redis('redis://:***@host/1')"
    assert repr(Redis("redis://host", cluster=True)) == "Redis('redis://host', cluster=True)"


@pytest.mark.parametrize(
    "options",
    [{"budget": 0}, {"budget": "soon"}, {"max_pending": "much"}, {"namespace": "a:b"}],
    ids=str,
)
def test_a_wrong_argument_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Redis("redis://host", **options)  # type: ignore[arg-type]
