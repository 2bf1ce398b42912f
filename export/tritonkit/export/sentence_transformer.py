"""The whole way: from a sentence-transformers folder to models that Triton serves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tritonkit.errors import ExportError
from tritonkit.export.card import CARD_JSON, CARD_MARKDOWN, Card
from tritonkit.export.convert import convert
from tritonkit.export.embedder import Embedder
from tritonkit.export.origin import sign
from tritonkit.export.plan import PRECISIONS, Plan, make_plan
from tritonkit.export.pooling import append_pooling
from tritonkit.export.quantise import quantise_int8
from tritonkit.export.samples import SENTENCES, TEXTS
from tritonkit.export.serving import (
    encoder_model,
    ensemble_model,
    ensemble_name,
    tokenizer_model,
)
from tritonkit.export.standing import check_replaceable, check_shared_tokenizer, standing_card
from tritonkit.export.verify import Agreement, measure_agreement, measure_throughput
from tritonkit.extras import require
from tritonkit.machine import Machine, package_versions
from tritonkit.repository import Model, write_models

__all__ = ["Export", "export_sentence_transformer"]

# Below these a conversion is broken, not merely less exact.
_LEAST_COSINE_MEAN = {"fp32": 0.9999, "int8": 0.95}
_PACKAGES = ("tritonkit", "onnx", "onnxruntime", "optimum", "optimum-onnx", "tokenizers", "torch")


@dataclass(frozen=True, slots=True)
class Export:
    """
    What an export did.

    Args:
        cards: The card of each precision, in the order asked for.
        written: False where everything was up to date.
    """

    cards: tuple[Card, ...]
    written: bool


@dataclass(frozen=True, slots=True)
class _Graph:
    file: Path
    agreement: Agreement
    texts_per_second: float = 0.0


def export_sentence_transformer(
    source: Path,
    repository: Path,
    *,
    name: str,
    precisions: Sequence[str] = PRECISIONS,
    max_batch_size: int = 64,
    threads: int = 0,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Export:
    """
    Write a sentence-transformers model into a model repository.

    Clients call the ensemble: *name* in fp32, NAME_int8 in int8. It takes `text`,
    TYPE_STRING of shape (rows, 1), and answers `embedding`, TYPE_FP32 of shape
    (rows, dimension). Behind it stand NAME_tokenizer, shared, and NAME_encoder
    or NAME_int8_encoder.

    Args:
        source: A local folder as `SentenceTransformer.save` writes it.
        repository: Made if it does not exist; models of other names are left alone.
        name: What clients call.
        precisions: Out of "fp32" and "int8".
        max_batch_size: Most rows that one run of a model takes.
        threads: Threads of one run of an encoder; 0 leaves it to the server, which takes
            every core, as one instance does best.
        force: Write even if everything is up to date, and replace models that
            export did not write, that have another source, or whose
            configuration was edited since.
        progress: Told each step before it starts.

    Raises:
        ConfigError: If an argument is wrong or the source is one that export cannot convert.
        MissingExtra: If the export extra is not installed.
        ExportError: If the conversion fails, or its embeddings are not the source's.
        RepositoryError: If the repository cannot be written. In each case it is
            as it was before.
    """
    plan = make_plan(
        source,
        repository,
        name=name,
        precisions=precisions,
        max_batch_size=max_batch_size,
        threads=threads,
    )
    if not force:
        standing = [
            standing_card(repository, ensemble_name(name, p), plan.recipe(p))
            for p in plan.precisions
        ]
        cards = tuple(card for card in standing if card is not None)
        if len(cards) == len(standing):
            return Export(cards, written=False)
        check_replaceable(plan)
    tokenizer = tokenizer_model(name, plan.source, max_batch_size=max_batch_size)
    check_shared_tokenizer(plan, tokenizer)
    with tempfile.TemporaryDirectory(prefix="tritonkit-export-") as scratch:
        graphs = _graphs(plan, Path(scratch), progress)
        models, cards = _served(plan, tokenizer, graphs)
        progress(f"writing {', '.join(model.name for model in models)}")
        write_models(repository, models)
    return Export(cards, written=True)


def _graphs(plan: Plan, scratch: Path, progress: Callable[[str], None]) -> dict[str, _Graph]:
    """Each wanted precision, and fp32, which the others are compared with."""
    onnx = require("onnx", extra="export")
    source = plan.source
    progress("converting to ONNX with optimum, and embedding the test texts with torch")
    encoder, reference = convert(source, scratch, TEXTS)
    encoders = {"fp32": encoder}
    if "int8" in plan.precisions:
        progress("quantising to int8")
        encoders["int8"] = scratch / "int8.onnx"
        quantise_int8(encoder, encoders["int8"])
    graphs, embedders = {}, {}
    for precision, file in encoders.items():
        pooled = append_pooling(
            onnx.load(str(file)),
            source.pooling,
            normalize=source.normalize,
            dimension=source.dimension,
        )
        onnx.save(pooled, str(file))
        progress(f"comparing {precision} with the source over {len(TEXTS)} texts")
        embedders[precision] = Embedder(source, file, threads=plan.threads)
        agreement = measure_agreement(embedders[precision], TEXTS, reference)
        _check_agreement(precision, agreement)
        graphs[precision] = _Graph(file, agreement)
    progress(f"measuring throughput, {len(SENTENCES)} sentences a batch")
    speeds = measure_throughput(embedders, SENTENCES)
    return {p: _Graph(g.file, g.agreement, speeds[p]) for p, g in graphs.items()}


def _check_agreement(precision: str, agreement: Agreement) -> None:
    least = _LEAST_COSINE_MEAN[precision]
    # `not >=` refuses NaN too.
    if not agreement.cosine_mean >= least:
        raise ExportError(
            f"the {precision} graph does not give the source's embeddings: mean cosine "
            f"{agreement.cosine_mean:.4f}, where at least {least} is due. Nothing was written."
        )


def _served(
    plan: Plan, tokenizer: Model, graphs: Mapping[str, _Graph]
) -> tuple[list[Model], tuple[Card, ...]]:
    encoders, ensembles, cards = [], [], []
    for precision in plan.precisions:
        graph = graphs[precision]
        encoder = encoder_model(
            plan.name,
            precision,
            graph.file,
            dimension=plan.source.dimension,
            max_batch_size=plan.max_batch_size,
            batch_invariant=graph.agreement.batch_invariant,
            threads=plan.threads,
        )
        card = _card(plan, precision, graphs, [tokenizer, encoder])
        files = {CARD_JSON: card.to_json().encode(), CARD_MARKDOWN: card.to_markdown().encode()}
        encoders.append(encoder)
        ensembles.append(ensemble_model(plan.name, precision, tokenizer, encoder, files))
        cards.append(card)
    # An ensemble comes after what it calls.
    models = [tokenizer, *encoders, *ensembles]
    for model in models:
        sign(model.config, plan.models()[model.name])
    return models, tuple(cards)


def _card(
    plan: Plan, precision: str, graphs: Mapping[str, _Graph], models: Sequence[Model]
) -> Card:
    graph, base = graphs[precision], graphs["fp32"]
    size_bytes = graph.file.stat().st_size
    return Card(
        model=ensemble_name(plan.name, precision),
        precision=precision,
        source=plan.source.path.name,
        source_digest=plan.source.digest,
        recipe=plan.recipe(precision),
        command=plan.command(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        size_bytes=size_bytes,
        times_smaller=base.file.stat().st_size / size_bytes,
        agreement=graph.agreement,
        texts=len(TEXTS),
        texts_per_second=graph.texts_per_second,
        times_faster=graph.texts_per_second / base.texts_per_second,
        batch_size=len(SENTENCES),
        threads=plan.threads,
        machine=asdict(Machine.here()),
        versions=package_versions(_PACKAGES),
        files={path: size for model in models for path, size in model.file_sizes().items()},
    )
