"""The command in a card is one that the command line reads as what was done."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.cli import export
from tritonkit.export.command import command_of
from tritonkit.export.plan import Plan, make_plan
from tritonkit.export.samples.samples import Samples
from tritonkit.export.serving import ServingOptions
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer


@pytest.fixture
def plan(minilm: Path) -> Plan:
    return make_plan(
        SentenceTransformer.read(minilm, path="a folder/of mine"),
        Path("repo"),
        name="m",
        variants=["auto", "int8"],
        samples=None,
        samples_path="",
        task=None,
        allow_pickle=False,
        budget=Budget(),
        objective="speed",
        time_budget=90.0,
        options=ServingOptions(),
        model_version=None,
        force=False,
    )


def read(command: str) -> dict[str, Any]:
    words = shlex.split(command)
    assert words[:2] == ["tritonkit", "export"]
    return dict(export.make_context("export", words[2:]).params)


def test_what_was_asked_for_is_read_back(plan: Plan) -> None:
    asked = replace(
        plan,
        samples_given=True,
        samples_path="my texts.jsonl",
        task="sentence-similarity",
        budget=Budget(max_loss=0.0123, min_agreement=0.97, min_cosine=-0.5, batch_invariant=True),
        objective="size",
        options=ServingOptions(
            max_batch_size=7,
            threads=3,
            instances=2,
            max_queue_delay=0.0015,
            version_policy="latest:2",
            warmup=False,
        ),
        model_version="next",
    )
    given = read(command_of(asked))
    assert (given["source"], given["repository"]) == ("a folder/of mine", Path("repo"))
    assert (given["name"], given["variants"]) == ("m", ("auto", "int8"))
    assert (given["samples"], given["task"]) == (Path("my texts.jsonl"), "sentence-similarity")
    assert given["max_accuracy_loss"] == 0.0123
    assert (given["min_agreement"], given["min_cosine"]) == (0.97, -0.5)
    assert given["batch_invariant"]
    assert (given["objective"], given["time_budget"]) == ("size", 90.0)
    assert given["model_version"] == "next"
    options = asdict(asked.options)
    assert {name: given[name] for name in options} == options


def test_defaults_are_left_out(plan: Plan) -> None:
    words = command_of(replace(plan, variants=("int8",)))
    assert words == "tritonkit export 'a folder/of mine' repo --name m --variants int8"


def test_objects_in_memory_have_no_command(plan: Plan, minilm: Path) -> None:
    assert (
        command_of(replace(plan, source=replace(SentenceTransformer.read(minilm), path=""))) == ""
    )
    given = Samples({"text": plan.samples.columns["text"]}, "mine")
    assert command_of(replace(plan, samples=given, samples_given=True)) == ""
