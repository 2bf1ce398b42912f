"""Options of every command that sends to a target: which server, and by what."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.targets.blueprint import Blueprint, PolicyText
from tritonkit.bench.targets.target import Target
from tritonkit.bench.tls import Tls
from tritonkit.client.policy.policy import load_policy
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, ServerError, TritonkitError

__all__ = ["TargetChoice", "target_options"]

_URL = "http://localhost:8000"
_GRPC_URL = "grpc://localhost:8001"


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """
    What the options of one command say.

    Args:
        blueprint: What each process makes its target from.
        warnings: What is allowed and hardly meant, for people to read.
    """

    blueprint: Blueprint
    warnings: tuple[str, ...] = ()

    async def open(self, mix: Iterable[str] = ()) -> tuple[Target, ServedModel]:
        """
        The target and what its server says of the model; see `Blueprint.open`.

        What a sweep that was killed left changed on the server is restored before.
        """
        await self.restore_left_over()
        return await self.blueprint.open(mix)

    async def restore_left_over(self, control_url: str | None = None) -> None:
        """
        Restore what a sweep that was killed left changed on the server, and say so.

        A gRPC port does not tell which HTTP port is the same server's: what is left over on
        any server of that machine is looked at. Of a policy it is each of its servers.

        Args:
            control_url: The server's HTTP port; None for the target's own URL.

        Raises:
            ConfigError: If another process sweeps the server right now.
            ServerError: If restoring failed.
        """
        from tritonkit.bench.sweep.left_over import recorded_servers

        if control_url is not None:
            await self._restore(control_url)
            return
        behind = self.blueprint.policy is not None
        for address in await self.blueprint.servers():
            if address.scheme in ("http", "https"):
                try:
                    await self._restore(str(address))
                except ServerError as error:
                    if not behind:
                        raise
                    # A layer may be there for the very case that this one is away.
                    click.echo(f"Warning: {error}", err=True)
                continue
            for server in recorded_servers(address.host):
                try:
                    await self._restore(server)
                except TritonkitError as error:
                    # It may be another server of that machine, that nobody asked about.
                    click.echo(f"Warning: {error}", err=True)

    async def _restore(self, url: str) -> None:
        from tritonkit.bench.sweep.control import ModelControl
        from tritonkit.bench.sweep.override import restore_left_over

        tls = self.blueprint.tls if url.startswith("https://") else None
        control = ModelControl.connect(url, headers=self.blueprint.headers, tls=tls)
        try:
            said = await restore_left_over(control)
        finally:
            await control.aclose()
        if said is not None:
            click.echo(f"Note: {said}.", err=True)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command MODEL and these options; it gets them as `target`, a TargetChoice."""

    @functools.wraps(command)
    def chosen(
        *args: Any,
        model: str,
        url: str | None,
        protocol: str | None,
        policy: Path | None,
        version: str,
        headers: Sequence[str],
        ca_file: Path | None,
        cert_file: Path | None,
        key_file: Path | None,
        tags: Sequence[str],
        keep_cache: bool,
        **kwargs: Any,
    ) -> Any:
        tls = (
            Tls(ca=ca_file, cert=cert_file, key=key_file)
            if ca_file or cert_file or key_file
            else None
        )
        target = choose(
            model,
            url=url,
            protocol=protocol,
            policy=policy,
            version=version,
            headers=headers,
            tls=tls,
            tags=tags,
            keep_cache=keep_cache,
        )
        for warning in target.warnings:
            click.echo(f"Warning: {warning}", err=True)
        return command(*args, target=target, **kwargs)

    file = click.Path(path_type=Path, dir_okay=False)
    options = [
        click.argument("model"),
        click.option(
            "--url",
            help="The server, by http, https, grpc or grpcs.  "
            f"[default: {_URL}, or {_GRPC_URL} with --protocol grpc]",
        ),
        click.option(
            "--protocol",
            type=click.Choice(["http", "grpc"]),
            help="Must be that of the --url, where there is one.",
        ),
        click.option(
            "--policy",
            type=file,
            metavar="FILE",
            help="Measure the server and the layers of a policy file, in place of --url.",
        ),
        click.option(
            "--version", default="", help="Model version.  [default: the server's choice]"
        ),
        click.option(
            "--header",
            "headers",
            multiple=True,
            metavar="NAME=VALUE",
            help="Sent with every request.",
        ),
        click.option(
            "--ca-file", type=file, metavar="FILE", help="Authorities to trust, in PEM, over TLS."
        ),
        click.option(
            "--cert-file", type=file, metavar="FILE", help="The client's certificate, in PEM."
        ),
        click.option("--key-file", type=file, metavar="FILE", help="Its key, in PEM."),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="NAME=VALUE",
            help="What the layers of a policy go by: user=u{n}, where {n} is the number of the "
            "distinct request.",
        ),
        click.option(
            "--keep-cache",
            is_flag=True,
            help="Leave in memory what a policy's caches keep from one point to the next.",
        ),
    ]
    for option in reversed(options):
        chosen = option(chosen)
    return chosen


def choose(
    model: str,
    *,
    url: str | None = None,
    protocol: str | None = None,
    policy: Path | None = None,
    version: str = "",
    headers: Sequence[str] = (),
    tls: Tls | None = None,
    tags: Sequence[str] = (),
    keep_cache: bool = False,
) -> TargetChoice:
    """
    What the options mean together.

    Raises:
        ConfigError: If one is wrong, or two do not go together.
    """
    if policy is not None:
        if url is not None or protocol is not None:
            given = "--url" if url is not None else "--protocol"
            raise ConfigError(f"{given} and --policy both name a server: leave one out.")
        loaded = load_policy(policy)
        text = PolicyText(str(policy), policy.read_text(encoding="utf-8"))
        url = ""
        warnings = tuple(f"{policy}: {finding}" for finding in loaded.warnings)
    else:
        if url is None:
            url = _GRPC_URL if protocol == "grpc" else _URL
        scheme = Address.parse(url).scheme
        if protocol is not None and not scheme.startswith(protocol):
            raise ConfigError(
                f"--protocol {protocol} needs a url of {protocol}:// or {protocol}s://, "
                f"but got {url!r}."
            )
        text, warnings = None, ()
    blueprint = Blueprint(
        model=model,
        version=version,
        url=url,
        policy=text,
        headers=dict(_pair(item, "--header") for item in headers),
        tls=tls,
        tags=dict(_pair(item, "--tag") for item in tags),
        keep_cache=keep_cache,
    )
    return TargetChoice(blueprint, warnings)


def _pair(item: str, option: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not name or not equals:
        raise ConfigError(f"{option} must be NAME=VALUE, but got {item!r}.")
    return name, value
