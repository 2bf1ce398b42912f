from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tritonkit.errors import ConfigError, RepositoryError
from tritonkit.export.serving import (
    BATCH_INVARIANT,
    ServingOptions,
    model_digest,
    served_models,
    served_names,
)
from tritonkit.export.sources.source import Part, Source
from tritonkit.repository import Model, parse_config, render_config

MakeSource = Callable[..., Source]
MakeGraph = Callable[[str], Path]


def models(
    source: Source, graph: Path, name: str = "m", *, invariant: bool = True, **keywords: Any
) -> tuple[Model, ...]:
    options = ServingOptions(**keywords.pop("options", {}))
    return served_models(
        source, graph, name=name, batch_invariant=invariant, options=options, **keywords
    )


def steps(ensemble: Model) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    return [
        (step.model_name, dict(step.input_map), dict(step.output_map))
        for step in ensemble.config.ensemble_scheduling.step
    ]


def parameter(model: Model, name: str) -> str | None:
    parameters = model.config.parameters
    return parameters[name].string_value if name in parameters else None


def test_models_come_in_writing_order_under_their_names(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part, speaker: Part
) -> None:
    for source in (
        make_source(),
        make_source(before=tokenizer),
        make_source(before=tokenizer, after=speaker),
    ):
        made = models(source, make_graph("sum"), variant_suffix="_int8")
        assert tuple(m.name for m in made) == served_names(source, "m", "_int8").all


def test_tensors_of_one_name_are_one_tensor(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part, speaker: Part
) -> None:
    *_, ensemble = models(make_source(before=tokenizer, after=speaker), make_graph("sum"))
    read = {"ids": "ids", "mask": "mask"}
    assert steps(ensemble) == [
        ("m_tokenizer", {"text": "text"}, {**read, "length": "length"}),
        ("m_adder", read, {"total": "total"}),
        ("m_speaker", {"total": "total", "length": "length"}, {"words": "words"}),
    ]
    # Nothing reads the length here, and Triton refuses what nothing reads.
    *_, ensemble = models(make_source(before=tokenizer), make_graph("sum"))
    assert steps(ensemble)[0][2] == read


def test_the_ensemble_passes_on_what_the_source_says(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part
) -> None:
    source = make_source(before=tokenizer, passed_on=("mask", "length"))
    *_, ensemble = models(source, make_graph("sum"))
    assert [output.name for output in ensemble.config.output] == ["total", "mask", "length"]


def test_parts_that_do_not_fit_the_graph_are_refused(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part
) -> None:
    with pytest.raises(RepositoryError, match="takes tensor 'x', which no step writes"):
        models(make_source(before=tokenizer), make_graph("double"))


def test_the_digest_follows_the_graph_the_files_and_the_parameters(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part, speaker: Part
) -> None:
    def digest(graph: str, before: Part, after: Part) -> str:
        made = models(make_source(before=before, after=after), make_graph(graph))
        return model_digest(made[-1].config)

    first = digest("sum", tokenizer, speaker)
    assert len(first) == 64
    assert digest("sum", tokenizer, speaker) == first
    changed = {
        digest("sum", replace(tokenizer, files={"model.py": b"other"}), speaker),
        digest(
            "sum", replace(tokenizer, files={"model2.py": tokenizer.files["model.py"]}), speaker
        ),
        digest("sum", tokenizer, replace(speaker, parameters={"word": "other"})),
    }
    assert len({first, *changed}) == 4
    alone = {
        model_digest(models(make_source(), make_graph(name))[0].config)
        for name in ("double", "negative")
    }
    assert len(alone) == 2


@pytest.mark.parametrize("invariant", [True, False])
def test_the_ensemble_depends_on_its_batch_as_its_graph_does(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part, invariant: bool
) -> None:
    made = models(make_source(before=tokenizer), make_graph("sum"), invariant=invariant)
    said = str(invariant).lower()
    assert [parameter(m, BATCH_INVARIANT) for m in made] == ["true", said, said]


def test_a_graph_without_a_batch_axis_is_whole(
    make_source: MakeSource, make_graph: MakeGraph
) -> None:
    (model,) = models(make_source(batched=False), make_graph("whole"))
    assert model.config.max_batch_size == 0
    assert list(model.config.input[0].dims) == [2, 2]
    assert not model.config.HasField("dynamic_batching")
    # Triton skips a request of batch size 0.
    (request,) = model.config.model_warmup
    assert (request.batch_size, list(request.inputs["x"].dims)) == (1, [2, 2])


