"""What Triton leaves out of an ensemble where a request wants some of its outputs only."""

from __future__ import annotations

from collections.abc import Collection

from tritonkit.repository.ensemble.wiring import Wiring

__all__ = ["is_answered", "pruned_steps"]


def pruned_steps(wiring: Wiring, wanted: Collection[str]) -> frozenset[int]:
    """
    The steps that Triton does not run for a request of *wanted* outputs.

    It goes back from the outputs that are not wanted: a step is left out once none of its
    outputs is left, and a tensor once no step takes it. It does not see that a tensor may be
    wanted although no step takes it, nor that one which is not wanted may be taken, and it
    holds a tensor that clients send for one of the first step. So it may leave out too much.
    """
    writer = {t: links[-1].step for t, links in wiring.written.items()}
    takers = {t: {link.step for link in links} for t, links in wiring.read.items()}
    left: dict[int, int] = {}
    pruned: set[int] = set()
    ignored = {str(tensor.name) for tensor in wiring.config.output} - set(wanted)
    while ignored:
        following: set[str] = set()
        for tensor in ignored:
            step = writer.get(tensor, 0)
            left.setdefault(step, len(wiring.steps[step].output_map))
            left[step] -= 1
            if left[step] == 0:
                pruned.add(step)
                for taken in wiring.steps[step].input_map.values():
                    takers[taken].discard(step)
                    if not takers[taken]:
                        following.add(taken)
        ignored = following
    return frozenset(pruned)


def is_answered(wiring: Wiring, wanted: Collection[str]) -> bool:
    """Whether a request of *wanted* outputs is answered, where one of all outputs is."""
    if not wiring.steps:
        return True
    return set(wanted) <= wiring.run(wiring.inputs, pruned_steps(wiring, wanted))
