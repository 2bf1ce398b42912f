"""torch modules as a source: what is traced, what is refused, what is answered."""

import numpy as np
import pytest
import torch
from torch import nn

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.torch.torch_module import TorchModule
from tritonkit.repository import Tensor


class Mixed(nn.Module):
    """Two inputs, two outputs, and parts that training changes."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 3)
        self.linear = nn.Linear(4, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, ids):
        hidden = self.dropout(self.linear(x))
        return {"joined": hidden + self.table(ids).mean(1), "score": hidden.sum(1)}


class Calls(nn.Module):
    """A forward that is any function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Ignores(nn.Module):
    def forward(self, x, y):
        return x * 2


@pytest.fixture
def mixed():
    torch.manual_seed(0)
    return Mixed()


@pytest.fixture
def mixed_source(mixed):
    examples = {"ids": torch.randint(0, 7, (3, 5)), "x": torch.randn(3, 4)}
    return TorchModule(mixed, examples, dynamic_axes={"ids": {1: "length"}})


def assert_equal(served, module_outputs):
    assert list(served.answers) == list(served.reference)
    for name, expected in module_outputs.items():
        for rows in (served.answers[name], served.reference[name]):
            np.testing.assert_allclose(np.stack(rows), expected, rtol=1e-4, atol=1e-5)


def test_several_inputs_and_outputs(mixed, mixed_source, serve):
    served = serve(mixed_source)

    x, ids = (torch.from_numpy(served.samples.columns[name]) for name in ("x", "ids"))
    with torch.inference_mode():
        expected = {name: value.numpy() for name, value in mixed.eval()(x, ids).items()}
    expected["score"] = expected["score"][:, np.newaxis]
    assert_equal(served, expected)
    assert mixed_source._signature.inputs == (
        Tensor("ids", "TYPE_INT64", (-1,)),
        Tensor("x", "TYPE_FP32", (4,)),
    )
    assert mixed_source._signature.outputs == (
        Tensor("joined", "TYPE_FP32", (3,)),
        Tensor("score", "TYPE_FP32", (1,)),
    )


def test_a_multi_layer_perceptron(serve):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    served = serve(TorchModule(module, {"x": torch.randn(2, 4)}, output_names=["logits"]))

    with torch.inference_mode():
        assert_equal(served, {"logits": module(torch.from_numpy(served.samples.columns["x"]))})


def test_a_convolution_with_batch_norm(serve):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )

    served = serve(TorchModule(module, {"pixels": torch.randn(1, 3, 8, 8)}))

    with torch.inference_mode():
        expected = module.eval()(torch.from_numpy(served.samples.columns["pixels"]))
    assert_equal(served, {"output": expected})


def test_outputs_of_a_tuple_are_numbered(serve):
    source = TorchModule(Calls(lambda x: (x, x + 1)), {"x": torch.zeros(2, 3)})

    assert list(serve(source).answers) == ["output_0", "output_1"]


def test_the_module_is_left_as_it_was(mixed, mixed_source, serve):
    mixed.table.eval()
    weights = {name: value.clone() for name, value in mixed.state_dict().items()}

    serve(mixed_source)

    assert (mixed.training, mixed.dropout.training, mixed.table.training) == (True, True, False)
    assert all(torch.equal(value, weights[name]) for name, value in mixed.state_dict().items())


def test_other_axes_are_free_where_the_user_says_so(mixed_source, serve):
    ids = np.ones((2, 9), np.int64)

    served = serve(mixed_source, Samples({"ids": ids, "x": np.zeros((2, 4))}, "test"))

    assert len(served.answers["joined"]) == 2
    assert mixed_source.needed_input_sizes == {"ids": (5,)}


def test_samples_begin_with_the_example(mixed_source):
    samples = mixed_source.builtin_samples()

    assert samples.origin == "the example inputs, and random ones like them, seed 0"
    assert len(samples) == 64
    given = mixed_source._examples["ids"].numpy()
    np.testing.assert_array_equal(samples.columns["ids"][:3], given)
    assert samples.columns["ids"].min() >= given.min()
    assert samples.columns["ids"].max() <= given.max()


def test_the_digest_is_that_of_weights_and_graph(mixed):
    examples = {"ids": torch.ones(3, 5, dtype=torch.int64), "x": torch.randn(3, 4)}

    first = TorchModule(mixed, examples).digest
    again = TorchModule(mixed, examples).digest
    with torch.no_grad():
        mixed.linear.bias[0] += 1e-3
    changed = TorchModule(mixed, examples).digest

    assert first == again
    assert changed != first


def test_a_module_has_the_name_of_its_class_unless_told(mixed_source):
    assert (mixed_source.name, mixed_source.path, mixed_source.judged) == ("Mixed", "", "joined")
    named = TorchModule(nn.ReLU(), {"x": torch.zeros(2, 3)}, name="rectifier", comparison="classes")
    assert (named.name, named.comparison) == ("rectifier", "classes")


