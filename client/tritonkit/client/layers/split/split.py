"""Several ways to an answer, each for its own part of the users."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from time import perf_counter
from typing import NamedTuple

from tritonkit.client.contexts import restore
from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.controls import Controls
from tritonkit.client.experiments.events import is_text
from tritonkit.client.experiments.guard import Guard, Harm
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.layers.split.allocator import Allocator
from tritonkit.client.layers.split.arm import Arm
from tritonkit.client.layers.split.guarding import Guarding
from tritonkit.client.layers.split.known import REMEMBERED, Known
from tritonkit.client.layers.split.plan import Design, Plan
from tritonkit.client.layers.split.recording import ANSWER, Recording, answer_id
from tritonkit.client.layers.split.sticky import Sticky
from tritonkit.client.layers.split.thompson import Thompson
from tritonkit.client.readings import Inside, Reading
from tritonkit.client.stack import Immediate, Layer, Target, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, RequestError
from tritonkit.units import parse_duration, parse_share

__all__ = ["Split"]

FIRST_CONTROL = 0.05
"""Seconds that a request waits to know whether the experiment still runs, if nobody knows."""

_log = logging.getLogger("tritonkit.client.experiments")


class _Choice(NamedTuple):
    arm: Arm
    # Empty where the request is no part of the experiment.
    unit: str
    # Whether the trace names the arm.
    named: bool
    plan: Plan
    # Of a bandit: with which probability the unit was to come to the arm.
    propensity: float | None = None


_KINDS = ("assigned", "overridden", "stopped", "outside", "untagged")
_FAULTS = ("unstuck", "unfit")


class Split(Layer):
    """
    Sends each unit, such as a user, to one of several arms, always the same one.

    Calls inner, or the server of the arm, once; raises what that raises. Before a unit
    gets its first answer of an arm, its exposure is written to the log of the
    experiments, once for all processes, retries and hedges. Every answer and every
    error is recorded behind the request's back as that of the arm it was meant for,
    whatever answered in the end: a fallback inside an arm is that arm's outcome. The
    trace has the id of the answer, by which `client.record` tells what came of it, and the arm.

    Who takes no part gets the control arm, the first one, and leaves no record: a
    request without the tag, a unit that is held out, outside of the group's range or
    not yet in the ramp, and everybody once the experiment is stopped. Once an arm
    is promoted everybody gets that. Shadow and refresh requests go where their unit
    does, and leave no record. While the log does not tell whether it was stopped, what
    was known last goes on to hold; at first, that it runs as constructed here.

    Belongs outside of everything that keeps or joins answers, for what one arm computed
    must not answer another's user: a stack with a Cache or a Coalesce above a Split is
    refused. Belongs outside of Retry and Hedge, each of whose calls would be recorded as
    an answer. A Breaker, Limit or Cache below tells arms apart by model and version; one
    among the layers of an arm is that arm's alone.

    With *allocate* it is a bandit and no test any more: weights follow what the arms earn,
    for all processes alike, and every answer is recorded with its propensity. Without a log
    the weights stay as they are.

    Args:
        experiment: Its name.
        arms: Two or more; the first is the control.
        by: The tag that is the unit. The user: what he sees must not change from
            one request to the next.
        share: Of all units that take part. Growing it never moves a unit.
        salt: Another one assigns everybody anew.
        group: Of experiments that share out the units between them; empty for none.
        range: The part of the group's units that this experiment may have.
        holdout: Share of the group's units that no experiment of it has; the same in
            all of them.
        overrides: Arm by unit, for tests by hand; these leave no record.
        overrides_by: Arm by tag and its value, such as {"team": {"qa": "new"}}.
        models: Names of the models that are asked by this way; all by default.
        sticky: Remembers the arm of a unit through changes of weights; without it such a
            change moves as few units as can be.
        allocate: What the weights follow, which makes it a bandit; by default they change only
            where somebody says so.
        control_age: How old what is known of the experiment's control may be. 5 s: what is
            stopped has stopped everywhere by then.
        guards: Metrics that no arm may harm. Looked at beside the path, by one process at a
            time; the experiment is stopped where an arm does.
        guard_interval: Between two looks. 30 s: each reads what came since.
        on_harm: Told of the harm by the process that found it, in one of its event loops;
            the log says it as well.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        experiment: str,
        *arms: Arm,
        by: str = "user",
        share: str | float = 1.0,
        salt: str = "",
        group: str = "",
        range: Sequence[float] = (0.0, 1.0),
        holdout: str | float = 0.0,
        overrides: Mapping[str, str] | None = None,
        overrides_by: Mapping[str, Mapping[str, str]] | None = None,
        models: Collection[str] | None = None,
        sticky: Sticky | None = None,
        allocate: Thompson | None = None,
        control_age: str | float | timedelta = "5s",
        guards: Sequence[Guard] = (),
        guard_interval: str | float | timedelta = "30s",
        on_harm: Callable[[Harm], None] | None = None,
    ) -> None:
        if not is_text(experiment):
            raise ConfigError(
                f"experiment must be text of 1 to 1000 characters, but got {experiment!r}."
            )
        if not by:
            raise ConfigError(f"by must be the name of a tag, but got {by!r}.")
        if isinstance(models, str):
            raise ConfigError(f"models must be a list of names, but got {models!r}.")
        if len(range) != 2:
            raise ConfigError(f"range must be two shares, but got {range!r}.")
        self.experiment = experiment
        self.by = by
        self.counts: Counter[str] = Counter()
        """
        Requests: assigned, untagged, outside (of the share, the range, or held
        out), overridden, stopped (or promoted). unstuck: units whose arm the sticky store
        did not tell. unfit: controls that name arms this experiment does not have.
        """
        self._design = Design(
            experiment,
            arms,
            salt=salt,
            share=parse_share(share, name="share"),
            group=group,
            range=(range[0], range[1]),
            holdout=parse_share(holdout, name="holdout"),
            bandit=allocate,
        )
        self._per_request = allocate is not None and allocate.draw == "request"
        if self._per_request and sticky is not None:
            raise ConfigError("draw must be 'unit' where units are sticky, but got draw='request'.")
        self._overrides = dict(overrides or {})
        self._overrides_by = {tag: dict(arms) for tag, arms in (overrides_by or {}).items()}
        for name in (
            *self._overrides.values(),
            *(arm for arms in self._overrides_by.values() for arm in arms.values()),
        ):
            if name not in self._design.arms:
                raise ConfigError(f"overrides must name one of {list(self.arms)}, not {name!r}.")
        self._models = None if models is None else frozenset(models)
        self._sticky = sticky
        self._age = parse_duration(control_age, name="control_age")
        self.guards = tuple(guards)
        self._guard_interval = parse_duration(guard_interval, name="guard_interval")
        if not self._guard_interval:
            raise ConfigError(f"guard_interval must be more than 0, but got {guard_interval!r}.")
        self._on_harm = on_harm
        self._guarding: Guarding | None = None
        self._recording: Recording | None = None
        self._controls: Controls | None = None
        self._allocator: Allocator | None = None
        self._plan = self._design.plan(Control())
        self._stuck: Known[str, str] = Known(REMEMBERED)

    def __repr__(self) -> str:
        parts = [repr(self.experiment), *map(repr, self.arms.values()), f"by={self.by!r}"]
        parts += [] if self._design.bandit is None else [f"allocate={self._design.bandit!r}"]
        return f"Split({', '.join(parts)})"

    @property
    def arms(self) -> Mapping[str, Arm]:
        """By name, the control first."""
        return self._design.arms

    @property
    def plan(self) -> Plan:
        """How the experiment stands, as far as this process knows."""
        return self._plan

    @property
    def allocations(self) -> Mapping[str, int]:
        """Of a bandit: weights that this process wrote, and looks at a log that was away."""
        return Counter() if self._allocator is None else self._allocator.counts

    def attach(self, transport: Transport) -> None:
        """Tell the arms."""
        for arm in self.arms.values():
            arm.attach(transport)

    def targets(self, target: Target) -> Sequence[Target]:
        """Where the arms send a request for *target*, the control first."""
        if self._models is not None and target.model not in self._models:
            return (target,)
        return [further for arm in self.arms.values() for further in arm.targets(target)]

    @property
    def stands_in(self) -> bool:
        """Whether a layer of an arm has an answer where nobody knows what the model takes."""
        return any(layer.stands_in for arm in self.arms.values() for layer in arm.layers)

    def stand(self, above: Sequence[Layer]) -> None:
        """
        Look at what is above.

        Raises:
            ConfigError: If it would give one arm's answers to another's units, or is a Split
                that wants the same units of a group.
        """
        for layer in above:
            if layer.shares_answers:
                raise ConfigError(
                    f"Split must stand above {type(layer).__name__}, which would give what "
                    "one arm answered to users of another."
                )
            if isinstance(layer, Split) and layer.experiment == self.experiment:
                raise ConfigError(f"experiment {self.experiment!r} stands in the stack twice.")
            if isinstance(layer, Split) and self._overlaps(layer._design):
                raise ConfigError(
                    f"experiments {layer.experiment!r} and {self.experiment!r} of group "
                    f"{self._design.group!r} must have ranges that do not overlap."
                )
        super().stand(above)

    def record_to(self, log: EventLog) -> None:
        """
        Learn of the log.

        Raises:
            ConfigError: If there is another one already.
        """
        if self._recording is None:
            self._recording = Recording(self.experiment, log)
            self._controls = Controls(log, self.experiment, age=self._age, budget=FIRST_CONTROL)
            if self.guards:
                self._guarding = Guarding(
                    log,
                    self.experiment,
                    self.guards,
                    interval=self._guard_interval,
                    plan=lambda: (self._plan.version, list(self.arms)),
                    on_harm=self._on_harm,
                )
            if self._design.bandit is not None:
                self._allocator = Allocator(
                    self._design.bandit,
                    log,
                    self.experiment,
                    self._plan.version,
                    self._design.weights,
                )
        elif self._recording.log is not log:
            raise ConfigError("a Split belongs to one client; make another one")
        super().record_to(log)

    def observe(self) -> Iterator[Reading]:
        """
        How many requests were assigned to an arm, and how many were not, and why.

        Faults, which keep nobody waiting: unstuck and unfit as in `counts`; unread: how often
        the log did not tell the control.
        """
        for kind in _KINDS:
            labels = {"experiment": self.experiment, "kind": kind}
            yield Reading("assignments", self.counts[kind], labels)
        unread = 0 if self._controls is None else self._controls.unread
        for kind, count in (*((kind, self.counts[kind]) for kind in _FAULTS), ("unread", unread)):
            yield Reading("assignment_faults", count, {"experiment": self.experiment, "kind": kind})

    def inside(self) -> Iterator[Inside]:
        """The arms."""
        for name, arm in self.arms.items():
            yield Inside("arm", f"{self.experiment}:{name}", arm)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting, for a unit that was exposed before."""
        if self._passes(request):
            return inner(request)
        if self._controls is not None and not self._controls.fresh:
            return None
        choice = self._choose(request)
        unit, version = choice.unit, choice.plan.version
        if unit and self._per_request:
            # Whether it is in memory must not decide which draw counts.
            return None
        if unit and self._sticky is not None:
            stuck = self._stuck.get(unit)
            if stuck is None:
                return None
            choice = choice._replace(arm=self.arms.get(stuck, choice.arm), propensity=None)
        recorded = bool(unit) and _is_users(request)
        recording = self._recording if recorded else None
        if recording is not None and not recording.exposed(version, unit):
            return None
        answer = answer_id() if recorded else ""
        outer = ANSWER.set(answer)
        began = perf_counter()
        try:
            response = choice.arm.now(request, inner)
        finally:
            restore(ANSWER, outer)
        if response is None:
            return None
        self._count(request, choice)
        if recording is not None:
            seconds = perf_counter() - began
            recording.record(
                request,
                version,
                unit,
                choice.arm.name,
                answer,
                seconds,
                response.trace,
                propensity=choice.propensity,
            )
        return self._traced(response, choice, answer)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer by the arm of the unit."""
        if self._passes(request):
            return await inner(request)
        if self._controls is not None and not self._controls.fresh:
            await self._controls.read()
        if self._allocator is not None:
            self._allocator.poke()
        drawn = answer_id() if self._per_request else ""
        choice = self._choose(request, drawn)
        if choice.unit and self._sticky is not None:
            choice = await self._stick(choice, self._sticky)
        self._count(request, choice)
        if not choice.unit or not _is_users(request):
            return self._traced(await choice.arm(request, inner), choice, "")
        answer = drawn or answer_id()
        named = (choice.plan.version, choice.unit, choice.arm.name, answer)
        if self._recording is not None:
            # A bandit's version is the same whatever its weights: those that it began with.
            bandit = self._design.bandit is not None
            weights = self._design.weights if bandit else choice.plan.assignment.weights
            # Those who stick do not follow weights that change: nobody is to expect it of them.
            if bandit or self._sticky is None or choice.plan.control.weights is None:
                self._recording.describe(named[0], {name: weights[name] for name in self.arms})
            if self._guarding is not None:
                self._guarding.begin()
            await self._recording.expose(*named, choice.propensity)
        # A unit that stays in its first arm was drawn long ago.
        propensity = choice.propensity if self._sticky is None else None
        outer = ANSWER.set(answer)
        began = perf_counter()
        error, trace = "", None
        try:
            response = await choice.arm(request, inner)
            trace = response.trace
        except RequestError as failure:
            error = type(failure).__name__
            raise
        except asyncio.CancelledError:
            error = "Cancelled"
            raise
        finally:
            restore(ANSWER, outer)
            if self._recording is not None and (error or trace is not None):
                seconds = perf_counter() - began
                self._recording.record(
                    request, *named, seconds, trace, error=error, propensity=propensity
                )
        return self._traced(response, choice, answer)

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """End what the layers of the arms keep of a model, of a scope, or all of it."""
        for arm in self.arms.values():
            for layer in arm.layers:
                await layer.invalidate(model, scope)

    async def aclose(self) -> None:
        """Close the arms, and what remembers their units. The log is the client's."""
        async with AsyncExitStack() as closing:
            for arm in self.arms.values():
                closing.push_async_callback(arm.aclose)
            if self._sticky is not None:
                closing.push_async_callback(self._sticky.aclose)
            if self._controls is not None:
                closing.push_async_callback(self._controls.aclose)
            if self._recording is not None:
                closing.push_async_callback(self._recording.aclose)
            if self._guarding is not None:
                closing.push_async_callback(self._guarding.aclose)
            if self._allocator is not None:
                closing.push_async_callback(self._allocator.aclose)

    def _passes(self, request: InferRequest) -> bool:
        return self._models is not None and request.model not in self._models

    def _current(self) -> Plan:
        if self._controls is None:
            return self._plan
        control = self._controls.control
        if self._plan.control is not control:
            if self._plan.control == control:
                self._plan = self._plan._replace(control=control)
                return self._plan
            try:
                self._plan = self._design.plan(control)
            except ConfigError as error:
                # It may be meant for another release of the program; what holds goes on to.
                self.counts["unfit"] += 1
                _log.warning("experiment %r does not follow: %s", self.experiment, error)
                self._plan = self._plan._replace(control=control)
        return self._plan

    def _choose(self, request: InferRequest, drawn: str = "") -> _Choice:
        plan = self._current()
        if plan.everybody is not None:
            return _Choice(plan.everybody, "", False, plan)
        tags = request.tags
        unit = tags.get(self.by, "")
        name = self._overrides.get(unit) if self._overrides else None
        for tag, arms in self._overrides_by.items() if name is None else ():
            name = name or arms.get(tags.get(tag, ""))
        if name is not None:
            return _Choice(self.arms[name], "", True, plan)
        arm = plan.arms.get(unit) if unit else None
        if arm is None:
            if not is_text(unit) or not plan.assignment.takes_part(unit):
                return _Choice(self._design.first, "", False, plan)
            arm = self.arms[plan.assignment.arm(unit)]
            plan.arms.put(unit, arm)
        if drawn:
            arm = self.arms[plan.assignment.arm(drawn)]
        propensity = None if plan.propensities is None else plan.propensities[arm.name]
        return _Choice(arm, unit, True, plan, propensity)

    def _count(self, request: InferRequest, choice: _Choice) -> None:
        if choice.unit:
            kind = "assigned"
        elif choice.named:
            kind = "overridden"
        elif choice.plan.everybody is not None:
            kind = "stopped"
        else:
            kind = "outside" if is_text(request.tags.get(self.by)) else "untagged"
        self.counts[kind] += 1
        if choice.named and request.spent is not None:
            request.spent.took_part((self.experiment, choice.arm.name))

    async def _stick(self, choice: _Choice, sticky: Sticky) -> _Choice:
        name = self._stuck.get(choice.unit)
        if name is None:
            name = await sticky.first(self._design.remembered, choice.unit, choice.arm.name)
            if name is None:
                self.counts["unstuck"] += 1
                return choice
            self._stuck.put(choice.unit, name)
        arm = self.arms.get(name, choice.arm)
        # Who was in an arm that is gone is assigned anew.
        return choice if arm is choice.arm else choice._replace(arm=arm, propensity=None)

    def _traced(self, response: InferResponse, choice: _Choice, answer: str) -> InferResponse:
        if not choice.named:
            return response
        arms = ((self.experiment, choice.arm.name), *response.trace.arms)
        return response.traced(answer=answer or None, arms=arms)

    def _overlaps(self, other: Design) -> bool:
        mine = self._design
        starts, ends = zip(mine.range, other.range, strict=True)
        return bool(mine.group) and mine.group == other.group and max(starts) < min(ends)


def _is_users(request: InferRequest) -> bool:
    return request.priority in ("live", "batch")
