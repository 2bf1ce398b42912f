from __future__ import annotations

from collections.abc import Mapping

from tests.repository.check.case import PYTHON, Case, Files

__all__ = ["CASES", "adder", "ensemble", "files", "step"]

TENSOR = "data_type: TYPE_FP32 dims: 4"


def step(model: str, inputs: Mapping[str, str], outputs: Mapping[str, str], rest: str = "") -> str:
    """A step of an ensemble, as text."""
    maps = [
        f'    {field} {{ key: "{key}" value: "{value}" }}\n'
        for field, mapping in (("input_map", inputs), ("output_map", outputs))
        for key, value in mapping.items()
    ]
    version = "" if "model_version" in rest else "    model_version: -1\n"
    return f'  step {{\n    model_name: "{model}"\n{version}{rest}{"".join(maps)}  }}\n'


def ensemble(
    *steps: str,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    max_batch_size: int = 4,
    rest: str = "",
) -> str:
    """The configuration of an ensemble, with the fields of each input and output by its name."""
    tensors = [
        f'{kind} {{ name: "{name}" {fields} }}\n'
        for kind, given, usual in (("input", inputs, "a"), ("output", outputs, "b"))
        for name, fields in ({usual: TENSOR} if given is None else given).items()
    ]
    return (
        f'platform: "ensemble"\nmax_batch_size: {max_batch_size}\n{"".join(tensors)}{rest}'
        f"ensemble_scheduling {{\n{''.join(steps)}}}\n"
    )


def adder(name: str = "add") -> Files:
    """A model of input x and output y and z, which an ensemble can call."""
    config = (
        f'backend: "python"\nmax_batch_size: 8\ninput {{ name: "x" {TENSOR} }}\n'
        f'output {{ name: "y" {TENSOR} }}\noutput {{ name: "z" {TENSOR} }}\n'
    )
    return {f"{name}/config.pbtxt": config, f"{name}/1/model.py": PYTHON}


def files(config: str) -> Files:
    """An ensemble "m" beside its model."""
    return {**adder(), "m/config.pbtxt": config, "m/1/": ""}


ADD = step("add", {"x": "a"}, {"y": "b"})
BOTH = {"b": TENSOR, "c": TENSOR}
PASSES = files(ensemble(ADD))


def _case(rule: str, config: str, says: str, at: str = "", finds: int = 1) -> Case:
    # What core refuses before it looks for models needs none.
    alone = {"m/config.pbtxt": config, "m/1/": ""}
    return Case(rule, fails=alone, passes=PASSES, says=says, at=at, finds=finds)


def _unconnected(tensor: str, output: str = "b") -> str:
    return (
        f"output '{output}' for ensemble 'm' is not written: at least one of its depending "
        f"tensors, '{tensor}', is not connected"
    )


CASES = [
    _case(
        "TK104",
        'backend: "python"\n' + ensemble(ADD),
        "Ensemble model 'm' must have platform type 'ensemble' and empty backend type",
        at='"python"',
    ),
    _case(
        "TK105",
        'platform: "ensemble"\n',
        "ensemble scheduling must be set for ensemble m whose platform is ensemble",
        at='"ensemble"',
    ),
    _case(
        "TK105",
        ensemble(ADD).replace('"ensemble"', '"onnxruntime_onnx"'),
        "ensemble scheduling cannot be set for model 'm' whose platform is not ensemble",
        at='"onnxruntime_onnx"',
    ),
    _case(
        "TK105",
        ensemble(ADD).replace("platform:", "backend:").replace('"ensemble"', '"python"'),
        "ensemble scheduling cannot be set for model 'm' whose platform is not ensemble",
        at="ensemble_scheduling",
    ),
    _case(
        "TK105",
        ensemble(ADD).replace('platform: "ensemble"\n', ""),
        "Invalid model name: Could not determine backend for model 'm' with no backend in model "
        "configuration. Expected model name of the form 'model.<backend_name>'.",
        at="ensemble_scheduling",
    ),
    _case(
        "TK106",
        ensemble(ADD, rest="instance_group { count: 1 }\n"),
        "instance group should not be specified for ensemble 'm'",
        at="instance_group",
    ),
    _case(
        "TK106",
        ensemble(ADD, rest="optimization { }\n"),
        "optimization should not be specified for ensemble 'm'",
        at="optimization",
    ),
    _case(
        "TK106",
        ensemble(ADD, rest='model_warmup { name: "one" batch_size: 1 }\n'),
        "model_warmup can not be specified for ensemble 'm'",
        at="model_warmup",
    ),
    _case("TK107", ensemble(), "must specify 'step' for ensemble 'm'", at="ensemble_scheduling"),
    _case(
        "TK108",
        ensemble(ADD.replace('    model_name: "add"\n', "")),
        "must specify 'model_name' in step 0 of ensemble 'm'",
        at="step",
    ),
    _case(
        "TK108",
        ensemble(ADD, step("add", {}, {"y": "c"})),
        "must specify 'input_map' in step 1 of ensemble 'm'",
        at="step",
    ),
    _case(
        "TK108",
        ensemble(step("add", {"x": "a"}, {})),
        "must specify 'output_map' in step 0 of ensemble 'm'",
        at="step",
    ),
    _case(
        "TK109",
        ensemble(ADD, step("add", {"x": "a"}, {"z": "b"})),
        "ensemble tensor 'b' can appear in an output map only once for ensemble 'm' step 1",
        at='"b"',
    ),
    _case(
        "TK111",
        ensemble(ADD, inputs={"a": TENSOR, "more": TENSOR}),
        "ensemble input 'more' for ensemble m' is not used",
        at='"more"',
    ),
    _case(
        "TK112",
        ensemble(ADD, outputs=BOTH),
        "ensemble output 'c' for ensemble m' is not used",
        at='"c"',
    ),
    _case(
        "TK112",
        ensemble(ADD, step("add", {"x": "middle"}, {"y": "c"}), outputs=BOTH),
        _unconnected("middle", "c"),
        at='"middle"',
    ),
    _case(
        "TK112",
        ensemble(
            step("two", {"p": "a", "q": "k2"}, {"y": "k1"}),
            step("add", {"x": "k1"}, {"y": "k2", "z": "b"}),
        ),
        _unconnected("k2"),
        at='"k1"',
    ),
    _case(
        "TK112",
        ensemble(ADD, step("two", {"p": "a", "q": "c"}, {"y": "c"}), outputs=BOTH),
        "output 'c' for ensemble 'm' is not written",
        at='"c"',
    ),
    _case(
        "TK113",
        ensemble(step("add", {"x": "a"}, {"y": "b", "z": "c"})),
        "ensemble tensor 'c' is unused in ensemble 'm'",
        at='"c"',
    ),
    _case(
        "TK127",
        'platform: "ensemble"\ndynamic_batching { }\n',
        "ensemble scheduling must be set for ensemble m whose platform is ensemble",
        at="dynamic_batching",
    ),
    Case(
        "TK180",
        fails=files(ensemble(ADD, step("add", {"x": "b"}, {"y": "a"}))),
        passes=PASSES,
        at='"a"',
    ),
]
