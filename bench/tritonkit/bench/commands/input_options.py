"""The options that say what requests hold, shared by the commands that send a load."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.expectation import Tolerances
from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.images import SCALINGS
from tritonkit.bench.inputs.mix import parse_mix
from tritonkit.bench.inputs.model_inputs import DISTINCT_REQUESTS, ModelInputs
from tritonkit.bench.inputs.popularity import parse_popularity
from tritonkit.bench.inputs.values import parse_integers, parse_shape, parse_texts
from tritonkit.client.commands.named_value import parse_named_value
from tritonkit.errors import ConfigError

__all__ = ["input_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OF = "::"
"""Between a model of the mix and what is for it alone."""


def input_options(command: _Command) -> _Command:
    """Add the options to a command; it gets them as one `InputChoice`, named `inputs`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in _NAMES}
        return command(*args, inputs=_choice(**given), **kwargs)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # click's decorators keep the function


_OPTIONS = (
    click.option(
        "--input-data",
        "data",
        multiple=True,
        metavar="SOURCE",
        help="random, zero, or a file or folder: .npy, .npz, .jsonl, .txt, perf_analyzer's .json, "
        "pictures, or raw files named as the inputs; NAME=PATH for an input of that name. "
        "Several are sent one after the other.  [default: random]",
    ),
    click.option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="NAME:DIMS",
        help="Shape of an input without the batch dimension: image:3,224,224. "
        "ids:8..128 draws a length for each request.",
    ),
    click.option(
        "--integers",
        multiple=True,
        metavar="NAME:LOW..END",
        help="Random integers from LOW up to, without, END: ids:0..30522 for a vocabulary of "
        "30522.  [default: 0 and 1]",
    ),
    click.option(
        "--input",
        "values",
        multiple=True,
        metavar="NAME=VALUES",
        help="Values of an input: JSON, or @FILE of .npy or .json. Requests take its rows in turn.",
    ),
    click.option(
        "--text",
        "texts",
        multiple=True,
        metavar="TEXT",
        help="What text inputs are made of, or @FILE with one a line.  "
        "[default: built-in sentences]",
    ),
    click.option(
        "--image-scaling",
        "scaling",
        type=click.Choice(SCALINGS),
        help="Values of pictures: 0 to 255, 0 to 1, -1 to 1, or by ImageNet's mean and "
        "deviation.  [default: unit for floats]",
    ),
    click.option("--identical", is_flag=True, help="Send one request again and again."),
    click.option(
        "--distinct",
        type=click.IntRange(1),
        metavar="N",
        help=f"How many different requests there are.  [default: {DISTINCT_REQUESTS}; all of a "
        "file; 10000 with --popularity]",
    ),
    click.option(
        "--popularity",
        metavar="HOW",
        help="How often each of them comes: in-turn, uniform, zipf:1.0, or hot:0.9/0.1 for 90 % "
        "of the traffic to 10 % of them. The first are the most popular.  [default: in-turn]",
    ),
    click.option(
        "--mix",
        metavar="MODEL=SHARE,...",
        help="Several models in one load: embed=3,rerank=1. What is for one of them alone has "
        "its name before: --shape rerank::ids:64.",
    ),
    click.option(
        "--expect",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        help="An .npz of expected outputs, row by row as the file of --input-data.",
    ),
    click.option(
        "--rtol",
        multiple=True,
        metavar="[OUTPUT=]N",
        help="How far floats may be from what is expected, relatively.  "
        "[default: 1e-4; 1e-2 of FP16 and BF16]",
    ),
    click.option(
        "--atol",
        multiple=True,
        metavar="[OUTPUT=]N",
        help="Likewise absolutely; both together count.  [default: 1e-5; 1e-3]",
    ),
    click.option(
        "--check/--no-check",
        default=True,
        show_default=True,
        help="Compare answers with what files expect of them.",
    ),
)
_NAMES = (
    "data", "shapes", "integers", "values", "texts", "scaling", "identical", "distinct",
    "popularity", "mix", "expect", "rtol", "atol", "check",
)  # fmt: skip


