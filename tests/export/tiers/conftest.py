"""A small teacher with random weights, texts for it, and the tiers made of it."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.export.tiers.examples import Examples, embed
from tritonkit.export.tiers.tier import Tier, make_tier

STARTS = "bdfgklmnprstvz"
ENDS = ("a", "e", "i", "o", "u", "ar", "en", "il", "or", "um")
WORDS = [start + end for start in STARTS for end in ENDS]


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """700 different texts of 2 to 12 words."""
    generator = random.Random(1)
    found = [" ".join(generator.choices(WORDS, k=generator.randint(2, 12))) for _ in range(800)]
    return list(dict.fromkeys(found))[:700]


@pytest.fixture(scope="session")
def make_teacher(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], SentenceTransformer]:
    """Makes a BERT of so many layers, width 32, whose weights are large enough to matter."""

    def make(layers: int) -> SentenceTransformer:
        folder = tmp_path_factory.mktemp(f"teacher{layers}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
            from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

            specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
            vocabulary = {word: at for at, word in enumerate([*specials, *WORDS])}
            tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
            tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            tokenizer.post_processor = processors.TemplateProcessing(
                single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
            )
            PreTrainedTokenizerFast(
                tokenizer_object=tokenizer,
                pad_token="[PAD]",
                unk_token="[UNK]",
                cls_token="[CLS]",
                sep_token="[SEP]",
                model_max_length=32,
            ).save_pretrained(folder)
            torch.manual_seed(3)
            config = BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=32,
                num_hidden_layers=layers,
                num_attention_heads=4,
                intermediate_size=64,
                max_position_embeddings=32,
                initializer_range=0.2,
            )
            BertModel(config, add_pooling_layer=False).save_pretrained(folder)
        kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
        modules = [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.{kind}"}
            for at, (path, kind) in enumerate(kinds.items())
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
        )
        return SentenceTransformer.read(folder)

    return make


@pytest.fixture(scope="session")
def teacher(make_teacher: Callable[[int], SentenceTransformer]) -> SentenceTransformer:
    """A teacher of 4 layers."""
    return make_teacher(4)


@pytest.fixture(scope="session")
def teacher_graph(teacher: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The teacher's finished graph."""
    folder = tmp_path_factory.mktemp("teacher_graph")
    samples = teacher.builtin_samples()
    assert samples is not None
    finished = folder / "finished.onnx"
    rewrite(teacher.convert(folder, samples).graph, finished, teacher.finish, what="finishing")
    return finished


@pytest.fixture(scope="session")
def judged(sentences: list[str]) -> list[str]:
    """100 texts that no tier is trained on."""
    generator = random.Random(2)
    texts = [" ".join(generator.choices(WORDS, k=generator.randint(3, 14))) for _ in range(100)]
    assert set(texts).isdisjoint(sentences)
    return texts


@pytest.fixture(scope="session")
def known(teacher: SentenceTransformer, teacher_graph: Path, judged: list[str]) -> Examples:
    """The teacher's embeddings of `judged`."""
    return embed(teacher, teacher_graph, judged, threads=1, until=0, at_least=len(judged))


@pytest.fixture(scope="session")
def student(
    teacher: SentenceTransformer,
    teacher_graph: Path,
    sentences: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Tier:
    """The student tier."""
    folder = tmp_path_factory.mktemp("student")
    return _make("student", teacher, teacher_graph, sentences, folder)


@pytest.fixture(scope="session")
def static(
    teacher: SentenceTransformer,
    teacher_graph: Path,
    sentences: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Tier:
    """The static tier."""
    folder = tmp_path_factory.mktemp("static")
    return _make("static", teacher, teacher_graph, sentences, folder)


def _make(
    kind: str, teacher: SentenceTransformer, graph: Path, texts: list[str], folder: Path
) -> Tier:
    return make_tier(
        kind, teacher, graph, texts, folder, threads=1, seconds=120, progress=lambda _: None
    )
