"""The queue of the dynamic batcher: priorities, timeouts and its length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = [
    "default_priority_outside_levels",
    "delay_against_order",
    "priorities_against_order",
    "priority_policy_outside_levels",
    "priority_without_levels",
    "timeout_without_effect",
]

Path: TypeAlias = "tuple[str | int, ...]"

_DELAY = 1
"""`ModelQueuePolicy.DELAY`."""


def _policies(model: Subject) -> Iterator[tuple[Path, Any]]:
    """Each policy of the queue, with where it stands."""
    batching = model.given.dynamic_batching
    if batching.HasField("default_queue_policy"):
        yield ("dynamic_batching", "default_queue_policy"), batching.default_queue_policy
    for level, policy in sorted(batching.priority_queue_policy.items()):
        yield ("dynamic_batching", "priority_queue_policy", level), policy


@rule(
    "TK067",
    "default-priority-outside-levels",
    Severity.ERROR,
    "no default priority among the levels",
)
def default_priority_outside_levels(model: Subject) -> Iterator[Found]:
    """
    With priority_levels, a request that names no priority gets default_priority_level.

    Level 1 is the highest. The default must be one of the levels: left out it is 0,
    which is none of them, and Triton refuses the model.
    """
    batching = model.given.dynamic_batching
    levels, default = batching.priority_levels, batching.default_priority_level
    if levels and not 1 <= default <= levels:
        field = "default_priority_level" if default else "priority_levels"
        yield Found(
            ("dynamic_batching", field),
            message=f"priority_levels is {levels}, and default_priority_level is {default}."
            if default
            else f"priority_levels is {levels}, and there is no default_priority_level.",
            advice=f"Write a default_priority_level from 1, the highest, to {levels}.",
            triton=f"default priority level must be in range [1, {levels}] for {model.name}",
            value=str(default),
        )


@rule(
    "TK068",
    "priority-policy-outside-levels",
    Severity.ERROR,
    "a queue policy for a priority that is none",
)
def priority_policy_outside_levels(model: Subject) -> Iterator[Found]:
    """The keys of priority_queue_policy are priorities: 1 to priority_levels."""
    batching = model.given.dynamic_batching
    levels = batching.priority_levels
    for level in sorted(batching.priority_queue_policy):
        if levels and not 1 <= level <= levels:
            yield Found(
                ("dynamic_batching", "priority_queue_policy", level),
                message=f"A queue policy is for priority {level}, and priority_levels is {levels}.",
                advice=f"Use a key from 1 to {levels}, or raise priority_levels.",
                triton="priority queue policy must have priority level in range "
                f"[1, {levels}] for {model.name}",
                value=str(level),
            )


@rule(
    "TK069",
    "priorities-against-order",
    Severity.ERROR,
    "preserve_ordering with several priorities",
)
def priorities_against_order(model: Subject) -> Iterator[Found]:
    """
    With preserve_ordering answers leave in the order in which requests came.

    Several priorities change that order, so that Triton refuses the two together.
    """
    batching = model.given.dynamic_batching
    if batching.preserve_ordering and batching.priority_levels > 1:
        yield Found(
            ("dynamic_batching", "preserve_ordering"),
            message=f"preserve_ordering is on, and priority_levels is {batching.priority_levels}.",
            advice="Leave out preserve_ordering, or the priorities.",
            triton="Only one priority level is allowed when 'preserve_ordering' is true for "
            f"{model.name}",
            value="true",
        )


@rule(
    "TK070",
    "delay-against-order",
    Severity.ERROR,
    "preserve_ordering with requests that are put off",
)
def delay_against_order(model: Subject) -> Iterator[Found]:
    """
    With timeout_action DELAY a request that waited too long runs after all others.

    That breaks the order that preserve_ordering promises; Triton refuses the two together.
    """
    if not model.given.dynamic_batching.preserve_ordering:
        return
    for path, policy in _policies(model):
        if policy.timeout_action == _DELAY and policy.default_timeout_microseconds:
            yield Found(
                (*path, "timeout_action"),
                message="timeout_action is DELAY, and preserve_ordering is on.",
                advice="Use timeout_action REJECT, or leave out preserve_ordering.",
                triton="Queue policy can not have DELAY as timeout action when "
                f"'preserve_ordering' is true for {model.name}",
                value="DELAY",
            )


@rule(
    "TK074",
    "timeout-without-effect",
    Severity.WARNING,
    "a queue policy that does not do what it says",
)
def timeout_without_effect(model: Subject) -> Iterator[Found]:
    """
    A queue policy acts when a request has waited default_timeout_microseconds.

    Left out, that is 0: nothing ever times out. Then timeout_action does nothing, and
    neither does allow_timeout_override, because a client's timeout counts only where it is
    shorter than the default. With timeout_action DELAY and no max_queue_size, requests
    that timed out stay in the queue without end while the server is overloaded.
    Without allow_timeout_override the timeout that a client sends is ignored.
    """
    for path, policy in _policies(model):
        if not policy.default_timeout_microseconds:
            if policy.allow_timeout_override:
                yield Found(
                    (*path, "allow_timeout_override"),
                    message="allow_timeout_override is on without a "
                    "default_timeout_microseconds: a client's timeout is ignored.",
                    advice="Set default_timeout_microseconds to the longest that a request "
                    "may wait.",
                    value="true",
                )
            if policy.timeout_action == _DELAY:
                yield Found(
                    (*path, "timeout_action"),
                    message="timeout_action is DELAY without a default_timeout_microseconds: "
                    "nothing times out.",
                    advice="Set default_timeout_microseconds, or leave timeout_action out.",
                    value="DELAY",
                )
        elif policy.timeout_action == _DELAY and not policy.max_queue_size:
            yield Found(
                (*path, "timeout_action"),
                message="timeout_action is DELAY without a max_queue_size: what timed out "
                "waits without end.",
                advice="Set max_queue_size, or use timeout_action REJECT.",
                value="DELAY",
            )


@rule(
    "TK075",
    "priority-without-levels",
    Severity.WARNING,
    "priorities without priority_levels",
)
def priority_without_levels(model: Subject) -> Iterator[Found]:
    """
    Priorities are off until priority_levels says how many there are.

    Without it the priority that a client sends is ignored, and so are the policies by
    priority.
    """
    batching = model.given.dynamic_batching
    if batching.priority_levels:
        return
    ignored = []
    if batching.default_priority_level:
        ignored.append(("default_priority_level", str(batching.default_priority_level)))
    # JSON of a server, written as text, has an empty entry for none.
    if any(policy.ByteSize() for policy in batching.priority_queue_policy.values()):
        levels = ", ".join(map(str, sorted(batching.priority_queue_policy)))
        ignored.append(("priority_queue_policy", levels))
    for field, value in ignored:
        yield Found(
            ("dynamic_batching", field),
            message=f"{field} is set without priority_levels, and priorities are off.",
            advice="Write priority_levels, or leave this out.",
            value=value,
        )
