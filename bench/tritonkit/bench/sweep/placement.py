"""Which of the models behind one name a setting changes: the model, or a part of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from tritonkit.bench.sweep.settings import MODEL, Config, configured
from tritonkit.errors import ConfigError

__all__ = ["changed_configs", "changed_model"]


def changed_model(configs: Mapping[str, Mapping[str, Any]], model: str, on: str = "") -> str:
    """
    The model whose configuration the settings change.

    Args:
        configs: Of the model and of all models that it is composed of, by name.
        model: The model that is asked.
        on: The one to change; empty for *model* itself, or of an ensemble the only
            part that batches dynamically.

    Raises:
        ConfigError: If *on* is no part of the model, or there is no single choice.
    """
    parts = [name for name, config in configs.items() if not _is_ensemble(config)]
    if on:
        if on not in parts:
            raise ConfigError(
                f"{on!r} is not what settings can be changed on; {model!r} has {', '.join(parts)}."
            )
        return on
    if not _is_ensemble(configs[model]):
        return model
    batching = [name for name in parts if "dynamic_batching" in configs[name]]
    if len(batching) == 1:
        return batching[0]
    which = f"{len(batching)} of its models batch" if batching else "none of its models batches"
    raise ConfigError(
        f"model {model!r} is an ensemble and {which} dynamically; say with --on which one to "
        f"change: {', '.join(batching or parts)}."
    )


def changed_configs(
    configs: Mapping[str, Mapping[str, Any]], on: str, settings: Mapping[str, str]
) -> dict[str, Config]:
    """
    The configurations that differ with settings, by model, in no order.

    A smaller `max_batch_size` of a part would take every ensemble away that allows
    more: that of the ensembles around it goes down with it.

    Args:
        configs: Of the model and of all models that it is composed of, by name.
        on: What `changed_model` gave.
        settings: Texts by name.

    Raises:
        ConfigError: If a setting has no meaning for the model.
    """
    if not any(name != MODEL for name in settings):
        return {}
    changed = {on: configured(configs[on], settings)}
    lowered = [on]
    while lowered:
        part = lowered.pop()
        largest = changed[part].get("max_batch_size", 0)
        for name, config in configs.items():
            if part in _parts(config) and config.get("max_batch_size", 0) > largest:
                changed[name] = {**deepcopy(dict(config)), "max_batch_size": largest}
                lowered.append(name)
    return {name: config for name, config in changed.items() if config != configs[name]}


def _is_ensemble(config: Mapping[str, Any]) -> bool:
    return config.get("platform") == "ensemble"


def _parts(config: Mapping[str, Any]) -> set[str]:
    steps = config.get("ensemble_scheduling", {}).get("step", ())
    return {step["model_name"] for step in steps}
