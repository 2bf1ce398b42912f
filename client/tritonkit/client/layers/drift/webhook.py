"""Alerts for who listens to HTTP."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from http.client import HTTPException
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tritonkit.client.drift.alert import Alert
from tritonkit.client.layers.drift.worker import Worker
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["Webhook"]

_log = logging.getLogger(__name__)

_MOST = 100

_PLAIN = re.compile(r"[\x21-\x7e]+")


class _Stay(HTTPRedirectHandler):
    """A post that is sent elsewhere becomes a question there, without the alert."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = build_opener(_Stay)


class Webhook:
    """
    Posts alerts as JSON, in a thread of its own; takes them as a callback does.

    An alert that cannot be posted is logged and counted, not sent again: the next
    one, or the log, will tell.

    Args:
        url: http or https.
        timeout: Of a post, between two signs of life.

    Raises:
        ConfigError: If it is no such URL.
    """

    def __init__(self, url: str, *, timeout: str | float | timedelta = "5s") -> None:
        try:
            parts = urlsplit(url)
            # Reading it checks it.
            known = parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:
            known = False
        if not known or not parts.hostname or not _PLAIN.fullmatch(url):
            raise ConfigError(f"webhook must be an http or https URL, but got {url!r}.")
        if "@" in parts.netloc:
            raise ConfigError("webhook must hold no user and no password.")
        self.url = url
        # The rest of a URL may hold a secret.
        self.host = parts.hostname
        self.timeout = parse_duration(timeout, name="timeout")
        self.failures = 0
        self.worker: Worker[Alert] = Worker(self._post, _MOST, name="tritonkit webhook")

    def __repr__(self) -> str:
        return f"Webhook(host={self.host!r})"

    def __call__(self, alert: Alert) -> None:
        """Post it soon."""
        if not self.worker.put(alert):
            self.failures += 1

    def _post(self, alert: Alert) -> None:
        body = json.dumps({**alert.as_dict(), "text": str(alert)}).encode()
        request = Request(self.url, body, {"Content-Type": "application/json"}, method="POST")
        try:
            with _OPENER.open(request, timeout=self.timeout) as answer:
                answer.read(1)
        except (URLError, OSError, HTTPException, ValueError) as error:
            self.failures += 1
            _log.warning("an alert could not be posted to %s: %s", self.host, error)
            if isinstance(error, URLError) and hasattr(error, "close"):
                error.close()
