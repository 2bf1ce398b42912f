"""What several endpoints say of a model, as one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tritonkit.client.identity.identity import ENDPOINTS_DIFFER, decisive

__all__ = ["combined_config", "combined_statistics"]


def combined_config(
    configs: Mapping[str, Mapping[str, Any]], versions: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """
    The configuration of the first endpoint; says so where it is not that of all.

    Args:
        configs: By endpoint, in their order; at least one.
        versions: The served versions by endpoint, where they matter.
    """
    first, *others = configs
    config = dict(configs[first])
    served = {name: sorted(map(str, found)) for name, found in versions.items()}
    differing = [
        name
        for name in others
        if decisive(configs[name]) != decisive(config) or served.get(name) != served.get(first)
    ]
    if differing:
        parameters = dict(config.get("parameters") or {})
        parameters[ENDPOINTS_DIFFER] = {"string_value": ", ".join([first, *differing])}
        config["parameters"] = parameters
    return config


def combined_statistics(
    answers: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """
    The counters of every endpoint, an entry for each, with its name.

    They are not summed: one server that is started anew while another counts on
    would be lost in a sum.
    """
    return [{**entry, "endpoint": name} for name, entries in answers.items() for entry in entries]
