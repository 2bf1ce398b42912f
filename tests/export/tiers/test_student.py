"""Which layers a student keeps, of which architectures, and that its training repeats itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.tiers.distillation import LAYERS, Distillation, distil, with_layers
from tritonkit.export.tiers.examples import Examples, embed
from tritonkit.export.tiers.student import kept_layers


@pytest.fixture
def teacher_with(folder: Callable[..., Path]) -> Callable[..., SentenceTransformer]:
    """Makes a teacher of whose architecture only the configuration is there."""

    def make(**config: object) -> SentenceTransformer:
        made = folder(config=config)
        (made / "model.safetensors").touch()
        return SentenceTransformer.read(made)

    return make


@pytest.mark.parametrize(
    ("total", "kept"),
    [
        (2, (1,)),
        (3, (2,)),
        (4, (0, 3)),
        (5, (0, 4)),
        (6, (0, 2, 5)),
        (12, (0, 2, 4, 6, 8, 11)),
    ],
)
def test_half_of_the_layers_are_kept_and_the_last_is_one(total, kept, teacher_with):
    assert kept_layers(teacher_with(num_hidden_layers=total)) == (kept, total)


def test_layers_are_counted_by_the_architectures_own_key(teacher_with):
    teacher = teacher_with(model_type="distilbert", n_layers=4, num_hidden_layers=None)
    assert kept_layers(teacher) == ((0, 3), 4)


def test_an_architecture_without_a_list_of_layers_is_refused_by_name(teacher_with):
    with pytest.raises(ConfigError, match=r"of 'albert', only of bert, .*static tier"):
        kept_layers(teacher_with(model_type="albert"))


@pytest.mark.parametrize("architecture", sorted(LAYERS))
def test_layers_are_found(architecture):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from transformers import AutoConfig, AutoModel

        sizes = {"hidden_size": 16, "num_attention_heads": 2, "vocab_size": 50}
        if architecture != "distilbert":
            sizes["intermediate_size"] = 16
        config = AutoConfig.for_model(architecture, num_hidden_layers=4, **sizes)
        teacher = AutoModel.from_config(config).eval()
        last = getattr(teacher, LAYERS[architecture]).layer[3]
        student = with_layers(teacher, (0, 3))
    layers = getattr(student, LAYERS[architecture]).layer
    assert len(layers) == student.config.num_hidden_layers == 2
    assert layers[1] is last
    with torch.inference_mode():
        assert student(torch.tensor([[5, 6, 7]])).last_hidden_state.shape == (1, 3, 16)


@pytest.fixture(scope="module")
def examples(teacher: SentenceTransformer, teacher_graph: Path, sentences: list[str]) -> Examples:
    return embed(teacher, teacher_graph, sentences[:60], threads=1, until=0, at_least=60)


def _task(teacher: SentenceTransformer, seconds: float) -> Distillation:
    return Distillation(
        teacher=str(teacher.transformer),
        student="",
        layers=(0, 3),
        pooling="mean",
        normalize=True,
        pad_id=teacher.pad_id,
        threads=1,
        seconds=seconds,
    )


def test_training_repeats_itself(teacher, examples):
    train, held_out = examples.part(0, 40), examples.part(40, 60)
    one, epochs = distil(_task(teacher, 100), train, held_out)
    other, again = distil(_task(teacher, 100), train, held_out)
    assert epochs == again
    weights = {name: value for name, value in one.state_dict().items() if "pooler" not in name}
    assert len(weights) > 30
    assert all((other.state_dict()[name] == value).all() for name, value in weights.items())


def test_training_ends_when_its_time_is_over(teacher, examples, capsys):
    train, held_out = examples.part(0, 40), examples.part(40, 60)
    _, epochs = distil(_task(teacher, 0), train, held_out)
    assert epochs == 1
    assert capsys.readouterr().out.count("epoch") == 1
