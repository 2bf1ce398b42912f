"""Cases of the rules on instance groups."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.models import DYNAMIC, python_model

from tritonkit.repository.check.target import Target

NO_GPU = Target(gpus=0)


def grouped(group: str) -> Files:
    return python_model(f"instance_group [{{ {group} }}]\n")


def engine(group: str) -> Files:
    return {
        "m/config.pbtxt": f'backend: "tensorrt"\nplatform: "tensorrt_plan"\n{group}',
        "m/1/model.plan": b"",
    }


CASES = [
    Case(
        "TK062",
        fails={
            "m/config.pbtxt": 'backend: "onnxruntime"\n'
            "instance_group [{ count: 3 kind: KIND_CPU }]\n"
            'parameters { key: "intra_op_thread_count" value { string_value: "2" } }\n',
            "m/1/model.onnx": b"",
        },
        passes=DYNAMIC,
        at="3 kind",
        target=Target(cores=4),
        unasked="how many cores a server has is no matter of loading",
    ),
    Case(
        "TK091",
        fails=grouped("kind: KIND_CPU gpus: [0]"),
        passes=DYNAMIC,
        says="instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs",
        at="0] }]",
    ),
    Case(
        "TK091",
        fails=grouped('name: "mine" kind: KIND_MODEL gpus: [0]'),
        passes=DYNAMIC,
        says="instance group mine of model m has kind KIND_MODEL but specifies one or more GPUs",
        at="0] }]",
    ),
    Case(
        "TK091",
        fails=grouped("gpus: [0]"),
        passes=DYNAMIC,
        says="instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs",
        at="0] }]",
        target=NO_GPU,
    ),
    Case(
        "TK092",
        fails=grouped("kind: KIND_GPU"),
        passes=DYNAMIC,
        says="instance group m_0 of model m has kind KIND_GPU but no GPUs are available",
        at="KIND_GPU }",
        target=NO_GPU,
    ),
    Case(
        "TK093",
        fails=grouped("kind: KIND_GPU gpus: [1]"),
        passes=DYNAMIC,
        says="instance group m_0 of model m specifies invalid or unsupported gpu id 1. GPUs with "
        "at least the minimum required CUDA compute compatibility of 6.000000 are: ",
        at="1] }]",
        target=NO_GPU,
    ),
    Case(
        "TK094",
        fails=grouped('kind: KIND_CPU profile: ["0"]'),
        passes=DYNAMIC,
        says="instance group m_0 of model m and platform specifies profile field which is only "
        "supported for TensorRT models",
        at='"0"] }',
    ),
    Case(
        "TK094",
        fails=engine('instance_group [{ kind: KIND_GPU profile: ["best"] }]'),
        passes=DYNAMIC,
        says="unable to parse 'best': stoi",
        at='"best"',
        unasked="the embedded server has no TensorRT",
    ),
    Case(
        "TK095",
        fails=engine("instance_group [{ kind: KIND_CPU }]"),
        passes=DYNAMIC,
        says="unable to load model 'm', TensorRT backend supports only GPU device",
        at="KIND_CPU }",
        unasked="the embedded server has no TensorRT",
    ),
    Case(
        "TK095",
        fails=grouped("kind: 7"),
        passes=DYNAMIC,
        says="instance group m_0 of model m has unexpected kind KIND_AUTO",
        at="7 }",
    ),
]
