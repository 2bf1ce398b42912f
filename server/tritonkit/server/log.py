"""What a tritonserver's log tells: which models failed and why, and how it ended."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

__all__ = ["failures", "headline", "message", "reason", "tail"]

_PREFIX = re.compile(r"^[IWEF]\d{4} [\d:.]+ \d+ [\w.]+:\d+\]\s*(.*)$")
_POLL_FAILED = re.compile(r"Poll failed for model directory '(?P<model>[^']*)': (?P<reason>.*)")
_LOAD_FAILED = re.compile(
    r"failed to load '(?P<model>[^']*)' version (?P<version>\d+): (?P<reason>.*)"
)
# Where in a Python model an exception came from, and what pybind called it.
_PYTHON_ORIGIN = re.compile(r"(\\n|\n)+At:(\\n|\n).*", re.DOTALL)
_PYTHON_KIND = re.compile(r"^(Internal: )?TritonModelException: ")
_PARSE_ERROR = re.compile(r"Error parsing text-format \S+: (?P<where>.*)")


def message(line: str) -> str:
    """A line without time, thread, place and quotes."""
    match = _PREFIX.match(line.rstrip())
    text = match[1] if match else line.rstrip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def reason(text: str) -> str:
    """Why a model failed, in the words of whoever refused it, without where in the code."""
    return _PYTHON_KIND.sub("", _PYTHON_ORIGIN.sub("", text)).replace("\\n", " ").strip()


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
        elif match := _LOAD_FAILED.search(text):
            found[match["model"]] = reason(match["reason"])
    return found


def headline(log: str) -> str:
    """The last error line of a server that stopped, or its last line."""
    lines = [line for line in log.splitlines() if line.strip()]
    usage = next((n for n, line in enumerate(lines) if line.startswith("Usage: ")), None)
    if usage:
        # An argument that it does not know; the rest is its whole manual.
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
