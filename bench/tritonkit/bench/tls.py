"""Whom to trust, and as whom, over https and grpcs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError

__all__ = ["Tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """
    Files in PEM, by path, so that every process reads them for itself.

    Args:
        ca: Certificates of the authorities to trust; None for the system's.
        cert: The client's own certificate, where the server asks for one.
        key: Its key; None where it stands in the file of the certificate.

    Raises:
        ConfigError: If a file cannot be read or is not what it should be.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.key is not None and self.cert is None:
            raise ConfigError(f"a key needs its certificate, but got {self.key} alone.")
        self.context()

    def context(self, *protocols: str) -> ssl.SSLContext:
        """
        For sockets.

        Args:
            protocols: To offer by ALPN, such as "h2"; none by default.
        """
        for path in (self.ca, self.cert, self.key):
            if path is not None:
                _read(path)
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError as error:
            raise ConfigError(f"{self.ca} holds no certificates in PEM: {error}.") from error
        if self.cert is not None:
            try:
                # A key with a password would be asked for at the terminal.
                context.load_cert_chain(self.cert, self.key, password=_no_password)
            except ssl.SSLError as error:
                parts = " and ".join(str(path) for path in (self.cert, self.key) if path)
                raise ConfigError(
                    f"{parts} must be a certificate and its key in PEM without a password: {error}."
                ) from error
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def credentials(self) -> Any:
        """For gRPC."""
        # It takes 100 ms and 20 MB to import.
        import grpc

        key = self.key or self.cert
        return grpc.ssl_channel_credentials(
            None if self.ca is None else _read(self.ca),
            None if key is None else _read(key),
            None if self.cert is None else _read(self.cert),
        )


def _no_password() -> str:
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
