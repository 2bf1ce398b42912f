"""A transformer by torch: what a source's own library makes of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tritonkit.export.sources.texts.text import TextSource
from tritonkit.extras import require

__all__ = ["encode_with_torch"]

_BATCH = 16


def encode_with_torch(
    source: TextSource, model_class: str, texts: Sequence[str]
) -> Iterator[tuple[Any, Any]]:
    """
    Run *source* itself, in single precision, in batches.

    Args:
        source: Whose weights and tokenizer.
        model_class: The class of transformers that loads it, such as "AutoModel".
        texts: What to tokenise.

    Yields:
        The model's outputs and its inputs, torch tensors by name, of one batch.

    Raises:
        SystemExit: If weights are missing, which transformers would draw at random.
    """
    torch = require("torch", extra="export")
    transformers = require("transformers", extra="export")
    tokenizer = transformers.AutoTokenizer.from_pretrained(source.transformer)
    model, found = getattr(transformers, model_class).from_pretrained(
        source.transformer, dtype=torch.float32, use_safetensors=True, output_loading_info=True
    )
    # A pooler's output is not used without a head.
    missing = [k for k in found["missing_keys"] if model_class != "AutoModel" or "pooler" not in k]
    if missing:
        raise SystemExit(f"{source.transformer} has no weights for {', '.join(sorted(missing))}")
    model.eval()
    if source.lower_case:
        texts = [text.lower() for text in texts]
    for start in range(0, len(texts), _BATCH):
        features = tokenizer(
            list(texts[start : start + _BATCH]),
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=source.max_length,
            # Zeros for a single text, which is what a model takes without them.
            return_token_type_ids=False,
            return_tensors="pt",
        )
        with torch.inference_mode():
            yield model(**features), features
