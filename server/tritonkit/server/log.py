"""What a tritonserver's log tells: which models failed and why, and how it ended."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

__all__ = [
    "Follower",
    "failures",
    "headline",
    "is_manual",
    "lost_port",
    "message",
    "progress",
    "reason",
    "repository_errors",
    "starts_metrics",
    "tail",
]

_PREFIX = re.compile(r"^[IWEF]\d{4} [\d:.]+ \d+ [\w.]+:\d+\]\s*(.*)$")
_POLL_FAILED = re.compile(r"Poll failed for model directory '(?P<model>[^']*)': (?P<reason>.*)")
_LOADED = re.compile(r"successfully loaded '(?P<model>[^']*)'")
_LOAD_FAILED = re.compile(
    r"failed to load (model )?'(?P<model>[^']*)'( version \d+)?: (?P<reason>.*)"
)
_ENSEMBLE_REFUSED = re.compile(r"(?P<reason>ensemble '?(?P<model>[^' ]+)'? (contains|depends) .*)")
_REPOSITORY_ERROR = re.compile(r"^E\d{4} [\d:.]+ \d+ model_(lifecycle|repository_manager)\.cc:")
# Where in Python an exception came from, innermost first, as pybind11 tells it.
_ORIGIN = re.compile(r"\s*\bAt:\n\s*(?P<path>[^\n]*?)\((?P<line>\d+)\): [^\n]*\n?.*", re.DOTALL)
_KIND = re.compile(r"^(Internal: |Invalid argument: |Not found: )?(TritonModelException: )?")
_PARSE_ERROR = re.compile(r"Error parsing text-format \S+: (?P<where>.*)")
_MANUAL = "Usage: "
_LOST_PORT = ("already in use", "failed to start HTTP service", "failed to start Metrics service")


class Follower:
    """
    Reads a growing log, a piece at a time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[str]:
        """The whole lines that came since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            piece = file.read()
        whole = piece[: piece.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()


def starts_metrics(line: str) -> bool:
    """Whether the server says that it starts its last service; then models are loaded."""
    return "Started Metrics Service at" in line


def progress(line: str) -> str | None:
    """What a line tells about one model, in words; None for other lines."""
    text = message(line)
    if match := _LOADED.fullmatch(text):
        return f"loaded {match['model']}"
    if match := (
        _LOAD_FAILED.search(text) or _POLL_FAILED.search(text) or _ENSEMBLE_REFUSED.search(text)
    ):
        return f"could not load {match['model']}"
    return None


def lost_port(log: str) -> bool:
    """Whether the server stopped because it could not bind a port."""
    return any(sign in log for sign in _LOST_PORT)


def message(line: str) -> str:
    """A line without time, thread, place and quotes."""
    match = _PREFIX.match(line.rstrip())
    text = match[1] if match else line.rstrip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def reason(text: str) -> str:
    """Why a model failed, in the words of whoever refused it, in one line."""
    plain = _ORIGIN.sub(_origin, _KIND.sub("", text.replace("\\n", "\n")))
    return " ".join(plain.split())


def _origin(match: re.Match[str]) -> str:
    """The line of the model's own code; where a backend refused a model, its text tells all."""
    if "/backends/" in match["path"]:
        return ""
    return f" ({match['path']}:{match['line']})"


def failures(log: str) -> dict[str, str]:
    """
    Why models failed, by name, from the log alone.

    A config.pbtxt that does not parse is told nowhere else; the line and column
    stand in the protobuf library's own line, before Triton's.
    """
    found: dict[str, str] = {}
    parse_error = ""
    for line in log.splitlines():
        if match := _PARSE_ERROR.search(line):
            parse_error = f" ({match['where'].rstrip()})"
            continue
        text = message(line)
        if match := _POLL_FAILED.search(text):
            found[match["model"]] = reason(match["reason"]) + parse_error
            parse_error = ""
        elif match := _LOAD_FAILED.search(text) or _ENSEMBLE_REFUSED.search(text):
            found[match["model"]] = reason(match["reason"])
    return found


def repository_errors(log: str) -> str:
    """What the server had against the repository, in one line; empty if nothing."""
    lines = filter(_REPOSITORY_ERROR.match, log.splitlines())
    return "; ".join(reason(message(line)) for line in lines)


def is_manual(log: str) -> bool:
    """Whether the server printed its whole manual, after a line on the argument it refuses."""
    return any(line.startswith(_MANUAL) for line in log.splitlines())


def headline(log: str) -> str:
    """The last error line of a server that stopped, or its last line."""
    lines = [line for line in log.splitlines() if line.strip()]
    usage = next((n for n, line in enumerate(lines) if line.startswith(_MANUAL)), None)
    if usage:
        return message(lines[usage - 1])
    errors = [line for line in lines if line.startswith(("E", "F")) and _PREFIX.match(line)]
    plain = [line for line in lines if line.lower().startswith("error:")]
    for candidates in (plain, errors, lines):
        if candidates:
            return message(candidates[-1])
    return "it wrote nothing"


def tail(path: Path, lines: int = 30) -> str:
    """The last *lines* of a log file; empty where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, maxlen=lines))
    except FileNotFoundError:
        return ""
