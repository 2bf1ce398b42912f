"""What a target is made from, in every process that sends to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tritonkit.bench.observe.served import ServedModel, servers_behind
from tritonkit.bench.targets.stack import StackTarget
from tritonkit.bench.targets.target import Target
from tritonkit.bench.tls import Tls
from tritonkit.client import AsyncClient
from tritonkit.client.policy.policy import Policy
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError

__all__ = ["Blueprint", "PolicyText"]


@dataclass(frozen=True, slots=True)
class PolicyText:
    """
    A policy file as it was when the run began.

    Args:
        name: Its path, for errors.
        text: What it says. Variables in it are those of each process.
    """

    name: str
    text: str

    def policy(self) -> Policy:
        """
        Read it.

        Raises:
            PolicyError: If anything is wrong with it; tells all that is, with lines.
        """
        return Policy(self.text, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """
    Can be pickled; targets made from it share nothing.

    Args:
        model: Name of the model.
        version: Its version; empty for the server's choice.
        url: The server, by scheme http, https, grpc or grpcs; not looked at with a policy.
        policy: The server and the layers in front of it; None for a bare server.
        headers: Sent with every request.
        tls: How to check an https or a grpcs server; None trusts the system's authorities.
        tags: What the layers decide by, see `StackTarget`.
        keep_cache: Whether what the layers keep serves all points.

    Raises:
        ConfigError: If the URL or the policy is wrong, or an option does not go with it.
    """

    model: str
    version: str = ""
    url: str = ""
    policy: PolicyText | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: Tls | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    keep_cache: bool = False

    def __post_init__(self) -> None:
        if self.version and not self.version.isdecimal():
            raise ConfigError(
                f"a model version is a whole number such as 1, but got {self.version!r}."
            )
        if self.policy is not None:
            if self.headers or self.tls is not None:
                raise ConfigError(
                    "headers and TLS files go with a url; a policy's servers are its own."
                )
            self.policy.policy()
            return
        address = Address.parse(self.url)
        if self.tls is not None and not address.secure:
            raise ConfigError(f"TLS files go with https:// or grpcs://, but got {self.url!r}.")
        if self.tags or self.keep_cache:
            raise ConfigError("tags and a kept cache need the layers of a policy.")

    def target(self) -> Target:
        """
        A target, in the event loop that will use it.

        Raises:
            ConfigError: If it cannot be made.
        """
        if self.policy is not None:
            return StackTarget(
                self._client, self.model, self.version, tags=self.tags, keep=self.keep_cache
            )
        context = None if self.tls is None else self.tls.context()
        if Address.parse(self.url).scheme in ("http", "https"):
            from tritonkit.bench.targets.http import HttpTarget

            return HttpTarget(self.url, self.model, self.version, headers=self.headers, tls=context)
        from tritonkit.bench.targets.grpc import GrpcTarget

        return GrpcTarget(self.url, self.model, self.version, headers=self.headers, tls=context)

    async def open(self, mix: Iterable[str] = ()) -> tuple[Target, ServedModel]:
        """
        A target and what its server says of the model; the caller closes both.

        Args:
            mix: Other models that the load is for; the server's account has them as well.

        Raises:
            ConfigError: If it cannot be made.
            RequestError: If nobody answers, or a model is not ready.
        """
        target, served = await self._open()
        try:
            for model in mix:
                if model != self.model:
                    unused, other = await replace(self, model=model, version="")._open()
                    served.add(other)
                    await unused.aclose()
        except BaseException:
            await served.aclose()
            await target.aclose()
            raise
        return target, served

    async def _open(self) -> tuple[Target, ServedModel]:
        if self.policy is None:
            served = await ServedModel.connect(
                self.url, self.model, self.version, headers=self.headers, tls=self.tls
            )
            try:
                return self.target(), served
            except BaseException:
                await served.aclose()
                raise
        # A client of its own: questions must not warm the one that is measured, and its
        # connections outlive the clients that points are measured with.
        asking = AsyncClient(*self.policy.policy().build())
        served = await ServedModel.behind(asking, self.model, self.version)
        try:
            return self.target(), served
        except BaseException:
            await served.aclose()
            raise

    async def servers(self) -> list[Address]:
        """
        Every server that requests may go to; nobody is asked.

        Raises:
            ConfigError: If the policy cannot be built.
        """
        if self.policy is None:
            return [Address.parse(self.url)]
        client = AsyncClient(*self.policy.policy().build())
        try:
            return servers_behind(client, self.model, self.version)
        finally:
            await client.aclose()

    def _client(self) -> AsyncClient:
        assert self.policy is not None
        policy = self.policy.policy()
        return AsyncClient(
            *policy.build(),
            jobs=policy.jobs(),
            pace=policy.pace(),
            experiments=policy.experiments(),
        )
