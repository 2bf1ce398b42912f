from __future__ import annotations

import shlex

import pytest

from tritonkit.bench.command_line import as_typed


def test_a_command_line_can_be_typed_again() -> None:
    words = ["tritonkit", "bench", "run", "m", "--text", "it's two words", "--seed=3"]
    assert shlex.split(as_typed(words)) == words


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--header", "Authorization: Bearer s3"], "--header Authorization:..."),
        (["-H", "x-key=s3"], "-H x-key=..."),
        (["--header=Cookie: s3"], "--header=Cookie:..."),
        (["--header", "s3"], "--header ..."),
        (["--auth-token", "s3"], "--auth-token ..."),
        (["--password=s3"], "--password=..."),
        (["--redis", "redis://me:s3@host:1/0"], "--redis redis://...@host:1/0"),
        (["--url=https://s3@host/a@b"], "--url=https://...@host/a@b"),
        (["--url", "http://[s3@"], "--url ..."),
    ],
)
def test_secrets_are_left_out(words: list[str], shown: str) -> None:
    assert shlex.split(as_typed(["/usr/bin/x", *words])) == ["x", *shlex.split(shown)]
