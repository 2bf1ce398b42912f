"""
Check beside a real server over thousands of random repositories.

    python -m tests.repository.differential.long --examples 3000 --seed 1

Prints each disagreement, whose texts differ, and how often they agree, also after Ctrl-C;
exits with 1 where a disagreement has no known reason.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.repository.differential.asking import AT_ONCE, Judge, Verdict
from tests.repository.differential.repositories import repositories
from tests.repository.differential.written import Repository

from tritonkit.server import EmbeddedServer

__all__: list[str] = []


@click.command()
@click.option("--examples", default=3000, show_default=True, help="How many repositories.")
@click.option("--seed", "number", default=1, show_default=True, help="Of the generator.")
@click.option(
    "--show", default=20, show_default=True, help="How many refusals in other words to print."
)
def main(examples: int, number: int, show: int) -> None:
    """Ask check and the embedded server about random repositories."""
    verdicts: list[Verdict] = []
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with EmbeddedServer(place, model_control_mode="explicit", stop_timeout=0) as server:
            judge = Judge(server, place)

            @seed(number)
            @settings(
                # Many are like one before, and are not asked again.
                max_examples=examples,
                phases=[Phase.generate],
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(st.lists(repositories(), min_size=AT_ONCE, max_size=AT_ONCE))
            def ask(drawn: list[Repository]) -> None:
                fresh = {key: one for one in drawn if (key := str(one.files(""))) not in seen}
                seen.update(fresh)
                if len(verdicts) >= examples or not fresh:
                    return
                before = len(verdicts)
                verdicts.extend(judge.verdicts(list(fresh.values())))
                for verdict in verdicts[before:]:
                    if not verdict.agree and not verdict.reason:
                        click.echo(f"DISAGREE\n{verdict}")
                if before // 120 != len(verdicts) // 120:
                    click.echo(f"  {_line(verdicts)}", err=True)

            with suppress(KeyboardInterrupt):
                ask()
    sys.exit(_report(verdicts, show))


def _line(verdicts: list[Verdict]) -> str:
    agreed = [one for one in verdicts if one.agree]
    refused = [one for one in agreed if one.refusal]
    unexplained = [one for one in verdicts if not one.agree and not one.reason]
    return (
        f"{len(verdicts)} repositories: {len(agreed) - len(refused)} accepted by both, "
        f"{len(refused)} refused by both, {sum(one.same_text for one in refused)} of these with "
        f"the same text; {len(verdicts) - len(agreed)} disagreements, "
        f"{len(unexplained)} of these without a known reason"
    )


def _report(verdicts: list[Verdict], show: int) -> int:
    unexplained = [one for one in verdicts if not one.agree and not one.reason]
    differ = [one for one in verdicts if one.agree and one.refusal and not one.same_text]
    for verdict in differ[:show]:
        click.echo(f"OTHER TEXT\n{verdict}")
    reasons = Counter(one.reason for one in verdicts if not one.agree and one.reason)
    for reason, times in reasons.most_common():
        click.echo(f"{times} times: {reason}")
    click.echo(_line(verdicts))
    return 1 if unexplained else 0


if __name__ == "__main__":
    main()
