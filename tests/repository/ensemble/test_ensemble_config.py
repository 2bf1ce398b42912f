from __future__ import annotations

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.repository import Step, Tensor, ensemble_config

TEXT = Tensor("text", "TYPE_STRING", (1,))
EMBEDDING = Tensor("embedding", "TYPE_FP32", (384,))
TOKENIZE = Step("tokenizer", {"text": "text"}, {"ids": "tokens"})
ENCODE = Step("encoder", {"input_ids": "tokens"}, {"embedding": "embedding"}, version=2)


def test_steps_are_wired_by_tensor_names() -> None:
    config = ensemble_config(
        "embed", [TOKENIZE, ENCODE], inputs=[TEXT], outputs=[EMBEDDING], max_batch_size=8
    )
    assert (config.name, config.platform, config.max_batch_size) == ("embed", "ensemble", 8)
    first, second = config.ensemble_scheduling.step
    assert (first.model_name, first.model_version) == ("tokenizer", -1)
    assert dict(first.input_map) == {"text": "text"}
    assert dict(first.output_map) == {"ids": "tokens"}
    assert (second.model_name, second.model_version) == ("encoder", 2)


def test_an_input_may_also_be_an_output_of_a_later_step_only() -> None:
    """A tensor read by two steps is not an error, a tensor written by two is."""
    other = Step("length", {"input_ids": "tokens"}, {"length": "length"})
    ensemble_config(
        "embed",
        [TOKENIZE, ENCODE, other],
        inputs=[TEXT],
        outputs=[EMBEDDING, Tensor("length", "TYPE_INT64", (1,))],
        max_batch_size=8,
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "it has no step"),
        ([TOKENIZE], "writes tensor 'tokens', which no step takes"),
        ([ENCODE], "takes tensor 'tokens', which no step writes"),
        (
            [TOKENIZE, TOKENIZE, ENCODE],
            r"step 1 \('tokenizer'\) writes tensor 'tokens', which step 0",
        ),
        (
            [TOKENIZE, Step("e", {"i": "tokens"}, {"e": "text"})],
            "writes tensor 'text', which clients send",
        ),
        ([TOKENIZE, ENCODE, Step("x", {"a": "tokens"}, {})], "step 2 has no output_map"),
    ],
)
def test_wiring_that_triton_refuses_is_refused(steps: list[Step], message: str) -> None:
    with pytest.raises(RepositoryError, match=message):
        ensemble_config("embed", steps, inputs=[TEXT], outputs=[EMBEDDING], max_batch_size=8)


def test_every_finding_is_listed_at_once() -> None:
    with pytest.raises(RepositoryError) as caught:
        ensemble_config("embed", [ENCODE], inputs=[TEXT], outputs=[EMBEDDING], max_batch_size=-1)
    message = str(caught.value)
    assert "takes tensor 'tokens'" in message
    assert "no step takes the ensemble's input 'text'" in message
    assert "max_batch_size must be 0 or more, but got -1" in message
