"""Tenants, text models and corpora in the `[gateway]` table, with all that is wrong at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.errors import PolicyError
from tritonkit.gateway.config.reading import read_config

TOKEN = "shop-0123456789abcdef"

RIGHT = """
server = "http://localhost:8000"

[gateway.tenants.shop]
token = "${SHOP_TOKEN}"
requests_per_second = 50
max_body = "1MB"

[gateway.tenants.prometheus]
token_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
rights = ["metrics"]

[gateway.models.words]
model = "embedder"
max_texts = 10

[gateway.corpora.faq]
model = "words"
file = "faq.txt"

[gateway.api]
max_body = "2MB"
max_wait = "10s"
"""


def test_what_is_right_is_read() -> None:
    _, config = read_config(RIGHT, environment={"SHOP_TOKEN": TOKEN})
    assert [tenant.name for tenant in config.tenants] == ["shop", "prometheus"]
    assert config.tenants[0].max_body == 10**6
    assert [(model.name, model.model) for model in config.api.models] == [("words", "embedder")]
    assert [corpus.name for corpus in config.api.corpora] == ["faq"]
    assert (config.api.body_bytes, config.api.wait_seconds) == (2_000_000, 10.0)


def test_all_that_is_wrong_is_told_and_no_token() -> None:
    wrong = (
        RIGHT.replace('rights = ["metrics"]', 'rights = ["fly"]')
        .replace("requests_per_second = 50", "requests_per_second = -1\nburst = 5")
        .replace("max_texts = 10", "max_text = 10")
        .replace('max_wait = "10s"', 'max_wait = "10"')
        .replace("[gateway.corpora.faq]", "[gateway.corpora.faq]\nname = 'faq'")
    )
    with pytest.raises(PolicyError) as error:
        read_config(wrong, environment={"SHOP_TOKEN": "too-short-secret"[:12]})
    told = str(error.value)
    for says in (
        "line 5: gateway.tenants.shop.token: token must have at least 16 characters",
        "gateway.tenants.prometheus.rights[0]: must be one of",
        "gateway.tenants.shop.requests_per_second: requests_per_second must be finite",
        "gateway.models.words.max_text: is no option; ",
        "Did you mean 'max_texts'?",
        "gateway.api.max_wait: max_wait needs a unit",
        "gateway.corpora.faq.name: is the table's own name.",
    ):
        assert says in told, told
    assert "too-short" not in told
    # And not what only comes of it: that without the token there is none, nor a rate for a burst.
    assert "must be given" not in told
    assert "burst" not in told
    assert len(error.value.findings) == 6


def test_a_corpus_whose_file_is_not_there_is_told(tmp_path: Path) -> None:
    """And starts all the same: the file may come."""
    path = tmp_path / "faq.txt"
    text = RIGHT.replace("faq.txt", str(path))
    policy, _ = read_config(text, environment={"SHOP_TOKEN": TOKEN})
    (warning,) = policy.warnings
    assert str(warning) == (
        f"line 19: gateway.corpora.faq.file: there is no file {str(path)!r}; "
        "searches fail until it is there."
    )
    path.write_text("a document\n")
    policy, _ = read_config(text, environment={"SHOP_TOKEN": TOKEN})
    assert not policy.warnings


def test_a_corpus_needs_a_model_that_there_is() -> None:
    wrong = RIGHT.replace('model = "words"', 'model = "others"')
    with pytest.raises(PolicyError, match=r"model of corpus 'faq' must be one of \['words'\]"):
        read_config(wrong, environment={"SHOP_TOKEN": TOKEN})
    with pytest.raises(PolicyError, match="no variable 'SHOP_TOKEN'"):
        read_config(RIGHT, environment={})
