"""Every kind of file goes to a real Triton and comes back, as the guide has it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from time import monotonic

import click
import numpy as np
import pytest
from PIL import Image

from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.observe.served import ServedModel
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.codec import decode_infer, encode_infer
from tritonkit.client.wire.connection import Connection
from tritonkit.server import EmbeddedServer

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "choose-inputs.md"

_MOST = 20
"""Requests of a workload that are sent; they are all made."""


def parsed(arguments: list[str]) -> tuple[str, int, InputChoice]:
    found: list[tuple[str, int, InputChoice]] = []

    @click.command()
    @click.argument("model")
    @click.option("--batch-size", default=1)
    @input_options
    def command(model: str, batch_size: int, inputs: InputChoice) -> None:
        found.append((model, batch_size, inputs))

    command.main(arguments, standalone_mode=False)
    return found[0]


async def sent(url: str, *arguments: str) -> tuple[Workload, list[tuple[Item, InferResponse]]]:
    """The workload of a command line, and the first of its requests with their answers."""
    model, batch_size, inputs = parsed(list(arguments))
    async with await ServedModel.connect(url, model) as served:
        others = []
        for name in inputs.models:
            async with await ServedModel.connect(url, name) as other:
                others.append(other.signature)
        workload = inputs.workload(served.signature, batch_size=batch_size, others=others)
        connection = await Connection.open(served.address, monotonic() + 30)
        answers = []
        for item in workload.items[:_MOST]:
            request = InferRequest(
                model=item.model or model,
                inputs=item.inputs,
                outputs=item.outputs or None,
                parameters=item.parameters,
            )
            reply = await connection.exchange(
                encode_infer(request, served.address), monotonic() + 30
            )
            answers.append((item, decode_infer(reply, model)))
        connection.close()
    return workload, answers


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the guide's commands name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("".join(f"text {n}\n" for n in range(6000)))
    ids = np.arange(20).reshape(5, 4)
    np.savez(tmp_path / "rows.npz", input_ids=ids, attention_mask=np.ones_like(ids))
    (tmp_path / "photos").mkdir()
    for n in range(2):
        Image.new("RGB", (20, 10), (n * 99,) * 3).save(tmp_path / "photos" / f"{n}.png")
    (lines,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "requests.jsonl").write_text(lines)
    step = {"input_ids": [1, 2, 3], "attention_mask": {"content": [1, 1, 0], "shape": [3]}}
    wanted = {"tokens": [1, 2, 3], "mask": [1, 1, 1]}
    document = {"data": [[step], [step]], "validation_data": [[wanted], [{"tokens": [1, 2, 3]}]]}
    (tmp_path / "data.json").write_text(json.dumps(document))
    (tmp_path / "raw").mkdir()
    np.linspace(0, 1, 192, dtype=np.float32).tofile(tmp_path / "raw" / "image")
    np.linspace(0, 1, 192, dtype=np.float32).tofile(tmp_path / "raw" / "scores")
    unit = np.stack([np.full((3, 8, 8), n * 99 / 255) for n in range(2)])
    np.savez(tmp_path / "expected.npz", scores=unit)
    return tmp_path


async def test_the_commands_of_the_guide_are_served(server: EmbeddedServer, files: Path) -> None:
    commands = [
        line
        for block in re.findall(r"```bash\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(commands) == 14
    verdicts = {}
    for command in commands:
        tritonkit, bench, run, *arguments = shlex.split(command)
        assert (tritonkit, bench, run) == ("tritonkit", "bench", "run")
        _, answers = await sent(server.http_url, *arguments)
        assert answers
        verdicts[command] = [item.check(got) for item, got in answers if item.check is not None]
    wrong = {command: found for command, found in verdicts.items() if any(found)}
    # Only the file of perf_analyzer expects what is not so.
    assert wrong == {
        "tritonkit bench run encoder --input-data data.json": [
            "output 'mask' at [0, 2]: expected 1, but got 0",
            None,
        ]
    }
    assert sum(map(len, verdicts.values())) == 6


async def test_answers_are_what_the_files_hold(server: EmbeddedServer, files: Path) -> None:
    url = server.http_url
    workload, answers = await sent(url, "encoder", "--input-data", "rows.npz", "--batch-size", "2")
    assert [got["tokens"][:, 0].tolist() for _, got in answers] == [[0, 4], [8, 12], [16, 0]]
    assert workload.description["input_ids"] == "INT64 [-1, -1], 5 rows of rows.npz"
    _, answers = await sent(url, "sentiment", "--input-data", "texts.txt", "--distinct", "2")
    assert [got["label"].tolist() for _, got in answers] == [[[b"text 0"]], [[b"text 1"]]]
    _, answers = await sent(url, "encoder", "--input-data", "requests.jsonl")
    # The mask, which no line has, is as long as the ids.
    assert [item.inputs["attention_mask"].shape for item, _ in answers] == [(1, 3), (1, 2)]
    assert [sorted(got) for _, got in answers] == [["mask", "tokens"], ["tokens"]]


async def test_lengths_are_spread_and_agree(server: EmbeddedServer) -> None:
    _, answers = await sent(server.http_url, "encoder", "--shape", "attention_mask:1..9")
    shapes = [(got["tokens"].shape, got["mask"].shape) for _, got in answers]
    assert all(tokens == mask for tokens, mask in shapes)
    assert len({tokens for tokens, _ in shapes}) > 3


async def test_a_mix_goes_to_its_models(server: EmbeddedServer) -> None:
    workload, answers = await sent(
        server.http_url, "echo", "--mix", "echo=1,sentiment=1", "--distinct", "2"
    )
    assert [got.model for _, got in answers] == ["echo", "echo", "sentiment", "sentiment"]
    assert set(workload.description) == {"echo: x", "sentiment: text"}
