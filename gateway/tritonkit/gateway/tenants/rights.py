"""What a tenant may do."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

__all__ = ["EVERYBODYS", "RIGHTS", "Right"]

Right: TypeAlias = Literal["infer", "read", "jobs", "outcomes", "metrics", "live", "admin"]
"""
Asking a model; metadata, configurations and statistics; jobs; recording outcomes; scraping
`/metrics`; the live page; and what changes a Triton, such as loading a model.
"""

RIGHTS: tuple[Right, ...] = get_args(Right)

EVERYBODYS: frozenset[Right] = frozenset(RIGHTS) - {"admin"}
"""Of everybody, where no tenants are configured: all but what changes a Triton."""
