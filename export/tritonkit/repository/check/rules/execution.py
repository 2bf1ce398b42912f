"""Parameters of the onnxruntime backend that have few values."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.parameter import TRUTHS, read_boolean, read_integer
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["cuda_choice", "execution_mode", "parameter_not_read"]

_INTEGERS = (
    "execution_mode",
    "intra_op_thread_count",
    "inter_op_thread_count",
    "cudnn_conv_algo_search",
    "arena_extend_strategy",
)
_CHOICES = {
    "cudnn_conv_algo_search": ("0 (exhaustive)", "1 (heuristic)", "2 (default)"),
    "arena_extend_strategy": ("0 (next power of two)", "1 (same as requested)"),
}

_LARGEST = (1 << 31) - 1


@rule("TK052", "execution-mode", Severity.ERROR, "execution_mode is neither 0 nor 1")
def execution_mode(model: Subject) -> Iterator[Found]:
    """The parameter execution_mode is 0, one operator after the other, or 1, in parallel."""
    for name, text in _parameters(model, ("execution_mode",)):
        mode = _integer(text)
        if mode is not None and mode not in (0, 1):
            yield Found(
                ("parameters", name, "string_value"),
                message=f"The parameter execution_mode is {text!r}.",
                advice="Write 0 for one operator after the other, or 1 for branches in parallel.",
                triton="Invalid configuration value provided. Expected values for  execution_mode "
                f"are 0 or 1 but got {mode} .",
                value=text,
            )


@rule("TK055", "cuda-choice", Severity.ERROR, "A choice of the CUDA provider that it does not have")
def cuda_choice(model: Subject) -> Iterator[Found]:
    """
    cudnn_conv_algo_search is 0, 1 or 2, and arena_extend_strategy is 0 or 1.

    NVIDIA's backend reads them on GPU instances only, and the embedded server's on all.
    """
    for name, text in _parameters(model, tuple(_CHOICES)):
        choice, choices = _integer(text), _CHOICES[name]
        if choice is not None and not 0 <= choice < len(choices):
            yield Found(
                ("parameters", name, "string_value"),
                message=f"The parameter {name} is {text!r}.",
                advice=f"Write {', '.join(choices[:-1])} or {choices[-1]}.",
                triton=f"unsupported {name} value '{choice}' is requested",
                value=text,
            )


@rule(
    "TK151",
    "parameter-not-read",
    Severity.ERROR,
    "A parameter without a readable value",
)
def parameter_not_read(model: Subject) -> Iterator[Found]:
    """
    Parameters are strings, and the onnxruntime backend reads numbers and truth values of them.

    A number is written in digits. A truth value is true, on or 1, or false, off or 0.
    """
    for name, text in _parameters(model, _INTEGERS):
        if _integer(text) is None:
            yield Found(
                ("parameters", name, "string_value"),
                message=f"The parameter {name} is {text!r}, which is "
                f"{'too large' if read_integer(text) is not None else 'no whole number'}.",
                advice="Write a whole number in digits.",
                triton=""
                if read_integer(text) is not None
                else f"failed to convert '{text}' to integral number",
                value=text,
            )
    for name, text in _parameters(model, TRUTHS):
        if read_boolean(text) is None:
            yield Found(
                ("parameters", name, "string_value"),
                message=f"The parameter {name} is {text!r}, which is no truth value.",
                advice="Write true or false.",
                triton=f"failed to convert '{text}' to boolean",
                value=text,
            )


def _parameters(model: Subject, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if model.backend != "onnxruntime":
        return
    parameters = model.config.parameters
    for name in names:
        if name in parameters:
            yield name, str(parameters[name].string_value)


def _integer(text: str) -> int | None:
    number = read_integer(text)
    return number if number is not None and -_LARGEST - 1 <= number <= _LARGEST else None
