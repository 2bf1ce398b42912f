"""What a sweep's points are measured on: models of one server, and their settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.workload import Workload
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.observer import Observer
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.plan import Plan
from tritonkit.bench.session import Session
from tritonkit.bench.sweep.control import ModelControl
from tritonkit.bench.sweep.override import Override
from tritonkit.bench.sweep.placement import changed_configs, changed_model
from tritonkit.bench.sweep.settings import MODEL
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.bench.targets.target import Target
from tritonkit.errors import ConfigError

__all__ = ["Stage"]


class Stage:
    """
    Applies settings and measures under them; an async context manager that puts them back.

    Args:
        blueprint: The server, and the model that is measured where no point says another.
        plan: How each point is measured.
        inputs: What is sent.
        models: Other models of the same signature, which points name as "model".
        on: The part of an ensemble that settings change; empty for the one that batches.
        control_url: The server's HTTP port, where the blueprint's is not one.
        observer: Looks at the machines during each window.
        progress: Where the state is shown; None for nowhere.
        interrupt: Set from outside to end early.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        plan: Plan,
        inputs: InputChoice | None = None,
        *,
        models: Sequence[str] = (),
        on: str = "",
        control_url: str | None = None,
        observer: Observer | None = None,
        progress: Progress | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        self.blueprint = blueprint
        self.plan = plan
        self.inputs = inputs or InputChoice()
        self.observer = observer
        self.interrupt = interrupt or asyncio.Event()
        self._models = dict.fromkeys([blueprint.model, *models])
        self._on = on
        self._control_url = control_url
        self._progress = progress
        self._stack = AsyncExitStack()
        self._opened: dict[str, tuple[Target, ServedModel]] = {}
        self._sessions: dict[str, Session] = {}
        self._override: Override | None = None

    async def __aenter__(self) -> Self:
        """
        Look at the models.

        Raises:
            ConfigError: If their signatures differ, or the URL is wrong.
            RequestError: If nobody answers, or a model is not ready.
        """
        try:
            for model in self._models:
                target, served = await replace(self.blueprint, model=model).open(self.inputs.models)
                self._stack.push_async_callback(served.aclose)
                self._stack.push_async_callback(target.aclose)
                self._opened[model] = target, served
                self._check_signature(model)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    def served(self, model: str = "") -> ServedModel:
        """What the server says of a model; as it was before any setting."""
        return self._opened[model or self.blueprint.model][1]

    def target(self, model: str = "") -> Target:
        """Where requests for a model go."""
        return self._opened[model or self.blueprint.model][0]

    def changed(self, model: str = "") -> str:
        """
        The model whose configuration settings change: the model or a part of it.

        Raises:
            ConfigError: If there is no single choice.
        """
        served = self.served(model)
        on = self._on if self._on in served.configs or not model else ""
        return changed_model(served.configs, served.model, on)

    def workload(self, batch_size: int, model: str = "") -> Workload:
        """
        What is sent to a model.

        Raises:
            ConfigError: If it does not take it.
        """
        served = self.served(model)
        return self.inputs.workload(
            served.signature, batch_size=batch_size, seed=self.plan.seed, others=served.others
        )

    def fits(self, settings: Mapping[str, str], batch_size: int) -> None:
        """
        See that settings are possible, and that requests fit into the batches.

        Raises:
            ConfigError: If not; the message says why.
        """
        model = settings.get(MODEL, "")
        served = self.served(model)
        configs = {**served.configs, **self._wanted(settings)}
        largest = min(
            (size for c in configs.values() if (size := c.get("max_batch_size", 0))), default=1
        )
        if batch_size > largest:
            raise ConfigError(
                f"a request of {batch_size} rows is larger than max_batch_size {largest}."
            )

    async def apply(self, settings: Mapping[str, str]) -> int:
        """Have settings run; see `Override.apply`."""
        wanted = self._wanted(settings)
        if not wanted and self._override is None:
            return 0
        if self._override is None:
            control = ModelControl.connect(
                self._control_url or self.blueprint.url,
                headers=self.blueprint.headers,
                tls=self.blueprint.tls,
            )
            self._stack.push_async_callback(control.aclose)
            self._override = await self._stack.enter_async_context(Override(control))
        return await self._override.apply(wanted)

    async def check(self) -> bool:
        """Whether the settings still run; see `Override.check`."""
        return self._override is None or await self._override.check()

    async def measure(
        self, point: Point, label: str = "", *, seconds: float | None = None
    ) -> Measurement:
        """
        Measure a point whose settings run; see `Session.measure`.

        Args:
            point: What to measure.
            label: Stands before the state that is shown.
            seconds: Length of the window; the plan's if not given.
        """
        model = point.settings.get(MODEL, self.blueprint.model)
        if model not in self._sessions:
            target, served = self._opened[model]
            self._sessions[model] = Session(
                target,
                lambda rows: self.workload(rows, model),
                self.plan,
                served=served,
                observer=self.observer,
                blueprint=replace(self.blueprint, model=model),
                progress=self._progress,
                interrupt=self.interrupt,
            )
        session = self._sessions[model]
        session.plan = self.plan if seconds is None else replace(self.plan, duration=seconds)
        return await session.measure(point, label)

    def _wanted(self, settings: Mapping[str, str]) -> Mapping[str, Mapping[str, object]]:
        changes = {name: text for name, text in settings.items() if name != MODEL}
        if not changes:
            return {}
        model = settings.get(MODEL, "")
        return changed_configs(self.served(model).configs, self.changed(model), changes)

    def _check_signature(self, model: str) -> None:
        first, other = self.served().signature, self.served(model).signature
        for name, spec in first.inputs.items():
            found = other.inputs.get(name)
            if found is None or found.datatype != spec.datatype or found.shape != spec.shape:
                raise ConfigError(
                    f"model {model!r} does not take what {self.blueprint.model!r} takes: its input "
                    f"{name!r} is {found and f'{found.datatype} {list(found.shape)}'}, not "
                    f"{spec.datatype} {list(spec.shape)}."
                )