def _choice(
    *,
    data: Sequence[str],
    shapes: Sequence[str],
    integers: Sequence[str],
    values: Sequence[str],
    texts: Sequence[str],
    scaling: Any,
    identical: bool,
    distinct: int | None,
    popularity: str | None,
    mix: str | None,
    expect: Path | None,
    rtol: Sequence[str],
    atol: Sequence[str],
    check: bool,
) -> InputChoice:
    if identical and distinct not in (None, 1):
        raise ConfigError(f"--identical is --distinct 1, but got --distinct {distinct} as well.")
    if identical and popularity is not None:
        raise ConfigError("--identical sends one request, of which none can be more popular.")
    shares = parse_mix(mix) if mix is not None else {}
    by_model: dict[str, list[list[str]]] = {model: [[], [], [], [], []] for model in ("", *shares)}
    for kind, given in enumerate((data, shapes, integers, values, texts)):
        for text in given:
            model, rest = _owner(text, shares)
            by_model[model][kind].append(rest)
    made = {model: _inputs(*given, of=model) for model, given in by_model.items() if any(given)}
    every = made.pop("", ModelInputs())
    if expect is not None and not every.sources:
        raise ConfigError(
            "--expect goes with --input-data FILE: its rows are the answers to those of the file."
        )
    tolerances = Tolerances(rtol=_numbers("--rtol", rtol), atol=_numbers("--atol", atol))
    choice = InputChoice(
        inputs=ModelInputs(
            sources=every.sources,
            shapes=every.shapes,
            values=every.values,
            texts=every.texts,
            integers=every.integers,
            zero=every.zero,
            scaling=scaling,
            expected=expect,
            tolerances=tolerances,
            checked=check,
        ),
        by_model=made,
        distinct=1 if identical else distinct,
        popularity=parse_popularity(popularity) if popularity is not None else None,
        shares=shares,
    )
    if not check and (expect or rtol or atol):
        raise ConfigError("--no-check leaves answers alone: leave out --expect, --rtol and --atol.")
    return choice


def _owner(text: str, shares: Mapping[str, float]) -> tuple[str, str]:
    """The model of the mix that an option is for, empty for all, and the rest of it."""
    model, separator, rest = text.partition(_OF)
    return (model, rest) if separator and model in shares else ("", text)


def _inputs(
    data: Sequence[str],
    shapes: Sequence[str],
    integers: Sequence[str],
    values: Sequence[str],
    texts: Sequence[str],
    *,
    of: str,
) -> ModelInputs:
    made = sorted({"random", "zero"} & set(data))
    if len(made) > 1:
        raise ConfigError("--input-data random and --input-data zero exclude each other.")
    if of and made:
        raise ConfigError(
            f"--input-data {made[0]} is for all models of a mix, but got it for {of!r}."
        )
    if made == ["zero"] and integers:
        raise ConfigError("--input-data zero leaves nothing for --integers: leave one out.")
    return ModelInputs(
        sources=tuple(Source.parse(text) for text in data if text not in ("random", "zero")),
        shapes=_once("--shape", map(parse_shape, shapes)),
        values=_once("--input", map(parse_named_value, values)),
        texts=tuple(text for given in texts for text in parse_texts(given)),
        integers=_once("--integers", map(parse_integers, integers)),
        zero=made == ["zero"],
    )


def _once(option: str, pairs: Any) -> dict[str, Any]:
    """By name, each of which may be given once."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ConfigError(f"{option} is given twice for input {name!r}: leave one out.")
        found[name] = value
    return found


def _numbers(option: str, given: Sequence[str]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise ConfigError(
                f"{option} is a number or OUTPUT=NUMBER, but got {text!r}."
            ) from error
        if not 0 <= number < float("inf"):
            raise ConfigError(f"{option} must be finite and not negative, but got {text!r}.")
        if name in numbers:
            raise ConfigError(f"{option} is given twice for {name or 'all outputs'}.")
        numbers[name] = number
    return numbers
