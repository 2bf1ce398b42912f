"""The configuration of an ensemble whose wiring is spelt out."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.ensemble.step import Step
from tritonkit.repository.tensor import Tensor, add_tensors

__all__ = ["ensemble_config"]


def ensemble_config(
    name: str,
    steps: Sequence[Step],
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    max_batch_size: int,
) -> ModelConfig:
    """
    The configuration of an ensemble.

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
    findings = list(_wiring_findings(steps, inputs, outputs))
    if max_batch_size < 0:
        findings.append(f"max_batch_size must be 0 or more, but got {max_batch_size}")
    if findings:
        raise RepositoryError(f"ensemble {name!r}: {'; '.join(findings)}.")
    config = ModelConfig(name=name, platform="ensemble", max_batch_size=max_batch_size)
    add_tensors(config.input, inputs)
    add_tensors(config.output, outputs)
    for step in steps:
        config.ensemble_scheduling.step.add(
            model_name=step.model,
            model_version=step.version,
            input_map=step.inputs,
            output_map=step.outputs,
        )
    return config


def _wiring_findings(
    steps: Sequence[Step], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> list[str]:
    findings: list[str] = []
    if not steps:
        findings.append("it needs at least one step")
    written = {tensor.name: "the ensemble's input" for tensor in inputs}
    for step in steps:
        if not step.inputs or not step.outputs:
            findings.append(f"step {step.model!r} needs at least one input and one output")
        for tensor in step.outputs.values():
            if tensor in written:
                findings.append(
                    f"tensor {tensor!r} is written by {written[tensor]} and by step {step.model!r}"
                )
            written[tensor] = f"step {step.model!r}"
    read = {tensor.name for tensor in outputs}
    for step in steps:
        for tensor in step.inputs.values():
            if tensor not in written:
                findings.append(f"step {step.model!r} reads {tensor!r}, which nothing writes")
            read.add(tensor)
    findings += [
        f"output {t.name!r} is written by no step" for t in outputs if t.name not in written
    ]
    findings += [f"tensor {name!r} is read by nothing" for name in written if name not in read]
    return findings
