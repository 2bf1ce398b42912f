"""The response cache, which answers a request that looks like an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.regular import read_regular

__all__ = [
    "cache_blind_to_outputs",
    "cache_blind_to_shapes",
    "cache_of_a_decoupled_model",
    "cache_of_sequences",
    "cache_without_a_cache",
]

_PATH = ("response_cache", "enable")
_READS_PARAMETERS = re.compile(r"\.parameters\(\s*\)")
_MOST_CODE = 1 << 20


@rule("TK077", "cache-of-sequences", Severity.ERROR, "a response cache of a sequence model")
def cache_of_sequences(model: Subject) -> Iterator[Found]:
    """
    The answer of a sequence model depends on the requests before, which no cache sees.

    Triton refuses a response cache together with the sequence batcher.
    """
    if model.given.response_cache.enable and model.given.HasField("sequence_batching"):
        yield Found(
            _PATH,
            message="The response cache is on, and the model has the sequence batcher.",
            advice="Switch the response cache off.",
            triton=f"Response Cache does not currently support model {model.name} with "
            "sequence batching scheduler. Please disable the response cache.",
            value="true",
        )


@rule(
    "TK078", "cache-of-a-decoupled-model", Severity.ERROR, "a response cache of a decoupled model"
)
def cache_of_a_decoupled_model(model: Subject) -> Iterator[Found]:
    """
    A decoupled model answers a request with any number of responses; the cache keeps one.

    Triton refuses the two together.
    """
    if model.given.response_cache.enable and model.given.model_transaction_policy.decoupled:
        yield Found(
            _PATH,
            message="The response cache is on, and the model is decoupled.",
            advice="Switch the response cache off.",
            triton=f"Response Cache does not currently support model {model.name} with "
            "'decoupled' transaction policy. Please disable the response cache.",
            value="true",
        )


@rule("TK079", "cache-without-a-cache", Severity.WARNING, "a response cache that the server lacks")
def cache_without_a_cache(model: Subject) -> Iterator[Found]:
    """
    A model's response_cache is used only by a server that was started with a cache.

    Without `--cache-config local,size=N` Triton loads the model and says nothing; no
    answer is ever cached.
    """
    if model.given.response_cache.enable and model.target.cache is False:
        yield Found(
            _PATH,
            message="The response cache is on, and the server has no cache.",
            advice="Start the server with --cache-config local,size=N, or switch it off here.",
            value="true",
        )


@rule(
    "TK080",
    "cache-blind-to-shapes",
    Severity.WARNING,
    "a response cache that takes different requests for equal",
)
def cache_blind_to_shapes(model: Subject) -> Iterator[Found]:
    """
    The key of Triton's response cache is made of the names and bytes of the inputs.

    It holds neither their shapes nor the request's parameters. Where two axes of an input
    are open, the same numbers as [2, 3] and as [3, 2] get one answer, which is wrong for
    one of them; the batch axis counts as one. Where the model reads parameters, the
    answer to the first parameters is given to all.
    """
    if not model.given.response_cache.enable:
        return
    batched = model.config.max_batch_size > 0
    for index, tensor in enumerate(model.config.input):
        if list(tensor.dims).count(-1) + batched > 1:
            dims = ", ".join(map(str, tensor.dims))
            written = index < len(model.given.input)
            yield Found(
                ("input", index, "dims") if written else _PATH,
                message=f"Input {tensor.name!r} has dims [{dims}]"
                f"{' and a batch axis' if batched else ''}, and the response cache does not "
                "see shapes.",
                advice="Switch the response cache off, or pass every shape as an input.",
                tensor=tensor.name,
                value=f"[{dims}]",
            )
    if model.backend == "python" and _READS_PARAMETERS.search(_code(model)):
        yield Found(
            _PATH,
            message="The response cache does not see request parameters, and model.py reads them.",
            advice="Switch the response cache off, or take what decides the answer as an input.",
            value="true",
        )


@rule(
    "TK161",
    "cache-blind-to-outputs",
    Severity.WARNING,
    "a response cache of a model of several outputs",
)
def cache_blind_to_outputs(model: Subject) -> Iterator[Found]:
    """
    The key of Triton's response cache does not hold which outputs a request asked for.

    A client that asks for one output first decides what all others get for the same
    inputs: that output alone. It is harmless only where every client asks for all of them.
    """
    names = [output.name for output in model.config.output]
    if model.given.response_cache.enable and len(names) > 1:
        yield Found(
            _PATH,
            message="The response cache does not see which outputs are asked for, and the "
            f"model has {len(names)}.",
            advice="Switch the response cache off, or let every client ask for all outputs.",
            value="true",
        )


def _code(model: Subject) -> str:
    path = model.model_path
    try:
        return "" if path is None else read_regular(path, _MOST_CODE).decode(errors="replace")
    except (OSError, ValueError):
        return ""
