"""Why a caller is turned away, before anything is asked."""

from __future__ import annotations

from tritonkit.errors import TritonkitError

__all__ = ["Refused"]


class Refused(TritonkitError):
    """
    A request was turned away at the door; nothing was asked.

    Args:
        message: Why, and what would be right. Shown to the caller.
        status: Of the HTTP answer.
        reason: In one word, for metrics.
        retry_after: Seconds until it may be let in; None where no wait helps.
        tenant: Whose it was; empty where that is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str,
        retry_after: float | None = None,
        tenant: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.tenant = tenant

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the answer says besides: how to come with a token, or when to come again."""
        found = []
        if self.status == 401:
            found.append((b"www-authenticate", b'Bearer realm="tritonkit"'))
        if self.retry_after is not None:
            # Whole seconds, as RFC 9110 has them; never 0, which is read as "at once".
            found.append((b"retry-after", b"%d" % max(1, -int(-self.retry_after // 1))))
        return found