def test_threads_instances_and_delay_are_the_graphs(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part
) -> None:
    options = {"instances": 2, "threads": 3, "max_queue_delay": 0.0015, "max_batch_size": 16}
    part, graph, ensemble = models(
        make_source(before=tokenizer), make_graph("sum"), options=options
    )
    assert parameter(graph, "intra_op_thread_count") == "3"
    assert [m.config.instance_group[0].count for m in (part, graph)] == [1, 2]
    delays = [m.config.dynamic_batching.max_queue_delay_microseconds for m in (part, graph)]
    assert delays == [0, 1500]
    assert {m.config.max_batch_size for m in (part, graph, ensemble)} == {16}
    assert (
        parameter(models(make_source(), make_graph("double"))[0], "intra_op_thread_count") is None
    )


def test_a_batch_of_one_is_not_waited_for(make_source: MakeSource, make_graph: MakeGraph) -> None:
    (model,) = models(make_source(), make_graph("double"), options={"max_batch_size": 1})
    assert not model.config.HasField("dynamic_batching")
    assert [request.batch_size for request in model.config.model_warmup] == [1]


@pytest.mark.parametrize(
    ("graph", "sizes", "shapes"),
    [
        ("double", {}, [("x", 1, [2]), ("x", 8, [2])]),
        ("sum", {"ids": (5,), "mask": (5,)}, [("ids", 1, [5]), ("ids", 8, [5])]),
        ("sum", {"ids": (5,)}, []),
        ("strings", {}, []),
    ],
    ids=["static", "sizes", "sizes not known", "strings"],
)
def test_a_graph_is_warmed_where_zeros_are_safe(
    make_source: MakeSource,
    make_graph: MakeGraph,
    graph: str,
    sizes: dict[str, tuple[int, ...]],
    shapes: list[tuple[str, int, list[int]]],
) -> None:
    (model,) = models(make_source(sizes=sizes), make_graph(graph))
    warmed = [
        (name, request.batch_size, list(request.inputs[name].dims))
        for request in model.config.model_warmup
        for name in sorted(request.inputs)[:1]
    ]
    assert warmed == shapes
    (model,) = models(make_source(sizes=sizes), make_graph(graph), options={"warmup": False})
    assert not model.config.model_warmup


def test_an_ensemble_has_its_newest_version_only(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part
) -> None:
    """Whichever version is asked, Triton calls the newest parts."""
    made = models(
        make_source(before=tokenizer), make_graph("sum"), options={"version_policy": "all"}
    )
    policies = [m.config.version_policy.WhichOneof("policy_choice") for m in made]
    assert policies == ["all", "all", "latest"]
    made = models(
        make_source(before=tokenizer), make_graph("sum"), options={"version_policy": "latest:3"}
    )
    assert [m.config.version_policy.latest.num_versions for m in made] == [3, 3, 1]


def test_all_models_of_a_variant_have_its_version(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part
) -> None:
    made = models(make_source(before=tokenizer), make_graph("sum"), version=3)
    assert [list(m.versions) for m in made] == [[3]] * 3
    assert "3/model.onnx" in made[1].contents()


def test_labels_are_named_by_the_output_that_has_as_many(
    make_source: MakeSource, make_graph: MakeGraph
) -> None:
    (model,) = models(make_source(labels=("a", "b", "c")), make_graph("softmax"))
    assert model.config.output[0].label_filename == "labels.txt"
    assert model.files == {"labels.txt": b"a\nb\nc\n"}
    (model,) = models(make_source(labels=("a", "b")), make_graph("softmax"))
    assert model.config.output[0].label_filename == ""


def test_a_label_is_one_line(make_source: MakeSource, make_graph: MakeGraph) -> None:
    with pytest.raises(ConfigError, match=r"one line of labels.txt, but got 'a\\nb'"):
        models(make_source(labels=("a\nb",)), make_graph("softmax"))


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_every_default_that_is_written_is_explained(
    make_source: MakeSource, make_graph: MakeGraph, tokenizer: Part, target: str
) -> None:
    sizes = {"ids": (4,), "mask": (4,)}
    options = {"target": target, "instances": 2, "threads": 2 if target == "cpu" else 0}
    made = models(make_source(before=tokenizer, sizes=sizes), make_graph("sum"), options=options)
    unexplained = {"input", "output", "backend", "platform", "parameters"}
    for model in made:
        text = render_config(model.config, model.comments)
        assert parse_config(text, source="test") == model.config
        assert text.startswith("# Written by tritonkit export.")
        lines = text.split("\n")
        seen = set()
        for before, line in pairwise(lines):
            field = line.split(" ")[0].removesuffix(":")
            if line[:1].isalpha() and field not in seen | unexplained:
                assert before.startswith("# "), line
                seen.add(field)
        assert {"max_batch_size", "version_policy"} <= seen
    text = render_config(made[1].config, made[1].comments)
    if target == "cpu":
        assert 'the calling thread is one of them.\nparameters {\n  key: "intra_op' in text
        assert "2 instances of 2 threads each" in text
        options["threads"] = 1
        graph = models(make_source(sizes=sizes), make_graph("sum"), options=options)[0]
        assert "2 instances of 1 thread each" in graph.comments["instance_group"]
