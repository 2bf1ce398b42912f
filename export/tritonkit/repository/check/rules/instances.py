"""Instance groups: how many copies of a model run, and on what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tritonclient.grpc import model_config_pb2

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.parameter import parameter, read_boolean, read_integer
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "gpu_group_without_gpu",
    "gpus_of_a_group_without_any",
    "kind_of_no_use_to_the_backend",
    "more_threads_than_cores",
    "profile_of_no_engine",
    "unknown_gpu",
]

_KIND = model_config_pb2.ModelInstanceGroup.Kind
_KINDS: dict[int, str] = {number: name for name, number in _KIND.items()}
_CPU = "KIND_CPU"
# What Triton is built with; std::to_string writes six digits.
_LEAST_CAPABILITY = "6.000000"
_LARGEST = (1 << 31) - 1
_NONE = "the server has none"


def _groups(model: Subject) -> Iterator[tuple[int, Any, str, str]]:
    """Index, group, the name that Triton gives it, and its kind once Triton chose one."""
    if model.is_ensemble:
        return
    for index, group in enumerate(model.given.instance_group):
        name = group.name or f"{model.name}_{index}"
        yield index, group, name, _kind(model, group)


def _kind(model: Subject, group: Any) -> str:
    """KIND_AUTO is KIND_GPU where every GPU of the group is there; empty where not known."""
    kind = _KINDS.get(group.kind, "")
    if kind != "KIND_AUTO":
        return kind
    if model.target.gpus is None:
        return ""
    there = range(model.target.gpus)
    return "KIND_GPU" if there and all(gpu in there for gpu in group.gpus) else _CPU


@rule(
    "TK062",
    "more-threads-than-cores",
    Severity.WARNING,
    "instances that want more threads than there are cores",
)
def more_threads_than_cores(model: Subject) -> Iterator[Found]:
    """
    Each instance of an ONNX model on the CPU has threads of its own.

    They are intra_op_thread_count many, and left out one for every core. Their pools spin
    while they wait, so that instances that together have more threads than there are cores
    slow one another down, often to below the speed of one. Left out, the count of instances
    on a CPU is 2. Divide the cores among the instances, or use one instance and batch.
    """
    if model.backend != "onnxruntime" or model.target.cores == 1:
        return
    if read_boolean(parameter(model.given, "share_session_between_instances") or ""):
        return
    threads = read_integer(parameter(model.given, "intra_op_thread_count") or "") or 0
    cores = model.target.cores
    groups = [(index, group.count or 2) for index, group, _, kind in _groups(model) if kind == _CPU]
    if not model.given.instance_group and model.target.gpus == 0:
        groups = [(-1, 2)]
    instances = sum(count for _, count in groups)
    written = any(group.count for _, group, _, _ in _groups(model))
    if threads < 1 and instances > 1:
        default = ", the default on a CPU," * (instances == 2 and not written)
        wanted = f"{instances} instances{default} have a thread for every core each"
    elif cores is not None and instances * threads > cores and instances:
        wanted = (
            f"{_count(instances, 'instance')} of {_count(threads, 'thread')} each on {cores} cores"
        )
    else:
        return
    share = max(1, cores // instances) if cores else "its share of the cores"
    yield Found(
        ("instance_group", groups[0][0], "count") if groups[0][0] >= 0 else (),
        message=f"{wanted[0].upper()}{wanted[1:]}.",
        advice=f"Set the parameter intra_op_thread_count to {share}, or use one instance: "
        "count: 1.",
        value=str(instances),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


@rule(
    "TK091",
    "gpus-of-a-group-without-any",
    Severity.ERROR,
    "GPUs given to instances that run on none",
)
def gpus_of_a_group_without_any(model: Subject) -> Iterator[Found]:
    """
    Only instances of KIND_GPU run on GPUs that the group names.

    On the CPU there are none, and with KIND_MODEL the model chooses. A group of KIND_AUTO
    that names GPUs is of KIND_CPU on a server that lacks one of them, and is refused there.
    """
    for index, group, name, kind in _groups(model):
        if group.gpus and kind in (_CPU, "KIND_MODEL"):
            gpus = ", ".join(map(str, group.gpus))
            chosen = kind if group.kind == _KIND.Value(kind) else f"{kind} on this server"
            yield Found(
                ("instance_group", index, "gpus"),
                message=f"Instance group {index} is of {chosen} and names GPUs: [{gpus}].",
                advice="Leave gpus out, or write kind: KIND_GPU.",
                triton=f"instance group {name} of model {model.name} has kind {kind} but "
                "specifies one or more GPUs",
                value=f"[{gpus}]",
            )


@rule("TK092", "gpu-group-without-gpu", Severity.ERROR, "KIND_GPU on a server without a GPU")
def gpu_group_without_gpu(model: Subject) -> Iterator[Found]:
    """
    A group of KIND_GPU needs a GPU; Triton does not fall back to the CPU.

    KIND_AUTO, which is the default, takes a GPU where there is one.
    """
    for index, group, name, kind in _groups(model):
        if kind == "KIND_GPU" and model.target.gpus == 0 and not group.gpus:
            yield Found(
                ("instance_group", index, "kind"),
                message=f"Instance group {index} is of KIND_GPU, and the server has no GPU.",
                advice="Write kind: KIND_AUTO, or KIND_CPU.",
                triton=f"instance group {name} of model {model.name} has kind KIND_GPU but no "
                "GPUs are available",
                value="KIND_GPU",
            )


@rule("TK093", "unknown-gpu", Severity.ERROR, "a GPU that the server does not have")
def unknown_gpu(model: Subject) -> Iterator[Found]:
    """GPUs are numbered from 0, as CUDA numbers those that the server sees."""
    gpus = model.target.gpus
    for index, group, name, kind in _groups(model):
        for place, gpu in enumerate(group.gpus):
            if kind != "KIND_GPU" or (gpu >= 0 and (gpus is None or gpu < gpus)):
                continue
            there = ", ".join(map(str, range(gpus or 0)))
            known = "GPUs are numbered from 0"
            if gpus is not None:
                known = f"the server has GPU{'s' * (gpus > 1)} {there} only" if gpus else _NONE
            yield Found(
                ("instance_group", index, "gpus", place),
                message=f"Instance group {index} names GPU {gpu}, and {known}.",
                advice="Name GPUs that it has, or leave gpus out for all of them.",
                triton=""
                if gpus is None
                else f"instance group {name} of model {model.name} specifies invalid or "
                f"unsupported gpu id {gpu}. GPUs with at least the minimum required CUDA compute "
                f"compatibility of {_LEAST_CAPABILITY} are: {there}",
                value=str(gpu),
            )


@rule("TK094", "profile-of-no-engine", Severity.ERROR, "an optimization profile that cannot be")
def profile_of_no_engine(model: Subject) -> Iterator[Found]:
    """
    A profile is the number of an optimization profile of a TensorRT engine, from 0.

    No other backend has any. Triton's text lacks a space after the platform.
    """
    platform = model.config.platform
    for index, group, name, _ in _groups(model):
        start = f"instance group {name} of model {model.name} and platform {platform}"
        if group.profile and platform != "tensorrt_plan":
            yield Found(
                ("instance_group", index, "profile"),
                message=f"Instance group {index} has a profile, and the model is no TensorRT "
                "engine.",
                advice="Leave profile out.",
                triton=f"{start}specifies profile field which is only supported for TensorRT "
                "models",
                value=", ".join(group.profile),
            )
            continue
        for place, profile in enumerate(group.profile):
            number = read_integer(profile)
            if number is not None and 0 <= number <= _LARGEST:
                continue
            if number is not None and number > _LARGEST:
                triton = ""
            elif number is not None:
                triton = (
                    f"{start} specifies invalid profile {profile}. The field should contain the "
                    "string representation of a non-negative integer."
                )
            elif profile:
                triton = f"unable to parse '{profile}': stoi"
            else:
                triton = "profile name must not be empty"
            yield Found(
                ("instance_group", index, "profile", place),
                message=f"Profile {profile!r} of instance group {index} is no number from 0.",
                advice="Write the number of one of the engine's optimization profiles.",
                triton=triton,
                value=profile,
            )


@rule("TK095", "kind-of-no-use-to-the-backend", Severity.ERROR, "a kind that the backend lacks")
def kind_of_no_use_to_the_backend(model: Subject) -> Iterator[Found]:
    """
    A TensorRT engine runs on a GPU and nowhere else.

    Other backends run on the CPU too, and take KIND_MODEL for what they choose. No
    backend takes a number that stands for no kind; Triton's text calls it KIND_AUTO.
    """
    for index, group, name, kind in _groups(model):
        if group.kind not in _KINDS:
            yield Found(
                ("instance_group", index, "kind"),
                message=f"Instance group {index} is of kind {group.kind}, which is none.",
                advice=f"Write one of {', '.join(_KIND.keys())}.",
                triton=f"instance group {name} of model {model.name} has unexpected kind KIND_AUTO",
                value=str(group.kind),
            )
        if model.backend == "tensorrt" and kind in (_CPU, "KIND_MODEL"):
            yield Found(
                ("instance_group", index, "kind"),
                message=f"Instance group {index} is of {kind}, and a TensorRT engine needs a GPU.",
                advice="Write kind: KIND_GPU, or leave it out.",
                triton=f"unable to load model '{model.name}', TensorRT backend supports only GPU "
                "device",
                value=kind,
            )
