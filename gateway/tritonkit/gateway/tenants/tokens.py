"""Bearer tokens, of which only digests are kept."""

from __future__ import annotations

import hashlib
import re
import secrets

from tritonkit.errors import ConfigError

__all__ = ["MIN_LENGTH", "digest", "digest_of", "new_token", "read_digest"]

MIN_LENGTH = 16
"""Of characters: a shorter one is guessed, or was never meant for one."""

# RFC 6750: what follows "Bearer ".
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def digest(token: bytes) -> bytes:
    """SHA-256 of a token: tokens are drawn at random, so that nothing slower is needed."""
    return hashlib.sha256(token).digest()


def digest_of(token: str) -> bytes:
    """
    The digest of a token out of a file.

    Raises:
        ConfigError: If no header can carry it, or it is too short. The message does not show it.
    """
    if not _TOKEN.fullmatch(token):
        raise ConfigError(
            "token must be letters, digits and any of -._~+/ with = at its end only, as "
            f"RFC 6750 has bearer tokens, but got {len(token)} characters that are not."
        )
    if len(token) < MIN_LENGTH:
        raise ConfigError(
            f"token must have at least {MIN_LENGTH} characters, but got {len(token)}; "
            "`tritonkit gateway --new-token` makes a good one."
        )
    return digest(token.encode())


def read_digest(text: str) -> bytes:
    """
    A digest as a file has it.

    Raises:
        ConfigError: If it is none. The message does not show it: it may be the token itself.
    """
    if not _DIGEST.fullmatch(text):
        raise ConfigError(
            "token_sha256 must be the SHA-256 of a token, 64 hexadecimal digits, "
            f"but got {len(text)} characters that are not; a token itself goes to 'token'."
        )
    return bytes.fromhex(text)


def new_token() -> tuple[str, str]:
    """A token of 256 random bits, and its digest as `token_sha256` takes it."""
    token = f"tk_{secrets.token_urlsafe(32)}"
    return token, digest(token.encode()).hex()
