"""`tritonkit calibrate`: how sure a fast model must be to answer for an accurate one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.commands.comparison import Comparison
from tritonkit.client.commands.progress import show
from tritonkit.client.commands.row_file import open_rows
from tritonkit.client.layers.tiers.calibration import Calibration
from tritonkit.client.layers.tiers.calibration import calibrate as find_threshold
from tritonkit.client.layers.tiers.confidence import SCORES, Confidence
from tritonkit.errors import ConfigError
from tritonkit.options import SHARE

__all__ = ["calibrate"]


@click.command()
@click.option(
    "--url",
    default="http://localhost:8000",
    show_default=True,
    help="The server; grpc:// works as well.",
)
@click.option("--fast", required=True, metavar="MODEL", help="Answers first.")
@click.option(
    "--accurate", required=True, metavar="MODEL", help="Answers what the fast one is unsure of."
)
@click.option(
    "--samples",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rows like those that will be asked: .txt, .jsonl, .npz or .npy.",
)
@click.option(
    "--input", "input_name", metavar="NAME", help="Where the file names none; the only one."
)
@click.option(
    "--output", "-o", metavar="NAME", help="Has the classes, along its last axis; the only one."
)
@click.option(
    "--score", type=click.Choice(list(SCORES)), default="max_probability", show_default=True
)
@click.option(
    "--agreement",
    type=SHARE,
    default="99%",
    show_default=True,
    help="The share of rows whose class must be the accurate model's.",
)
@click.option(
    "--confidence",
    type=SHARE,
    default="95%",
    show_default=True,
    help="With which it holds for rows like the samples.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Rows a request, up to the models' max_batch_size.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calibrate(
    url: str,
    fast: str,
    accurate: str,
    samples: Path,
    input_name: str | None,
    output: str | None,
    score: str,
    agreement: float,
    confidence: float,
    batch: int,
    as_json: bool,
) -> None:
    """
    Find how sure a fast model must be to answer for an accurate one.

    Both answer the samples; no labels are needed. Exits with 1 where no threshold
    is known to hold the agreement:

        tritonkit calibrate --fast intent_int8 --accurate intent --samples texts.txt
    """
    scored = Confidence(score, output)
    # Wrong shares are told before anything is computed.
    find_threshold(*Comparison.none(), agreement=agreement, confidence=confidence)

    async def run() -> Calibration:
        async with AsyncClient(url) as client:
            signatures = [await client.signature(model) for model in (fast, accurate)]
            comparison = Comparison(client, signatures[0], signatures[1], scored, batch=batch)
            rows = open_rows(samples, signatures[0], input_name)
            if not len(rows):
                raise ConfigError(f"{samples} has no row.")
            async for done in comparison.run(rows):
                show(f"{fast} and {accurate}: {done} of {len(rows)} rows")
            show("")
            return find_threshold(*comparison.result(), agreement=agreement, confidence=confidence)

    found = asyncio.run(run())
    click.echo(_as_json(found, score) if as_json else _text(found, score, output))
    click.get_current_context().exit(int(found.threshold is None))


def _text(found: Calibration, score: str, output: str | None) -> str:
    asked = (
        f"{found.samples} samples; the models agree on "
        f"{1 - found.disagreeing / found.samples:.2%} of them."
    )
    if found.threshold is None:
        return f"{asked}\nNo threshold: {found.reason}."
    place = "" if output is None else f", output={output!r}"
    return "\n".join(
        [
            asked,
            f"Threshold: {found.threshold!r} ({score}).",
            f"Share that goes on: {found.share:.1%} ({found.escalated} rows).",
            f"Of all rows, at most {found.bound:.3%} are answered otherwise than by the accurate "
            f"model, with {found.confidence:.4g} confidence; {found.differing} of "
            f"{found.samples} samples were.",
            f'To use it: Cascade(score="{score}", threshold={found.threshold!r}{place})',
        ]
    )


def _as_json(found: Calibration, score: str) -> str:
    return json.dumps(
        {
            "score": score,
            "threshold": found.threshold,
            "share": found.share,
            "bound": found.bound,
            "agreement": found.agreement,
            "confidence": found.confidence,
            "samples": found.samples,
            "escalated": found.escalated,
            "disagreeing": found.disagreeing,
            "differing": found.differing,
            "samples_needed": found.needed,
            "reason": found.reason,
        },
        ensure_ascii=False,
        allow_nan=False,
    )
