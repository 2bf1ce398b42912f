"""Where a server is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tritonkit.errors import ConfigError

__all__ = ["Address"]

_PORTS = {"http": 80, "https": 443, "grpc": 8001, "grpcs": 8001}
_EXAMPLE = "such as 'http://localhost:8000' or 'grpc://localhost:8001'"


@dataclass(frozen=True, slots=True)
class Address:
    """
    A server's URL, taken apart.

    Args:
        scheme: http, https, grpc or grpcs.
        host: Name or IP address, without the brackets of IPv6.
        port: TCP port.
        path: What stands before `/v2` in every path; empty or "/prefix".
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """
        Read a URL.

        Raises:
            ConfigError: If a part is missing, wrong or not used by a client.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"url is not a URL, {_EXAMPLE}: {url!r} ({error}).") from error
        if parts.scheme not in _PORTS or "://" not in url:
            raise ConfigError(
                f"url must start with {', '.join(f'{s}://' for s in _PORTS)}, {_EXAMPLE}, "
                f"but got {url!r}."
            )
        if not parts.hostname or not url.isascii() or any(c <= " " for c in url):
            raise ConfigError(f"url needs a host, {_EXAMPLE}, but got {url!r}.")
        if parts.username is not None or parts.query or parts.fragment:
            raise ConfigError(
                "url must be scheme, host, port and path only; credentials belong into headers, "
                f"but got {_without_password(url)!r}."
            )
        try:
            parts.hostname.encode("idna")
        except UnicodeError as error:
            raise ConfigError(
                f"url needs a host name, {_EXAMPLE}, but got {url!r} ({error})."
            ) from error
        if port == 0:
            raise ConfigError(f"url must name the port the server listens on, but got {url!r}.")
        path = parts.path.rstrip("/")
        if path and parts.scheme.startswith("grpc"):
            raise ConfigError(f"a gRPC url has no path, but got {url!r}.")
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme in ("https", "grpcs")

    @property
    def authority(self) -> str:
        """Host and port, as the Host header and gRPC have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if "@" in rest else url
