"""
How long `check` takes on a repository of a thousand models, and how that grows.

Repositories of 125, 250, 500, 1,000 and 2,000 models are checked by the command, each
in a process of its own, and by the function, in this one: the difference is what Python
takes to start. Of ten models six are ONNX graphs with a whole configuration, two leave
all to the graph, one runs Python and one is an ensemble over two of them; one in fifty
has a mistake. Growth is the exponent of the time by the number of models: 1 is linear.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, median
from time import perf_counter

import onnx
from onnx import TensorProto, helper
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.machine import Machine, package_versions
from tritonkit.repository.check.check import check

RESULT = Path(__file__).parent / "results" / "check.json"
SIZES = (125, 250, 500, 1000, 2000)
MISTAKE_EVERY = 50
WHOLE = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: {batch}
# What a client sends.
input {{
  name: "x"
  data_type: TYPE_FP32
  dims: [64]
}}
output {{
  name: "y"
  data_type: TYPE_FP32
  dims: [64]
}}
instance_group {{
  count: 1
  kind: KIND_CPU
}}
dynamic_batching {{
  preferred_batch_size: [{preferred}]
  max_queue_delay_microseconds: 500
}}
parameters {{
  key: "intra_op_thread_count"
  value {{ string_value: "1" }}
}}
"""
PYTHON = """\
backend: "python"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: 64 }
output { name: "y" data_type: TYPE_FP32 dims: 64 }
"""
ENSEMBLE = """\
platform: "ensemble"
max_batch_size: 8
input {{ name: "x" data_type: TYPE_FP32 dims: 64 }}
output {{ name: "y" data_type: TYPE_FP32 dims: 64 }}
ensemble_scheduling {{
  step {{
    model_name: "{first}" model_version: -1
    input_map {{ key: "x" value: "x" }} output_map {{ key: "y" value: "between" }}
  }}
  step {{
    model_name: "{second}" model_version: -1
    input_map {{ key: "x" value: "between" }} output_map {{ key: "y" value: "y" }}
  }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One size: seconds of each round."""

    models: int
    findings: int
    function_s: list[float]
    command_s: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        points = [
            measure(Path(folder) / str(size), size, arguments.rounds) for size in arguments.sizes
        ]
    growth = exponent(points)
    table = Table("models", "findings", "tritonkit check, s", "the function, s", box=SIMPLE_HEAD)
    for point in points:
        table.add_row(
            f"{point.models:,}",
            str(point.findings),
            f"{median(point.command_s):.2f}",
            f"{median(point.function_s):.2f}",
        )
    console.print(table)
    console.print(f"grows with the number of models to the power of {growth:.2f} (1 is linear)")
    write(
        RESULT,
        {
            "benchmark": "check",
            "command": "python benchmarks/check.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "protobuf")),
            "growth": growth,
            "points": [asdict(point) for point in points],
        },
    )
    console.print(f"written to {RESULT}")


def measure(repository: Path, size: int, rounds: int) -> Point:
    """Make a repository of *size* models and check it *rounds* times, both ways in turn."""
    make(repository, size)
    found: set[int] = set()
    function: list[float] = []
    command: list[float] = []
    for _ in range(rounds):
        begin = perf_counter()
        found.add(len(check(repository).findings))
        function.append(perf_counter() - begin)
        begin = perf_counter()
        ran = subprocess.run(
            [sys.executable, "-m", "tritonkit", "check", str(repository)],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        command.append(perf_counter() - begin)
        if ran.returncode != 1:
            raise SystemExit(f"check exited with {ran.returncode} where it has findings")
    (findings,) = found
    return Point(models=size, findings=findings, function_s=function, command_s=command)


def make(repository: Path, size: int) -> None:
    """Write *size* models."""
    graph = network()
    for number in range(size):
        name = f"m{number}"
        directory = repository / name
        (directory / "1").mkdir(parents=True)
        kind = number % 10
        if kind == 9:
            text = ENSEMBLE.format(first=f"m{number - 9}", second=f"m{number - 1}")
        elif kind == 8:
            text = PYTHON
            (directory / "1" / "model.py").write_text("class TritonPythonModel:\n    pass\n")
        else:
            preferred = 16 if number % MISTAKE_EVERY == 1 else 8
            text = WHOLE.format(name=name, batch=8, preferred=preferred) if kind < 6 else ""
            (directory / "1" / "model.onnx").write_bytes(graph)
        if text:
            (directory / "config.pbtxt").write_text(text)


def network() -> bytes:
    """Ten layers, 160 kB of weights."""
    weights, nodes, last = [], [], "x"
    for layer in range(10):
        weights.append(helper.make_tensor(f"w{layer}", TensorProto.FLOAT, [64, 64], [0.01] * 4096))
        out = "y" if layer == 9 else f"h{layer}"
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [out]))
        last = out
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 64]) for n in "xy")
    model = helper.make_model(
        helper.make_graph(nodes, "network", [x], [y], weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def exponent(points: Sequence[Point]) -> float:
    """The slope of log time over log size, of the function's fastest rounds."""
    logs = [(math.log(point.models), math.log(min(point.function_s))) for point in points]
    return linear_regression(*zip(*logs, strict=True)).slope if len(logs) > 1 else math.nan


if __name__ == "__main__":
    main()
