"""
What `kubectl kustomize` makes of docker/k8s, without kubectl: the part of it that is used there.

schemas.py lets kustomizations have nothing else. Names of generated maps lack their digest.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

__all__ = ["built"]

# Lists whose items are told apart by a key; others are replaced.
_KEYS = {"containers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath"}


def built(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization."""
    (document,) = _read(folder / "kustomization.yaml")
    objects: list[dict[str, Any]] = []
    for name in document.get("resources", ()):
        path = folder / name
        objects += built(path) if path.is_dir() else _read(path)
    for name in document.get("components", ()):
        (component,) = _read(folder / name / "kustomization.yaml")
        for file in component["resources"]:
            objects += _read(folder / name / file)
        objects = _patched(objects, component, folder / name)
    for made in document.get("configMapGenerator", ()):
        data = {file: (folder / file).read_text() for file in made["files"]}
        name = {"name": made["name"]}
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data})
    objects = _patched(objects, document, folder)
    for each in objects:
        metadata = each["metadata"]
        if "namespace" in document and each["kind"] != "Namespace":
            metadata["namespace"] = document["namespace"]
        for label in document.get("labels", ()):
            metadata["labels"] = {**metadata.get("labels", {}), **label["pairs"]}
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("containers", ()):
            container["image"] = _image(container["image"], document.get("images", ()))
    return objects


def _read(path: Path) -> list[dict[str, Any]]:
    """Anchors are resolved: what is changed in one place stays in the other."""
    every = yaml.load_all(path.read_text(), yaml.CSafeLoader)
    return [deepcopy(each) for each in every if each is not None]


def _image(image: str, images: Any) -> str:
    name, _, tag = image.partition(":")
    for each in images:
        if each["name"] == name:
            return f"{each.get('newName', name)}:{each.get('newTag', tag)}"
    return image


def _patched(
    objects: list[dict[str, Any]], document: dict[str, Any], folder: Path
) -> list[dict[str, Any]]:
    patches = [
        patch
        for each in document.get("patches", ())
        for patch in (
            _read(folder / each["path"]) if "path" in each else [yaml.safe_load(each["patch"])]
        )
    ]
    for patch in patches:
        key = _key(patch)
        assert key in map(_key, objects), f"{folder}: nothing to patch: {key}"
        if patch.get("$patch") == "delete":
            objects = [each for each in objects if _key(each) != key]
        else:
            objects = [_merged(each, patch) if _key(each) == key else each for each in objects]
    return objects


def _key(each: dict[str, Any]) -> tuple[str, str, str]:
    return each["apiVersion"], each["kind"], each["metadata"]["name"]


def _merged(base: Any, patch: Any, name: str = "") -> Any:
    """As a strategic merge does it."""
    if isinstance(base, dict) and isinstance(patch, dict):
        found = {**base, **{key: _merged(base.get(key), patch[key], key) for key in patch}}
        return {key: value for key, value in found.items() if value is not None}
    if name in _KEYS and isinstance(base, list):
        by = _KEYS[name]
        theirs = {each[by]: each for each in patch}
        ours = [_merged(each, theirs.pop(each[by], {})) for each in base]
        return [*ours, *theirs.values()]
    return deepcopy(patch)
