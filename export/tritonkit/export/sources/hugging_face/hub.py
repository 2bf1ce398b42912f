"""Models of the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["Snapshot", "commit_note", "fetch_snapshot", "is_hub_id"]

_ID = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")
# Nothing that can run code: no pickles, no Python.
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
# Weights in other formats and in parts of their own.
_OTHER_FILES = ("onnx/*", "openvino/*", "coreml/*", "*.msgpack")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    One commit of a model, on this machine.

    Args:
        folder: Its files.
        revision: The commit, 40 hex digits.
    """

    folder: Path
    revision: str


def is_hub_id(text: str) -> bool:
    """Whether *text* has the form of a hub id, "owner/name"."""
    return _ID.fullmatch(text) is not None


def commit_note(revision: str) -> tuple[str, ...]:
    """What a card says of *revision*; nothing where it is empty."""
    return (f"commit {revision} of the hub",) if revision else ()


def fetch_snapshot(hub_id: str) -> Snapshot:
    """
    Download a model, or find it in the cache.

    Args:
        hub_id: Its id; HF_HUB_OFFLINE, HF_HUB_CACHE and HF_TOKEN count as everywhere.

    Raises:
        ConfigError: If the hub does not have it or cannot be reached, and the cache has
            no copy.
        MissingExtra: If huggingface_hub is not installed.
    """
    hub = require("huggingface_hub", extra="export")
    errors = require("huggingface_hub.errors", extra="export")
    tried = f"{hub_id!r} is no folder here; as a model of the Hugging Face hub it "
    try:
        folder = hub.snapshot_download(
            hub_id, allow_patterns=list(_FILES), ignore_patterns=list(_OTHER_FILES)
        )
    except errors.GatedRepoError as error:
        raise ConfigError(
            f"{tried}is behind a gate: accept its terms on its page and set HF_TOKEN."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise ConfigError(
            f"{tried}is not in the cache, and the hub cannot be asked (offline, or "
            "HF_HUB_OFFLINE is set)."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ConfigError(
            f"{tried}does not exist, or is private: check the name, or set HF_TOKEN."
        ) from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        raise ConfigError(f"{tried}cannot be had: {str(error).splitlines()[0]}.") from error
    # The cache names the folder of a snapshot after its commit.
    return Snapshot(Path(folder), Path(folder).name)
