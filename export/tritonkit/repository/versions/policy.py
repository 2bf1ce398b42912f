"""Which versions of a model its version_policy serves."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.repository.config import ModelConfig

__all__ = ["policy_text", "served_versions"]


def served_versions(config: ModelConfig, versions: Sequence[int]) -> tuple[int, ...]:
    """
    The versions that Triton loads, ascending; the last answers where none is asked for.

    Args:
        config: The model's configuration.
        versions: The version folders that are there.
    """
    policy, found = config.version_policy, sorted(versions)
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        return tuple(version for version in found if version in policy.specific.versions)
    if kind == "all":
        return tuple(found)
    # Triton serves the newest where nothing is said, and where no number is.
    count = policy.latest.num_versions or 1
    return tuple(found[-count:])


def policy_text(config: ModelConfig) -> str:
    """The version_policy in a word or two, such as "specific 1, 3" or "latest 1"."""
    policy = config.version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        return f"specific {', '.join(map(str, policy.specific.versions))}"
    return "all" if kind == "all" else f"latest {policy.latest.num_versions or 1}"
