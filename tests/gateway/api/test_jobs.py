"""Jobs over HTTP: submitted, looked at, waited for, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.api.documented import check

from tritonkit.client.experiments.sqlite import SqliteLog
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.jobs.redis import Jobs
from tritonkit.client.testing.redis_server import RedisServer
from tritonkit.gateway.tenants.settings import Tenant

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.api.conftest import Caller, Said, Start

TEXTS = {"model": "lengths", "inputs": {"text": ["a", "bcd"]}}


async def submitted(ask: Caller, document: Any, **headers: str) -> str:
    said = await ask("POST", "/api/jobs", document, **headers)
    check("post", "/api/jobs", said)
    assert (said.status, said.json["state"]) == (202, "running"), said
    assert said.headers["location"] == said.json["url"] == f"/api/jobs/{said.json['id']}"
    assert "x-tritonkit-trace" not in said.headers
    return str(said.json["id"])


async def looked(ask: Caller, id: str, wait: str = "20s", **headers: str) -> Said:
    said = await ask("GET", f"/api/jobs/{id}?wait={wait}", **headers)
    check("get", "/api/jobs/{id}", said)
    return said


async def test_a_job_is_submitted_and_its_answer_fetched(start: Start) -> None:
    ask = await start()
    id = await submitted(ask, {**TEXTS, "id": "mine", "outputs": ["length"]})
    for _ in range(2):
        said = await looked(ask, id)
        assert said.json == {
            "id": id,
            "state": "done",
            "result": {
                "model_name": "lengths",
                "model_version": "1",
                "id": "mine",
                "outputs": [
                    {"name": "length", "datatype": "INT32", "shape": [2, 1], "data": [1, 3]}
                ],
            },
            "trace": {
                "tier": "", "origins": {"model": 2}, "attempts": 0, "cost": 0, "degraded": ""
            },
        }  # fmt: skip
    (passed,) = ask.passed
    # It asked no model yet, so it tells of no rows.
    assert (passed.route, passed.status, dict(passed.origins)) == ("jobs", 202, {})


async def test_inputs_may_be_tensors_as_the_protocol_has_them(start: Start) -> None:
    ask = await start()
    x = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6, 7, 8.5]}
    nested = {**x, "data": [[1, 2, 3, 4], [5, 6, 7, 8.5]]}
    for tensor in (x, nested):
        id = await submitted(ask, {"model": "doubles", "inputs": [tensor]})
        (output,) = (await looked(ask, id)).json["result"]["outputs"]
        assert output["data"] == [2, 4, 6, 8, 10, 12, 14, 17]
    every = [
        {"name": f"IN_{kind}", "shape": [1, 1], "datatype": datatype, "data": [value]}
        for kind, datatype, value in (
            ("BOOL", "BOOL", True),
            ("INT64", "INT64", -(2**63)),
            ("UINT64", "UINT64", 2**64 - 1),
            ("FP64", "FP64", 0.1),
            ("STRING", "BYTES", "ü"),
            ("BF16", "BF16", 1.5),
        )
    ]
    id = await submitted(ask, {"model": "echo", "inputs": every})
    said = await looked(ask, id)
    found = {each["name"]: each["data"] for each in said.json["result"]["outputs"]}
    assert found.pop("PARAMETERS")
    assert found == {
        "OUT_BOOL": [True],
        "OUT_INT64": [-(2**63)],
        "OUT_UINT64": [2**64 - 1],
        "OUT_FP64": [0.1],
        "OUT_STRING": ["ü"],
        "OUT_BF16": [1.5],
    }


async def test_who_asks_too_early_is_told_to_come_again(start: Start) -> None:
    ask = await start()
    id = await submitted(ask, {"model": "moody", "inputs": {"seconds": [[0.4]]}})
    said = await looked(ask, id, "0s")
    assert (said.json["state"], said.headers["retry-after"]) == ("running", "1")
    said = await looked(ask, id, "20ms")
    assert said.json == {"id": id, "state": "running"}
    assert (await looked(ask, id)).json["state"] == "done"


async def test_while_the_gateway_drains_answers_come_and_waits_end(start: Start) -> None:
    ask = await start()
    id = await submitted(ask, {"model": "moody", "inputs": {"seconds": [[0.5]]}})
    waiting = asyncio.create_task(looked(ask, id))
    embedding = asyncio.create_task(ask("POST", "/api/embed", {"texts": ["slow"]}))
    while len(ask.server.tasks) < 2:  # noqa: ASYNC110, nobody tells
        await asyncio.sleep(0.01)
    assert await ask.server.drain(20.0)
    assert (await waiting).json == {"id": id, "state": "running"}
    assert (await embedding).status == 200


async def test_a_job_that_fails_says_why(start: Start) -> None:
    ask = await start()
    fails = {"model": "moody", "inputs": {"seconds": [[0]], "error": [["INVALID_ARG"]]}}
    id = await submitted(ask, fails)
    said = await looked(ask, id)
    assert (said.json["state"], said.json["kind"], said.json["status"]) == (
        "failed",
        "InvalidInput",
        400,
    )
    assert "says INVALID_ARG" in said.json["error"]
    late = {"model": "moody", "inputs": {"seconds": [[0.3]]}, "timeout": "10ms"}
    said = await looked(ask, await submitted(ask, late))
    assert (said.json["state"], said.json["kind"]) == ("failed", "DeadlineExceeded")


async def test_any_worker_knows_a_job_in_redis_and_only_its_tenant_sees_it(
    start: Start, redis_server: RedisServer
) -> None:
    alpha = Tenant("alpha", token="alpha-0123456789abcdef")
    # Even where they share the scope of the cache.
    beta = Tenant("beta", token="beta-0123456789abcdef", scope="alpha")
    as_alpha = {"authorization": "Bearer alpha-0123456789abcdef"}
    as_beta = {"authorization": "Bearer beta-0123456789abcdef"}
    workers = [
        await start(tenants=[alpha, beta], workers=2, jobs=Jobs(redis_server.url)) for _ in range(2)
    ]
    id = await submitted(workers[0], TEXTS, **as_alpha)
    said = await looked(workers[1], id, **as_alpha)
    assert said.json["state"] == "done"
    for ask in workers:
        said = await looked(ask, id, **as_beta)
        other = await looked(ask, "0" * 32, **as_beta)
        assert said.status == other.status == 404
        assert said.json["error"].replace(id, "0" * 32) == other.json["error"]
    assert (await looked(workers[0], "none", **as_alpha)).status == 404


async def test_a_job_whose_worker_is_gone_is_lost(start: Start, redis_server: RedisServer) -> None:
    ask = await start(jobs=Jobs(redis_server.url), pace=Pace(drain="0s"))
    id = await submitted(ask, {"model": "moody", "inputs": {"seconds": [[0.3]]}})
    with redis_server.client() as client:
        client.delete(f"tritonkit:job:{{{id}}}:alive")
    said = await looked(ask, id, "0s")
    assert said.json["state"] == "lost"
    assert "has ended" in said.json["error"]


async def test_a_board_that_is_away_is_told(start: Start) -> None:
    ask = await start(jobs=Jobs("redis://127.0.0.1:9"))
    said = await ask("POST", "/api/jobs", TEXTS)
    check("post", "/api/jobs", said)
    assert (said.status, "does not keep jobs" in said.json["error"]) == (502, True)
    for wait in ("0s", "10ms"):
        said = await looked(ask, "0" * 32, wait)
        assert (said.status, said.headers["retry-after"]) == (503, "1")


async def test_several_workers_need_a_place_for_jobs(start: Start) -> None:
    ask = await start(workers=2)
    said = await ask("POST", "/api/jobs", TEXTS)
    check("post", "/api/jobs", said)
    assert (said.status, '[jobs] with type = "redis"' in said.json["error"]) == (501, True)


TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
BAD: list[tuple[Any, int, str]] = [
    ({}, 400, "needs 'model'"),
    ({"model": "lengths"}, 400, "needs 'inputs'"),
    ({"model": "lengths", "inputs": {}}, 400, "'inputs' must be values by name"),
    ({"model": "lengths", "inputs": []}, 400, "'inputs' must be values by name"),
    ({"model": "lengths", "inputs": "text"}, 400, "'inputs' must be values by name"),
    ({"model": "lengths", "inputs": {"text": None}}, 400, "numbers or texts, but got null"),
    ({"model": "lengths", "inputs": {"text": {}}}, 400, "numbers or texts"),
    ({"model": "lengths", "inputs": {"text": [1]}}, 400, "must be text or bytes"),
    ({"model": "lengths", "inputs": {"text": ["a"] * 17}}, 400, "1 to 16 rows"),
    ({"model": "lengths", "inputs": {"txet": ["a"]}}, 400, "did you mean 'text'?"),
    ({"model": "lengths", "inputs": {"text": ["\ud800"]}}, 400, "half a character"),
    ({"model": "unheard", "inputs": {"text": ["a"]}}, 404, "unknown model"),
    ({"model": "doubles", "inputs": {"x": [[1, 2], [3]]}}, 400, "is ragged"),
    ({"model": "doubles", "inputs": [TENSOR, TENSOR]}, 400, "'x' twice"),
    ({"model": "doubles", "inputs": [{**TENSOR, "data": [1]}]}, 400, "4 values for its shape"),
    ({"model": "doubles", "inputs": [{**TENSOR, "data": [[1, 2], 3, 4]}]}, 400, "nested by"),
    ({"model": "doubles", "inputs": [{**TENSOR, "shape": [-1, 4]}]}, 400, "from 0 on"),
    ({"model": "doubles", "inputs": [{**TENSOR, "shape": [True, 4]}]}, 400, "from 0 on"),
    ({"model": "doubles", "inputs": [{**TENSOR, "shape": [10**9] * 32}]}, 400, "values for its"),
    ({"model": "doubles", "inputs": [{**TENSOR, "shape": [], "data": 1}]}, 400, "must have shape"),
    (
        {"model": "doubles", "inputs": [{**TENSOR, "shape": [2**31 - 1] * 3 + [0], "data": []}]},
        400,
        "larger than any tensor's",
    ),
    ({"model": "doubles", "inputs": [{**TENSOR, "datatype": "FP8"}]}, 400, "must be one of BOOL"),
    ({"model": "doubles", "inputs": [{**TENSOR, "data": ["a"] * 4}]}, 400, "must be FP32"),
    ({"model": "doubles", "inputs": [{**TENSOR, "data": [1e300] * 4}]}, 400, "does not fit"),
    ({"model": "doubles", "inputs": [{**TENSOR, "datatype": "FP64"}]}, 400, "must be FP32"),
    ({"model": "doubles", "inputs": [{"name": "x"}]}, 400, "inputs[0] needs 'datatype'"),
    ({"model": "doubles", "inputs": [7]}, 400, "inputs[0] must be an object"),
    ({**TEXTS, "model": ""}, 400, "'model' must be a model's name"),
    ({**TEXTS, "version": "../1"}, 400, "'version' must be a number such as '3', but got '../1'"),
    ({**TEXTS, "outputs": ["none"]}, 400, "has no output 'none'"),
    ({**TEXTS, "outputs": []}, 400, "one text at least"),
    ({**TEXTS, "priority": "shadow"}, 400, "one of 'batch', 'live'"),
    ({**TEXTS, "timeout": "soon"}, 400, "'timeout' must be a number with a unit"),
    ({**TEXTS, "timeout": 5}, 400, "'timeout' must be a text"),
    ({**TEXTS, "timeout": "25h"}, 400, "24h at most"),
    ({**TEXTS, "parameters": {"a": []}}, 400, "parameter 'a' must be"),
    ({**TEXTS, "parameters": []}, 400, "values by name"),
    ({**TEXTS, "id": "x" * 201}, 413, "200 characters at most"),
]


async def test_what_makes_no_sense_is_said(start: Start) -> None:
    ask = await start()
    for document, status, says in BAD:
        said = await ask("POST", "/api/jobs", document)
        told = says in said.body.decode().replace('\\"', '"')
        assert (said.status, told) == (status, True), (document, said)
        check("post", "/api/jobs", said)
    for wait, says in (("61s", "1m at most"), ("5", "needs a unit"), ("-1s", "a number with")):
        said = await ask("GET", f"/api/jobs/{'0' * 32}?wait={wait}")
        assert (said.status, says in said.json["error"]) == (400, True), said


async def test_outcomes_are_recorded_all_or_none(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    log = SqliteLog(path)
    ask = await start(experiments=log)
    answer = "ab" * 16
    # Events are kept for a time only.
    at = datetime.now(UTC).timestamp()
    one = {"answer": answer, "name": "conversion", "value": 1, "at": at}
    said = await ask("POST", "/api/outcomes", one)
    check("post", "/api/outcomes", said)
    assert (said.status, said.json) == (202, {"recorded": 1, "ignored": 0})
    others = [one, {**one, "answer": ""}, {**one, "name": "paid", "value": 12.5}]
    said = await ask("POST", "/api/outcomes", {"outcomes": others})
    assert said.json == {"recorded": 2, "ignored": 1}
    bad: list[tuple[Any, int, str]] = [
        ({**one, "value": "1"}, 400, "'value' must be a number, but got '1'"),
        ({**one, "value": True}, 400, "'value' must be a number, but got true"),
        ({**one, "value": 10**400}, 400, "the body: "),
        ({**one, "at": 1e13}, 400, "seconds since 1970"),
        ({**one, "answer": "none"}, 400, "32 hexadecimal digits"),
        ({**one, "name": ""}, 400, "name must be Unicode text"),
        ({"answer": answer, "name": "x"}, 400, "needs 'value'"),
        ({"outcomes": []}, 400, "one at least"),
        ({"outcomes": [one, {}]}, 400, "outcomes[1] needs 'answer'"),
        ({"outcomes": [one] * 1001}, 413, "1000 at most"),
        ({"outcomes": [one], "at": 1}, 400, "no field 'at'"),
        ([one], 400, "must be an object"),
    ]
    for document, status, says in bad:
        said = await ask("POST", "/api/outcomes", document)
        assert (said.status, says in said.json["error"]) == (status, True), (document, said)
        check("post", "/api/outcomes", said)
    await log.flush()
    with closing(sqlite3.connect(path)) as base:
        written = base.execute("SELECT name, value, answer, at FROM events ORDER BY id").fetchall()
    assert written == [
        ("conversion", 1, answer, at),
        ("conversion", 1, answer, at),
        ("paid", 12.5, answer, at),
    ]


async def test_without_experiments_there_is_no_place_for_outcomes(start: Start) -> None:
    ask = await start()
    said = await ask("POST", "/api/outcomes", {"answer": "", "name": "x", "value": 1})
    check("post", "/api/outcomes", said)
    assert said.status == 501


async def test_metrics_and_the_document_are_served(start: Start) -> None:
    watcher = Tenant("watcher", token="watcher-0123456789abcdef", rights=["metrics"])
    ask = await start(tenants=[watcher])
    assert (await ask("GET", "/metrics")).status == 401
    as_watcher = {"authorization": "Bearer watcher-0123456789abcdef"}
    said = await ask("GET", "/metrics", **as_watcher)
    assert said.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    refused = 'tritonkit_gateway_refused_total{reason="token",tenant="",worker="0"} 1.0'
    assert refused in said.body.decode()
    said = await ask("GET", "/metrics", accept="application/openmetrics-text", **as_watcher)
    assert said.body.endswith(b"# EOF\n")
    assert 'tritonkit_gateway_bytes_total{direction="out",worker="0"}' in said.body.decode()
    assert 'tritonkit_gateway_in_flight{worker="0"} 1.0' in said.body.decode()
    said = await ask("GET", "/api/openapi.json")
    assert said.json["openapi"] == "3.1.0"
    assert said.status == 200


@pytest.mark.parametrize("place", ["/api/embed", "/api/jobs", "/api/outcomes", "/api/search"])
async def test_who_is_unknown_is_not_let_in_before_the_body_is_read(
    start: Start, place: str
) -> None:
    ask = await start(tenants=[Tenant("alpha", token="alpha-0123456789abcdef")])
    said = await ask("POST", place, body=b"{", content_type="text/plain")
    assert said.status == 401
    assert json.loads(said.body)["error"] == "needs a header 'Authorization: Bearer TOKEN'"
