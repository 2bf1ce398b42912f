"""Texts to embeddings, similarities and search, on a real Triton."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.gateway.api.documented import check

from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.stores.memory import Memory
from tritonkit.gateway.api.settings import ApiSettings, Corpus, TextModel
from tritonkit.gateway.tenants.settings import Tenant

if TYPE_CHECKING:
    from tests.gateway.api.conftest import Start

CAT, DOG, BOTH = "the cat sat", "a dog ran", "the cat ran"


async def test_embeddings_are_the_models(start: Start) -> None:
    ask = await start()
    # Of more texts than the model takes at a time.
    texts = [f"word{n} again" for n in range(20)]
    said = await ask("POST", "/api/embed", {"model": "words", "texts": texts})
    check("post", "/api/embed", said)
    vectors = np.array(said.json["embeddings"], dtype=np.float32)
    straight = [await ask.client.infer("embedder", text) for text in texts]
    assert vectors.tolist() == [answer["embedding"][0].tolist() for answer in straight]
    assert said.json["model"] == "words"
    assert said.json["version"] == "1"
    assert said.json["dimensions"] == 32
    assert said.json["trace"]["origins"] == {"model": 20}
    assert json.loads(said.headers["x-tritonkit-trace"]) == said.json["trace"]
    (passed,) = ask.passed
    assert (passed.route, passed.model, passed.rows, passed.status) == ("embed", "words", 20, 200)
    assert passed.origins == {"model": 20}


async def test_base64_is_the_same(start: Start) -> None:
    ask = await start()
    said = await ask("POST", "/api/embed", {"texts": [CAT], "encoding": "base64"})
    check("post", "/api/embed", said)
    plain = await ask("POST", "/api/embed", {"texts": [CAT]})
    packed = base64.b64decode(said.json["embeddings"][0])
    assert np.frombuffer(packed, "<f4").tolist() == plain.json["embeddings"][0]


async def test_what_is_kept_is_not_computed_again(start: Start) -> None:
    ask = await start(Cache(Memory("1MB")))
    await ask("POST", "/api/embed", {"texts": [CAT, DOG]})
    said = await ask("POST", "/api/embed", {"texts": [CAT, DOG, BOTH]})
    assert said.json["trace"]["origins"] == {"memory": 2, "model": 1}


async def test_similarity_of_pairs_and_of_one_with_many(start: Start) -> None:
    ask = await start()
    said = await ask("POST", "/api/similarity", {"a": CAT, "b": CAT})
    check("post", "/api/similarity", said)
    assert said.json["similarity"] == pytest.approx(1)
    said = await ask("POST", "/api/similarity", {"a": [CAT, CAT], "b": [BOTH, DOG]})
    check("post", "/api/similarity", said)
    near, far = said.json["similarities"]
    assert (near, far) == (pytest.approx(2 / 3), pytest.approx(0))
    said = await ask("POST", "/api/similarity", {"a": CAT, "b": [BOTH, DOG]})
    assert said.json["similarities"] == [near, far]
    said = await ask("POST", "/api/similarity", {"a": [BOTH, DOG], "b": CAT})
    assert said.json["similarities"] == [near, far]


async def test_search_ranks_documents(start: Start) -> None:
    ask = await start()
    documents = [DOG, BOTH, CAT, CAT]
    said = await ask("POST", "/api/search", {"query": CAT, "documents": documents, "top": 3})
    check("post", "/api/search", said)
    assert [each["index"] for each in said.json["results"]] == [2, 3, 1]
    assert said.json["results"][0]["document"] == CAT
    said = await ask("POST", "/api/search", {"query": CAT, "documents": documents, "texts": False})
    assert set(said.json["results"][0]) == {"index", "score"}


async def test_a_corpus_is_embedded_once_and_again_when_its_file_is_another(
    start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "faq.txt"
    file.write_text(f"{DOG}\n\n{CAT}\n" + "".join(f"line {n}\n" for n in range(20)))
    settings = ApiSettings(
        models=[TextModel("words", model="embedder")],
        corpora=[Corpus("faq", model="words", file=file)],
    )
    ask = await start(Cache(Memory("1MB")), settings=settings)
    said = await ask("POST", "/api/search", {"corpus": "faq", "query": BOTH, "top": 2})
    check("post", "/api/search", said)
    assert [each["document"] for each in said.json["results"]] == [CAT, DOG]
    # The caller asked for one row; the corpus is nobody's.
    assert said.json["trace"]["origins"] == {"model": 1}
    assert (await ask("POST", "/api/search", {"corpus": "faq", "query": CAT})).json["results"][0][
        "score"
    ] == pytest.approx(1)
    file.write_text("something else\n")
    said = await ask("POST", "/api/search", {"corpus": "faq", "query": "something"})
    assert [each["document"] for each in said.json["results"]] == ["something else"]
    file.write_text("\n")
    said = await ask("POST", "/api/search", {"corpus": "faq", "query": "something"})
    assert said.json["results"] == []
    file.write_text("x" * 10_001)
    said = await ask("POST", "/api/search", {"corpus": "faq", "query": "something"})
    assert said.status == 500
    assert "line 1 must have 10000 characters at most" in said.json["error"]
    file.unlink()
    said = await ask("POST", "/api/search", {"corpus": "faq", "query": "something"})
    assert (said.status, "cannot be read" in said.json["error"]) == (500, True)


BAD: list[tuple[str, Any, int, str]] = [
    ("embed", [], 400, "must be an object"),
    ("embed", {}, 400, "needs 'texts'"),
    ("embed", {"texts": []}, 400, "one text at least"),
    ("embed", {"texts": "a"}, 400, "must be a list of texts, but got 'a'"),
    ("embed", {"texts": [1]}, 400, "'texts[0]' must be a text, but got 1"),
    ("embed", {"texts": [None]}, 400, "but got null"),
    ("embed", {"texts": [["a"]]}, 400, "but got a list of 1"),
    ("embed", {"texts": ["a\ud800"]}, 400, "half a character"),
    ("embed", {"texts": ["a"] * 41}, 413, "40 texts at most, but got 41"),
    ("embed", {"texts": ["a" * 201]}, 413, "200 characters at most, but got 201"),
    ("embed", {"texts": ["a"], "encoding": "hex"}, 400, "one of 'float', 'base64'"),
    ("embed", {"texts": ["a"], "encoding": []}, 400, "one of 'float', 'base64'"),
    ("embed", {"texts": ["a"], "model": "other"}, 404, "no text model 'other'; there are 'words'"),
    ("embed", {"texts": ["a"], "model": 7}, 400, "'model' must be a text, but got 7"),
    ("embed", {"txets": ["a"]}, 400, "did you mean 'texts'?"),
    ("embed", {"texts": ["nan"]}, 500, "not finite"),
    ("embed", {"texts": ["fail"]}, 500, "it fails"),
    ("similarity", {"a": "x"}, 400, "needs 'b'"),
    ("similarity", {"a": ["x"] * 2, "b": ["y"] * 3}, 400, "of the same length"),
    ("similarity", {"a": ["x"] * 21, "b": ["y"] * 21}, 413, "together"),
    ("similarity", {"a": "x", "b": 1.5}, 400, "'b' must be a text"),
    ("search", {"query": "x"}, 400, "'documents' or 'corpus'"),
    ("search", {"query": "x", "documents": ["a"], "corpus": "f"}, 400, "and not both"),
    ("search", {"query": "x", "documents": ["a"], "top": 0}, 400, "must be 1 to 1000"),
    ("search", {"query": "x", "documents": ["a"], "top": True}, 400, "must be 1 to 1000"),
    ("search", {"query": "x", "documents": ["a"], "texts": 1}, 400, "true or false"),
    ("search", {"query": "x", "documents": ["a"] * 40}, 413, "39 texts at most"),
    ("search", {"query": "x", "corpus": "faq"}, 404, "no corpus 'faq'"),
    ("search", {"query": "x", "corpus": "faq", "model": "words"}, 400, "a corpus has its own"),
]


async def test_what_makes_no_sense_is_said(start: Start) -> None:
    ask = await start()
    for route, document, status, says in BAD:
        said = await ask("POST", f"/api/{route}", document)
        assert (said.status, says in said.body.decode()) == (status, True), (document, said)
        check("post", f"/api/{route}", said)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b'{"texts": ["a"], "top": NaN}', "NaN is no number"),
        (b'{"texts": [-Infinity]}', "-Infinity is no number"),
        (b'{"texts": [1e999]}', "must be a text, but got inf"),
        (b'{"texts": ["\xff"]}', "must be UTF-8, but has byte 0xff at 12"),
        (b"[" * 100_000, "too deep"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "value has 5000 digits"),
        (b"\xef\xbb\xbf{}", "must be JSON"),
        (b'"text"', "must be an object"),
    ],
)
async def test_a_body_that_is_none_is_refused(start: Start, body: bytes, says: str) -> None:
    ask = await start()
    said = await ask("POST", "/api/embed", body=body)
    assert (said.status, says in said.json["error"]) == (400, True), said
    # What Python would tell its programmers.
    assert b"sys." not in said.body


async def test_a_body_is_json_as_it_is_and_no_longer_than_it_may(start: Start) -> None:
    settings = ApiSettings(models=[TextModel("words", model="embedder")], max_body="1kB")
    ask = await start(settings=settings)
    body = b'{"texts": ["a"]}'
    for kind in ("text/plain", ""):
        said = await ask("POST", "/api/embed", body=body, content_type=kind)
        assert (said.status, "Content-Type: application/json" in said.json["error"]) == (415, True)
    packed = gzip.compress(body)
    said = await ask("POST", "/api/embed", body=packed, content_encoding="gzip")
    assert said.status == 200
    said = await ask("POST", "/api/embed", body=packed[:-4], content_encoding="gzip")
    assert (said.status, "ends too early" in said.json["error"]) == (400, True)
    said = await ask("POST", "/api/embed", body=gzip.compress(b" " * 9999), content_encoding="gzip")
    assert (said.status, "more than 1000 bytes" in said.json["error"]) == (413, True)
    said = await ask("POST", "/api/embed", body=body, content_encoding="br")
    assert said.status == 415
    said = await ask("POST", "/api/embed", body=b" " * 1001)
    assert (said.status, "1000 bytes at most" in said.json["error"]) == (413, True)
    said = await ask(
        "POST", "/api/embed", body=body, content_type="application/json; charset=utf-8"
    )
    assert said.status == 200
    assert (await ask("GET", "/api/embed")).status == 405


async def test_a_deadline_is_the_callers_or_the_tenants(start: Start) -> None:
    ask = await start()
    for timeout in ("0s", "20ms"):
        said = await ask("POST", "/api/embed", {"texts": ["slow"]}, x_tritonkit_timeout=timeout)
        assert said.status == 504
        check("post", "/api/embed", said)
    assert [passed.error for passed in ask.passed] == ["DeadlineExceeded"] * 2
    said = await ask("POST", "/api/embed", {"texts": ["a"]}, x_tritonkit_timeout="soon")
    assert (said.status, "X-Tritonkit-Timeout" in said.json["error"]) == (400, True)
    hurried = Tenant("hurried", anonymous=True, timeout="20ms")
    ask = await start(tenants=[hurried])
    said = await ask("POST", "/api/embed", {"texts": ["slow"]})
    assert said.status == 504


async def test_whoever_leaves_ends_the_work(start: Start) -> None:
    ask = await start()
    _, writer = await ask.send("POST", "/api/embed", {"texts": ["slow"]})
    while not ask.client.stats().in_flight:  # noqa: ASYNC110, nobody tells
        await asyncio.sleep(0.01)
    writer.close()
    while not ask.passed:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    (passed,) = ask.passed
    assert (passed.status, passed.error) == (499, "Cancelled")
    assert ask.client.stats().in_flight == 0


async def test_no_server_is_told_as_such(start: Start) -> None:
    ask = await start(server="http://127.0.0.1:9")
    said = await ask("POST", "/api/embed", {"texts": ["a"]})
    assert said.status == 503
    check("post", "/api/embed", said)


async def test_a_tenant_has_its_limits_and_a_scope_of_its_own(start: Start) -> None:
    alpha = Tenant("alpha", token="alpha-0123456789abcdef", rows_per_second=0.01, rows_burst=3)
    beta = Tenant("beta", token="beta-0123456789abcdef", trace=False, max_body=100)
    reader = Tenant("reader", anonymous=True, rights=["read"])
    ask = await start(Cache(Memory("1MB")), tenants=[alpha, beta, reader])
    as_alpha = {"authorization": "Bearer alpha-0123456789abcdef"}
    as_beta = {"authorization": "Bearer beta-0123456789abcdef"}
    assert (await ask("POST", "/api/embed", {"texts": [CAT]}, **as_alpha)).status == 200
    said = await ask("POST", "/api/embed", {"texts": [CAT]}, **as_beta)
    # Nothing of what the other one's request left in the cache.
    assert ask.passed[-1].origins == {"model": 1}
    assert ask.passed[-1].tenant == "beta"
    assert "trace" not in said.json
    assert "x-tritonkit-trace" not in said.headers
    said = await ask("POST", "/api/embed", {"texts": [CAT] * 3}, **as_alpha)
    assert (said.status, int(said.headers["retry-after"])) == (429, pytest.approx(100, abs=2))
    said = await ask("POST", "/api/embed", {"texts": [CAT] * 4}, **as_alpha)
    assert said.status == 413
    hurried = Tenant("hurried", token="hurried-0123456789abcdef", requests_per_second=0)
    refused = await start(tenants=[hurried])
    as_hurried = {"authorization": "Bearer hurried-0123456789abcdef"}
    assert (await refused("POST", "/api/embed", {"texts": [CAT]}, **as_hurried)).status == 429
    assert [(passed.tenant, passed.status) for passed in refused.passed] == [("hurried", 429)]
    said = await ask("POST", "/api/embed", {"texts": ["x" * 100]}, **as_beta)
    assert (said.status, "100B a request" in said.json["error"]) == (413, True)
    assert (await ask("POST", "/api/embed", {"texts": [CAT]})).status == 401
    said = await ask("POST", "/api/embed", {"texts": [CAT]}, authorization="Bearer nobody")
    assert (said.status, said.headers["www-authenticate"]) == (401, 'Bearer realm="tritonkit"')
    said = await ask(
        "POST", "/api/embed", {"texts": [CAT]}, x_tritonkit_tags="tenant=alpha", **as_beta
    )
    assert said.status == 400
