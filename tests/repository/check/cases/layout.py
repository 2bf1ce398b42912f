"""Cases of the rules on folders, files and links."""

from __future__ import annotations

from pathlib import Path

from tests.repository.check.case import PYTHON, Case, Files
from tests.repository.check.models import DYNAMIC, TENSORS, graph_model, python_model

CONFIG = f'backend: "python"\n{TENSORS}'
NONE = "at least one version must be available under the version policy of model '{}'"
ENSEMBLE = """\
platform: "ensemble"
ensemble_scheduling { step [{
  model_name: "part" model_version: -1
  input_map { key: "x" value: "x" }
  output_map { key: "y" value: "y" }
}] }
"""
PART: Files = {"part/config.pbtxt": CONFIG, "part/1/model.py": PYTHON}
GRAPH = graph_model("")
# Versions that are served together; what a version folder is not, beside them.
VERSIONS: Files = {
    "m/config.pbtxt": f"{CONFIG}\nversion_policy {{ specific {{ versions: [1, 3] }} }}",
    "m/1/model.py": PYTHON,
    "m/3/model.py": PYTHON,
    "m/assets/tokenizer.json": "{}",
}
# Beside which a folder is ignored: a version of it costs less than two.
ONE: Files = {"m/config.pbtxt": CONFIG, "m/1/model.py": PYTHON}
# All that a model names, where it should be.
FILES: Files = python_model(
    'output [{ name: "y" data_type: TYPE_FP32 dims: [2] label_filename: "labels.txt" }]'
    'input [{ name: "x" data_type: TYPE_FP32 dims: [4] }]'
    'model_warmup [{ name: "w" batch_size: 1 inputs { key: "x" value {'
    ' data_type: TYPE_FP32 dims: [4] input_data_file: "x" } } }]',
    **{"labels.txt": "a\nb\n", "warmup__x": bytes(16)},
)

# What is a model stays one, whatever it is called.
STRAY: Files = {
    f"{folder}/{file}": content
    for folder in (".git", "lost+found")
    for file, content in {"config.pbtxt": CONFIG, "1/model.py": PYTHON}.items()
}


def _moved(files: Files, **moves: str) -> Files:
    """*files* with some called otherwise."""
    return {moves.get(name, name): content for name, content in files.items()}


def _graph(version: str, file: str = "model.onnx", config: str = "") -> Files:
    text = str(GRAPH["m/config.pbtxt"])
    return {
        "m/config.pbtxt": text + config,
        f"m/{version}/{file}": GRAPH["m/1/model.onnx"],
    }


