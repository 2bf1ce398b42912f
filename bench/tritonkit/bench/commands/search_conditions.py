"""The conditions of a search's measurements."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tritonkit.bench.command_line import as_typed
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.sweep.stage import Stage

__all__ = ["conditions_of"]


def conditions_of(stage: Stage, batch_size: int, *, load: str) -> Conditions:
    """
    Of all measurements that are taken on a stage.

    Args:
        stage: Open.
        batch_size: Rows of a request.
        load: In words.
    """
    plan, served, workload = stage.plan, stage.served(), stage.workload(batch_size)
    return Conditions(
        url=str(served.address),
        model=stage.blueprint.model,
        version=stage.blueprint.version,
        config_digests=served.config_digests,
        server=served.server,
        load=load,
        warmup=plan.warmup,
        duration=plan.duration,
        max_requests=plan.max_requests,
        timeout=plan.timeout,
        seed=plan.seed,
        inputs=workload.description,
        distinct_requests=len(workload.items),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        event_loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
        target=stage.target().describe(),
        workload=workload.describe(),
        plan=plan.describe(),
        command=as_typed([Path(sys.argv[0]).name, *sys.argv[1:]]),
        load_average=os.getloadavg(),
    )
