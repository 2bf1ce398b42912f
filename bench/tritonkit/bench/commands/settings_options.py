"""The options that say which settings of the server a command changes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from tritonkit.bench.sweep.fields import SET
from tritonkit.bench.sweep.settings import MODEL
from tritonkit.errors import ConfigError

__all__ = ["SettingsChoice", "settings_options"]

_OPTIONS = {
    "dynamic_batching": "Whether the server joins requests: off,on.",
    "max_batch_size": "Most rows of one execution: 8,16.",
    "preferred_batch_size": "Batch sizes that run without waiting: none,8,4+8.",
    "max_queue_delay": "How long a request waits for others, the batch window: 0,500us,1ms.",
    "instances": "Copies of the model on each device: 1,2.",
    "threads": "Threads of each instance of an onnxruntime model: 1,2.",
}


@dataclass(frozen=True, slots=True)
class SettingsChoice:
    """
    What the options of one command say.

    Args:
        values: Texts of each setting, by its name.
        models: Other models of the same signature.
        on: The part of an ensemble that is changed; empty for the one that batches.
        control_url: The server's HTTP port; None where the target's own is one.
    """

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    on: str = ""
    control_url: str | None = None


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options; it gets them as `settings`, a SettingsChoice."""

    @functools.wraps(command)
    def chosen(
        *args: Any,
        variants: Sequence[str],
        fields: Sequence[str],
        on: str,
        control_url: str | None,
        **kwargs: Any,
    ) -> Any:
        model = kwargs["target"].blueprint.model
        given = {name: kwargs.pop(name) for name in _OPTIONS}
        return command(
            *args,
            settings=choose(model, given, variants, fields, on=on, control_url=control_url),
            **kwargs,
        )

    options = [
        *(
            click.option(f"--{name.replace('_', '-')}", name, metavar="VALUES", help=words)
            for name, words in _OPTIONS.items()
        ),
        click.option(
            "--set",
            "fields",
            multiple=True,
            metavar="PATH=VALUES",
            help="Any other field of the configuration: parameters.NAME=0,1 or "
            "optimization.graph.level=0,1.",
        ),
        click.option(
            "--variant",
            "variants",
            multiple=True,
            metavar="MODELS",
            help="Other models that take the same, measured as well: embed_int8.",
        ),
        click.option(
            "--on",
            default="",
            metavar="NAME",
            help="The model of an ensemble that is changed.  [default: the one that batches]",
        ),
        click.option(
            "--control-url",
            metavar="URL",
            help="The server's HTTP port, which loads models.  [default: the --url]",
        ),
    ]
    for option in reversed(options):
        chosen = option(chosen)
    return chosen


def choose(
    model: str,
    given: dict[str, str | None],
    variants: Sequence[str] = (),
    fields: Sequence[str] = (),
    *,
    on: str = "",
    control_url: str | None = None,
) -> SettingsChoice:
    """
    What the options mean together.

    Raises:
        ConfigError: If one is wrong.
    """
    values = {
        name: _values(f"--{name.replace('_', '-')}", text)
        for name, text in given.items()
        if text is not None
    }
    for text in fields:
        path, equals, rest = text.partition("=")
        name = f"{SET}{path.strip()}"
        if not equals:
            raise ConfigError(
                f"--set is PATH=VALUES, such as parameters.NAME=0,1, but got {text!r}."
            )
        if name in values:
            raise ConfigError(f"--set names {path} twice; give all its values at once.")
        values[name] = _values(f"--set {path}", rest)
    models = tuple(name for text in variants for name in _values("--variant", text))
    if models:
        values[MODEL] = tuple(dict.fromkeys([model, *models]))
    return SettingsChoice(values, models, on, control_url)


def _values(option: str, text: str) -> tuple[str, ...]:
    values = tuple(part.strip() for part in text.split(","))
    if not all(values):
        raise ConfigError(f"{option} takes values with commas between them, but got {text!r}.")
    return values
