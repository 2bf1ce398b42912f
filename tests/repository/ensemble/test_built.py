"""Ensembles of random wiring are what check lets pass, and what a real server answers rightly."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.repository.check.case import PYTHON
from tritonclient.utils import InferenceServerException

from tritonkit.errors import RepositoryError
from tritonkit.repository import Ensemble, Model, ModelConfig, Tensor, add_tensors, write_models
from tritonkit.repository.check.checker import findings_of
from tritonkit.repository.check.neighbours import Neighbours
from tritonkit.repository.check.target import Target
from tritonkit.repository.ensemble.pruning import is_answered
from tritonkit.repository.ensemble.wiring import Wiring

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer

SUMS = b"""
import json
import triton_python_backend_utils as pb

class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.factor = int(config["parameters"]["factor"]["string_value"])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        values = [pb.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs]
        return pb.InferenceResponse(
            [pb.Tensor("total", sum(values) * self.factor), pb.Tensor("first", values[0] + 1)]
        )
"""


def _sums(name: str, inputs: int, factor: int, rows: int) -> Model:
    """Gives the sum of its inputs times *factor*, and the first of them plus 1."""
    config = ModelConfig(name=name, backend="python", max_batch_size=rows)
    dims = (3,) if rows else (-1, 3)
    add_tensors(config.input, [Tensor(f"in{n}", "TYPE_FP32", dims) for n in range(inputs)])
    add_tensors(config.output, [Tensor(name, "TYPE_FP32", dims) for name in ("total", "first")])
    config.parameters["factor"].string_value = str(factor)
    return Model(config, versions={1: {"model.py": SUMS}})


def test_a_server_answers_as_the_wiring_says(model_repository: Path, triton_server: TritonServer):
    """
    Wirings of three models, with and without a batch axis, and one that calls another.

    A single output is answered where the pruning is foreseen to leave it.
    """
    models = [_sums("one", 1, 3, 8), _sums("two", 2, 5, 4), _sums("flat", 2, 7, 0)]
    write_models(model_repository, models)
    random_ = random.Random(7)
    wired = [_random_wiring(f"e{n}", models, model_repository, random_) for n in range(12)]
    inner = Ensemble("inner", model_repository).step("two").output("total")
    outer = (
        Ensemble("outer", model_repository)
        .step(inner)
        .step("one", {"in0": "total"}, {"total": "o"})
    )
    wired += [(inner, {"total": "(in0 + in1) * 5"}), (outer, {"o": "(in0 + in1) * 15"})]
    write_models(model_repository, [ensemble.model() for ensemble, _ in wired])
    client = triton.InferenceServerClient(
        triton_server(model_repository).http_url.removeprefix("http://")
    )
    values = np.random.default_rng(7)
    alone = []
    for ensemble, formulas in wired:
        config = ensemble.config()
        sent = {
            str(tensor.name): values.integers(0, 9, (2, 3)).astype(np.float32)
            for tensor in config.input
        }
        inputs = [triton.InferInput(name, [2, 3], "FP32") for name in sent]
        for tensor, array in zip(inputs, sent.values(), strict=True):
            tensor.set_data_from_numpy(array)
        answer = client.infer(ensemble.name, inputs)
        for name, formula in formulas.items():
            np.testing.assert_array_equal(answer.as_numpy(name), eval(formula, {}, sent))
            alone.append(is_answered(Wiring(config), [name]))
            assert _answers(client, ensemble.name, inputs, name) == alone[-1], (config, name)
    assert {True, False} == set(alone)


def _answers(
    client: triton.InferenceServerClient, model: str, inputs: list[triton.InferInput], output: str
) -> bool:
    try:
        client.infer(model, inputs, outputs=[triton.InferRequestedOutput(output)])
    except InferenceServerException as error:
        if "unexpected deadlock, at least one output is not set" not in str(error):
            raise
        return False
    return True


def _random_wiring(
    name: str, models: list[Model], repository: Path, random_: random.Random
) -> tuple[Ensemble, dict[str, str]]:
    """An ensemble of four steps, and each of its outputs as a formula of its inputs."""
    ensemble = Ensemble(name, repository)
    formulas = {"a": "a", "b": "b"}
    taken: set[str] = set()
    for number in range(4):
        model = random_.choice(models)
        inputs = {str(t.name): random_.choice(list(formulas)) for t in model.config.input}
        taken |= set(inputs.values())
        tensor = f"t{number}"
        ensemble.step(model.name, inputs, {"total": tensor})
        factor = model.config.parameters["factor"].string_value
        total = " + ".join(formulas[one] for one in inputs.values())
        formulas[tensor] = f"(({total}) * {factor})"
    left = [one for one in formulas if one not in taken and one not in "ab"]
    received = list(dict.fromkeys([*left, "t0"]))
    return ensemble.output(*received), {one: formulas[one] for one in received}


TYPES = ("TYPE_FP32", "TYPE_INT64", "TYPE_STRING")


@st.composite
def _models(draw: st.DrawFn) -> list[ModelConfig]:
    dims = st.lists(st.sampled_from([-1, 2, 5]), min_size=1, max_size=3)
    batching = draw(st.booleans())
    found = []
    for number in range(draw(st.integers(1, 5))):
        config = ModelConfig(name=f"m{number}", backend="python")
        config.max_batch_size = draw(st.integers(1, 9)) if batching else 0
        for field, kind in ((config.input, "i"), (config.output, "o")):
            for index in range(draw(st.integers(1, 3))):
                tensor = Tensor(f"{kind}{index}", draw(st.sampled_from(TYPES)), tuple(draw(dims)))
                add_tensors(field, [tensor])
        found.append(config)
    return found


@seed(7)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models=_models(), choose=st.randoms(use_true_random=False))
def test_check_finds_nothing_in_random_acyclic_wirings(
    models: list[ModelConfig], choose: random.Random
):
    """Each input takes a tensor before it that fits, or one that clients send."""
    ensemble = Ensemble("m")
    there: dict[str, Tensor] = {}
    for number in range(choose.randint(1, 6)):
        model = choose.choice(models)
        inputs = {}
        for tensor in model.input:
            fitting = [name for name, one in there.items() if _fits(one, tensor)]
            fresh = f"sent{number}{tensor.name}"
            inputs[str(tensor.name)] = choose.choice([*fitting, fresh])
        outputs = {str(t.name): f"t{number}{t.name}" for t in model.output if choose.random() < 0.7}
        outputs = outputs or {str(model.output[0].name): f"t{number}o0"}
        for tensor in model.output:
            if tensor.name in outputs:
                there[outputs[str(tensor.name)]] = tensor
        ensemble.step(model, inputs, outputs)
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "model_repository"
        called = [Model(model, {1: {"model.py": PYTHON.encode()}}) for model in models]
        write_models(repository, [ensemble.model(), *called])
        subject = Neighbours([repository], Target()).get("m")
        assert subject is not None
        # An output that is taken too cannot be asked for alone: that is no fault of the wiring.
        found = [one for one in findings_of(subject) if one.rule.id != "TK185"]
        assert [(one.rule.id, one.found.message) for one in found] == []


def _fits(one: Tensor, other: Tensor) -> bool:
    return one.data_type == other.data_type and list(one.dims) == list(other.dims)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden"])
def test_a_name_is_one_that_triton_takes(name: str):
    with pytest.raises(RepositoryError, match="a model name is made of"):
        Ensemble(name)
