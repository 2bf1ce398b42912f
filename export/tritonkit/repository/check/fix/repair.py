"""Which findings have one right answer, and which answer that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.fix.ensembles import ENSEMBLES
from tritonkit.repository.check.fix.fix import Fix
from tritonkit.repository.check.fix.settings import SETTINGS
from tritonkit.repository.check.pair import Pair, shapes_compared
from tritonkit.repository.text.edit import Edit, Remove, SetValue
from tritonkit.repository.text.strings import quoted

if TYPE_CHECKING:
    from tritonkit.repository.check.finding import Found
    from tritonkit.repository.check.subject import Subject

__all__ = ["REPAIRED", "repair"]


def repair(rule_id: str, model: Subject, found: Found) -> Fix | None:
    """
    The repair of what a rule found; None where there is none, or more than one.

    Args:
        rule_id: The rule, such as "TK049".
        model: The model that it was found in.
        found: What was found.
    """
    if rule_id in _FOLDERS:
        return _version_folder(model)
    edits: tuple[Edit | None, ...] = ()
    if rule_id in _NAMES:
        edits = _named(model, found)
    elif rule_id in _EDITS:
        edits = (_EDITS[rule_id](model, found),)
    certain = tuple(edit for edit in edits if edit is not None)
    document = model.document
    if not certain or document is None or document.config is None:
        return None
    return Fix(model.config_path, certain, repository=_repository(model))


def _data_type(model: Subject, found: Found) -> Edit | None:
    pair = _pair(model, found)
    return None if pair is None else _type_of(pair)


def _type_of(pair: Pair) -> Edit | None:
    """The graph's data type, where Triton takes it."""
    wanted = pair.tensor.data_type
    if wanted is None or wanted == data_type_name(pair.entry.io.data_type):
        return None
    return SetValue((*pair.entry.path, "data_type"), wanted)


def _dims(model: Subject, found: Found) -> Edit | None:
    pair = _pair(model, found)
    return None if pair is None else _dims_of(model, pair)


def _dims_of(model: Subject, pair: Pair) -> Edit | None:
    """The graph's dims; sizes of an input that are narrower than the graph's stay."""
    entry, tensor = pair
    own = tensor.shape
    if own is None or entry.io.HasField("reshape"):
        return None
    batches = model.config.max_batch_size > 0
    if batches and not tensor.variable_first_axis:
        return None
    if batches != (model.given.max_batch_size > 0):
        # Triton chooses max_batch_size, so that writing one is an answer too.
        return None
    if batches:
        own = own[1:]
    have = tuple(entry.io.dims)
    if not batches and have and (-1, *have) == own and model.graph and model.graph.batchable:
        # A max_batch_size over 0 is an answer too.
        return None
    if len(have) == len(own) and entry.side == "input":
        own = tuple(
            size if want == -1 and size > 0 else want for size, want in zip(have, own, strict=True)
        )
    # A scalar has no axes, which dims cannot say.
    own = own or (1,)
    return (
        None if own == have else SetValue((*entry.path, "dims"), f"[ {', '.join(map(str, own))} ]")
    )


def _named(model: Subject, found: Found) -> tuple[Edit | None, ...]:
    """
    The name of the only tensor of the graph that is meant, and that tensor's type and dims.

    It is the one that differs in case alone, or the only one that is not given.
    """
    graph, side = model.graph, str(found.path[0])
    if graph is None or not _is_given(model, found) or _is_named_elsewhere(model, found.tensor):
        return ()
    tensors = (*graph.inputs, *graph.overridable) if side == "input" else graph.outputs
    entries = [entry for entry in model.entries if entry.side == side]
    taken = {entry.name for entry in entries} | _filled_by_triton(model)
    left = [tensor for tensor in tensors if tensor.name not in taken]
    known = {tensor.name for tensor in tensors}
    wrong = [entry for entry in entries if entry.name not in known]
    folded = found.tensor.casefold()
    meant = [tensor for tensor in left if tensor.name.casefold() == folded]
    rivals = [entry for entry in wrong if entry.name.casefold() == folded]
    if not meant:
        meant, rivals = left, wrong
    if len(meant) != 1 or len(rivals) != 1:
        return ()
    pair = Pair(rivals[0], meant[0])
    compared = any(shapes_compared([pair], model.config))
    return (
        SetValue(found.path, quoted(meant[0].name)),
        _type_of(pair),
        _dims_of(model, pair) if compared else None,
    )


def _filled_by_triton(model: Subject) -> set[str]:
    """Names of the graph's tensors that no input or output of the configuration stands for."""
    config = model.given
    batching = config.sequence_batching
    return {
        *(control.name for control in batching.control_input),
        *(state.input_name for state in batching.state),
        *(state.output_name for state in batching.state),
        *(target for batch in config.batch_input for target in batch.target_name),
    }


def _is_named_elsewhere(model: Subject, name: str) -> bool:
    """Whether anything but the tensor itself goes by its name, which would then be wrong."""
    config = model.given
    inside = (
        *(key for warmup in config.model_warmup for key in warmup.inputs),
        *(source for batch in config.batch_input for source in batch.source_input),
        *(source for batch in config.batch_output for source in batch.source_input),
        *(target for batch in config.batch_output for target in batch.target_name),
        *_filled_by_triton(model),
    )
    if name in inside:
        return True
    for other in model.neighbours:
        for step in other.given.ensemble_scheduling.step:
            if step.model_name == model.name and (
                name in step.input_map or name in step.output_map
            ):
                return True
    return False


def _without_size(model: Subject, found: Found) -> Edit | None:
    """A preferred size above a maximum that is given is dropped."""
    largest, index = model.given.max_batch_size, found.path[-1]
    path = found.path[:-1]
    sizes = (
        model.given.dynamic_batching.preferred_batch_size
        if path[0] == "dynamic_batching"
        else model.given.sequence_batching.oldest.preferred_batch_size
    )
    if not isinstance(index, int) or largest < 1 or sizes[index] <= largest:
        return None
    return Remove(found.path)


def _version_folder(model: Subject) -> Fix | None:
    if model.directory is None:
        return None
    wanted = model.given.version_policy.specific.versions
    version = min((each for each in wanted if each > 0), default=1)
    return Fix(
        model.config_path,
        folder=model.directory.version_path(version),
        repository=_repository(model),
    )


def _pair(model: Subject, found: Found) -> Pair | None:
    if not _is_given(model, found):
        return None
    return next((pair for pair in model.pairs if pair.entry.path == found.path[:2]), None)


def _is_given(model: Subject, found: Found) -> bool:
    """Whether the tensor stands in the file, and was not filled in."""
    if len(found.path) < 2 or found.path[0] not in ("input", "output"):
        return False
    position = found.path[1]
    return isinstance(position, int) and position < len(getattr(model.given, str(found.path[0])))


def _repository(model: Subject) -> Path | None:
    return model.directory.path.parent if model.directory is not None else None


_EDITS: Mapping[str, Callable[[Subject, Found], Edit | None]] = MappingProxyType(
    {
        "TK019": _data_type,
        "TK020": _dims,
        "TK032": _dims,
        "TK041": _dims,
        "TK042": _dims,
        "TK043": _dims,
        "TK044": _dims,
        "TK049": _data_type,
        "TK050": _dims,
        "TK066": _without_size,
        "TK088": _without_size,
        **SETTINGS,
        **ENSEMBLES,
    }
)
_NAMES = frozenset({"TK046", "TK047"})
_FOLDERS = frozenset({"TK006"})

REPAIRED = frozenset({*_EDITS, *_NAMES, *_FOLDERS})
"""The rules whose findings may have a repair."""
