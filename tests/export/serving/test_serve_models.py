"""What export writes, loaded by a real tritonserver, which answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as httpclient
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tritonkit.export.serving import ServingOptions, served_models
from tritonkit.export.sources.source import Part, Source
from tritonkit.repository import next_version, write_models
from tritonkit.server import EmbeddedServer
from tritonkit.server.testing import TritonServer

MakeSource = Callable[..., Source]
MakeGraph = Callable[[str], Path]
Write = Callable[..., None]

X = {"x": np.array([[1, 2]], np.float32)}
DOUBLED, NEGATED = [[[2, 4]]], [[[-1, -2]]]


def client(server: EmbeddedServer) -> httpclient.InferenceServerClient:
    return httpclient.InferenceServerClient(server.http_url.removeprefix("http://"))


def ask(
    server: EmbeddedServer,
    model: str,
    inputs: dict[str, NDArray[Any]],
    *outputs: str,
    version: str = "",
    class_count: int = 0,
) -> list[Any]:
    types = {"O": "BYTES", "f": "FP32", "i": "INT64"}
    sent = []
    for name, array in inputs.items():
        tensor = httpclient.InferInput(name, array.shape, types[array.dtype.kind])
        tensor.set_data_from_numpy(array)
        sent.append(tensor)
    wanted = [httpclient.InferRequestedOutput(name, class_count=class_count) for name in outputs]
    with client(server) as asking:
        answer = asking.infer(model, sent, outputs=wanted, model_version=version)
    return [answer.as_numpy(name).tolist() for name in outputs]


def text(*texts: str) -> dict[str, NDArray[Any]]:
    return {"text": np.array([[t] for t in texts], object)}


@pytest.fixture
def write(model_repository: Path) -> Write:
    """Makes the models of a source and writes them."""

    def write(source: Source, graph: Path, name: str, **keywords: Any) -> None:
        options = ServingOptions(**keywords.pop("options", {}))
        force = keywords.pop("force", False)
        models = served_models(
            source, graph, name=name, options=options, batch_invariant=True, **keywords
        )
        write_models(model_repository, models, force=force)

    return write


def test_every_kind_of_source_is_served(
    write: Write,
    model_repository: Path,
    triton_server: TritonServer,
    make_source: MakeSource,
    make_graph: MakeGraph,
    tokenizer: Part,
    speaker: Part,
) -> None:
    total, double = make_graph("sum"), make_graph("double")
    sizes = {"ids": (4,), "mask": (4,)}
    colours = ("red", "light green", "blau")
    write(make_source(), double, "alone")
    write(make_source(before=tokenizer, sizes=sizes), total, "front")
    write(make_source(before=tokenizer, after=speaker), total, "both")
    write(make_source(before=tokenizer, after=speaker), total, "both", variant_suffix="_int8")
    only = replace(speaker, inputs=speaker.inputs[:1])
    write(make_source(after=only), total, "behind")
    write(make_source(before=tokenizer, passed_on=("mask",)), total, "passing")
    write(make_source(batched=False), make_graph("whole"), "whole")
    write(make_source(labels=colours), make_graph("softmax"), "colours")
    write(make_source(), make_graph("strings"), "strings")
    # A warm-up of random numbers would miss the table, and the model not load.
    write(make_source(), make_graph("table"), "table")
    write(make_source(), double, "several", options={"instances": 2, "threads": 1})
    server = triton_server(model_repository)

    assert ask(server, "alone", X, "y") == DOUBLED
    assert ask(server, "several", X, "y") == DOUBLED
    assert ask(server, "front", text("ab", "c"), "total") == [[[195], [99]]]
    for name in ("both", "both_int8"):
        words = [[b"sum 195 of 2"], [b"sum 99 of 1"]]
        assert ask(server, name, text("ab", "c"), "words") == [words]
    ids = np.array([[3, 4, 0]])
    assert ask(server, "behind", {"ids": ids, "mask": ids * 0 + 1}, "words") == [[[b"sum 7"]]]
    mask = [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert ask(server, "passing", text("ab", "c"), "total", "mask") == [[[195], [99]], mask]
    whole = np.ones((2, 2), np.float32)
    assert ask(server, "whole", {"x": whole}, "y") == [[[-1, -1], [-1, -1]]]
    assert ask(server, "strings", {"x": np.array([["é"]], object)}, "y") == [[["é".encode()]]]
    assert ask(server, "table", {"x": np.array([[1]])}, "y") == [[[7]]]
    scores = {"x": np.array([[0, 9, 0], [9, 0, 0]], np.float32)}
    (classes,) = ask(server, "colours", scores, "probabilities", class_count=1)
    assert [row[0].split(b":")[1:] for row in classes] == [[b"1", b"light green"], [b"0", b"red"]]

    # Warmed by a request of one row and one of eight, before any client came; one that does
    # not batch by one, and one of unknown sizes by none.
    warmed = (("front_adder", 9 + 2), ("both_adder", 2), ("alone", 9 + 1), ("whole", 1 + 1))
    with client(server) as asking:
        for name, rows in warmed:
            (statistics,) = asking.get_inference_statistics(name)["model_stats"]
            assert statistics["inference_count"] == rows


def test_both_versions_are_served_where_all_are_loaded(
    write: Write,
    model_repository: Path,
    triton_server: TritonServer,
    make_source: MakeSource,
    make_graph: MakeGraph,
    tokenizer: Part,
) -> None:
    """Of an ensemble the newest alone, which calls the newest parts."""
    source, every = make_source(before=tokenizer), {"version_policy": "all"}
    for graph in ("double", "negative"):
        version = next_version(model_repository, ["m", "newest"])
        for name, options in (("m", every), ("newest", {})):
            write(
                make_source(),
                make_graph(graph),
                name,
                version=version,
                keep_versions=True,
                options=options,
            )
        write(source, make_graph("sum"), "e", version=version, keep_versions=True, options=every)
    assert next_version(model_repository, ["m", "newest"]) == 3
    server = triton_server(model_repository)

    assert ask(server, "m", X, "y", version="1") == DOUBLED
    assert ask(server, "m", X, "y", version="2") == NEGATED
    assert ask(server, "m", X, "y") == NEGATED
    assert ask(server, "newest", X, "y") == NEGATED
    for name in ("newest", "e"):
        with pytest.raises(InferenceServerException, match="version 1 is not found"):
            ask(server, name, X, "y", version="1")
    assert ask(server, "e", text("ab"), "total", version="2") == [[[195]]]
    ready = {(s.name, s.version) for s in server.models() if s.state == "READY"}
    assert {("e_adder", "1"), ("e_adder", "2"), ("e_tokenizer", "1")} <= ready


def test_a_swap_under_a_polling_server_is_never_missed(
    write: Write,
    model_repository: Path,
    triton_server: TritonServer,
    make_source: MakeSource,
    make_graph: MakeGraph,
) -> None:
    write(make_source(), make_graph("double"), "m")
    write(make_source(), make_graph("double"), "still")
    server = triton_server(
        model_repository, model_control_mode="poll", extra=["--repository-poll-secs=1"]
    )
    write(make_source(), make_graph("negative"), "m", version=2, keep_versions=True)
    deadline = time.monotonic() + 60
    while (answer := ask(server, "m", X, "y")) != NEGATED:
        assert answer == DOUBLED
        assert time.monotonic() < deadline, "the new version was not loaded"
        time.sleep(0.05)
    assert ask(server, "still", X, "y") == DOUBLED
    # Nothing but the two models was ever seen, such as a staging directory.
    assert {state.name for state in server.models()} == {"m", "still"}
    assert "Poll failed" not in server.log_path.read_text()


def test_a_server_under_explicit_control_loads_what_was_swapped(
    write: Write,
    model_repository: Path,
    triton_server: TritonServer,
    make_source: MakeSource,
    make_graph: MakeGraph,
) -> None:
    write(make_source(), make_graph("double"), "m")
    server = triton_server(model_repository, model_control_mode="explicit", load_models=["m"])
    write(make_source(), make_graph("negative"), "m")
    assert ask(server, "m", X, "y") == DOUBLED
    with client(server) as asking:
        asking.load_model("m")
    assert ask(server, "m", X, "y") == NEGATED
