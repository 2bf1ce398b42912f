"""The configuration of an ensemble whose wiring is spelt out."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.repository.check.finding import Found
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.faults import flow_faults, refuse
from tritonkit.repository.ensemble.step import Step
from tritonkit.repository.ensemble.wiring import Wiring
from tritonkit.repository.tensor import Tensor, add_tensors

__all__ = ["add_steps", "ensemble_config"]


def ensemble_config(
    name: str,
    steps: Sequence[Step],
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    max_batch_size: int,
) -> ModelConfig:
    """
    The configuration of an ensemble, without a look at its models.

    `Ensemble` looks at them, and tells the tensors by itself.

    Args:
        name: Name of the ensemble.
        steps: The models; Triton runs a step as soon as its inputs are there.
        inputs: What a client sends, dims without the batch axis.
        outputs: What a client receives, dims without the batch axis.
        max_batch_size: At most what each step allows; 0 for no batch axis.

    Raises:
        RepositoryError: If the wiring is one that Triton would refuse; the
            message lists every finding.
    """
    config = ModelConfig(name=name, platform="ensemble", max_batch_size=max_batch_size)
    add_tensors(config.input, inputs)
    add_tensors(config.output, outputs)
    add_steps(config, steps)
    faults = list(flow_faults(Wiring(config)))
    if max_batch_size < 0:
        faults.append(
            Found(
                ("max_batch_size",),
                f"max_batch_size must be 0 or more, but got {max_batch_size}.",
                "0 is for no batch axis.",
            )
        )
    refuse(name, faults)
    return config


def add_steps(config: ModelConfig, steps: Sequence[Step]) -> None:
    """Append *steps* to the ensemble *config*."""
    for step in steps:
        config.ensemble_scheduling.step.add(
            model_name=step.model,
            model_version=step.version,
            input_map=step.inputs,
            output_map=step.outputs,
        )
