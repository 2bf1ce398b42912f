"""`tritonkit gateway` as a process of its own, for tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Gateway", "running_gateway"]

_SERVING = re.compile(r"Gateway on (http://\S+),")


class Gateway:
    """
    A gateway that takes requests.

    Args:
        arguments: Of the command.
        prefix: A command that runs it.
    """

    def __init__(self, *arguments: str, prefix: Sequence[str] = ()) -> None:
        command = [*prefix, sys.executable, "-m", "tritonkit", "gateway", *arguments]
        if "--port" not in arguments:
            command += ["--port", "0"]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self.wait_for(_SERVING)[1]
        except TimeoutError:
            self.kill()
            self.close()
            raise

    @property
    def target(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        """All that it has said so far."""
        with self._told:
            return "".join(self.lines)

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float = 20.0) -> re.Match[str]:
        """The first place of its log that matches, now or later."""
        found: list[re.Match[str]] = []

        def there() -> bool:
            match = re.search(pattern, "".join(self.lines))
            found[:] = [match] if match else []
            return bool(found) or not self._reader.is_alive()

        with self._told:
            self._told.wait_for(there, timeout)
        if not found:
            raise TimeoutError(f"the gateway did not say {pattern!r}, but:\n{self.log}")
        return found[0]

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 20.0) -> int:
        """Its exit status."""
        status = self.process.wait(timeout)
        self._reader.join(timeout)
        return status

    def stop(self) -> int:
        """End it as an operator would."""
        if self.process.poll() is None:
            self.signal()
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def close(self) -> None:
        """Let go of its log."""
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._told:
                self.lines.append(line)
                self._told.notify_all()
        with self._told:
            self._told.notify_all()


@contextmanager
def running_gateway(
    policy: str = "",
    *arguments: str,
    upstream: str = "",
    folder: Path | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Gateway]:
    """
    A gateway for a while.

    Args:
        policy: Text of its policy file; none without.
        arguments: Of the command, such as "--workers", "2".
        upstream: URL of a Triton, in place of the policy's server.
        folder: Where the policy file is written.
        prefix: A command that runs it.
    """
    given = list(arguments)
    if policy:
        assert folder is not None
        path = folder / "serving.toml"
        path.write_text(policy)
        given += ["--policy", str(path)]
    if upstream:
        given += ["--upstream", upstream]
    gateway = Gateway(*given, prefix=prefix)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.kill()
        gateway.close()
