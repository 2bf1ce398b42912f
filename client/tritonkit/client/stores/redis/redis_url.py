"""The URL of a Redis server: what is wrong with it, and how to show it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["check_url", "masked"]

_SECRET = re.compile(r"([?&][a-z_]*password=)[^&#]*", re.IGNORECASE)
# Ours to set: values are bytes, and whoever waits has a budget.
_RESERVED = ("decode_responses", "encoding", "retry_on_timeout", "health_check_interval")


def masked(url: str) -> str:
    """*url* without its passwords."""
    scheme, separator, rest = url.partition("://")
    end = min((rest.find(mark) for mark in "/?#" if mark in rest), default=len(rest))
    # A password may hold any of these unquoted: nothing before the last "@" is shown.
    at = rest.rfind("@")
    if at >= end and "?" not in rest[:at]:
        end = at + 1
    user, at_sign, host = rest[:end].rpartition("@")
    name, colon, _ = user.partition(":")
    user = f"{name}:***" if colon else name
    options = _SECRET.sub(r"\1***", rest[end:])
    return f"{scheme}{separator}{user}{at_sign}{host}{options}"


def check_url(url: str, *, cluster: bool) -> dict[str, Any]:
    """
    What redis-py reads in *url*.

    Raises:
        ConfigError: If redis-py could not use it; without its passwords.
        MissingExtra: If redis is not installed.
    """
    connection = require("redis.asyncio.connection", extra="redis")
    shown = masked(url)
    try:
        options: dict[str, Any] = connection.parse_url(url)
        # Only this finds an option that no connection has.
        connection.ConnectionPool(**options).make_connection()
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"url must be redis://, rediss:// or unix://, with options of redis-py, "
            f"but got {shown!r}: {_reason(error, url)}"
        ) from None
    for name in _RESERVED:
        if name in options:
            raise ConfigError(f"url must leave {name} to the store, but got {shown!r}.")
    scheme, path = urlsplit(url).scheme, urlsplit(url).path
    if scheme == "unix":
        if not path.strip("/"):
            raise ConfigError(f"url must name a socket's path, but got {shown!r}.")
        if cluster:
            raise ConfigError(f"url of a cluster must be redis:// or rediss://, but got {shown!r}.")
    elif not re.fullmatch(r"/?\d*", path):
        raise ConfigError(f"url must end in the number of a database, but got {shown!r}.")
    if cluster and options.get("db"):
        raise ConfigError(f"url of a cluster has no database but 0, but got {shown!r}.")
    return options


def _reason(error: Exception, url: str) -> str:
    """The message of redis-py, unless it repeats what the URL holds."""
    text = str(error)
    secret = urlsplit(url.replace("[", "").replace("]", "")).netloc.rpartition("@")[0]
    return "it cannot be read" if secret and secret.partition(":")[2] in text else text
