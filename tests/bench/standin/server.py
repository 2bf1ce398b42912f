"""
A server of the KServe v2 protocol over HTTP that knows what it does.

    python server.py

One process, one thread, epoll and a timer of the kernel's, so that an answer leaves
within 0.1 ms of its time. It plays a script (`POST /standin/play`, JSON), from
the first inference request on, and writes down when each request came and when its
answer left (`GET /standin/log`, rows of int64). It prints its port, and ends when its
standard input does.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import socket
import struct
import sys
from array import array
from contextlib import suppress
from time import monotonic_ns

from behaviour import ANSWERED, CLOSED, FAILED, SILENT, Behaviour, Request, Script

COLUMNS = ("arrival", "start", "planned", "departure", "rows", "batch", "ends", "tag")
"""Of the log; the tag is the request's first number, an unanswered one has no departure."""

_WIDTH = len(COLUMNS)

MODEL = "standin"
METADATA = {
    "name": MODEL,
    "versions": ["1"],
    "platform": "standin",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}],
}
CONFIG = {
    "name": MODEL,
    "backend": "standin",
    "max_batch_size": 64,
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": ["4"]}],
    "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": ["4"]}],
}
_SHAPE = re.compile(rb'"shape"\s*:\s*\[\s*(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STAGES = ("queue", "compute_input", "compute_infer", "compute_output")


class Timer:
    """timerfd of the kernel: epoll itself waits whole milliseconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        # CLOCK_MONOTONIC; TFD_NONBLOCK and TFD_CLOEXEC.
        self.fd = self._libc.timerfd_create(1, os.O_NONBLOCK | os.O_CLOEXEC)
        self._armed: int | None = None

    def arm(self, instant: int | None) -> None:
        """At a nanosecond of the clock; None for never."""
        if instant != self._armed:
            self._armed = instant
            at = divmod(max(instant, 1), 10**9) if instant is not None else (0, 0)
            # TFD_TIMER_ABSTIME
            self._libc.timerfd_settime(self.fd, 1, struct.pack("4q", 0, 0, *at), None)

    def fired(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.fd, 8)
        self._armed = None


class Standin:
    """The server."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listening.setblocking(False)
        self.epoll = select.epoll()
        self.timer = Timer()
        self.connections: dict[int, tuple[socket.socket, bytearray]] = {}
        self.log = array("q")
        self.behaviour = Behaviour(Script())
        self.answers: dict[int, bytes] = {}
        self.failure = reply(500, json.dumps({"error": "planted failure"}).encode())

    def serve(self) -> None:
        listening, stdin = self.listening.fileno(), sys.stdin.fileno()
        for fd in (listening, stdin, self.timer.fd):
            self.epoll.register(fd, select.EPOLLIN)
        while True:
            for fd, _ in self.epoll.poll():
                if fd == listening:
                    self.accept()
                elif fd == self.timer.fd:
                    self.timer.fired()
                elif fd == stdin:
                    return
                else:
                    self.receive(fd)
            while leaving := self.behaviour.leaving(monotonic_ns()):
                for request in leaving:
                    self.answer(request)
            self.timer.arm(self.behaviour.due())

    def accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                connection, _ = self.listening.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections[connection.fileno()] = (connection, bytearray())
                self.epoll.register(connection.fileno(), select.EPOLLIN)

    def close(self, connection: socket.socket) -> None:
        if connection.fileno() in self.connections:
            del self.connections[connection.fileno()]
            connection.close()

    def receive(self, fd: int) -> None:
        if fd not in self.connections:
            return
        connection, buffer = self.connections[fd]
        try:
            data = connection.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = monotonic_ns()
        if not data:
            self.close(connection)
            return
        buffer += data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(buffer, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(buffer) < whole:
                return
            head, body = bytes(buffer[:end]), bytes(buffer[end + 4 : whole])
            del buffer[:whole]
            path = head.split(b" ", 2)[1].decode()
            if path.endswith("/infer"):
                self.infer(connection, now, body)
            else:
                self.send(connection, self.look(path, body))

    def infer(self, connection: socket.socket, now: int, body: bytes) -> None:
        shape = _SHAPE.search(body)
        rows = int(shape[1]) if shape else 1
        tag = 0
        if body[-1:] != b"}":
            # A binary tensor of rows of four numbers.
            (tag,) = map(int, struct.unpack_from("<f", body, len(body) - 16 * rows))
        request = self.behaviour.arrive(now, rows, (connection, tag))
        if request.ends == SILENT:
            self.write(request, 0)

    def answer(self, request: Request) -> None:
        now = monotonic_ns()
        connection, _ = request.who
        if request.ends == CLOSED:
            self.close(connection)
        elif request.ends == FAILED:
            self.send(connection, self.failure)
        else:
            self.send(connection, self.outputs(request.rows))
        self.write(request, now)

    def write(self, request: Request, departure: int) -> None:
        self.log.extend(
            (
                request.arrival,
                request.start,
                request.planned,
                departure,
                request.rows,
                request.batch,
                request.ends,
                request.who[1],
            )
        )

    def outputs(self, rows: int) -> bytes:
        if rows not in self.answers:
            size = 16 * rows
            output = {
                "name": "y",
                "datatype": "FP32",
                "shape": [rows, 4],
                "parameters": {"binary_data_size": size},
            }
            header = json.dumps(
                {"model_name": MODEL, "model_version": "1", "outputs": [output]}
            ).encode()
            self.answers[rows] = reply(
                200,
                header + bytes(size),
                f"Inference-Header-Content-Length: {len(header)}\r\n",
            )
        return self.answers[rows]

    def send(self, connection: socket.socket, data: bytes) -> None:
        # An answer fits a socket's buffer, but for the log, whose reader waits.
        try:
            sent = connection.send(data)
            if sent < len(data):
                connection.setblocking(True)
                connection.sendall(data[sent:])
                connection.setblocking(False)
        except OSError:
            self.close(connection)

    def look(self, path: str, body: bytes) -> bytes:
        """Everything that is no inference."""
        if path == "/standin/play":
            try:
                self.behaviour = Behaviour(Script(**json.loads(body)))
            except (TypeError, ValueError) as error:
                return reply(400, repr(error).encode())
            self.log = array("q")
            return reply(200, b"{}")
        if path == "/standin/log":
            return reply(200, self.log.tobytes())
        if path == "/v2":
            return as_json({"name": "triton", "version": "2.0.0-standin", "extensions": []})
        if path.startswith("/v2/health"):
            return reply(200, b"")
        if path == "/metrics":
            text = (
                "# TYPE nv_inference_request_success counter\n"
                f'nv_inference_request_success{{model="{MODEL}",version="1"}} '
                f"{sum(self.log[i] == ANSWERED for i in range(6, len(self.log), _WIDTH))}\n"
            )
            return reply(200, text.encode())
        if not path.startswith(f"/v2/models/{MODEL}"):
            return reply(404, json.dumps({"error": f"no such path: {path}"}).encode())
        if path.endswith("/config"):
            return as_json(CONFIG)
        if path.endswith("/stats"):
            return as_json({"model_stats": [self.statistics()]})
        if path.endswith("/ready"):
            return reply(200, b"")
        return as_json(METADATA)

    def statistics(self) -> dict[str, object]:
        """As Triton counts, from the log."""
        rows = [self.log[i : i + _WIDTH] for i in range(0, len(self.log), _WIDTH)]
        done = [row for row in rows if row[6] == ANSWERED]
        ns = {
            "queue": sum(row[1] - row[0] for row in done),
            "compute_infer": sum(row[2] - row[1] for row in done),
        }
        stages = {stage: {"count": len(done), "ns": ns.get(stage, 0)} for stage in _STAGES}
        stages["success"] = {"count": len(done), "ns": sum(row[3] - row[0] for row in done)}
        failed = sum(row[6] == FAILED for row in rows)
        stages["fail"] = {"count": failed, "ns": 0}
        batches: dict[int, set[int]] = {}
        for row in done:
            batches.setdefault(row[5], set()).add(row[1])
        return {
            "name": MODEL,
            "version": "1",
            "inference_count": sum(row[4] for row in done),
            "execution_count": sum(map(len, batches.values())),
            "inference_stats": stages,
            "batch_stats": [
                {"batch_size": size, "compute_infer": {"count": len(starts), "ns": 0}}
                for size, starts in sorted(batches.items())
            ],
        }


def reply(status: int, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} standin\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def as_json(document: object) -> bytes:
    return reply(200, json.dumps(document).encode(), "Content-Type: application/json\r\n")


if __name__ == "__main__":
    standin = Standin()
    print(standin.listening.getsockname()[1], flush=True)
    standin.serve()
