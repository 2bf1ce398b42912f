"""Version folders, and which of them are served."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.folder import (
    MODEL_FILES,
    entries,
    is_stray,
    none_available,
)
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.layout import LARGEST_VERSION, is_version_name, version_of
from tritonkit.repository.versions.policy import served_versions

__all__ = [
    "ensemble_without_a_version",
    "no_version",
    "policy_serves_no_version",
    "version_ignored",
    "version_misread",
    "version_not_there",
    "version_too_large",
]


@rule("TK004", "no-version", Severity.ERROR, "there is no version folder", unparsed=True)
def no_version(model: Subject) -> Iterator[Found]:
    """
    The files of a model stand in a folder for each version, called by a number: 1, 2 and so
    on. Triton loads nothing of a model without one.
    """
    if model.directory is None or model.is_ensemble or _versions(model) or is_stray(model):
        return
    if not os.access(model.directory.path, os.R_OK | os.X_OK):
        # What is in it is not known; that it cannot be read is told by itself.
        return
    ignored = [
        name for name in (entry.name for entry in entries(model.directory.path)) if _meant(name)
    ]
    if ignored:
        advice = f"Call it {''.join(filter(str.isdigit, ignored[0])).lstrip('0') or 1}."
        message = f"there is no version folder; '{ignored[0]}' is none."
    else:
        beside = [
            entry.name for entry in entries(model.directory.path) if entry.name in MODEL_FILES
        ]
        advice = f"Make a folder 1 and put {beside[0] if beside else 'the model'} into it."
        message = "there is no version folder."
    yield Found((), message=message, advice=advice, triton=none_available(model))


@rule("TK005", "policy-serves-no-version", Severity.ERROR, "the version policy serves nothing")
def policy_serves_no_version(model: Subject) -> Iterator[Found]:
    """
    A version policy chooses among the version folders: the newest ones, all, or those that it
    names. Where none is left Triton loads nothing of the model. Nor does it with latest {},
    whose num_versions is 0.
    """
    if not _versions(model) or served_versions(model.given, _versions(model)):
        return
    have = ", ".join(map(str, sorted(_versions(model))))
    policy = model.given.version_policy
    if policy.HasField("specific"):
        wanted = ", ".join(map(str, policy.specific.versions)) or "none"
        message = f"the version policy names {wanted}, but there are {have}."
        path: tuple[str | int, ...] = ("version_policy", "specific", "versions", 0)
    else:
        message = f"the version policy serves the newest 0 of the versions {have}."
        path = ("version_policy", "latest", "num_versions")
    yield Found(
        path,
        message=message,
        advice="Leave version_policy out to serve the newest version.",
        triton=none_available(model),
    )


@rule(
    "TK006",
    "ensemble-without-a-version",
    Severity.ERROR,
    "the ensemble has no version folder",
)
def ensemble_without_a_version(model: Subject) -> Iterator[Found]:
    """
    An ensemble has no file of its own, but Triton wants a version folder of it as of any
    model. Git and object stores drop empty folders, so put a file into it, such as .gitkeep.
    """
    if model.directory is not None and model.is_ensemble and not _versions(model):
        yield Found(
            (),
            message="the ensemble has no version folder.",
            advice="Make an empty folder 1 beside config.pbtxt, with a .gitkeep in it for git.",
            triton=none_available(model),
        )


@rule(
    "TK141",
    "version-not-there",
    Severity.WARNING,
    "the version policy names a version that is not there",
)
def version_not_there(model: Subject) -> Iterator[Found]:
    """
    Of the versions that a policy names, Triton serves those whose folder is there. A name
    without a folder is a line in its log and nothing more.
    """
    policy = model.given.version_policy
    if model.directory is None or not model.served:
        return
    for index, version in enumerate(policy.specific.versions):
        if version not in _versions(model):
            yield Found(
                ("version_policy", "specific", "versions", index),
                message=f"the version policy names version {version}, which has no folder.",
                advice=f"Take {version} out, or put its folder in place.",
                triton=f"version {version} is specified for model '{model.name}', "
                "but the version directory is not present",
                value=str(version),
            )


@rule("TK142", "version-ignored", Severity.WARNING, "Triton ignores a folder", unparsed=True)
def version_ignored(model: Subject) -> Iterator[Found]:
    """
    A version folder is called by a number that does not start with 0. Triton ignores others,
    which is well for folders of assets, and ignores a file that is called as a version would
    be. A folder that holds a model's file, or is called like v1 or 01, was meant as a version.
    """
    if model.directory is None:
        return
    for entry in entries(model.directory.path):
        name = entry.name
        if not entry.is_dir():
            if name.isascii() and name.isdecimal():
                yield Found(
                    (),
                    message=f"'{name}' is a file, so it is no version.",
                    advice=f"Make a folder {name} of it, with the model in it.",
                    value=name,
                )
        elif version_of(name) is None and (_meant(name) or _holds_a_model(entry)):
            zero = len(name) > 1 and name.startswith("0")
            why = (
                "contains leading zeros in its directory name"
                if zero
                else "fails to convert to integral number"
            )
            yield Found(
                (),
                message=f"folder '{name}' is no version to Triton, which ignores it.",
                advice="Call a version by its number: 1, 2 and so on.",
                triton=f"ignore version directory '{name}' which {why}",
                value=name,
            )


@rule(
    "TK143",
    "version-too-large",
    Severity.ERROR,
    "a version is too large for the server",
    unparsed=True,
)
def version_too_large(model: Subject) -> Iterator[Found]:
    """
    Triton keeps a version as a number of 64 bits. It does not refuse a folder with a larger
    number: the whole server ends.
    """
    for name in _folders(model):
        version = version_of(name)
        if version is not None and abs(version) > LARGEST_VERSION:
            yield Found(
                (),
                message=f"folder '{name}' is a version that the server cannot count to.",
                advice=f"Take a number up to {LARGEST_VERSION}, or a name that is no number.",
                value=name,
            )


@rule("TK144", "version-misread", Severity.ERROR, "a folder is read as another version")
def version_misread(model: Subject) -> Iterator[Found]:
    """
    Of a folder's name Triton reads the number at its start: 1a, 1.bak and +1 are version 1 to
    it. It then looks for the files in folder 1, where they are not. For -1 it looks in folder
    18446744073709551615.
    """
    if model.is_ensemble:
        return
    versions = _versions(model)
    served = served_versions(model.given, versions)
    for name in _folders(model):
        version = version_of(name)
        if (
            version is not None
            and abs(version) <= LARGEST_VERSION
            and not is_version_name(name)
            and version in served
            and version not in model.versions
        ):
            yield Found(
                (),
                message=f"Triton takes folder '{name}' for version {version}, "
                f"and looks for its files in '{version % 2**64}'.",
                advice=f"Call it {abs(version)}, or by a name that does not begin with a number.",
                value=name,
            )


def _folders(model: Subject) -> list[str]:
    if model.directory is None:
        return []
    return [entry.name for entry in entries(model.directory.path) if entry.is_dir()]


def _versions(model: Subject) -> tuple[int, ...]:
    """What Triton counts as versions, also where the folder is called otherwise."""
    found = {version_of(name) for name in _folders(model)}
    return tuple(sorted(version for version in found if version is not None))


def _meant(name: str) -> bool:
    """Whether a folder that is no version was likely meant to be one."""
    bare = name.lower().removeprefix("version").removeprefix("v").lstrip("_-. ")
    return bool(bare) and bare.replace(".", "").isdecimal() and bare.isascii()


def _holds_a_model(folder: Path) -> bool:
    return any(entry.name in MODEL_FILES for entry in entries(folder))
