"""A repository that was drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

from tritonkit.repository import ModelConfig
from tritonkit.repository.config import render_config

__all__ = ["Repository", "Written"]


@dataclass
class Written:
    """One model: its configuration, and its files by path within the directory."""

    name: str
    config: ModelConfig
    files: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    given: bool = True


@dataclass
class Repository:
    """Models to be written under names that begin with a prefix; the last is asked for."""

    models: list[Written]

    def files(self, prefix: str) -> dict[str, bytes | None]:
        """Contents by path; None for a folder."""
        found: dict[str, bytes | None] = {}
        for model in self.models:
            place = f"{prefix}{model.name}"
            found[place] = None
            config = ModelConfig()
            config.CopyFrom(model.config)
            if config.name:
                config.name = f"{prefix}{config.name}"
            for step in config.ensemble_scheduling.step if _ensemble(config) else ():
                step.model_name = f"{prefix}{step.model_name}" if step.model_name else ""
            if model.given:
                found[f"{place}/config.pbtxt"] = render_config(config).encode()
            found |= {f"{place}/{folder}": None for folder in model.folders}
            found |= {f"{place}/{path}": content for path, content in model.files.items()}
        return found

    @property
    def asked(self) -> str:
        """The name of the model to load, without the prefix."""
        return self.models[-1].name

    def __repr__(self) -> str:
        return "\n".join(
            f"--- {path}{'/' if content is None else ''}\n"
            + ((content or b"").decode(errors="replace") if path.endswith(".pbtxt") else "")
            for path, content in self.files("").items()
        )


def _ensemble(config: ModelConfig) -> bool:
    return bool(config.HasField("ensemble_scheduling"))
