"""What every command that looks into Redis needs to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["redis_options"]

F = TypeVar("F", bound=Callable[..., Any])


def redis_options(command: F) -> F:
    """Add --redis, --cluster and --namespace, as `Redis` takes them."""
    for option in (
        click.option(
            "--namespace",
            default="tritonkit",
            show_default=True,
            help="How every key begins, as in Redis(namespace=...).",
        ),
        click.option("--cluster", is_flag=True, help="It is a node of a Redis Cluster."),
        click.option(
            "--redis",
            "redis_url",
            required=True,
            metavar="URL",
            help="Such as redis://localhost:6379/0; rediss:// for TLS.",
        ),
    ):
        command = option(command)
    return command
