"""
The training of a student, run as a child process.

    python -m tritonkit.export.tiers.distillation FOLDER

FOLDER holds task.json, train.npz and held_out.npz; done.json is put beside them, and
the student's weights where task.json says.
"""

from __future__ import annotations

import copy
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.child import REPORT
from tritonkit.export.graphs.pooling import PoolingMode
from tritonkit.export.tiers.examples import Examples, batches_of, mean_cosine, padded
from tritonkit.extras import require

__all__ = ["LAYERS", "Distillation", "distil", "with_layers"]

LAYERS = {
    "bert": "encoder",
    "camembert": "encoder",
    "distilbert": "transformer",
    "electra": "encoder",
    "mpnet": "encoder",
    "roberta": "encoder",
    "xlm-roberta": "encoder",
}
"""The module whose `layer` is a list of equal layers, by transformers' model_type."""

_BATCH = 32
# Batches of about one length each are cut out of this many.
_POOL = 50 * _BATCH
_RATE = 2e-4
_WARM_UP = 0.1
# Texts in all: three epochs of a good many, more of a few.
_SEEN = 40_000
_EPOCHS = range(3, 21)
# By then threads and memory have settled, and an epoch's duration can be told.
_TIMED = range(2, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """
    What to train.

    Args:
        teacher: Folder with the teacher's config.json and weights.
        student: Folder to write the student's into.
        layers: Positions of the layers it starts with.
        pooling: How token embeddings become one.
        normalize: Whether embeddings have length 1.
        pad_id: Token id that fills a row up.
        threads: Threads; 0 for every core.
        seconds: What training may take.
    """

    teacher: str
    student: str
    layers: tuple[int, ...]
    pooling: PoolingMode
    normalize: bool
    pad_id: int
    threads: int
    seconds: float


def with_layers(model: Any, layers: tuple[int, ...]) -> Any:
    """*model*, a transformers model, with only these of its layers."""
    torch = require("torch", extra="export")
    stack = getattr(model, LAYERS[model.config.model_type])
    stack.layer = torch.nn.ModuleList([stack.layer[position] for position in layers])
    model.config.num_hidden_layers = len(layers)
    return model


def distil(task: Distillation, train: Examples, held_out: Examples) -> tuple[Any, int]:
    """
    Train a student to give the teacher's embeddings.

    The loss is the squared distance of the two, as a share of the squared length: for
    embeddings of length 1, twice what the cosine lacks to 1. The rate falls linearly
    to 0 by the last step that time allows. The result is the same for the same
    examples and threads, unless time runs out.

    Returns:
        The transformers model that was best on *held_out*, and the epochs it had.
    """
    started = monotonic()
    torch = require("torch", extra="export")
    transformers = require("transformers", extra="export")
    model = transformers.AutoModel.from_pretrained(
        task.teacher, dtype=torch.float32, use_safetensors=True
    )
    # Without dropout: there is a right answer for each text.
    model = with_layers(model, task.layers).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE)
    rows = train.rows
    targets = torch.from_numpy(train.embeddings)
    scale = targets.square().sum(dim=1).mean()
    epochs = min(max(_SEEN // len(train), _EPOCHS.start), _EPOCHS.stop - 1)
    an_epoch = math.ceil(len(train) / _BATCH)
    steps, step, timed = epochs * an_epoch, 0, started
    generator = np.random.default_rng(0)
    best, best_cosine, best_epoch = model, -1.0, 0
    for epoch in range(1, epochs + 1):
        for batch in _batches(train.lengths, generator):
            if step >= steps or monotonic() - started > task.seconds:
                break
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = _RATE * min(step / (_WARM_UP * steps), 1) * (1 - step / (steps + 1))
            embeddings = _embed(model, [rows[position] for position in batch], task)
            loss = (embeddings - targets[batch]).square().sum(dim=1).mean() / scale
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step == _TIMED.start:
                timed = monotonic()
            elif step == _TIMED.stop:
                one = (monotonic() - timed) / len(_TIMED)
                steps = min(steps, step + int((task.seconds - (monotonic() - started)) / one))
        cosine = _judge(model, held_out, task)
        seconds = monotonic() - started
        last = math.ceil(steps / an_epoch)
        report = f"epoch {epoch} of {last}, held-out cosine {cosine:.3f}, {seconds:.0f} s"
        print(f"{REPORT}{report}", flush=True)
        if cosine <= best_cosine:
            break
        best, best_cosine, best_epoch = copy.deepcopy(model), cosine, epoch
        if step >= steps or seconds > task.seconds:
            break
    return best, best_epoch


def _batches(lengths: NDArray[np.int64], generator: np.random.Generator) -> list[Any]:
    """Positions in batches of texts of about one length, so that little is padding."""
    order = generator.permutation(len(lengths))
    batches = [
        batch
        for pool in batches_of(order, _POOL)
        for batch in batches_of(pool[np.argsort(lengths[pool], kind="stable")], _BATCH)
    ]
    return [batches[position] for position in generator.permutation(len(batches))]


def _embed(model: Any, rows: list[NDArray[np.int64]], task: Distillation) -> Any:
    torch = require("torch", extra="export")
    feeds = {name: torch.from_numpy(array) for name, array in padded(rows, task.pad_id).items()}
    tokens = model(**feeds).last_hidden_state
    mask = feeds["attention_mask"].unsqueeze(-1)
    if task.pooling == "cls":
        pooled = tokens[:, 0]
    elif task.pooling == "max":
        pooled = tokens.masked_fill(mask == 0, float("-inf")).max(dim=1).values
    else:
        pooled = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
    return torch.nn.functional.normalize(pooled, dim=1) if task.normalize else pooled


def _judge(model: Any, held_out: Examples, task: Distillation) -> float:
    torch = require("torch", extra="export")
    rows, order = held_out.rows, np.argsort(held_out.lengths, kind="stable")
    with torch.inference_mode():
        found = np.concatenate(
            [
                _embed(model, [rows[position] for position in batch], task).numpy()
                for batch in batches_of(order, _BATCH)
            ]
        )
    return mean_cosine(found, held_out.embeddings[order])


def _main(folder: Path) -> None:
    torch = require("torch", extra="export")
    values = json.loads((folder / "task.json").read_text())
    task = Distillation(**{**values, "layers": tuple(values["layers"])})
    train, held_out = (Examples.load(folder / f"{name}.npz") for name in ("train", "held_out"))
    if task.threads:
        torch.set_num_threads(task.threads)
    # A pooler that the teacher's weights lack is drawn at random.
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    model, epochs = distil(task, train, held_out)
    model.save_pretrained(task.student)
    (folder / "done.json").write_text(json.dumps({"epochs": epochs}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
