"""What a model is called, and what loads it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from tritonkit.repository.check.backend import CONTAINER, PLATFORMS
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.folder import lone_file
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_there

__all__ = [
    "name_holds_a_path",
    "name_is_not_the_directory",
    "no_backend",
    "platform_is_not_the_backends",
    "unknown_backend",
    "unknown_platform",
    "unknown_runtime",
]


@rule(
    "TK002",
    "name-is-not-the-directory",
    Severity.ERROR,
    "the name is not that of the directory",
)
def name_is_not_the_directory(model: Subject) -> Iterator[Found]:
    """
    A model is called as its directory is. A configuration need not repeat the name; where it
    does, Triton wants the same one, letter by letter.
    """
    if not _holds_a_path(model.given.name):
        yield from _renamed(model)


@rule("TK003", "name-holds-a-path", Severity.ERROR, "the name holds a path")
def name_holds_a_path(model: Subject) -> Iterator[Found]:
    """
    A name is one folder's, so it holds no slash and is not "..". Triton compares it with the
    directory's and refuses it; later releases refuse such a name for itself.
    """
    if _holds_a_path(model.given.name):
        yield from _renamed(model)


def _holds_a_path(name: str) -> bool:
    return "/" in name or "\\" in name or name in (".", "..")


def _renamed(model: Subject) -> Iterator[Found]:
    name = str(model.given.name)
    if model.directory is not None and name and name != model.name:
        yield Found(
            ("name",),
            message=f"the configuration calls the model '{name}', its directory '{model.name}'.",
            advice=f'Write name: "{model.name}" or leave the line out.',
            triton=f"unexpected directory name '{model.name}' for model '{name}', "
            "directory name must equal model name",
            value=name,
        )


@rule("TK008", "no-backend", Severity.ERROR, "nothing tells the backend")
def no_backend(model: Subject) -> Iterator[Found]:
    """
    Triton takes the backend from the configuration, from the platform, or from a file with a
    name that it knows in the first folder of the model: model.onnx, model.py, model.plan,
    model.pt and the like. Without any of them it reads the name as "model.backend".
    """
    if (
        model.completed.error.startswith("Invalid model name: Could not determine backend")
        and not model.is_ensemble
    ):
        file = None
        if model.directory is not None and model.versions:
            file = lone_file(model.directory.version_path(model.versions[0]))
        yield Found(
            (),
            message="neither the configuration nor a file says which backend loads the model.",
            advice='Name it, such as backend: "onnxruntime" or backend: "python".'
            if file is None
            else f"Call {file.name} model{file.suffix}, or name the backend.",
            triton=model.completed.error,
        )


@rule("TK009", "unknown-platform", Severity.ERROR, "the platform is none")
def unknown_platform(model: Subject) -> Iterator[Found]:
    """
    A platform stands for a backend: onnxruntime_onnx, tensorrt_plan, pytorch_libtorch,
    tensorflow_graphdef, tensorflow_savedmodel, or ensemble. For another one Triton finds no
    backend. Newer backends have no platform; name the backend itself.
    """
    platform = str(model.config.platform)
    if platform and platform != "ensemble" and not model.backend and not model.is_ensemble:
        known = sorted({name for names in PLATFORMS.values() for name in names})
        yield Found(
            ("platform",),
            message=f"there is no platform '{platform}'{_near(platform, known)}.",
            advice="Name the backend instead, such as "
            f'backend: "{_meant(platform, CONTAINER) or "onnxruntime"}".',
            triton=f"unexpected platform type '{platform}' for {model.name}",
            value=platform,
        )


@rule(
    "TK010",
    "platform-is-not-the-backends",
    Severity.ERROR,
    "the platform is that of another backend",
)
def platform_is_not_the_backends(model: Subject) -> Iterator[Found]:
    """
    onnxruntime, tensorrt, pytorch and tensorflow have platforms of their own, and Triton
    refuses another beside them. With other backends it does not look at the platform.
    """
    platforms = PLATFORMS.get(model.backend)
    platform = str(model.config.platform)
    if platforms and platform not in platforms and not model.is_ensemble:
        written = f"platform '{platform}'" if platform else "no platform"
        yield Found(
            ("platform",) if model.given.platform else ("backend",),
            message=f"{written} stands beside backend '{model.backend}'.",
            advice="Leave platform out: the backend is enough."
            if model.backend != "tensorflow"
            else f"Write a platform of {' or '.join(platforms)}.",
            triton=f"unexpected 'platform' and 'backend' pair, got:{platform}, {model.backend}",
            value=platform,
        )


@rule("TK011", "unknown-backend", Severity.ERROR, "the server has no such backend")
def unknown_backend(model: Subject) -> Iterator[Found]:
    """
    A backend is a folder of the server, or a library libtriton_NAME.so in the model's own
    folder. Those of NVIDIA's container are known here; of a server that has others, say so by
    --backend, once for each that it has.
    """
    backend = model.backend
    has = model.target.backends if model.target.backends is not None else CONTAINER
    if backend and not model.given.runtime and backend not in has and not _own(model, backend):
        yield Found(
            ("backend",) if model.given.backend else ("platform",),
            message=f"the server has no backend '{backend}'{_near(backend, has)}.",
            advice="Name one that it has, or tell all that it has: tritonkit check "
            f"{' '.join(f'--backend {name}' for name in (*_told(model), backend))}.",
            triton=f"unable to find backend library for backend '{backend}', "
            "try specifying runtime on the model configuration.",
            value=backend,
        )


@rule("TK012", "unknown-runtime", Severity.ERROR, "the runtime names no library")
def unknown_runtime(model: Subject) -> Iterator[Found]:
    """
    Runtime names the file of the backend: libtriton_NAME.so, or model.py of a backend that is
    written in Python. Triton looks for it in the version folder, the model's folder and the
    backend's. Few models need it.
    """
    runtime, backend = str(model.given.runtime), model.backend
    if model.directory is None or not runtime or backend not in CONTAINER:
        return
    usual = {f"libtriton_{backend}.so"} | ({"model.py"} if backend != "python" else set())
    folders = [*(model.directory.version_path(version) for version in model.served)]
    folders.append(model.directory.path)
    if runtime in usual or any(is_there(folder / runtime) for folder in folders):
        return
    based = "Python backend based " if runtime == "model.py" else ""
    yield Found(
        ("runtime",),
        message=f"backend '{backend}' has no library '{runtime}'.",
        advice=f"Leave runtime out; it would be libtriton_{backend}.so.",
        triton=f"unable to find {based}backend library '{runtime}' for model '{model.name}', "
        "searched:",
        value=runtime,
    )


def _told(model: Subject) -> list[str]:
    """The backends to repeat, since those that are told stand for all."""
    return sorted(("onnxruntime", "python") if (given := model.target.backends) is None else given)


def _own(model: Subject, backend: str) -> bool:
    """Whether the model brings the backend's library."""
    if model.directory is None:
        return False
    library = f"libtriton_{backend}.so"
    folders = [model.directory.path, *map(model.directory.version_path, model.served)]
    return any(is_there(folder / library) for folder in folders)


def _meant(name: str, known: frozenset[str] | list[str]) -> str:
    found = get_close_matches(name, sorted(known), 1)
    return found[0] if found else ""


def _near(name: str, known: frozenset[str] | list[str]) -> str:
    meant = _meant(name, known)
    return f"; did you mean '{meant}'?" if meant else ""
