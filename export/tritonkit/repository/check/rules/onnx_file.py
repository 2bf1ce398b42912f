"""The ONNX file: what Triton's onnxruntime can take of it, whatever the configuration says."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.backend import ONNX_BF16_SINCE
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.release import Release
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.graph.graph import NotOnnx
from tritonkit.repository.graph.loads import ONNXRUNTIMES, Loads

__all__ = [
    "model_is_no_graph",
    "newer_than_onnxruntime",
    "no_opset",
    "not_a_tensor",
    "unknown_domain",
]

_DOMAINS = frozenset(
    {
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.preview.training",
        "ai.onnx.training",
        "com.microsoft",
        "com.microsoft.dml",
        "com.microsoft.experimental",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
        "org.pytorch.aten",
    }
)
"""The domains that onnxruntime may have operators of."""

_NO_PROTOBUF = "Protobuf parsing failed."
_BF16 = "tensor(bfloat16)"
_KINDS = {
    "seq": "ONNX_TYPE_SEQUENCE",
    "map": "ONNX_TYPE_MAP",
    "opaque": "ONNX_TYPE_OPAQUE",
    "sparse_tensor": "ONNX_TYPE_SPARSETENSOR",
}


@rule("TK131", "model-is-no-graph", Severity.ERROR, "A model file that is no ONNX model")
def model_is_no_graph(model: Subject) -> Iterator[Found]:
    """
    The onnxruntime backend loads ONNX files, and files of onnxruntime's own format that are
    called .ort, which are not looked into here.

    A file that is none is most often a pointer that Git LFS left, a download that was cut
    short, or a page that a server sent in place of the file.
    """
    error = model.graph_error
    if isinstance(error, NotOnnx) and error.sure and error.file.suffix != ".ort":
        failed = "No graph was found in the protobuf." if error.parses else _NO_PROTOBUF
        yield Found(
            (),
            message=f"{error.file.name} is no ONNX model: {error.reason}.",
            advice="Put the whole file in its place; what Git LFS keeps, git lfs pull fetches.",
            triton=f"Load model from {error.file} failed:{failed}",
            value=error.file.name,
            file=error.file,
        )


@rule("TK058", "newer-than-onnxruntime", Severity.ERROR, "A file newer than Triton's onnxruntime")
def newer_than_onnxruntime(model: Subject) -> Iterator[Found]:
    """
    Each release of Triton carries one onnxruntime, and that loads files up to its own age.

    An ONNX file says its opset, which is the version of ONNX's operators, and its IR version,
    which is that of the file format. What is newer than the onnxruntime of the server is
    refused when the session is made. Exporters write the newest by default: give them an
    opset. The releases that are looked at are those of which it is known what they carry.
    """
    graph, loads = model.graph, _loads(model.target.release)
    if graph is None or loads is None:
        return
    opset = max(graph.opsets.get("", 0), graph.opsets.get("ai.onnx", 0))
    for what, found, newest, triton in (
        (
            "opset",
            opset,
            loads.opset,
            "ONNX Runtime only *guarantees* support for models stamped with official released onnx "
            f"opset versions. Opset {opset} is under development and support for this is limited.",
        ),
        ("opset of ai.onnx.ml", graph.opsets.get("ai.onnx.ml", 0), loads.ml_opset, ""),
        (
            "IR version",
            graph.ir_version,
            loads.ir_version,
            f"Unsupported model IR version: {graph.ir_version}, max supported IR version: "
            f"{loads.ir_version}",
        ),
    ):
        if found > newest:
            yield Found(
                (),
                message=f"The {what} of the file is {found}, and the onnxruntime of Triton "
                f"{model.target.release} takes up to {newest}.",
                advice="Export the model with opset 17 and IR version 8, which all take, or serve "
                "it with a newer Triton.",
                triton=triton,
                value=str(found),
                file=graph.path,
            )


@rule("TK190", "no-opset", Severity.ERROR, "The graph says no opset")
def no_opset(model: Subject) -> Iterator[Found]:
    """
    A graph says which version of ONNX's operators, the opset, it was made with.

    onnxruntime refuses a file that says none, of no domain at all. Exporters write it; it
    lacks where a graph was put together by hand, or cut out of another one.
    """
    if model.graph is not None and not model.graph.opsets:
        yield Found(
            (),
            message="The graph says no opset.",
            advice="Export the model anew, or add the opset that its operators are of to "
            "opset_import.",
            triton="Missing opset in the model. All ModelProtos MUST have at least one entry that "
            "specifies which version of the ONNX OperatorSet is being imported.",
            file=model.graph.path,
        )


@rule("TK150", "unknown-domain", Severity.ERROR, "Operators that onnxruntime does not have")
def unknown_domain(model: Subject) -> Iterator[Found]:
    """
    An operator of a domain that is neither ONNX's nor onnxruntime's comes from a library.

    Triton loads the library where `model_operations { op_library_filename: ... }` names it.
    Operators that the file defines itself, as functions, need none.
    """
    graph = model.graph
    if graph is None or model.config.model_operations.op_library_filename:
        return
    unknown: dict[str, list[str]] = {}
    for operator in sorted(graph.operators - graph.functions):
        if operator.domain not in _DOMAINS:
            unknown.setdefault(operator.domain, []).append(operator.name)
    for domain, names in unknown.items():
        yield Found(
            (),
            message=f"The graph has operators of the domain '{domain}', which onnxruntime does "
            f"not have: {', '.join(names)}.",
            advice="Name their library in model_operations { op_library_filename: ... }, or "
            "export the model without them.",
            triton=f"{domain}:{names[0]}(-1) is not a registered function/op"
            if len(names) == 1
            else "",
            value=domain,
            file=graph.path,
        )


@rule("TK153", "not-a-tensor", Severity.ERROR, "An input or output that Triton has no type for")
def not_a_tensor(model: Subject) -> Iterator[Found]:
    """
    Triton's inputs and outputs are tensors, of the data types that its backends take.

    A graph may have sequences, maps and optional values too. scikit-learn's classifiers end
    with a ZipMap, a sequence of maps, unless skl2onnx is told `options={"zipmap": False}`.
    bfloat16, the 8-bit floats and complex numbers are ONNX's types and not those of Triton's
    onnxruntime backend: cast them in the graph.
    """
    graph = model.graph
    if graph is None:
        return
    newer = model.target.release >= ONNX_BF16_SINCE
    asked = {(entry.side, entry.name) for entry in model.entries}
    asked.update(("input", tensor.name) for tensor in graph.inputs)
    for side, tensors in (
        ("input", (*graph.inputs, *graph.overridable)),
        ("output", graph.outputs),
    ):
        for tensor in tensors:
            if tensor.data_type is not None or (newer and tensor.onnx_type == _BF16):
                continue
            if tensor.is_tensor and (side, tensor.name) not in asked:
                # Of what the configuration leaves out Triton looks at the kind alone.
                continue
            kind = _KINDS.get(tensor.onnx_type.partition("(")[0], "ONNX_TYPE_UNKNOWN")
            yield Found(
                (),
                message=f"The graph's {side} '{tensor.name}' is {tensor.onnx_type}, which Triton "
                "does not take.",
                advice="Cast it to a type that Triton takes, in the graph."
                if tensor.is_tensor
                else "Export the model with tensors only; skl2onnx takes "
                'options={"zipmap": False}.',
                triton=""
                if tensor.is_tensor
                else f"Unsupported ONNX Type '{kind}' for I/O '{tensor.name}', expected "
                "'ONNX_TYPE_TENSOR'.",
                tensor=tensor.name,
                value=tensor.onnx_type,
                file=graph.path,
            )


def _loads(release: Release) -> Loads | None:
    """What the onnxruntime of *release* loads; None where that is not known."""
    known = [loads for loads in ONNXRUNTIMES.values() if Release.parse(loads.triton) <= release]
    return known[-1] if known else None
