"""Everything on this machine, until somebody has seen enough."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from tritonkit.client.drift.profile import Profile
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, ServerError
from tritonkit.gateway.demo.child import Child
from tritonkit.gateway.demo.gateway import Page, await_gateway, start_gateway
from tritonkit.gateway.demo.keys import HELP, listening
from tritonkit.gateway.demo.load import Load
from tritonkit.gateway.demo.models import ACCURATE, MODELS, export_models
from tritonkit.gateway.demo.policy import policy
from tritonkit.gateway.demo.redis import start_redis
from tritonkit.gateway.demo.reference import reference
from tritonkit.gateway.demo.status import Figures, line
from tritonkit.gateway.demo.steering import Steering
from tritonkit.gateway.demo.stop import Stop, Stopped, stop_signals
from tritonkit.gateway.demo.texts import corpus, questions
from tritonkit.gateway.demo.traffic import Flow, Traffic
from tritonkit.gateway.demo.warm import warm_gateway, warm_models
from tritonkit.server import EmbeddedServer
from tritonkit.server.ports import choose_ports

__all__ = ["Demo"]

HOST = "127.0.0.1"

_FIRST = 24
"""Texts that each worker is asked before the traffic, of as many users of both arms."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """
    The demo's settings; `run` runs it.

    Args:
        repository: Of the models; they are exported there if they are not.
        port: Of the gateway; 0 for any free one.
        servers: Tritons.
        workers: Processes of the gateway.
        redis: Whether to start one, where there is one to start.
        watch: Rows of the profile that drift is measured from; 0 for no watch.
        seconds: After which it ends by itself; None for never.
        interval: Seconds between two lines.
        flow: What the traffic is like at first.
        seed: Of the traffic.
        say: Told each line.
        prepare: Puts the models into the repository; tests have smaller ones.

    Raises:
        ConfigError: If a value is out of range.
    """

    repository: Path
    port: int = 0
    servers: int = 1
    workers: int = 1
    redis: bool = True
    watch: int = 600
    seconds: float | None = None
    interval: float = 5.0
    flow: Flow = field(default_factory=Flow)
    seed: int = 0
    say: Callable[[str], None] = print
    prepare: Callable[[Path, Callable[[str], None]], Any] = export_models

    def __post_init__(self) -> None:
        for name in ("servers", "workers"):
            if not 1 <= getattr(self, name) <= 16:
                raise ConfigError(f"{name} must be from 1 to 16, but got {getattr(self, name)}.")
        if not self.interval > 0:
            raise ConfigError(f"interval must be more than 0, but got {self.interval}.")
        if self.seconds is not None and not self.seconds >= 0:
            raise ConfigError(f"seconds must not be negative, but got {self.seconds}.")

    def run(self) -> None:
        """
        Start everything, send traffic, and end everything.

        Ends by Ctrl-C, SIGTERM, the key q, or after a time. What it started is gone
        then, also where this process is killed.

        Raises:
            TritonkitError: If something cannot be started, or ends by itself.
        """
        with stop_signals() as stop, ExitStack() as parts:
            try:
                gateway, address = self._start(parts)
                asyncio.run(self._serve(gateway, address, stop))
            except Stopped:
                pass
            self.say("stopping")

    def _start(self, parts: ExitStack) -> tuple[Child, Address]:
        """All the processes, those that others need first."""
        (port,) = choose_ports(HOST, (self.port,))
        self.say(f"models in {self.repository}")
        self.prepare(self.repository, self._tell)
        urls = []
        for _ in range(self.servers):
            server = EmbeddedServer(self.repository, stop_timeout=0, progress=self._tell)
            parts.enter_context(server)
            urls.append(server.http_url)
        self.say(f"Triton at {', '.join(urls)}")
        self._tell("asking each model for its first answers, which take longer")
        texts = questions()
        warm_models(urls, MODELS, texts)
        profile = self._profile(urls[0])
        # Not before the first process whose keeper removes it, should this one be killed.
        folder = Path(
            parts.enter_context(
                tempfile.TemporaryDirectory(prefix="tritonkit-demo-", ignore_cleanup_errors=True)
            )
        )
        found = start_redis(folder) if self.redis else None
        if found is not None:
            parts.enter_context(found[0])
            self.say(f"Redis at {found[1]}")
        else:
            why = "no redis-server, here or on PATH" if self.redis else "no Redis, as told"
            self.say(f"{why}: what is kept is kept in memory")
        kept = folder / f"{ACCURATE}.drift"
        if profile is not None:
            profile.save(kept)
        sentences = folder / "questions.txt"
        sentences.write_text("\n".join(corpus()), encoding="utf-8")
        file = folder / "serving.toml"
        file.write_text(
            policy(
                urls,
                redis=None if found is None else found[1],
                folder=folder,
                profile=None if profile is None else kept,
                corpus=sentences,
            ),
            encoding="utf-8",
        )
        self.say(f"policy in {file}")
        arguments = ["--policy", str(file), "--workers", str(self.workers), "--faults"]
        gateway = start_gateway(arguments, folder, port=port)
        parts.enter_context(gateway)
        address = Address("http", HOST, port)
        await_gateway(gateway, address)
        warm_gateway(address, ACCURATE, texts[: _FIRST * self.workers])
        return gateway, address

    def _profile(self, url: str) -> Profile | None:
        if not self.watch:
            return None
        self._tell(f"asking for {self.watch} rows, to know what the traffic looks like")
        return reference(url, ACCURATE, questions(), self.flow, rows=self.watch)

    async def _serve(self, gateway: Child, address: Address, stop: Stop) -> None:
        """Send traffic and tell how it goes, until it is enough."""
        texts = {shifted: questions(shifted=shifted) for shifted in (False, True)}
        traffic = Traffic(self.flow, min(map(len, texts.values())), seed=self.seed, now=monotonic())
        load = Load(address, traffic, texts, model=ACCURATE, headers=_user)
        page = Page(address)
        enough = asyncio.Event()
        loop = asyncio.get_running_loop()
        with stop.waking(partial(loop.call_soon_threadsafe, enough.set)):
            steering = Steering(traffic, page, enough, self.say)
            self.say("")
            self.say(f"the page: http://{address.authority}/")
            with listening(steering.press) as listens:
                self.say(HELP if listens else "Ctrl-C ends it")
                self.say("")
                going_on = [
                    asyncio.create_task(load.run()),
                    asyncio.create_task(steering.follow()),
                ]
                try:
                    for task in going_on:
                        # What has failed is told below.
                        task.add_done_callback(lambda _: enough.set())
                    await self._tell_on(gateway, load, steering, enough)
                finally:
                    for task in going_on:
                        task.cancel()
                    ended = await asyncio.gather(*going_on, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        await page.aclose()

    async def _tell_on(
        self, gateway: Child, load: Load, steering: Steering, enough: asyncio.Event
    ) -> None:
        """A line every few seconds."""
        end = float("inf") if self.seconds is None else monotonic() + self.seconds
        told, before = monotonic(), _counted(load)
        while (left := end - monotonic()) > 0:
            try:
                async with asyncio.timeout(min(left, self.interval)):
                    await enough.wait()
                return
            except TimeoutError:
                pass
            if (code := gateway.poll()) is not None:
                raise ServerError(
                    f"the gateway ended by itself (exit code {code}); it said:\n"
                    f"{gateway.log_tail()}"
                )
            now, counted = monotonic(), _counted(load)
            answered, refused, dropped = (
                late - early for late, early in zip(counted, before, strict=True)
            )
            waited, load.waited = load.waited, []
            figures = Figures(
                seconds=now - told,
                answered=answered,
                refused=refused,
                dropped=dropped,
                waited=waited,
            )
            told, before = now, counted
            traffic, state = load.traffic, steering.state
            self.say(line(figures, traffic.flow, bursting=traffic.bursting(now), state=state))
            if refused:
                self.say(f"  the last refusal: {load.said}")

    def _tell(self, what: str) -> None:
        self.say(f"  {what}")


def _user(number: int) -> bytes:
    """As the gateway reads tags."""
    return b"X-Tritonkit-Tags: user=u%d\r\n" % number


def _counted(load: Load) -> tuple[int, int, int]:
    answered = load.statuses[200]
    return answered, load.statuses.total() - answered, load.dropped