CASES = [
    Case(
        "TK004",
        fails={"m/config.pbtxt": CONFIG, "m/model.py": PYTHON},
        passes=DYNAMIC,
        says=NONE.format("m"),
    ),
    Case(
        "TK004",
        fails={"m/config.pbtxt": CONFIG, "m/v1/model.py": PYTHON},
        passes=DYNAMIC,
        says=NONE.format("m"),
    ),
    Case(
        "TK004",
        fails={"m/config.pbtxt": CONFIG, "m/1": PYTHON},
        passes=DYNAMIC,
        says=NONE.format("m"),
    ),
    Case(
        "TK005",
        fails={
            "m/config.pbtxt": f"{CONFIG}\nversion_policy {{ specific {{ versions: [2] }} }}",
            "m/1/": "",
        },
        passes=VERSIONS,
        says=NONE.format("m"),
        at="2",
    ),
    Case(
        "TK005",
        fails={
            "m/config.pbtxt": f"{CONFIG}\nversion_policy {{ latest {{ num_versions: 0 }} }}",
            "m/1/": "",
        },
        passes=VERSIONS,
        says=NONE.format("m"),
        at="0",
    ),
    Case(
        "TK006",
        fails={"e/config.pbtxt": ENSEMBLE + TENSORS, **PART},
        passes={"e/config.pbtxt": ENSEMBLE + TENSORS, "e/1/": "", **PART},
        model="e",
        says=NONE.format("e"),
    ),
    Case(
        "TK007",
        fails=_graph("1", "resnet.onnx"),
        passes=GRAPH,
        says="failed to stat file {repository}/m/1/model.onnx",
    ),
    Case(
        "TK007",
        fails=_graph("1", "model.onnx", 'default_model_filename: "other.onnx"'),
        passes=GRAPH,
        says="failed to stat file {repository}/m/1/other.onnx",
        at='"other.onnx"',
    ),
    Case(
        "TK007",
        fails={"m/config.pbtxt": CONFIG, "m/model.py": PYTHON, "m/1/": ""},
        passes=DYNAMIC,
        says="Python model file not found in '{repository}/m/1/model.py'",
        unasked="the server does not answer for more than a minute",
    ),
    Case(
        "TK007",
        fails={"m/config.pbtxt": CONFIG, "m/1/model.py/model.py": PYTHON},
        passes=DYNAMIC,
        says="ModuleNotFoundError: No module named '1.model'",
    ),
    Case(
        "TK007",
        fails={"m/1/model.onnx/graph.onnx": GRAPH["m/1/model.onnx"]},
        passes={**_graph("1", "model.onnx/model.onnx")},
        says="unable to find '{repository}/m/1/model.onnx/model.onnx' for model instance 'm'",
    ),
    Case(
        "TK141",
        fails={
            "m/config.pbtxt": f"{CONFIG}\nversion_policy {{ specific {{ versions: [1, 2] }} }}",
            "m/1/model.py": PYTHON,
        },
        passes=VERSIONS,
        says="version 2 is specified for model 'm', but the version directory is not present",
        at="2",
    ),
    Case(
        "TK142",
        fails={**ONE, "m/v4/model.py": PYTHON},
        passes=VERSIONS,
        says="ignore version directory 'v4' which fails to convert to integral number",
    ),
    Case(
        "TK142",
        fails={**ONE, "m/04/model.py": PYTHON},
        passes=VERSIONS,
        says="ignore version directory '04' which contains leading zeros in its directory name",
    ),
    Case("TK142", fails={**ONE, "m/4": PYTHON}, passes=VERSIONS),
    Case(
        "TK143",
        fails={"m/config.pbtxt": CONFIG, f"m/{2**63}/model.py": PYTHON},
        passes=DYNAMIC,
        unasked="the server ends",
    ),
    Case("TK144", fails=_graph("1.bak"), passes=GRAPH),
    Case("TK144", fails=_graph("-1"), passes=GRAPH),
    Case("TK144", fails=_graph("1a"), passes=GRAPH),
    # A policy that says nothing serves all.
    Case(
        "TK144",
        fails={**_graph("1", config="version_policy { }"), "m/-3/": ""},
        passes={**_graph("0", config="version_policy { }"), "m/0.bak/": ""},
    ),
    Case(
        "TK145",
        fails={"m/config.pbtxt": CONFIG, "m/1/": "", "m/labels.txt": Path("nowhere")},
        passes=FILES,
        says="failed to stat file {repository}/m/labels.txt",
    ),
    Case(
        "TK145",
        fails={**DYNAMIC, "gone": Path("nowhere")},
        passes={**DYNAMIC, "gone": Path("m")},
        model="gone",
        says="failed to poll model repository '{repository}': "
        "failed to stat file {repository}/gone",
        unasked="a server says so where it starts, not where it loads a model",
        unasked_passes="m itself is loaded often enough",
    ),
    Case(
        "TK146",
        fails={".git/objects/12/object": "", **DYNAMIC},
        passes=STRAY,
        model=".git",
        unasked_passes="the same is asked of lost+found",
        says=NONE.format(".git"),
    ),
    Case(
        "TK146",
        fails={"lost+found/": "", **DYNAMIC},
        passes=STRAY,
        model="lost+found",
        says="Invalid model name: Could not determine backend for model 'lost+found' with no "
        "backend in model configuration. Expected model name of the form 'model.<backend_name>'.",
    ),
    Case(
        "TK013",
        fails=_moved(FILES, **{"m/labels.txt": "m/1/labels.txt"}),
        passes=FILES,
        says="failed to open text file for read {repository}/m/labels.txt: "
        "No such file or directory",
        at='"labels.txt"',
    ),
    Case(
        "TK015",
        fails={**FILES, "m/configs/small.pbtxt": CONFIG},
        passes=FILES,
    ),
    Case(
        "TK016",
        fails=python_model(
            "max_batch_size: 8\nsequence_batching {}\n"
            'parameters { key: "TRITON_BATCH_STRATEGY_PATH" value { string_value: "/b.so" } }\n'
        ),
        passes=DYNAMIC,
        says="TRITON_BATCH_STRATEGY_PATH cannot be specified with sequence batcher, "
        "using default batching strategy",
        at='"/b.so"',
    ),
    Case(
        "TK016",
        fails=python_model(
            "max_batch_size: 8\ndynamic_batching {}\n"
            'parameters { key: "TRITON_BATCH_STRATEGY_PATH" value { string_value: "b.so" } }\n'
        ),
        passes=DYNAMIC,
        says="Batching library path not found: b.so",
        at='"b.so"',
    ),
    Case(
        "TK147",
        fails={
            **FILES,
            "m/config.pbtxt": str(FILES["m/config.pbtxt"]).replace(
                '"labels.txt"', '"../n/labels.txt"'
            ),
            "n/labels.txt": "a\nb\n",
        },
        passes=FILES,
        at='"../n/labels.txt"',
    ),
    Case(
        "TK147",
        fails={**FILES, "m/notes.txt": Path("/etc/hostname")},
        passes=FILES,
    ),
]
