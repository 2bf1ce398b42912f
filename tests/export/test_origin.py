from __future__ import annotations

from tritonkit.export.origin import Origin, is_edited, read_origin, sign
from tritonkit.repository import ModelConfig, parse_config, render_config

ORIGIN = Origin("minilm int8", "5" * 64)


def signed() -> ModelConfig:
    config = ModelConfig(name="m", backend="onnxruntime", max_batch_size=8)
    sign(config, ORIGIN)
    return config


def test_a_signature_survives_its_file() -> None:
    read = parse_config(f"# a comment\n{render_config(signed())}", source="test")
    assert read_origin(read) == ORIGIN
    assert not is_edited(read)


def test_every_other_value_is_an_edit() -> None:
    config = signed()
    config.max_batch_size = 9
    assert is_edited(config)
    config.max_batch_size = 8
    assert not is_edited(config)
    config.parameters["intra_op_thread_count"].string_value = "1"
    assert is_edited(config)


def test_what_was_never_signed_has_no_origin_and_no_edits() -> None:
    config = ModelConfig(name="m")
    assert read_origin(config) is None
    assert not is_edited(config)


def test_signing_again_is_no_edit() -> None:
    config = signed()
    config.max_batch_size = 9
    sign(config, ORIGIN)
    assert not is_edited(config)
