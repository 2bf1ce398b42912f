"""Metrics as values: to be written by one worker and read by another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Family", "Sample", "packed", "together", "unpacked"]

_VERSION = 1


class Sample(NamedTuple):
    """
    Args:
        suffix: Of its name, such as "_total"; empty for the family's own name.
        labels: By name.
        value: A float.
    """

    suffix: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """
    One metric.

    Args:
        name: Without a suffix.
        kind: "counter", "gauge" or "histogram".
        help: What it is, with its unit.
        samples: In the order in which they are shown.
    """

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


def packed(families: Iterable[Family]) -> bytes:
    """As bytes, for another process of the same program."""
    document = {
        "version": _VERSION,
        "families": [
            [each.name, each.kind, each.help, [[s.suffix, s.labels, s.value] for s in each.samples]]
            for each in families
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def unpacked(data: bytes) -> list[Family]:
    """
    What `packed` made.

    Raises:
        ValueError: If it is something else.
    """
    document: Any = json.loads(data)
    try:
        if document["version"] != _VERSION:
            raise ValueError(f"version {document['version']!r}, not {_VERSION}")
        return [
            Family(name, kind, help, [Sample(*sample) for sample in samples])
            for name, kind, help, samples in document["families"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no metrics: {error!r}") from error


def together(workers: Mapping[str, Iterable[Family]]) -> list[Family]:
    """
    The families of all workers, each sample with its worker's label.

    Not added up: a counter of a worker that was started again begins anew, which Prometheus
    takes for what it is in a series of its own, and in a sum would take for an outburst.
    """
    found: dict[str, tuple[Family, list[Sample]]] = {}
    for worker, families in workers.items():
        for family in families:
            _, samples = found.setdefault(family.name, (family, []))
            samples += [
                Sample(suffix, {**labels, "worker": worker}, value)
                for suffix, labels, value in family.samples
            ]
    return [
        Family(family.name, family.kind, family.help, samples) for family, samples in found.values()
    ]
