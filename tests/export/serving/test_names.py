from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.export.serving import served_names, variant_suffixes
from tritonkit.export.sources.source import Part, Source

MakeSource = Callable[..., Source]


def test_the_first_variant_has_the_plain_name() -> None:
    assert variant_suffixes(["auto", "int8", "w8"]) == ("", "_int8", "_w8")


def test_a_source_without_parts_is_one_model(make_source: MakeSource) -> None:
    names = served_names(make_source(), "m", "_int8")
    assert names.all == (names.called,) == ("m_int8",)
    assert names.graph == "m_int8"
    assert not names.shared


def test_parts_are_shared_by_all_variants(
    make_source: MakeSource, tokenizer: Part, speaker: Part
) -> None:
    source = make_source(before=tokenizer, after=speaker)
    assert served_names(source, "m").all == ("m_tokenizer", "m_adder", "m_speaker", "m")
    int8 = served_names(source, "m", "_int8")
    assert int8.all == ("m_tokenizer", "m_int8_adder", "m_speaker", "m_int8")
    assert int8.shared == {"m_tokenizer", "m_speaker"}


def test_a_part_may_belong_to_its_variant(make_source: MakeSource, tokenizer: Part) -> None:
    names = served_names(make_source(before=replace(tokenizer, shared=False)), "m", "_static")
    assert names.all == ("m_static_tokenizer", "m_static_adder", "m_static")
    assert not names.shared


def test_a_name_that_triton_does_not_take_is_refused(make_source: MakeSource) -> None:
    with pytest.raises(RepositoryError, match="'a b'"):
        served_names(make_source(), "a b")
