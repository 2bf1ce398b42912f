"""The repairs of ensembles: what their models, or the scheduler, leave one answer for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tritonkit.repository.check.edges import edges_of
from tritonkit.repository.ensemble.edges import End
from tritonkit.repository.ensemble.fit import fitting_dims
from tritonkit.repository.text.edit import Edit, Remove, SetValue

if TYPE_CHECKING:
    from tritonkit.repository.check.finding import Found
    from tritonkit.repository.check.subject import Subject

__all__ = ["ENSEMBLES"]


def _without(model: Subject, found: Found) -> Edit:
    """What no ensemble has is left out."""
    return Remove(found.path)


def _platform(model: Subject, found: Found) -> Edit | None:
    """What has steps is an ensemble, unless something else is named."""
    if model.given.platform or model.given.backend or not model.given.ensemble_scheduling.step:
        return None
    return SetValue(("platform",), '"ensemble"')


def _newest(model: Subject, found: Found) -> Edit | None:
    """A version that is left out is meant to be the newest; one that is named is not guessed."""
    return SetValue(found.path, "-1") if found.value == "0" else None


def _type(model: Subject, found: Found) -> Edit | None:
    """That of the models, where all that take or give the tensor have one."""
    types = {end.data_type for end in _others(model, found)}
    return SetValue(found.path, types.pop()) if len(types) == 1 else None


def _dims(model: Subject, found: Found) -> Edit | None:
    """Those of the models, where all that take or give the tensor have the same."""
    others = _others(model, found)
    if not others:
        return None
    own = edges_of(model).ends[found.tensor][0]
    tensor = getattr(model.given, str(found.path[0]))[found.path[1]]
    if tensor.HasField("reshape"):
        return None
    dims = {fitting_dims(own, end) for end in others}
    if len(dims) != 1:
        return None
    return SetValue(found.path, f"[ {', '.join(map(str, dims.pop()))} ]")


def _rows(model: Subject, found: Found) -> Edit | None:
    """The most that all models take."""
    sizes = [int(config.max_batch_size) for _, _, config in edges_of(model).calls]
    least = min((size for size in sizes if size > 0), default=0)
    return SetValue(found.path, str(least)) if least else None


def _others(model: Subject, found: Found) -> tuple[End, ...]:
    """What the models say of a tensor that the ensemble itself has wrong."""
    if found.path[:1] not in (("input",), ("output",)):
        return ()
    return edges_of(model).ends.get(found.tensor, ())[1:]


ENSEMBLES: Mapping[str, Callable[[Subject, Found], Edit | None]] = MappingProxyType(
    {
        "TK104": _without,
        "TK105": _platform,
        "TK106": _without,
        "TK116": _newest,
        "TK121": _type,
        "TK122": _dims,
        "TK123": _rows,
        "TK126": _without,
        "TK181": _dims,
        "TK183": _without,
    }
)
"""The edit of a finding, by its rule."""
