"""Whether live traffic drifts, watched beside the path."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic, time_ns
from typing import Any

import numpy as np

from tritonkit.client.drift.alert import Alert
from tritonkit.client.drift.profile import Profile
from tritonkit.client.drift.watch import DROP, RUN_LENGTH, Watch
from tritonkit.client.layers.drift.better import Better
from tritonkit.client.layers.drift.looking import READ, Looking
from tritonkit.client.layers.drift.sampled import Judged, Sampled, even_rows, sampled
from tritonkit.client.layers.drift.sampling import Sampling
from tritonkit.client.layers.drift.webhook import Webhook
from tritonkit.client.layers.drift.worker import Worker
from tritonkit.client.layers.rows import own_request, take_rows
from tritonkit.client.layers.shadow.shadow import Shadow
from tritonkit.client.layers.tiers.confidence import labels as likeliest
from tritonkit.client.readings import Inside
from tritonkit.client.readings import Reading as Number
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service, Tensors
from tritonkit.errors import ConfigError
from tritonkit.units import parse_share

__all__ = ["Drift"]


class Drift(Layer):
    """
    Compares a sample of what is asked and answered with profiles, and says when it has drifted.

    Calls inner once and hands its answer on, whatever it finds; raises what inner
    raises. A share of the rows is copied; a thread compares them. Rows that do not
    fit into its queue are dropped and counted. Put it above Cache, so that it sees
    hits too: alerts tell drift of all traffic from drift of the rows that the model
    computed.

    A change of inputs, outputs or confidence is a ticket; a page is an accuracy that seems to
    have fallen, as confidence, the agreement with a better model, or labels tell.
    Every alert is logged, counted, and given to *alert* and to *webhook*.

    Args:
        profiles: What traffic looks like when all is well, or the files of it; see
            `tritonkit drift profile`. A model without one is not watched.
        share: Of the rows, that are looked at. 1 % of 200 rows a second fill 800
            windows of 200 rows a day.
        most: Rows a second, at most: looking at one takes 0.2 to 0.5 ms.
        queue: Samples that may wait for the thread.
        computed: Profiles of what the model computes below a cache, made of rows
            that miss; without one that stream is measured, and raises no alert.
        heavy: A better model for the same inputs. It is asked for the sampled rows
            too, with priority "shadow", after the caller has its answer; how
            often it gives the same class is an estimate of accuracy that sees what
            confidence cannot.
        shadow: The name of a Shadow's route in the same stack, whose answers are a better
            model's: what it compares is not asked for again. It must not end when it is decided.
        thresholds: What a distance may be, by measure or feature; see `Watch`.
        run_length: Rows looked at between false alarms, on average, at least.
        drop: Of an accuracy, that is no alert.
        alert: Is called with each alert, in the thread.
        webhook: A URL that alerts are posted to as JSON.
        clock: Seconds that only grow, for tests.
        chance: Draws rows.

    Raises:
        ConfigError: If an argument is wrong, or a profile cannot be read.
    """

    def __init__(
        self,
        *profiles: Profile | str | os.PathLike[str],
        share: str | float = "1%",
        most: float = 100,
        queue: int = 1000,
        computed: Sequence[Profile | str | os.PathLike[str]] = (),
        heavy: Route | None = None,
        shadow: str = "",
        thresholds: Mapping[str, float] | None = None,
        run_length: float = RUN_LENGTH,
        drop: float = DROP,
        alert: Callable[[Alert], None] | None = None,
        webhook: str | None = None,
        clock: Callable[[], float] = monotonic,
        chance: random.Random | None = None,
    ) -> None:
        if not profiles:
            raise ConfigError("profiles must be one or more, but there are none.")
        if not most >= 0:
            raise ConfigError(f"most must not be negative, but got {most=}.")
        if shadow and heavy is not None:
            raise ConfigError("agreement is with a heavy route or with a shadow, not with both.")
        if queue < 0:
            raise ConfigError(f"queue must not be negative, but got {queue=}.")
        self.share = parse_share(share, name="share")
        self.most = most
        of_computed = {it.model: it for it in map(_loaded, computed)}
        self._watches: dict[str, Watch] = {}
        for profile in map(_loaded, profiles):
            if profile.model in self._watches:
                raise ConfigError(f"profiles must be of different models, not {profile.model!r}.")
            self._watches[profile.model] = Watch(
                profile,
                computed=of_computed.pop(profile.model, None),
                thresholds=thresholds,
                run_length=run_length,
                drop=drop,
            )
        if of_computed:
            raise ConfigError(f"computed has models without a profile: {sorted(of_computed)}.")
        self._better = None if heavy is None else Better(heavy, self.compared)
        self._shadow, self._fed = shadow, False
        self.webhook = None if webhook is None else Webhook(webhook)
        self.counts = {"sampled": 0, "dropped": 0}
        self._unlike = 0
        self._sampling = Sampling(self.share, most, clock=clock, chance=chance or random.Random())
        self._looking = Looking(self._watches, alert=alert, webhook=self.webhook)
        self._worker: Worker[Sampled | Judged] = Worker(
            self._looking, queue, name="tritonkit drift"
        )

    def __repr__(self) -> str:
        return f"Drift({', '.join(self._watches)}, share={self.share:g})"

    def attach(self, transport: Transport) -> None:
        """Tell the layers of the heavy route."""
        if self._better is not None:
            self._better.route.attach(transport)

    def stand(self, above: Sequence[Layer]) -> None:
        """Listen to the shadow, if it is above."""
        super().stand(above)
        self._listen(above)

    def oversee(self, parts: Sequence[Layer | Service], /) -> None:
        """
        Listen to the shadow, if it is below.

        Raises:
            ConfigError: If it is nowhere, or ends when it is decided.
        """
        self._listen(parts)
        if self._shadow and not self._fed:
            raise ConfigError(f"Drift finds no Shadow of a route {self._shadow!r} in its stack.")

    def observe(self) -> Iterator[Number]:
        """Rows and labels that were looked at or not, and alerts by severity."""
        for event, count in self._counts().items():
            yield Number("drift_events", count, {"event": event})

    def inside(self) -> Iterator[Inside]:
        """The heavy route."""
        if self._better is not None:
            yield Inside("tier", self._better.route.name, self._better.route)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has; it is traffic too."""
        response = inner(request)
        if response is not None and request.model in self._watches:
            self._see(request, response)
        return response

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request* by inner, and look at some of it later."""
        response = await inner(request)
        if request.model in self._watches:
            self._see(request, response)
            if self._better is not None:
                self._better.ask(inner)
        return response

    def samples(self, id: str) -> bool:
        """Whether rows of this answer's id are looked at, so that their labels are of use."""
        return self._sampling.wanted(id)

    def label(self, id: str, label: int, *, model: str | None = None, row: int = 0) -> None:
        """
        Tell the right class of a row that was answered a while ago; from any thread.

        Args:
            id: `answer.trace.answer`, or the request's id where there is none.
            label: Its place among the classes.
            model: That was asked; the only one by default.
            row: Its place in the request.

        Raises:
            ConfigError: If there is no telling which model was asked.
        """
        name = self._named(model)
        self._worker.put(
            Judged(model=name, by="labels", id=id, label=label, row=row, time=wall_clock())
        )

    def compare(self, given: Tensors, better: Tensors, *, model: str | None = None) -> None:
        """
        Tell what a better model answered to the same rows, as a shadow or a cascade knows.

        Args:
            given: The outputs that the caller got, rows first.
            better: Those of the better model.
            model: That was asked; the only one by default.

        Raises:
            ConfigError: If there is no telling which model was asked.
        """
        name = self._named(model)
        output = self._watches[name].profile.classes
        if output in given and output in better and given[output].shape == better[output].shape:
            right = (likeliest(given[output]) == likeliest(better[output])).all(axis=1)
            self._worker.put(Judged(model=name, by="agreement", right=right, time=wall_clock()))

    def compared(self, model: str, given: Tensors, better: Tensors) -> None:
        """Whole answers to a request, of a Shadow or of the heavy route; never raises."""
        if model not in self._watches:
            return
        if not self._watches[model].profile.by_row:
            given, better = (
                {name: array[np.newaxis] for name, array in side.items()}
                for side in (given, better)
            )
        try:
            self.compare(given, better, model=model)
        except READ:
            self._unlike += 1

    def status(self) -> dict[str, Any]:
        """Counts, and each model's features and accuracies in numbers."""
        counts = self._counts()
        counts["failures"] = self._worker.failures + self._looking.untold
        counts["webhook_failed"] = 0 if self.webhook is None else self.webhook.failures
        return {"counts": counts, "models": self._looking.report()}

    def _counts(self) -> dict[str, int]:
        failed = self._unlike + (0 if self._better is None else self._better.failed)
        dropped = self.counts["dropped"] + self._worker.dropped
        return {
            **self.counts, **self._looking.counts, "dropped": dropped, "heavy_failed": failed
        }  # fmt: skip

    def _listen(self, layers: Sequence[object]) -> None:
        for layer in layers:
            if isinstance(layer, Shadow) and layer.route.name == self._shadow:
                if layer.until_decided:
                    raise ConfigError(
                        f"the Shadow of {self._shadow!r} ends when it is decided, and Drift "
                        "needs it to go on: until_decided=False."
                    )
                layer.tell(self.compared)
                self._fed = True

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was sampled has been looked at, and posted; whether it has."""
        done = self._worker.flush(timeout)
        return done and (self.webhook is None or self.webhook.worker.flush(timeout))

    async def aclose(self) -> None:
        """Look at what waits, post what is to be posted, end the threads."""
        if self._better is not None:
            await self._better.aclose()
        await asyncio.to_thread(self._worker.close)
        if self.webhook is not None:
            await asyncio.to_thread(self.webhook.worker.close)

    def _see(self, request: InferRequest, response: InferResponse) -> None:
        if request.priority in ("shadow", "refresh"):
            return
        by_row = self._watches[request.model].profile.by_row
        rows = even_rows(request, by_row)
        id = response.trace.answer or request.id
        places = self._sampling.choose(rows, id)
        if not places:
            return
        places = places[: self._sampling.allow(len(places))]
        found = None
        if places:
            found = sampled(
                request,
                response,
                id=id,
                places=places,
                rows=rows,
                by_row=by_row,
                time=wall_clock(),
            )
        if found is None or not self._worker.put(found):
            self.counts["dropped"] += found is None
            return
        self.counts["sampled"] += len(places)
        if self._better is not None and found.outputs is not None:
            some = take_rows(request, places, rows) if by_row else own_request(request)
            given = found.outputs
            if not by_row:
                given = {name: array[0] for name, array in given.items()}
            self._better.wait(some, given)

    def _named(self, model: str | None) -> str:
        if model is None and len(self._watches) == 1:
            return next(iter(self._watches))
        if model not in self._watches:
            raise ConfigError(f"model must be one of {sorted(self._watches)}, but got {model!r}.")
        return model


def wall_clock() -> float:
    """Seconds since the epoch, to tell people when something was."""
    return time_ns() / 1e9


def _loaded(profile: Profile | str | os.PathLike[str]) -> Profile:
    return profile if isinstance(profile, Profile) else Profile.load(profile)
