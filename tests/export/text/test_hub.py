"""Models of the hub: from a cache made by hand, and from a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tritonkit.export.sources.hugging_face.hub import is_hub_id

COMMIT = "c0ffee0123456789c0ffee0123456789c0ffee01"
READ = """
import sys
from tritonkit.errors import ConfigError
from tritonkit.export.sources.hugging_face.read import read_hugging_face
try:
    source = read_hugging_face(sys.argv[1])
except ConfigError as error:
    print("refused:", error)
else:
    print(source.path, source.name, source.revision, source.digest)
"""
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "modules.json")
POOLING = "1_Pooling/config.json"


def read(hub_id: str, cache: Path, **variables: str) -> str:
    """What a fresh process makes of *hub_id*; huggingface_hub reads its variables once."""
    finished = subprocess.run(
        [sys.executable, "-c", READ, hub_id],
        env={**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1", **variables},
        cwd=cache,
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.strip()


@pytest.fixture
def files(minilm: Path) -> dict[str, bytes]:
    """MiniLM on the hub, with a pickle and code that nobody should fetch."""
    content = {name: (minilm / name).read_bytes() for name in (*FILES, POOLING)}
    unread = dict.fromkeys(("pytorch_model.bin", "modeling.py", "onnx/model.onnx"), b"x" * 100)
    return {**content, "model.safetensors": bytes([2, *bytes(7)]) + b"{}", **unread}


def test_a_model_in_the_cache_is_read_offline(tmp_path: Path, files: dict[str, bytes]) -> None:
    """As huggingface_hub lays it out: a ref, and a snapshot of links to blobs."""
    model = tmp_path / "models--owner--mini-v1.5"
    for name, content in files.items():
        blob = model / "blobs" / hashlib.sha256(content).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = model / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    answer = read("owner/mini-v1.5", tmp_path, HF_HUB_OFFLINE="1").split()
    assert answer[:3] == ["owner/mini-v1.5", "mini-v1.5", COMMIT]
    assert len(answer[3]) == 64


def test_a_model_that_is_not_in_the_cache_is_refused_offline(tmp_path: Path) -> None:
    answer = read("owner/absent", tmp_path, HF_HUB_OFFLINE="1")
    assert answer.startswith("refused: 'owner/absent' is no folder here; as a model of the Hugging")
    assert "is not in the cache, and the hub cannot be asked" in answer


def test_a_folder_wins_over_a_model_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    answer = read("owner/name", tmp_path, HF_HUB_OFFLINE="1")
    assert answer.startswith("refused: owner/name has neither config.json nor modules.json")


class Hub(ThreadingHTTPServer):
    """As much of the hub's interface as a download takes."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.fetched: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        *_, revision = self.path.split("/")
        if self.path.startswith("/api/models/owner/name/revision/"):
            assert revision == "main"
            siblings = [{"rfilename": name} for name in self.server.files]
            listing = {"id": "owner/name", "sha": COMMIT, "siblings": siblings}
            self.answer(200, json.dumps(listing).encode())
        elif self.path.startswith("/api/models/owner/gated/"):
            self.answer(403, b"", **{"X-Error-Code": "GatedRepo"})
        elif self.path.startswith("/api/"):
            self.answer(401, b"", **{"X-Error-Code": "RepoNotFound"})
        else:
            name = self.path.partition(f"/owner/name/resolve/{COMMIT}/")[2]
            self.server.fetched.add(name)
            content = self.server.files[name]
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            self.answer(200, content, **{"ETag": etag, "X-Repo-Commit": COMMIT})

    do_HEAD = do_GET

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    with Hub(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_model_is_fetched_without_pickles_and_code(hub: Hub, tmp_path: Path) -> None:
    answer = read("owner/name", tmp_path, HF_ENDPOINT=hub.url)
    assert answer.split()[:3] == ["owner/name", "name", COMMIT]
    assert hub.fetched == {*FILES, POOLING, "model.safetensors"}


@pytest.mark.parametrize(
    ("hub_id", "message"),
    [
        ("owner/gated", "is behind a gate: accept its terms"),
        ("owner/absent", "does not exist, or is private"),
    ],
)
def test_what_the_hub_refuses_is_said(hub: Hub, tmp_path: Path, hub_id: str, message: str) -> None:
    answer = read(hub_id, tmp_path, HF_ENDPOINT=hub.url)
    assert answer.startswith(f"refused: '{hub_id}' is no folder here")
    assert message in answer


@pytest.mark.parametrize("text", ["owner/name", "owner/name-v1.5", "o_1/n.a_m-e"])
def test_ids_of_the_hub_are_known(text: str) -> None:
    assert is_hub_id(text)


@pytest.mark.parametrize(
    "text", ["", "name", "/name", "./name", "../name", "a/b/c", "~/name", "a b", "a/"]
)
def test_paths_are_no_ids(text: str) -> None:
    assert not is_hub_id(text)
