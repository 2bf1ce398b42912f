"""What a finding says to do about folders and files, by what is there instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.repository.check.case import Files, write_files

from tritonkit.repository.check.check import check
from tritonkit.repository.layout import version_of

CONFIG = """\
backend: "onnxruntime"
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
"""


@pytest.mark.parametrize(
    ("files", "rule", "advice"),
    [
        ({"m/config.pbtxt": CONFIG, "m/v2/x": ""}, "TK004", "Call it 2."),
        (
            {"m/config.pbtxt": CONFIG, "m/model.onnx": ""},
            "TK004",
            "Make a folder 1 and put model.onnx into it.",
        ),
        (
            {"m/config.pbtxt": CONFIG, "m/1/resnet.onnx": ""},
            "TK007",
            'Call resnet.onnx model.onnx, or write default_model_filename: "resnet.onnx".',
        ),
        (
            {"m/config.pbtxt": CONFIG, "m/model.onnx": "", "m/1/": ""},
            "TK007",
            "Move model.onnx from the model's folder into 1.",
        ),
        (
            {"m/config.pbtxt": CONFIG, "m/1/a.onnx": "", "m/1/b.onnx": ""},
            "TK007",
            "Put model.onnx into folder 1.",
        ),
        (
            {"m/1/resnet.onnx": ""},
            "TK008",
            "Call resnet.onnx model.onnx, or name the backend.",
        ),
        (
            {"m/resnet.onnx": ""},
            "TK146",
            "Move it out of the repository, or put resnet.onnx into a folder 1 of it.",
        ),
        (
            {"m/config.pbtxt": 'platform: "pytorch"\n', "m/1/": ""},
            "TK009",
            'Name the backend instead, such as backend: "pytorch".',
        ),
        (
            {"m/config.pbtxt": f"{CONFIG}ensemble_scheduling {{ }}\n", "m/1/": ""},
            "TK105",
            'Write platform: "ensemble" in place of the backend.',
        ),
    ],
)
def test_the_advice_names_what_is_there(tmp_path: Path, files: Files, rule: str, advice: str):
    write_files(tmp_path, {"right/config.pbtxt": CONFIG, **files})

    found = [one for one in check(tmp_path, models=["m"]).findings if one.rule.id == rule]

    assert [one.found.advice for one in found] == [advice]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("1", 1),
        ("0", 0),
        ("12", 12),
        ("1a", 1),
        ("+1", 1),
        ("-1", -1),
        (" 1", 1),
        ("1.5", 1),
        ("01", None),
        ("00", None),
        ("v1", None),
        ("latest", None),
        ("", None),
        ("+", None),
        ("\u0661", None),
    ],
)
def test_a_folder_is_read_as_triton_reads_it(name: str, version: int | None):
    assert version_of(name) == version


def test_labels_of_boxes_are_not_counted(tmp_path: Path):
    output = 'output { name: "y" data_type: TYPE_FP32 dims: [25200, 8] label_filename: "l.txt" }'
    files = {"m/config.pbtxt": f'backend: "python"\n{output}\n', "m/1/model.py": "", "m/l.txt": "a"}
    write_files(tmp_path, files)

    assert "TK156" not in {one.rule.id for one in check(tmp_path).findings}
