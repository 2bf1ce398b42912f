"""Cases of the rules on Python models: their code and their environment."""

from __future__ import annotations

from tests.repository.check.case import PYTHON, Case, Files
from tests.repository.check.models import DYNAMIC, graph_model, python_model

ENVIRONMENT = """
parameters {
  key: "EXECUTION_ENV_PATH"
  value { string_value: "$$TRITON_MODEL_DIRECTORY/env" }
}
"""
PACKAGES = "env__lib__python3.10__site-packages__"
# Whose imports are all there: in it, in the standard library, beside it, from Triton.
CODE = f"""\
import json
import helper
import numpy as np
import triton_python_backend_utils as pb_utils

try:
    import torch
except ImportError:
    torch = None


{PYTHON}"""


def _in_environment(code: str) -> Files:
    files = {f"{PACKAGES}numpy__init__.py": "", "env__bin__activate": "", "1__helper.py": ""}
    return python_model(ENVIRONMENT, code=code, **files)


RIGHT = _in_environment(CODE)

CASES = [
    Case(
        "TK128",
        fails=python_model(ENVIRONMENT),
        passes=RIGHT,
        says="Failed to get the canonical path for {repository}/m/env.",
        at='"$$TRITON_MODEL_DIRECTORY/env"',
    ),
    Case(
        "TK128",
        fails=python_model(ENVIRONMENT, env__readme=""),
        passes=RIGHT,
        says="Path {repository}/m/env/bin/activate does not exist. "
        "The Python environment should contain an 'activate' script.",
        at='"$$TRITON_MODEL_DIRECTORY/env"',
    ),
    Case(
        "TK129",
        fails=python_model(
            ENVIRONMENT,
            **{"env__lib__python3.12__site-packages__x.py": "", "env__bin__activate": ""},
        ),
        passes=RIGHT,
        at='"$$TRITON_MODEL_DIRECTORY/env"',
        unasked="it is about the Python of NVIDIA's container",
    ),
    Case(
        "TK140",
        fails=_in_environment(f"import tokenizers_of_mine\n{PYTHON}"),
        passes=RIGHT,
        says="ModuleNotFoundError: No module named 'tokenizers_of_mine'",
        at="tokenizers_of_mine",
    ),
    Case(
        "TK148",
        fails=python_model("", code="class Model:\n    pass\n"),
        passes=DYNAMIC,
        says="AttributeError: module '1.model' has no attribute 'TritonPythonModel'",
    ),
    Case(
        "TK149",
        fails=python_model("", code="def initialize(:\n    pass\n"),
        passes=DYNAMIC,
        says="SyntaxError: invalid syntax (model.py, line 1)",
        at=":",
    ),
    Case(
        "TK133",
        fails={"a model/1/model.py": PYTHON},
        passes={path.replace("m/", "a model/", 1): text for path, text in graph_model("").items()},
        model="a model",
        unasked="the server does not answer",
        unasked_passes="the embedded server's onnxruntime backend is a Python model too",
    ),
]
