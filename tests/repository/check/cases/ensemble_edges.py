from __future__ import annotations

from tests.repository.check.case import PYTHON, Case, Files
from tests.repository.check.cases.ensemble_config import PASSES, TENSOR, adder, ensemble, step

__all__ = ["CASES", "MODELS"]

_TOGETHER = "with the others of its kind, over models that are loaded once: see test_together.py"


def _python(name: str, fields: str) -> Files:
    return {f"{name}/config.pbtxt": f'backend: "python"\n{fields}', f"{name}/1/model.py": PYTHON}


MODELS: Files = {
    **adder(),
    **_python(
        "join",
        f'max_batch_size: 2\ninput {{ name: "p" {TENSOR} }}\n'
        f'input {{ name: "q" {TENSOR} optional: true }}\n'
        f'output {{ name: "y" {TENSOR} }}\n',
    ),
    **_python(
        "stream",
        "max_batch_size: 8\nmodel_transaction_policy { decoupled: true }\n"
        f'input {{ name: "x" {TENSOR} }}\n'
        'output { name: "y" data_type: TYPE_FP32 dims: 4 reshape { shape: [ 2, 2 ] } }\n',
    ),
    **_python(
        "flat",
        'input { name: "x" data_type: TYPE_FP32 dims: [ -1, 4 ] }\n'
        'output { name: "y" data_type: TYPE_FP32 dims: [ -1, 2, 2 ] }\n'
        "max_batch_size: 0\n",
    ),
    # Without a configuration, and with nothing that completes one.
    "bare/1/model.py": PYTHON,
}
"""What the ensembles of the cases call; a server loads them once for all."""

ADD = step("add", {"x": "a"}, {"y": "b"})


def _case(
    rule: str, config: str, says: str = "", at: str = "", *, passes: Files = PASSES, finds: int = 1
) -> Case:
    models = {**MODELS, "m/config.pbtxt": config, "m/1/": ""}
    return Case(rule, fails=models, passes=passes, says=says, at=at, finds=finds, unasked=_TOGETHER)


def _in(text: str) -> str:
    return f"in ensemble m, {text}"


def _declared(kind: str, fields: str) -> str:
    name = "a" if kind == "inputs" else "b"
    tensors = {name: fields}
    return ensemble(ADD, inputs=tensors) if kind == "inputs" else ensemble(ADD, outputs=tensors)


def _joined(model: str = "m") -> str:
    origin = "receives inputs originated from different decoupled models"
    return _in(f"step of model '{model}' {origin}")


TWO = {"b": TENSOR, "c": TENSOR}
CASES = [
    _case(
        "TK118",
        ensemble(step("add", {"x": "a", "xx": "a"}, {"y": "b"})),
        _in("ensemble tensor a is mapping to non-existing input xx in model add"),
        at='"a"',
    ),
    _case(
        "TK118",
        ensemble(step("bare", {"x": "a"}, {"y": "b"})),
        says=_in("ensemble tensor a is mapping to non-existing input x in model bare"),
        at='"a"',
    ),
    _case(
        "TK119",
        ensemble(step("add", {"x": "a"}, {"yy": "b"})),
        _in("ensemble tensor b is mapped from non-existing output yy in model add"),
        at='"b"',
    ),
    _case(
        "TK120",
        ensemble(step("join", {"q": "a"}, {"y": "b"}), max_batch_size=2),
        _in("input p in model join is not mapped to any ensemble tensors"),
        at="step",
    ),
    _case(
        "TK121",
        _declared("inputs", "data_type: TYPE_INT32 dims: 4"),
        _in(
            "ensemble tensor a: inconsistent data type: TYPE_INT32 is inferred from model m "
            "while TYPE_FP32 is inferred from model add"
        ),
        at="TYPE_INT32",
    ),
    _case(
        "TK121",
        _declared("outputs", "data_type: TYPE_FP16 dims: 4"),
        _in(
            "ensemble tensor b: inconsistent data type: TYPE_FP16 is inferred from model m "
            "while TYPE_FP32 is inferred from model add"
        ),
        at="TYPE_FP16",
    ),
    _case(
        "TK122",
        _declared("inputs", "data_type: TYPE_FP32 dims: [ 1, 4 ]"),
        _in(
            "ensemble tensor a: inconsistent shape: [-1,1,4] is inferred from model m "
            "while [-1,4] is inferred from model add"
        ),
        at="1, 4",
    ),
    _case(
        "TK122",
        ensemble(
            step("flat", {"x": "a"}, {"y": "k"}),
            step("add", {"x": "k"}, {"y": "b"}),
        ),
        _in(
            "ensemble tensor k: inconsistent shape: [-1,2,2] is inferred from model flat "
            "while [-1,4] is inferred from model add"
        ),
        at='"k"',
    ),
    _case(
        "TK125",
        ensemble(
            step("stream", {"x": "a"}, {"y": "b"}),
            outputs={"b": "data_type: TYPE_FP32 dims: [ 2, 2 ]"},
        ),
        _in(
            "ensemble tensor b: inconsistent shape: [-1,2,2] is inferred from model m "
            "while [-1,4] is inferred from model stream"
        ),
        at="2, 2",
    ),
    _case(
        "TK123",
        ensemble(step("join", {"p": "a"}, {"y": "b"}), max_batch_size=3),
        "ensemble m allows maximum batch size 3, but it contains model join which only allows "
        "maximum batch size to be 2",
        at="3",
    ),
    _case(
        "TK124",
        ensemble(
            step("stream", {"x": "a"}, {"y": "k"}),
            step("join", {"p": "k", "q": "a"}, {"y": "b"}),
            max_batch_size=2,
        ),
        _joined(),
        at="step",
    ),
    _case(
        "TK124",
        ensemble(
            step("stream", {"x": "a"}, {"y": "k"}),
            step("stream", {"x": "a"}, {"y": "l"}),
            step("join", {"p": "k", "q": "l"}, {"y": "n"}),
            step("add", {"x": "n"}, {"y": "b"}),
            max_batch_size=2,
        ),
        _joined("join"),
        at="step",
    ),
    _case(
        "TK124",
        ensemble(
            step("stream", {"x": "a"}, {"y": "b"}),
            step("add", {"x": "a"}, {"y": "c"}),
            outputs=TWO,
        ),
        _joined(),
        at="output",
    ),
    _case(
        "TK126",
        ensemble(step("stream", {"x": "a"}, {"y": "b"}), rest="response_cache { enable: true }\n"),
        "Response Cache does not currently support model m with 'decoupled' transaction policy. "
        "Please disable the response cache.",
        at="response_cache",
    ),
    _case("TK181", _declared("inputs", "data_type: TYPE_FP32 dims: -1"), at="-1"),
]
