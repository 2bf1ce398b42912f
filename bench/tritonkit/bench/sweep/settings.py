"""
The settings of a served model that a sweep changes, each a function of its configuration.

A configuration is what `GET v2/models/NAME/config` answers. A setting is a name and
a text, as the command line has them: {"max_queue_delay": "500us"}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from tritonkit.bench.sweep.fields import SET, field_path, set_field
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["KNOBS", "MODEL", "Config", "Knob", "canonical", "configured"]

Config: TypeAlias = dict[str, Any]
"""A model configuration in JSON's types, with the field names of the proto."""

MODEL = "model"
"""Names another model of the same signature; changes which model is asked, no configuration."""

_THREADS = "intra_op_thread_count"


@dataclass(frozen=True, slots=True)
class Knob:
    """
    A setting that has a name.

    Args:
        read: From the text to the text that equal settings share.
        change: Changes a configuration; takes what `read` returned.
        words: What it is, for help.
    """

    read: Callable[[str], str]
    change: Callable[[Config, str], None]
    words: str


def canonical(name: str, text: str) -> str:
    """
    The text that equal values of a setting share: "0.5ms" is "500us".

    Raises:
        ConfigError: If there is no such setting, or *text* is none of its values.
    """
    if name == MODEL:
        return text.strip()
    if name.startswith(SET):
        field_path(name)
        return text.strip()
    if name not in KNOBS:
        raise ConfigError(
            f"there is no setting {name!r}; there are {', '.join(KNOBS)}, "
            f"and {SET}PATH for any other field, such as {SET}optimization.graph.level."
        )
    return KNOBS[name].read(text.strip())


def configured(config: Mapping[str, Any], settings: Mapping[str, str]) -> Config:
    """
    A configuration with settings changed; the given one stays as it is.

    Args:
        config: Of one model that is no ensemble, as the server completed it.
        settings: Texts by name. `model` is passed over.

    Raises:
        ConfigError: If a setting has no meaning for this model, or two contradict
            each other; the message says what would be right.
    """
    changed = deepcopy(dict(config))
    texts = {name: canonical(name, text) for name, text in settings.items() if name != MODEL}
    if changed.get("platform") == "ensemble" and texts:
        raise ConfigError(
            f"model {_name(config)!r} is an ensemble; {', '.join(texts)} must be changed on one of "
            "the models that it is composed of."
        )
    for name in (name for name in texts if name.startswith(SET)):
        set_field(changed, name, texts[name])
    # In the order of the table: the batch size before what must fit into it.
    for name in (name for name in KNOBS if name in texts):
        KNOBS[name].change(changed, texts[name])
    _check(config, changed, texts)
    return changed


# What texts mean.


def _read_delay(text: str) -> str:
    seconds = 0.0 if text == "0" else parse_duration(text, name="max_queue_delay")
    delay_us = round(seconds * 1e6)
    if abs(seconds * 1e6 - delay_us) > 1e-4:
        raise ConfigError(f"max_queue_delay must be whole microseconds, but got {text!r}.")
    for unit, size in (("s", 10**6), ("ms", 10**3)):
        if delay_us >= size:
            whole, rest = divmod(delay_us, size)
            fraction = f"{rest / size:.6f}"[1:].rstrip("0").rstrip(".")
            return f"{whole}{fraction}{unit}"
    return f"{delay_us}us"


