"""The command line that does what a plan says."""

from __future__ import annotations

import shlex
from dataclasses import fields

from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.plan import AUTO, Plan
from tritonkit.export.serving.options import ServingOptions
from tritonkit.export.tiers.tier import TIERS

__all__ = ["command_of"]

_DURATIONS = ("max_queue_delay",)


def command_of(plan: Plan) -> str:
    """The command; empty where the source or the samples are objects in memory."""
    if not plan.source.path or (plan.samples_given and not plan.samples_path):
        return ""
    words = ["tritonkit", "export", plan.source.path, str(plan.repository)]
    words += ["--name", plan.name, "--variants", ",".join(plan.variants)]
    if plan.task:
        words += ["--task", plan.task]
    if plan.allow_pickle:
        words += ["--allow-pickle"]
    if plan.samples_path:
        words += ["--samples", plan.samples_path]
    words += [*_budget_words(plan.budget), *_option_words(plan.options)]
    if set(plan.variants) & {AUTO, *TIERS}:
        words += ["--objective", plan.objective, "--time-budget", f"{plan.time_budget:g}s"]
    if plan.model_version is not None:
        words += ["--model-version", str(plan.model_version)]
    return shlex.join(words)


def _budget_words(budget: Budget) -> list[str]:
    words = []
    if budget.max_loss is not None:
        words += ["--max-accuracy-loss", str(budget.max_loss)]
    if budget.min_agreement is not None:
        words += ["--min-agreement", str(budget.min_agreement)]
    if budget.min_cosine is not None:
        words += ["--min-cosine", str(budget.min_cosine)]
    return [*words, "--batch-invariant"] if budget.batch_invariant else words


def _option_words(options: ServingOptions) -> list[str]:
    """Those that differ from the defaults."""
    words = []
    for field in fields(options):
        value = getattr(options, field.name)
        flag = field.name.replace("_", "-")
        if value == field.default:
            continue
        if isinstance(value, bool):
            words += [f"--{flag}" if value else f"--no-{flag}"]
        else:
            words += [f"--{flag}", f"{value:g}s" if field.name in _DURATIONS else str(value)]
    return words
