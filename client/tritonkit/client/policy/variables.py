"""Values from the environment, and what must not be shown of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from tritonkit.client.stores.redis.redis_url import masked

__all__ = ["SECRET", "Variables", "shown"]

SECRET = ("secret", "headers", "webhook")
"""Options of which nothing is shown, wherever their value comes from."""

_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_USER = re.compile(r"://.*@", re.DOTALL)
_PASSWORD = re.compile(r"password=([^&#]*)", re.IGNORECASE)
# Of fewer characters any text is full.
_TELLING = 4


class Variables:
    """
    Puts environment variables into values, and takes them out of messages.

    Args:
        environment: Where they are; usually `os.environ`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._hidden: dict[str, str] = {}

    def expand(self, text: str) -> tuple[str, list[str]]:
        """
        *text* with the value of each `${NAME}`.

        Returns:
            The text, and the names that have no value.
        """
        missing = []

        def value(match: re.Match[str]) -> str:
            found = self._environment.get(match[1])
            if found is None:
                missing.append(match[1])
                return match[0]
            if found:
                self._hidden[found] = match[0]
            return found

        expanded = _REFERENCE.sub(value, text)
        if "://" in expanded:
            self._hide_url(expanded)
        return expanded, missing

    def hide(self, message: str) -> str:
        """*message* without any value that came from the environment, and without passwords."""
        for value, name in sorted(self._hidden.items(), key=lambda item: -len(item[0])):
            message = message.replace(repr(value), repr(name))
            if len(value) >= _TELLING:
                message = message.replace(value, name)
        return message

    def secret(self, value: str) -> None:
        """Show *value* nowhere."""
        if value:
            self._hidden.setdefault(value, "***")

    def _hide_url(self, url: str) -> None:
        self._hidden.setdefault(url, masked(url))
        user = _USER.search(url)
        found = [user[0][3:-1].partition(":")[2]] if user else []
        for password in (*found, *_PASSWORD.findall(url)):
            self.secret(password)
            self.secret(unquote(password))


def shown(value: str) -> str:
    """A value as the file has it, without the password of a URL."""
    return masked(value) if "://" in value and "${" not in value else value
