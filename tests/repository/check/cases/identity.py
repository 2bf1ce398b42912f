"""Cases of the rules on what a model is called and what loads it, and on its text."""

from __future__ import annotations

from tests.repository.check.case import PYTHON, Case
from tests.repository.check.models import DYNAMIC, python_model

from tritonkit.repository.check.target import Target

# Of the runtime that the tests' server is.
EMBEDDED = Target(backends=frozenset({"onnxruntime", "python"}))


def _only(config: str) -> dict[str, str]:
    """A model that is refused before its files are looked at."""
    return {"m/config.pbtxt": config, "m/1/": ""}


CASES = [
    Case(
        "TK001",
        fails=_only('backend: "python"\ninputs [{ name: "x" }]'),
        passes=DYNAMIC,
        says="Error parsing text-format inference.ModelConfig: 2:8: Message type "
        '"inference.ModelConfig" has no field named "inputs".',
        at="inputs",
    ),
    Case(
        "TK001",
        fails={"m/config.pbtxt/": "", "m/1/model.py": PYTHON},
        passes=DYNAMIC,
        unasked="the server ends where config.pbtxt is a folder",
    ),
    Case(
        "TK002",
        fails=_only('backend: "python"\nname: "n"'),
        passes=python_model('name: "m"'),
        says="unexpected directory name 'm' for model 'n', directory name must equal model name",
        at='"n"',
    ),
    Case(
        "TK003",
        fails=_only('backend: "python"\nname: "../m"'),
        passes=python_model('name: "m"'),
        says="unexpected directory name 'm' for model '../m', directory name must equal model name",
        at='"../m"',
    ),
    Case(
        "TK008",
        fails=_only("max_batch_size: 4"),
        passes=DYNAMIC,
        says="Invalid model name: Could not determine backend for model 'm' with no backend in "
        "model configuration. Expected model name of the form 'model.<backend_name>'.",
    ),
    Case(
        "TK009",
        fails=_only('platform: "onnxruntime"'),
        passes=DYNAMIC,
        says="unexpected platform type 'onnxruntime' for m",
        at='"onnxruntime"',
    ),
    Case(
        "TK010",
        fails=_only('platform: "tensorrt_plan"\nbackend: "onnxruntime"'),
        passes=DYNAMIC,
        says="unexpected 'platform' and 'backend' pair, got:tensorrt_plan, onnxruntime",
        at='"tensorrt_plan"',
    ),
    Case(
        "TK010",
        fails=_only('backend: "tensorflow"'),
        passes=DYNAMIC,
        says="unexpected 'platform' and 'backend' pair, got:, tensorflow",
        at='"tensorflow"',
    ),
    Case(
        "TK011",
        fails=_only('backend: "onnxruntme"'),
        passes=DYNAMIC,
        says="unable to find backend library for backend 'onnxruntme', try specifying runtime on "
        "the model configuration.",
        at='"onnxruntme"',
    ),
    Case(
        "TK011",
        fails=_only('platform: "tensorrt_plan"'),
        passes=DYNAMIC,
        says="unable to find backend library for backend 'tensorrt', try specifying runtime on "
        "the model configuration.",
        at='"tensorrt_plan"',
        target=EMBEDDED,
    ),
    Case(
        "TK012",
        fails=_only('backend: "python"\nruntime: "libpy.so"'),
        passes=python_model('runtime: "libtriton_python.so"'),
        says="unable to find backend library 'libpy.so' for model 'm', searched:",
        at='"libpy.so"',
    ),
    Case(
        "TK012",
        fails=_only('backend: "python"\nruntime: "model.py"'),
        passes=python_model('runtime: "libtriton_python.so"'),
        says="unable to find Python backend based backend library 'model.py' for model 'm', "
        "searched:",
        at='"model.py"',
    ),
]
