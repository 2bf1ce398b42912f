"""What embeddings are compared over, and small stand-ins for a model's folder."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.export import pipeline
from tritonkit.repository import Model, write_models
from tritonkit.repository.check.check import check
from tritonkit.repository.check.report.as_text import as_text

if TYPE_CHECKING:
    from tritonkit.export.sources.source import Converted

SCRIPTS = {
    "Latin": "The quick brown fox jumps over the lazy dog",
    "Cyrillic": "Съешь же ещё этих мягких французских булок",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "Arabic": "نص حكيم له سر قاطع وذو شأن عظيم",
    "Hebrew": "דג סקרן שט בים מאוכזב",
    "Devanagari": "ऋषियों को सताने वाले दुष्ट राक्षसों",
    "Han": "視野無限廣窗外有藍天",
    "Kana": "いろはにほへとちりぬるを",
    "Hangul": "키스의 고유조건은 입술끼리 만나야 하고",
    "Thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า",
    "emoji": "🙂 🚀🚀 👩‍👩‍👧 🇩🇪 ❤️",
    "code": "for (int i = 0; i < n; ++i) { a[i] *= 2; }",
    "numbers": "3.14159 1e-9 0xff 1,000,000.00 ½ ²",
    "accents": "Zürich, façade, naïve, Ångström, cafe\u0301",
    "spaces": "  tabs\tand\nnew\r\nlines\u00a0and\u3000wide ones  ",
    "control": "a\x00b\x07c\ufffd\u200bd",
}


# A whole .safetensors file, of a type that there is not.
_HEADER = b'{"x": {"dtype": "?", "shape": [], "data_offsets": [0, 0]}}'
UNREADABLE = len(_HEADER).to_bytes(8, "little") + _HEADER


@pytest.fixture(scope="session", autouse=True)
def clean_under_check() -> Iterator[None]:
    """Whatever an export of this process writes, check finds nothing in, warnings included."""

    def write(repository: Path, models: Sequence[Model], *, force: bool = False) -> None:
        write_models(repository, models, force=force)
        report = check(repository, models=[model.name for model in models])
        assert report.ok(strict=True), as_text(report)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "write_models", write)
        yield


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """100 varied texts."""
    found = ["", " ", "x" * 10_000, "many words " * 910, "[PAD] [CLS] [SEP] [MASK] [UNK]"]
    for length in (1, 2, 3, 5, 8, 12):
        found += [" ".join(text.split()[:length])[: 40 * length] for text in SCRIPTS.values()]
    return [text if n % 2 else text.upper() for n, text in enumerate(found)][:100]


@pytest.fixture(scope="session")
def reference_of(texts: list[str]) -> Callable[[Path], NDArray[np.float32]]:
    """The embeddings of `texts` by sentence-transformers itself, with the model in a folder."""

    def embed(model: Path) -> NDArray[np.float32]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from sentence_transformers import SentenceTransformer

            loaded = SentenceTransformer(str(model), device="cpu")
            embeddings: NDArray[np.float32] = loaded.encode(texts, show_progress_bar=False)
        return embeddings

    return embed


@pytest.fixture(scope="session")
def reference(
    minilm: Path, reference_of: Callable[[Path], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The embeddings of `texts` by MiniLM itself."""
    return reference_of(minilm)


@pytest.fixture(scope="session")
def minilm_converted(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """MiniLM's encoder, and the embeddings of all built-in texts by its own library."""
    from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer

    source = SentenceTransformer.read(minilm)
    samples = source.builtin_samples()
    assert samples is not None
    return source.convert(tmp_path_factory.mktemp("minilm_converted"), samples)


@pytest.fixture
def folder(minilm: Path, tmp_path: Path) -> Callable[..., Path]:
    """
    Makes a sentence-transformers folder like MiniLM's, with weights that nobody can read.

    Keyword arguments replace keys of its JSON files: `pooling={"pooling_mode": "cls"}`.
    """

    def make(modules: list[str] | None = None, **changes: dict[str, Any]) -> Path:
        made = tmp_path / "source"
        for file in sorted(minilm.rglob("*.json")):
            copy = made / file.relative_to(minilm)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
        (made / "model.safetensors").write_bytes(UNREADABLE)
        if modules is not None:
            paths = {"Transformer": "", "Pooling": "1_Pooling"}
            listed = [
                {
                    "idx": i,
                    "name": str(i),
                    "path": paths.get(kind, f"{i}_{kind}"),
                    "type": f"st.{kind}",
                }
                for i, kind in enumerate(modules)
            ]
            (made / "modules.json").write_text(json.dumps(listed))
        files = {
            "config": "config.json",
            "pooling": "1_Pooling/config.json",
            "text": "sentence_bert_config.json",
            "tokenizer": "tokenizer_config.json",
            "prompts": "config_sentence_transformers.json",
        }
        for key, values in changes.items():
            file = made / files[key]
            file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
        return made

    return make