class Writes(nn.Module):
    """Counts its calls, in place and anew."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("sum", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        self.sum = self.sum + 2
        return x * 2


def test_buffers_that_a_forward_writes_are_as_they_were(serve):
    module = Writes()
    held = module.sum

    served = serve(TorchModule(module, {"x": torch.randn(2, 3)}))

    assert (module.calls.item(), module.sum.item()) == (0, 0)
    assert module.sum is held
    assert_equal(served, {"output": served.samples.columns["x"] * 2})


def test_outputs_that_are_all_small_are_compared_too():
    """As softmax over thousands of classes gives them."""

    def small(x):
        return flow(x) * 1e-6

    with pytest.raises(ExportError, match="does not answer 'output' as the module does"):
        TorchModule(Calls(small), {"x": torch.arange(1.0, 9.0).reshape(2, 4)})


def test_a_length_that_the_trace_holds_is_refused():
    def sums(x):
        return x.sum(1, keepdim=True) / float(x.shape[1])

    with pytest.raises(ExportError, match=r"does not answer 'output' .*\(x \[3, 6\]\)"):
        TorchModule(Calls(sums), {"x": torch.randn(2, 5)}, dynamic_axes={"x": {1: "length"}})


def test_an_axis_may_be_free_in_steps_only():
    source = TorchModule(
        Calls(lambda x: x.unflatten(1, (4, -1)).sum(1)),
        {"x": torch.randn(2, 8)},
        dynamic_axes={"x": {1: "length"}, "output": {1: "quarter"}},
    )

    assert source._signature.outputs == (Tensor("output", "TYPE_FP32", (-1,)),)


def test_axes_may_be_free_together_only():
    source = TorchModule(
        Pair(),
        {"x": torch.randn(2, 5), "y": torch.randn(2, 5)},
        dynamic_axes={"x": {1: "length"}, "y": {1: "same"}, "output": {1: "length"}},
    )

    assert source._signature.outputs == (Tensor("output", "TYPE_FP32", (-1,)),)


class Pair(nn.Module):
    def forward(self, x, y):
        return x + y


def flow(x):
    if x.sum() > 0:
        return x * 2
    return x - 1


def loop(x):
    while x.abs().max() > 1:
        x = x / 2
    return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.reshape(int(x.shape[0]), -1), r"has 2 rows in output whatever it is given"),
        (lambda x: torch.cat(x.split([1, int(x.shape[0]) - 1])), "a batch of 3 cannot be answered"),
        (flow, r"does not answer 'output' as the module does.*torch warned: Converting a tensor"),
        (loop, r"does not answer 'output' as the module does"),
        (lambda x: torch.linalg.eigvals(x).real, r"cannot be converted.*aten::linalg_eigvals"),
    ],
    ids=["constant batch", "constant batch within", "branch", "loop", "no such operator"],
)
def test_modules_whose_trace_is_not_the_module_are_refused(function, message):
    with pytest.raises(ExportError, match=f"(?s){message}"):
        TorchModule(Calls(function), {"x": torch.randn(2, 4, 4)})


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.reshape(4, -1), r"a batch of 2 with 'output' of shape \[4, 8\].* view"),
        (lambda x: x.reshape(3, 5), r"cannot answer a batch of 2: shape '\[3, 5\]' is invalid"),
        (lambda x: x.mean(), r"with 'output' of shape \[\], but the first axis must be the batch"),
        (lambda x: "text", r"answers 'output' with a str; a tensor"),
        (lambda x: nn.functional.dropout(x, 0.5), r"differently each time, in evaluation mode too"),
        (lambda x: x.to(torch.bfloat16), r"output 'output' is of type BFLOAT16"),
        (lambda x: x * float("nan"), r"answers 'output' with no finite number for inputs like"),
    ],
    ids=["constant batch", "wrong view", "no batch", "no tensor", "random", "type", "no number"],
)
def test_modules_that_cannot_be_served_are_refused(function, message):
    with pytest.raises(ConfigError, match=message):
        TorchModule(Calls(function), {"x": torch.randn(2, 4, 4)})


@pytest.mark.parametrize(
    ("examples", "options", "message"),
    [
        ({}, {}, "must be one batch, but have no rows"),
        (torch.zeros(2, 3), {}, r"must name each input, as in {'x': tensor}, but is a Tensor"),
        ((torch.zeros(2, 3),), {}, "must name each input, .* but is a tuple"),
        ({"x": np.zeros((2, 3))}, {}, r"example_inputs\['x'\] must be a tensor"),
        ({"x": torch.zeros(())}, {}, r"example_inputs\['x'\] must be a tensor whose first axis"),
        ({"x": torch.zeros(2), "y": torch.zeros(3)}, {}, "must be one batch, but have {'x': 2"),
        ({"x": torch.zeros(2, 3)}, {"output_names": ["a", "b"]}, "answers 1 tensors, but .* has 2"),
        ({"x": torch.zeros(2, 3)}, {"dynamic_axes": {"z": {1: "n"}}}, "names 'z', which ReLU does"),
        ({"x": torch.zeros(2, 3)}, {"dynamic_axes": {"x": {2: "n"}}}, "axis 2 of 'x', which has 0"),
        ({"x": torch.tensor([[1, torch.nan]])}, {}, r"example_inputs\['x'\] holds .* not finite"),
        ({"x": torch.zeros(2, 3)}, {"judged": "z"}, "ReLU has no output 'z'; it has output"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(examples, options, message):
    with pytest.raises(ConfigError, match=message):
        TorchModule(nn.ReLU(), examples, **options)


@pytest.mark.parametrize("other", [torch.relu, nn.ReLU, {"weight": torch.zeros(2)}])
def test_what_is_no_module_is_refused(other):
    with pytest.raises(ConfigError, match=r"takes a torch\.nn\.Module, but got"):
        TorchModule(other, {"x": torch.zeros(2, 3)})


def test_an_axis_that_the_module_itself_holds_is_refused():
    with pytest.raises(
        ConfigError, match=r"'length' is of any size, but no other size .*: Linear cannot answer"
    ):
        TorchModule(
            nn.Linear(3, 2), {"input": torch.zeros(2, 3)}, dynamic_axes={"input": {1: "length"}}
        )


def test_an_input_that_is_not_used_is_named():
    with pytest.raises(ConfigError, match="Ignores does not use y; leave it out"):
        TorchModule(Ignores(), {"x": torch.zeros(2, 3), "y": torch.zeros(2, 3)})
