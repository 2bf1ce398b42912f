"""A transformers masked language model: text with a gap to what fills it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tritonkit.export.graphs.fill_mask import SCORES, TOKENS, append_fill_mask
from tritonkit.export.samples.samples import Samples
from tritonkit.export.samples.texts import SENTENCES
from tritonkit.export.sources.source import Answers
from tritonkit.export.sources.texts.encoder import encode_with_torch
from tritonkit.export.sources.texts.text import TEXT, TextSource
from tritonkit.export.sources.texts.tokenizer_files import read_tokenizer

__all__ = ["MaskFiller"]

_BEST = 5


@dataclass(frozen=True, kw_only=True)
class MaskFiller(TextSource):
    """
    Text to `tokens`, 5 strings, best first, and `scores`, FP32 (5,).

    Args:
        mask_token: What marks the gap; each text has one.
        mask_id: Its id.
        vocabulary_size: Ids that the model tells apart.
    """

    mask_token: str
    mask_id: int
    vocabulary_size: int

    kind = "transformers fill-mask"
    comparison = "ranks"
    judged = TOKENS
    task = "fill-mask"

    @property
    def needed_token(self) -> str:
        """The mask."""
        return self.mask_token

    def builtin_samples(self) -> Samples:
        """Sentences, each with one word masked."""
        texts = []
        for position, sentence in enumerate(SENTENCES):
            words = sentence.split()
            words[position % len(words)] = self.mask_token
            texts.append(" ".join(words))
        return Samples({TEXT.name: np.array(texts, dtype=np.object_)}, "built-in, a word masked")

    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """The likeliest tokens and their probabilities."""
        strings = self._strings()
        tokens, scores = [], []
        for outputs, inputs in encode_with_torch(self, "AutoModelForMaskedLM", texts):
            for logits, row in zip(outputs.logits, inputs["input_ids"], strict=True):
                best = logits[row.tolist().index(self.mask_id)].softmax(dim=-1).topk(_BEST)
                found = [strings[n] for n in best.indices.tolist()]
                tokens.append(np.array(found, dtype=np.object_))
                scores.append(best.values.numpy())
        return {TOKENS: tokens, SCORES: scores}

    def finish(self, model: Any) -> Any:
        """Append the choice of the likeliest tokens."""
        return append_fill_mask(model, self.mask_id, self._strings(), best=_BEST)

    def _strings(self) -> list[str]:
        """The text of each id; a model can have more ids than its tokenizer."""
        tokenizer = read_tokenizer(self.tokenizer.parent)
        every = range(self.vocabulary_size)
        strings: list[str] = tokenizer.decode_batch([[n] for n in every], skip_special_tokens=False)
        return strings
