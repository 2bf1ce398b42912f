"""Which versions of a model its version_policy serves."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.repository.config import ModelConfig
from tritonkit.repository.layout import ModelDirectory

__all__ = ["loaded_versions", "policy_text", "served_versions"]


def served_versions(config: ModelConfig, versions: Sequence[int]) -> tuple[int, ...]:
    """
    The versions that the version_policy chooses, ascending; the last answers by default.

    Args:
        config: The model's configuration.
        versions: The versions that there are.
    """
    policy, found = config.version_policy, tuple(sorted(versions))
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        wanted = set(policy.specific.versions)
        return tuple(version for version in found if version in wanted)
    if kind == "latest" or not config.HasField("version_policy"):
        count = policy.latest.num_versions if kind else 1
        return found[-count:] if count else ()
    # Triton serves all of them also where a policy says nothing.
    return found


def loaded_versions(config: ModelConfig, directory: ModelDirectory) -> tuple[int, ...]:
    """
    The versions that Triton loads of the model in *directory*, ascending.

    None where one that the policy chooses is not found, because its folder is called "2.bak"
    or the like: Triton then loads nothing. An ensemble needs nothing of its folders.
    """
    versions, misnamed = directory.versions(), directory.misnamed()
    chosen = served_versions(config, (*versions, *misnamed))
    if {*chosen} & {*misnamed} and not config.HasField("ensemble_scheduling"):
        return ()
    return chosen


def policy_text(config: ModelConfig) -> str:
    """The version_policy in a word or two, such as "specific 1, 3" or "latest 1"."""
    policy = config.version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        return f"specific {', '.join(map(str, policy.specific.versions)) or 'none'}"
    if kind == "latest":
        return f"latest {policy.latest.num_versions}"
    return "all" if config.HasField("version_policy") else "latest 1"
