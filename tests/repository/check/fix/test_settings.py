"""Settings that can only be one thing are repaired; where two are possible, they stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.repository.check.case import write_files
from tests.repository.check.models import python_model

from tritonkit.repository.check.check import check
from tritonkit.repository.check.fix.rounds import fix

WARM = 'model_warmup { batch_size: 1 inputs { key: "x" value { %s } } }\n'
STATE = (
    'sequence_batching { state { input_name: "a" output_name: "b" data_type: TYPE_FP32 dims: 2\n'
    '  initial_state { name: "s" data_type: TYPE_INT32 dims: 2 %s }\n} }\n'
)
FORCE_CPU = 'parameters { key: "FORCE_CPU_ONLY_INPUT_TENSORS" value { string_value: "%s" } }\n'

REPAIRED = {
    "max_batch_size: 8\ndynamic_batching { preferred_batch_size: [ 0, 8, -1 ] }\n": (
        "max_batch_size: 8\ndynamic_batching { preferred_batch_size: [ 8 ] }\n"
    ),
    "sequence_batching { }\nresponse_cache { enable: true }\n": (
        "sequence_batching { }\nresponse_cache { enable: false }\n"
    ),
    'instance_group { kind: KIND_CPU profile: [ "0", "1" ] }\n': (
        "instance_group { kind: KIND_CPU }\n"
    ),
    WARM % "data_type: TYPE_INT64 dims: 4 zero_data: true": (
        WARM % "data_type: TYPE_FP32 dims: 4 zero_data: true"
    ),
    STATE % "zero_data: true": (STATE % "zero_data: true").replace("TYPE_INT32", "TYPE_FP32"),
    FORCE_CPU % "true": FORCE_CPU % "yes",
    FORCE_CPU % "NO": FORCE_CPU % "no",
}
LEFT = [
    WARM % 'data_type: TYPE_INT64 dims: 4 input_data_file: "row"',
    STATE % 'data_file: "start"',
    FORCE_CPU % "maybe",
    'platform: "tensorrt_plan"\ninstance_group { kind: KIND_GPU profile: "best" }\n',
    "instance_group { kind: KIND_CPU gpus: 0 }\n",
]


def fixed(folder: Path, config: str) -> str:
    """What becomes of the lines *config* of a model."""
    write_files(folder, python_model(config, warmup__row=bytes(99), initial_state__start=bytes(99)))
    path = folder / "m" / "config.pbtxt"
    before = path.read_text()
    fix(lambda texts: check(folder, texts=texts))
    rest = before.removeprefix('backend: "python"\n' + config)
    return path.read_text().removeprefix('backend: "python"\n').removesuffix(rest)


@pytest.mark.parametrize("config", REPAIRED)
def test_what_can_only_be_one_thing(config: str, tmp_path: Path):
    """It becomes that, and nothing else changes."""
    assert fixed(tmp_path, config) == REPAIRED[config]


@pytest.mark.parametrize("config", LEFT)
def test_what_can_be_several_things(config: str, tmp_path: Path):
    """Bytes of a file may be of either type, and a profile may be any: all of it stays."""
    assert fixed(tmp_path, config) == config