def _read_count(name: str, least: int, why: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise ConfigError(f"{name} must be a whole number from {least} on{why}, got {text!r}.")
        return str(int(text))

    return read


def _read_sizes(text: str) -> str:
    if text == "none":
        return text
    sizes = [part.strip() for part in text.split("+")]
    if not all(size.isascii() and size.isdigit() and int(size) for size in sizes):
        raise ConfigError(
            "preferred_batch_size must be whole numbers from 1 on, joined by +, such as 8 or 4+8, "
            f"or none, but got {text!r}."
        )
    return "+".join(str(size) for size in sorted({int(size) for size in sizes}))


def _read_switch(text: str) -> str:
    if text not in ("on", "off"):
        raise ConfigError(f"dynamic_batching must be on or off, but got {text!r}.")
    return text


# What they change.


def _change_batching(config: Config, text: str) -> None:
    if text == "off":
        config.pop("dynamic_batching", None)
    else:
        _batcher(config, "dynamic_batching")


def _change_max_batch_size(config: Config, text: str) -> None:
    _batches(config, "max_batch_size")
    before, config["max_batch_size"] = config["max_batch_size"], int(text)
    batcher = config.get("dynamic_batching")
    # What the server completed from the old maximum; it would complete the new one alike.
    if batcher is not None and batcher.get("preferred_batch_size") == [before]:
        batcher["preferred_batch_size"] = [int(text)]


def _change_preferred(config: Config, text: str) -> None:
    sizes = [] if text == "none" else [int(size) for size in text.split("+")]
    _batcher(config, "preferred_batch_size")["preferred_batch_size"] = sizes


def _change_delay(config: Config, text: str) -> None:
    delay_us = round(parse_duration(text) * 1e6)
    _batcher(config, "max_queue_delay")["max_queue_delay_microseconds"] = delay_us


def _change_instances(config: Config, text: str) -> None:
    groups = config.setdefault("instance_group", [{"kind": "KIND_AUTO"}])
    if len(groups) > 1:
        raise ConfigError(
            f"model {_name(config)!r} has {len(groups)} instance groups; say which one's count: "
            f"{SET}instance_group.0.count."
        )
    groups[0]["count"] = int(text)


def _change_threads(config: Config, text: str) -> None:
    backend = config.get("backend") or config.get("platform", "")
    if backend not in ("onnxruntime", "onnxruntime_onnx"):
        raise ConfigError(
            f"threads is {_THREADS} of the onnxruntime backend, but model {_name(config)!r} has "
            f"backend {backend!r}; name its own parameter: {SET}parameters.NAME."
        )
    config.setdefault("parameters", {})[_THREADS] = {"string_value": text}


KNOBS: Mapping[str, Knob] = {
    "dynamic_batching": Knob(
        _read_switch, _change_batching, "Whether the server joins requests: on, off."
    ),
    "max_batch_size": Knob(
        _read_count("max_batch_size", 1, " (0 would change the shape of the model's inputs)"),
        _change_max_batch_size,
        "Most rows of one execution.",
    ),
    "preferred_batch_size": Knob(
        _read_sizes, _change_preferred, "Batch sizes that are run without waiting: 8, 4+8, none."
    ),
    "max_queue_delay": Knob(
        _read_delay, _change_delay, "How long a request waits for others, the batch window."
    ),
    "instances": Knob(
        _read_count("instances", 1, ""), _change_instances, "Copies of the model, on each device."
    ),
    "threads": Knob(
        _read_count("threads", 0, " (0 lets the backend choose)"),
        _change_threads,
        "Threads of each instance of an onnxruntime model.",
    ),
}
"""By name, in the order in which they are applied."""


def _batches(config: Config, setting: str) -> None:
    if not config.get("max_batch_size"):
        raise ConfigError(
            f"{setting} has no meaning for model {_name(config)!r}: its max_batch_size is 0, "
            "so the first dimension of its inputs is not the batch."
        )


def _batcher(config: Config, setting: str) -> Config:
    _batches(config, setting)
    if "sequence_batching" in config:
        raise ConfigError(
            f"{setting} is of the dynamic batcher, but model {_name(config)!r} has the sequence "
            f"batcher; name its own field: {SET}sequence_batching.PATH."
        )
    batcher: Config = config.setdefault("dynamic_batching", {})
    return batcher


def _check(before: Mapping[str, Any], config: Config, texts: Mapping[str, str]) -> None:
    if texts.get("dynamic_batching") == "off":
        idle = [name for name in ("preferred_batch_size", "max_queue_delay") if name in texts]
        if idle:
            raise ConfigError(f"{' and '.join(idle)} has no meaning with dynamic_batching off.")
        config.pop("dynamic_batching", None)
    largest = config.get("max_batch_size", 0)
    preferred = config.get("dynamic_batching", {}).get("preferred_batch_size", [])
    above = [size for size in preferred if size > largest]
    if above and ("preferred_batch_size" in texts or "max_batch_size" in texts):
        own = "" if "preferred_batch_size" in texts else "the model's own "
        raise ConfigError(
            f"{own}preferred_batch_size {'+'.join(map(str, preferred))} is above max_batch_size "
            f"{largest}; it must be at most that."
        )
    _check_fields(before, config)


def _check_fields(before: Mapping[str, Any], config: Config) -> None:
    # Triton says no more of a wrong field than "failed to poll".
    from google.protobuf import json_format

    from tritonkit.repository.config import ModelConfig

    try:
        json_format.ParseDict(config, ModelConfig())
    except json_format.ParseError as error:
        try:
            json_format.ParseDict(dict(before), ModelConfig())
        except json_format.ParseError:
            # A newer server's own field; what was changed may be right.
            return
        raise ConfigError(f"this is no model configuration any more: {error}") from error


def _name(config: Mapping[str, Any]) -> str:
    return str(config.get("name", ""))
