"""From a model file to a model repository that Triton serves."""

from __future__ import annotations

from tritonkit.export.card import Card
from tritonkit.export.plan import PRECISIONS
from tritonkit.export.sentence_transformer import Export, export_sentence_transformer

__all__ = ["PRECISIONS", "Card", "Export", "export_sentence_transformer"]
