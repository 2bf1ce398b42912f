"""The conditions of measurements, as the commands write them down."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tritonkit.bench.command_line import as_typed
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.workload import Workload
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.plan import Plan
from tritonkit.bench.sweep.stage import Stage
from tritonkit.bench.targets.target import Target

__all__ = ["conditions_of", "stage_conditions"]


def conditions_of(
    target: Target,
    served: ServedModel,
    workload: Workload,
    plan: Plan,
    *,
    load: str,
    started: datetime | None = None,
) -> Conditions:
    """
    Of measurements that this very command takes.

    Args:
        target: Where requests go.
        served: What the server says of the model.
        workload: What is sent.
        plan: How long, and how often.
        load: In words.
        started: When the first began; None for now.
    """
    return Conditions(
        url=str(served.address),
        model=served.model,
        version=served.version,
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
        started=(started or datetime.now(UTC)).isoformat(timespec="seconds"),
        event_loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
        target=target.describe(),
        workload=workload.describe(),
        plan=plan.describe(),
        command=as_typed([Path(sys.argv[0]).name, *sys.argv[1:]]),
        load_average=os.getloadavg(),
    )


def stage_conditions(stage: Stage, batch_size: int, *, load: str) -> Conditions:
    """
    Of all measurements that are taken on a stage.

    Args:
        stage: Open.
        batch_size: Rows of a request.
        load: In words.
    """
    return conditions_of(
        stage.target(), stage.served(), stage.workload(batch_size), stage.plan, load=load
    )
