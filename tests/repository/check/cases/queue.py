"""Cases of the rules on the dynamic batcher's queue."""

from __future__ import annotations

from tests.repository.check.case import Case, Files
from tests.repository.check.cases.batching import TRAPS
from tests.repository.check.models import DYNAMIC, python_model


def queued(batching: str) -> Files:
    return python_model(f"max_batch_size: 8\ndynamic_batching {{\n{batching}\n}}")


CASES = [
    Case(
        "TK067",
        fails=queued("priority_levels: 3"),
        passes=DYNAMIC,
        says="default priority level must be in range [1, 3] for m",
        at="3",
    ),
    Case(
        "TK067",
        fails=queued("priority_levels: 3\ndefault_priority_level: 4"),
        passes=DYNAMIC,
        says="default priority level must be in range [1, 3] for m",
        at="4",
    ),
    Case(
        "TK068",
        fails=queued(
            "priority_levels: 2 default_priority_level: 1\n"
            "priority_queue_policy { key: 1 value { max_queue_size: 4 } }\n"
            "priority_queue_policy { key: 3 value { max_queue_size: 4 } }"
        ),
        passes=DYNAMIC,
        says="priority queue policy must have priority level in range [1, 2] for m",
        at="3 value",
    ),
    Case(
        "TK069",
        fails=queued("priority_levels: 2 default_priority_level: 1\npreserve_ordering: true"),
        passes=DYNAMIC,
        says="Only one priority level is allowed when 'preserve_ordering' is true for m",
        at="true",
    ),
    Case(
        "TK070",
        fails=queued(
            "preserve_ordering: true\n"
            "default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 9 }\n"
            "priority_queue_policy {\n"
            "  key: 1 value { timeout_action: DELAY default_timeout_microseconds: 9 }\n"
            "}"
        ),
        passes=DYNAMIC,
        says="Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true "
        "for m",
        at="DELAY",
        finds=2,
    ),
    Case("TK074", fails=TRAPS, passes=DYNAMIC, at="true }", finds=2),
    Case(
        "TK074",
        fails=queued(
            "default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 9 }"
        ),
        passes=DYNAMIC,
        at="DELAY",
        unasked="the server loads TRAPS, a warning of the same rule",
    ),
    Case("TK075", fails=TRAPS, passes=DYNAMIC, at="1"),
]
