"""Models of one name in several repositories of a server."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.subject import Subject

__all__ = ["name_twice"]


@rule(
    "TK014",
    "name-twice",
    Severity.ERROR,
    "Two repositories of the server have a model of one name",
    unparsed=True,
)
def name_twice(model: Subject) -> Iterator[Found]:
    """
    A server that gets several repositories serves a model by its name alone, unless it was
    started with --model-namespacing. Of a name that two of them have it loads neither.
    """
    directories = model.neighbours.directories.get(model.name, ())
    if model.directory is not None and len(directories) > 1:
        places = " and ".join(str(one.path.parent) for one in directories)
        yield Found(
            (),
            message=f"a model {model.name!r} is in {places}.",
            advice="Rename one, or start the server with --model-namespacing=true.",
            triton=f"failed to poll model '{model.name}': not unique across all model repositories",
            value=model.name,
            file=model.directory.path,
        )
