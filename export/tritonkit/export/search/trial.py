"""Recipes tried out: made, compared with the source, and timed beside fp32."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonkit.errors import ExportError
from tritonkit.export.accuracy.accuracy import Accuracy
from tritonkit.export.accuracy.assess import assess
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.search.candidate import Candidate, Speed
from tritonkit.export.search.progress import first_line, outcome, time_left
from tritonkit.export.search.speed import BASE, measure_speed, speed_batches
from tritonkit.export.sources.source import Answers, Feeds, Source
from tritonkit.export.stages.recipe import Bench, Recipe
from tritonkit.extras import require

__all__ = ["Tried", "try_recipes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """
    What came of recipes; each is named in one of the first three.

    Args:
        candidates: Those that were measured, fp32 first.
        failed: By recipe, why it gave no graph that answers.
        skipped: Those that there was no time for.
        interrupted: Whether Ctrl-C ended the search.
    """

    candidates: tuple[Candidate, ...]
    failed: Mapping[str, str]
    skipped: tuple[str, ...]
    interrupted: bool


def try_recipes(
    source: Source,
    bench: Bench,
    recipes: Sequence[Recipe],
    *,
    samples: Samples,
    reference: Answers,
    folder: Path,
    threads: int = 0,
    optional: Sequence[Recipe] = (),
    time_budget: float = math.inf,
    seconds: float = 3.0,
    check: Callable[[Candidate], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Tried:
    """
    Try *recipes* in their order, each to its end, then as many *optional* ones as time allows.

    A candidate is whole or not there: it has its speed and its accuracy. Speed is
    measured with fp32 and the candidate alone in turns, as idle sessions of further
    candidates take the cores. Ctrl-C ends the search and keeps what was measured; a
    second one ends the process as usual.

    Args:
        source: Finishes the graphs and prepares samples.
        bench: What recipes work with.
        recipes: All of these are tried; the first is "fp32", which the others are
            measured beside.
        samples: What candidates answer and are timed with.
        reference: The answers of the source's own library to *samples*.
        folder: Where the finished graphs are written, fp32's first.
        threads: Threads of one run; 0 for every core.
        optional: Most promising first.
        time_budget: Seconds for *optional*; none is begun that is not expected to end
            by then, going by the median of those before.
        seconds: What measuring the speed of one candidate takes.
        check: Shown fp32 before anything else is tried; what it raises ends the search.
        progress: Told a line when a recipe is begun and one when it is done.
        clock: In seconds; another one in tests.

    Raises:
        ExportError: If fp32 gives no graph that answers.
        KeyboardInterrupt: If Ctrl-C came before fp32 was measured.
    """
    if not recipes or recipes[0].name != BASE:
        raise ValueError(f"the first recipe must be {BASE}, as the others are measured beside it")
    every = [*recipes, *optional]
    trial = _Trial(source, bench, samples, reference, folder, threads, seconds)
    progress(f"{BASE}: 1 of {len(every)}")
    base, base_network, batches = trial.base(recipes[0])
    progress(outcome(base))
    check(base)
    candidates, failed = [base], {}
    spent: list[float] = []
    interrupted = False
    done, deadline = 1, math.inf
    try:
        for number, recipe in enumerate(every[1:], 2):
            start = clock()
            if number == len(recipes) + 1:
                deadline, spent = start + time_budget, []
            expected = statistics.median(spent) if spent else 0.0
            if start + expected >= deadline:
                break
            left = min(expected * (len(every) - number + 1), deadline - start)
            progress(f"{recipe.name}: {number} of {len(every)}{time_left(left)}")
            try:
                candidate = trial.beside(base, base_network, batches, recipe, number)
            except _no_graph() as error:
                failed[recipe.name] = str(error)
                progress(f"{recipe.name}: left out: {first_line(error)}")
            else:
                candidates.append(candidate)
                progress(outcome(candidate))
            done = number
            spent.append(clock() - start)
    except KeyboardInterrupt:
        interrupted = True
        progress("interrupted; going on with what was measured")
    return Tried(
        candidates=tuple(candidates),
        failed=failed,
        skipped=tuple(recipe.name for recipe in every[done:]),
        interrupted=interrupted,
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    source: Source
    bench: Bench
    samples: Samples
    reference: Answers
    folder: Path
    threads: int
    seconds: float

    def base(self, recipe: Recipe) -> tuple[Candidate, Network, dict[int, Feeds]]:
        """fp32, its network and what speeds are measured with."""
        try:
            graph = self._make(recipe, 1)
            network = Network(self.source, graph, threads=self.threads)
            accuracy = assess(self.source, network, self.samples, self.reference)
            batches = speed_batches(self.source, self.samples, network)
            speed = measure_speed({BASE: network}, batches, seconds=self.seconds)[BASE]
        except _no_graph() as error:
            raise ExportError(f"the converted graph cannot be served: {error}") from error
        size = graph.stat().st_size
        return _candidate(recipe, graph, size, accuracy, speed), network, batches

    def beside(
        self,
        base: Candidate,
        base_network: Network,
        batches: Mapping[int, Feeds],
        recipe: Recipe,
        number: int,
    ) -> Candidate:
        """Another candidate, beside fp32."""
        graph = self._make(recipe, number)
        network = Network(self.source, graph, threads=self.threads)
        accuracy = assess(self.source, network, self.samples, self.reference)
        networks = {BASE: base_network, recipe.name: network}
        speed = measure_speed(networks, batches, seconds=self.seconds)[recipe.name]
        return _candidate(recipe, graph, base.size_bytes, accuracy, speed)

    def _make(self, recipe: Recipe, number: int) -> Path:
        """The finished graph of *recipe*, checked."""
        onnx = require("onnx", extra="export")
        raw = self.folder / f"{number:03d}_raw.onnx"
        recipe.apply(self.bench, raw)
        model = self.source.finish(onnx.load(str(raw)))
        raw.unlink()
        onnx.checker.check_model(model)
        graph = self.folder / f"{number:03d}.onnx"
        onnx.save(model, str(graph))
        return graph


def _candidate(
    recipe: Recipe, graph: Path, base_bytes: int, accuracy: Accuracy, speed: Speed
) -> Candidate:
    size = graph.stat().st_size
    return Candidate(
        recipe=recipe.name,
        precision=recipe.precision,
        summary=recipe.summary,
        graph=graph,
        size_bytes=size,
        times_smaller=base_bytes / size,
        accuracy=accuracy,
        speed=speed,
    )


def _no_graph() -> tuple[type[Exception], ...]:
    """What a recipe, the checker and the runtime raise where a graph cannot be served."""
    runtime: Any = require("onnxruntime.capi.onnxruntime_pybind11_state", extra="export")
    checker = require("onnx.checker", extra="export")
    raised = [
        kind
        for kind in vars(runtime).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    return (ExportError, checker.ValidationError, *raised)
