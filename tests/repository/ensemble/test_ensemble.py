from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.repository.check.case import write_files
from tests.repository.check.cases.ensemble_edges import MODELS
from tests.repository.check.onnx_files import graph

from tritonkit.errors import RepositoryError
from tritonkit.repository import Ensemble, Model, ModelConfig, Tensor, add_tensors, write_models
from tritonkit.repository.check.checker import findings_of
from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.target import Target


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With add (x to y and z), join (p and optional q to y), stream (decoupled) and flat."""
    repository = tmp_path / "model_repository"
    repository.mkdir()
    write_files(repository, MODELS)
    return repository


def _maps(config: ModelConfig) -> list[tuple[dict[str, str], dict[str, str]]]:
    return [(dict(s.input_map), dict(s.output_map)) for s in config.ensemble_scheduling.step]


def _refusal(ensemble: Ensemble) -> list[str]:
    with pytest.raises(RepositoryError) as caught:
        ensemble.config()
    first, *lines = str(caught.value).split("\n  ")
    assert first == f"ensemble {ensemble.name!r} cannot be built:"
    return lines


def _model(name: str, inputs: list[Tensor], outputs: list[Tensor], rows: int = 8) -> ModelConfig:
    config = ModelConfig(name=name, backend="python", max_batch_size=rows)
    add_tensors(config.input, inputs)
    add_tensors(config.output, outputs)
    return config


def test_tensors_and_rows_come_from_the_models(repository: Path):
    """Names, data types, dims, and the most rows that both models take."""
    ensemble = Ensemble("e", repository).step("add").step("join", {"p": "y"}, {"y": "sum"})
    config = ensemble.config()
    assert [(t.name, t.data_type, list(t.dims)) for t in config.input] == [("x", 11, [4])]
    assert [(t.name, t.data_type, list(t.dims)) for t in config.output] == [("sum", 11, [4])]
    assert config.max_batch_size == 2
    assert [step.model_version for step in config.ensemble_scheduling.step] == [-1, -1]


def test_equal_names_are_wired(repository: Path):
    tokenizer = _model(
        "tok", [Tensor("text", "TYPE_STRING", (1,))], [Tensor("x", "TYPE_FP32", (-1,))]
    )
    config = Ensemble("e", repository).step(tokenizer).step("add", outputs={"z": "last"}).config()
    assert _maps(config) == [({"text": "text"}, {"x": "x"}), ({"x": "x"}, {"z": "last"})]


def test_models_that_go_on_from_one_another_are_a_chain():
    """Each takes the newest tensor of the name; the names of those between are made."""
    frame = [Tensor("frame", "TYPE_FP32", (3,))]
    blur, sharpen = _model("blur", frame, frame), _model("sharpen", frame, frame)
    config = Ensemble("e").step(blur).step(sharpen).config()
    assert _maps(config) == [
        ({"frame": "frame"}, {"frame": "frame_0"}),
        ({"frame": "frame_0"}, {"frame": "frame_1"}),
    ]
    assert [t.name for t in config.output] == ["frame_1"]


def test_a_name_that_two_branches_give_is_asked_about(repository: Path):
    ensemble = Ensemble("e", repository).step("add").step("stream").step("join", {"p": "y"})
    told = _refusal(ensemble.output("z"))
    assert told[0] == (
        "step 2 ('join') is to take 'y', which steps 0 ('add') and 1 ('stream') all give. "
        "Map output 'y' to a tensor of another name in all of them but one."
    )


def test_two_inputs_that_take_an_ambiguous_name_are_told_once(repository: Path):
    """And that the step which was not meant is taken by nothing is no mistake of its own."""
    flat = _model("even", [Tensor("x", "TYPE_FP32", (4,))], [Tensor("y", "TYPE_FP32", (4,))])
    ensemble = Ensemble("e", repository).step(flat).step("add").step("join", {"p": "y", "q": "y"})
    assert len(_refusal(ensemble)) == 1


def test_an_optional_input_is_wired_only_where_something_gives_it(repository: Path):
    alone = Ensemble("e", repository).step("join").config()
    assert _maps(alone) == [({"p": "p"}, {"y": "y"})]
    given = Ensemble("e", repository).step("add", outputs={"z": "q"}).step("join").config()
    assert _maps(given)[1][0] == {"p": "p", "q": "q"}


def test_all_that_does_not_fit_is_told_at_once(repository: Path):
    ensemble = Ensemble("e", repository)
    ensemble.step("ad").step("add", {"xx": "in"}, {"yy": "k"}).step("flat", {"x": "k"}, version=3)
    assert _refusal(ensemble) == [
        "step 0 calls 'ad', which is not there. Did you mean 'add'?",
        "step 2 calls version 3 of 'flat', which serves 1. Take -1 for the newest, or one of "
        "those.",
        "step 1 ('add') maps input 'xx', which its model does not have. Its inputs are 'x'.",
        "step 1 ('add') maps output 'yy', which its model does not have. Its outputs are 'y', 'z'.",
    ]


@pytest.mark.parametrize(
    ("steps", "outputs", "told"),
    [
        ([], [], "it has no step. Add a step for each model."),
        (["add"], ["yz"], "output 'yz' is none that a step gives. There are 'y', 'z'."),
        (["e"], [], "ensembles call one another in a circle: e -> e."),
        (["flat", "add"], [], "nothing takes what step 0 ('flat') gives: 'y'."),
    ],
)
def test_what_cannot_be_built(repository: Path, steps: list[str], outputs: list[str], told: str):
    ensemble = Ensemble("e", repository)
    for model in steps:
        ensemble.step(model)
    assert _refusal(ensemble.output(*outputs))[0].startswith(told)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            lambda e: e.step("add", ["x"]),
            "inputs map names of the model to tensors of the",
        ),
        (lambda e: e.step("add", outputs="y"), "such as {'ids': 'input_ids'}, but got 'y'"),
        (lambda e: e.step("add", {"x": ""}), "step 'add': inputs map a name to a name, but got ''"),
        (lambda e: e.step("add", {"x": 1}), "inputs map a name to a name, but got 1"),
        (
            lambda e: e.step("add", version=0),
            "a number of 1 or more, or -1 for the newest, but",
        ),
        (lambda e: e.step("add", version="2"), "-1 for the newest, but got '2'"),
        (lambda e: e.step("add", version=2**63), "but got 9223372036854775808"),
        (lambda e: e.step(""), "a step needs the name of a model, but got ''"),
        (lambda e: e.step(None), "a step calls a model by its name, or a Model, ModelConfig or"),
        (
            lambda e: e.input(["x"]),
            "an input of the ensemble needs the name of a",
        ),
        (
            lambda e: e.output(""),
            "an output of the ensemble needs the name of a tensor, but",
        ),
        (lambda e: e.config(max_batch_size=-1), "max_batch_size is 0, for no batch axis, or up to"),
        (lambda e: e.config(max_batch_size=2**31), "up to 2147483647, but got 2147483648"),
    ],
)
def test_arguments_are_checked_at_once(
    repository: Path, wrong: Callable[[Ensemble], object], told: str
):
    with pytest.raises(RepositoryError, match=re.escape(told)):
        wrong(Ensemble("e", repository).step("add"))


def test_branches_of_a_decoupled_model_do_not_meet(repository: Path):
    ensemble = Ensemble("e", repository).step("stream").step("join", {"p": "y", "q": "x"})
    assert "do not answer equally often" in _refusal(ensemble)[0]


def test_a_step_that_waits_for_itself_is_told_what_to_do(repository: Path):
    told = _refusal(Ensemble("e", repository).step("add", {"x": "k"}, {"y": "k"}).output("k"))
    assert told == [
        "step 0 ('add') waits for itself: 'k' -> 'k'. Give its output a tensor of its own."
    ]


def test_models_without_batch_axis_meet_those_with(repository: Path):
    """The rows of a batch are the first axis of the model that has none."""
    to_flat = Ensemble("e", repository).step("add").step("flat", {"x": "y"}, {"y": "last"})
    assert list(to_flat.config().output[0].dims) == [2, 2]
    assert to_flat.config().max_batch_size == 8
    flat = to_flat.config(max_batch_size=0)
    assert [list(t.dims) for t in (*flat.input, *flat.output)] == [[-1, 4], [-1, 2, 2]]


def test_a_model_of_single_rows_makes_the_ensemble_one():
    row = [Tensor("row", "TYPE_FP32", (4,))]
    single, many = _model("single", row, row, rows=0), _model("many", row, row)
    config = Ensemble("e").step(many).step(single).config()
    assert config.max_batch_size == 0
    assert [list(t.dims) for t in (*config.input, *config.output)] == [[4], [4]]


def test_ensembles_call_ensembles_that_are_not_written_yet(repository: Path):
    inner = Ensemble("inner", repository).step("add", outputs={"y": "sum"})
    outer = Ensemble("outer", repository).step(inner).step("join", {"p": "sum"})
    write_models(repository, [inner.model(), outer.model()])
    neighbours = Neighbours([repository], Target())
    for name in ("inner", "outer"):
        subject = neighbours.get(name)
        assert subject is not None
        assert subject.versions == (1,)
        assert findings_of(subject) == []


def test_a_model_that_is_not_written_yet_stands_for_one_that_is(repository: Path):
    newer = _model("add", [Tensor("words", "TYPE_STRING", (1,))], [Tensor("y", "TYPE_FP32", (2,))])
    model = Model(newer, versions={2: {}})
    assert [t.name for t in Ensemble("e", repository).step(model).config().input] == ["words"]
    assert _refusal(Ensemble("e", repository).step(model, version=1))[0] == (
        "step 0 calls version 1 of 'add', which serves 2. Take -1 for the newest, or one of those."
    )


def test_a_model_that_two_repositories_have_is_called_by_none(repository: Path, tmp_path: Path):
    """Triton loads neither. The same repository twice is one."""
    config = (repository / "add" / "config.pbtxt").read_text()
    write_files(tmp_path / "second", {"add/config.pbtxt": config, "add/1/": ""})
    ensemble = Ensemble("e", [repository, tmp_path / "second"]).step("add")
    assert _refusal(ensemble) == [
        "step 0 calls 'add', which more than one repository has. Keep one, or rename it."
    ]
    assert Ensemble("e", [repository, repository / "."]).step("add").config().max_batch_size == 8


def test_a_tensor_that_no_model_can_have_is_told_with_its_model():
    config = ModelConfig(name="empty", backend="python")
    config.input.add(name="x", data_type=11, dims=[0])
    config.output.add(name="y", data_type=11, dims=[1])
    assert _refusal(Ensemble("e").step(config)) == [
        "input 'x' of step 0 ('empty') is no tensor: tensor 'x': dims must be sizes of 1 or more, "
        "or -1, but got [0]."
    ]


@pytest.mark.parametrize("written", [True, False])
def test_a_graph_that_is_not_written_yet_tells_its_tensors(tmp_path: Path, written: bool):
    """Whether it is a file of any name, or the bytes that an exporter holds."""
    content: Path | bytes = graph("(float[b,4] x) => (float[b,4] y) { y = Identity(x) }")
    if written:
        (tmp_path / "exported").write_bytes(bytes(content))
        content = tmp_path / "exported"
    model = Model(ModelConfig(name="net"), versions={1: {"model.onnx": content}})
    config = Ensemble("e").step(model).config()
    assert [(t.name, list(t.dims)) for t in (*config.input, *config.output)] == [
        ("x", [4]),
        ("y", [4]),
    ]


def test_inputs_that_are_named_are_all_there_are(repository: Path):
    """Their order is kept, and what a step takes beside them is told."""
    join = Ensemble("e", repository).step("join", {"p": "p", "q": "q"})
    assert [t.name for t in join.input("q", "p", "q").config().input] == ["q", "p"]
    assert _refusal(Ensemble("e", repository).step("add", {"x": "rows"}).input("row")) == [
        "no step takes the ensemble's input 'row'. Did you mean 'rows'? Map an input of a step to "
        "'row', or remove it.",
        "step 0 ('add') takes tensor 'rows', which no step writes and which is no input of the "
        "ensemble. Did you mean 'row'? Take one of 'row', or make 'rows' an input of the ensemble.",
    ]


def test_nothing_is_guessed_of_a_model_that_describes_nothing(repository: Path):
    dark = ModelConfig(name="dark", backend="python")
    ensemble = Ensemble("e", repository).step(dark, {"i": "in"}, {"o": "k"}).step("add", {"x": "k"})
    assert _refusal(ensemble) == [
        "no model's configuration describes tensor 'in'. Write the inputs and outputs of the "
        "models into their configurations."
    ]
