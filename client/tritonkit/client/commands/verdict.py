"""How `tritonkit infer --probe` says what it found."""

from __future__ import annotations

import json
import math

from tritonkit.client.commands.table import table
from tritonkit.client.identity.identity import BATCH_INVARIANT
from tritonkit.client.probing.difference import Difference
from tritonkit.client.probing.probe import RowIndependence

__all__ = ["exit_code", "verdict_json", "verdict_text"]


def exit_code(found: RowIndependence) -> int:
    """0 where rows may be kept one by one, 1 where not, 2 where the question has no answer."""
    return 0 if found.independent else 2 if found.reason else 1


def verdict_text(found: RowIndependence) -> str:
    """For reading: the verdict, the numbers, what to write."""
    name = f"{found.model} (version {found.version})" if found.version else found.model
    lines = [f"{name}: {found.verdict}. {_meaning(found)}"]
    if found.outputs:
        head = ("output", "largest difference", "relative", "least cosine", "rows that differ",
                "worst row")  # fmt: skip
        rows = [head, *(_cells(name, output) for name, output in found.outputs.items())]
        lines += ["", table(rows, right=range(1, 5)), ""]
    if found.requests:
        batches = ", ".join(map(str, found.batches))
        lines.append(
            f"Asked: {found.rows} different rows in batches of {batches}; "
            f"{found.requests} requests; tolerance {found.tolerance:g}."
        )
    lines += [f"Note: {warning}." for warning in found.warnings]
    lines.append(_advice(found))
    return "\n".join(lines)


def verdict_json(found: RowIndependence) -> str:
    """Everything as JSON; null for what is infinite or does not apply."""
    outputs = {
        name: {
            "max_absolute_difference": _finite(output.absolute),
            "max_relative_difference": _finite(output.relative),
            "min_cosine": output.cosine,
            "error": _finite(output.error),
            "worst_row": output.row if output.differing else None,
            "worst_company": list(output.company),
            "rows_compared": output.rows,
            "rows_differing": output.differing,
        }
        for name, output in found.outputs.items()
    }
    return json.dumps(
        {
            "model": found.model,
            "version": found.version,
            "verdict": found.verdict,
            "independent": found.independent,
            "exact": found.exact,
            "reason": found.reason,
            "tolerance": found.tolerance,
            "rows": found.rows,
            "batches": list(found.batches),
            "requests": found.requests,
            "stated": found.stated,
            "repeats": _finite(found.repeats),
            "outputs": outputs,
            "warnings": list(found.warnings),
        },
        ensure_ascii=False,
        allow_nan=False,
    )


def _meaning(found: RowIndependence) -> str:
    match found.verdict:
        case "independent" if found.exact:
            return "Every row got the same answer to the last bit, whatever its company."
        case "independent":
            return "Every row got the same answer within the tolerance, whatever its company."
        case "dependent":
            name, worst = max(found.outputs.items(), key=lambda item: item[1].error)
            return f"What a row gets in {name!r} depends on the other rows of its batch" + (
                f": its error reaches {worst.error:.2g}." if math.isfinite(worst.error) else "."
            )
        case "not deterministic":
            return "The same request got different answers" + (
                f": the error reaches {found.repeats:.2g}." if math.isfinite(found.repeats) else "."
            )
        case _:
            return f"{found.reason[:1].upper()}{found.reason[1:]}."


def _advice(found: RowIndependence) -> str:
    match found.verdict:
        case "independent" if found.stated:
            return "Its configuration states that: a Cache keeps its rows one by one."
        case "dependent" | "not deterministic" if found.stated:
            return f"Its configuration states {BATCH_INVARIANT}: true. Mend that."
        case "independent":
            return f'To keep its rows one by one, write: Cache(..., rows=["{found.model}"])'
        case "not deterministic":
            return "A cache repeats one of its answers. Keep them only where any will do."
        case _:
            return f'Leave "{found.model}" out of Cache(..., rows=[...]) to keep whole requests.'


def _cells(name: str, output: Difference) -> tuple[str, ...]:
    return (
        name,
        "-" if output.absolute is None else f"{output.absolute:.2g}",
        "-" if output.relative is None else f"{output.relative:.2g}",
        "-" if output.cosine is None else f"{output.cosine:.6f}",
        f"{output.differing} of {output.rows}",
        f"row {output.row} in a batch of {len(output.company)}" if output.differing else "-",
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
