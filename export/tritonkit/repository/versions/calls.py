"""Whether an ensemble can still call its models after they changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.tensor import config_inputs, config_outputs

__all__ = ["check_calls"]


def check_calls(
    name: str,
    before: Mapping[str, ModelConfig],
    after: Mapping[str, ModelConfig],
    served: Mapping[str, Sequence[int]],
) -> None:
    """
    Refuse a change after which Triton would not load the ensemble *name* any more.

    What was wrong before is none of the change.

    Args:
        name: The ensemble; of another model nothing is to be checked.
        before: The configurations of all models until now, by name.
        after: The same, as they will be.
        served: The versions that each model will serve.

    Raises:
        RepositoryError: If a version that it asks for would not be loaded, or a model would
            take other tensors than it did, or smaller batches than the ensemble.
    """
    ensemble = after[name]
    same = ensemble.ensemble_scheduling == before[name].ensemble_scheduling
    for step in ensemble.ensemble_scheduling.step:
        part = step.model_name
        if part not in after:
            continue
        version = step.model_version
        if version > 0 and version not in served[part] and not same:
            raise RepositoryError(
                f"ensemble {name!r} calls version {version} of {part!r}, which serves "
                f"{', '.join(map(str, served[part])) or 'none'}; promote that one first."
            )
        old, new = before[part], after[part]
        if _too_large(ensemble, new) and not _too_large(before[name], old):
            raise RepositoryError(
                f"ensemble {name!r} would take batches of {ensemble.max_batch_size}, but {part!r} "
                f"batches of {new.max_batch_size}; Triton loads no such ensemble."
            )
        other = sorted(set(_tensors(old)) ^ set(_tensors(new)))
        if other and same:
            raise RepositoryError(
                f"ensemble {name!r} calls {part!r}, whose tensors would be others: "
                f"{', '.join(other)}; promote {name!r}, or change it first."
            )


def _too_large(ensemble: ModelConfig, part: ModelConfig) -> bool:
    return bool(0 < part.max_batch_size < ensemble.max_batch_size)


def _tensors(config: ModelConfig) -> Iterator[str]:
    for kind, tensors in (("input", config_inputs(config)), ("output", config_outputs(config))):
        for tensor in tensors:
            yield f"{kind} {tensor.name} {tensor.data_type} {list(tensor.dims)}"
