"""A policy file builds what Python builds, and everything that is wrong with it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client import (
    AsyncClient,
    Cache,
    Client,
    Coalesce,
    HttpTransport,
    Memory,
    Redis,
    Route,
    Stack,
)
from tritonkit.client.jobs.local import LocalJobs
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.jobs.redis import Jobs
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.hedge.hedge import Hedge
from tritonkit.client.layers.limit.limit import Limit
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.policy.building import Builder
from tritonkit.client.policy.findings import Finding
from tritonkit.client.policy.kind import CASES, Kind
from tritonkit.client.policy.kinds import FAMILIES
from tritonkit.client.policy.policy import Policy, load_policy
from tritonkit.client.policy.schema import MISSING, schema
from tritonkit.client.policy.variables import Variables
from tritonkit.client.stack import Layer
from tritonkit.errors import ConfigError, PolicyError

SERVER = 'server = "http://localhost:8000"\n'


def findings(text: str, **environment: str) -> list[Finding]:
    with pytest.raises(PolicyError) as caught:
        Policy(text, environment=environment)
    return list(caught.value.findings)  # type: ignore[arg-type]


def found(text: str, **environment: str) -> list[str]:
    """As they are printed."""
    return list(map(str, findings(text, **environment)))


FULL = """
server = "http://localhost:8000"

[[layers]]
type = "cache"
ttl = "12h"
stale = "1h"
stale_if_error = "7d"
models = ["embed"]
rows = ["embed"]
recheck = 2
lease = "5s"
identities = { embed = "2026-11" }
secret = "${SECRET}"
stores = [
  { type = "memory", size = "8MB" },
  { type = "redis", url = "${REDIS_URL}", budget = "5ms", namespace = "mine" },
]

[[layers]]
type = "coalesce"
max_rows = 16
window = "1ms"

[jobs]
type = "redis"
url = "${REDIS_URL}"
ttl = "30m"
"""
ENVIRONMENT = {"REDIS_URL": "redis://me:geheim@localhost:6379/1", "SECRET": "0123456789abcdef" * 2}


def python() -> tuple[list[Any], Jobs]:
    url = ENVIRONMENT["REDIS_URL"]
    cache = Cache(
        Memory("8MB"),
        Redis(url, budget="5ms", namespace="mine"),
        ttl="12h",
        stale="1h",
        stale_if_error="7d",
        models=["embed"],
        rows=["embed"],
        recheck=2,
        lease="5s",
        identities={"embed": "2026-11"},
        secret=ENVIRONMENT["SECRET"].encode(),
    )
    return [cache, Coalesce(max_rows=16, window="1ms")], Jobs(url, ttl="30m")


def state(part: Any) -> dict[str, str]:
    """What an object was made of, as far as it can be compared."""
    told = {name: repr(value) for name, value in vars(part).items() if name != "_owner"}
    return {name: text for name, text in told.items() if " at 0x" not in text}


def test_python_and_toml_build_the_same() -> None:
    policy = Policy(FULL, environment=ENVIRONMENT)
    server, layers = policy.build()
    expected, jobs = python()
    assert repr(Stack(server, layers)) == repr(
        Stack(HttpTransport("http://localhost:8000"), expected)
    )
    assert repr(policy.jobs()) == repr(jobs)
    for built, made in zip(layers, expected, strict=True):
        assert state(built) == state(made)
    built_cache, made_cache = layers[0], expected[0]
    assert isinstance(built_cache, Cache)
    for built_store, made_store in zip(built_cache.stores, made_cache.stores, strict=True):
        assert state(built_store) == state(made_store)
    assert built_cache._digest(b"x") == made_cache._digest(b"x")
    assert built_cache._freshness == made_cache._freshness


def test_every_build_is_its_own() -> None:
    """Layers belong to one client; what is shared outside, such as Redis, stays shared."""
    policy = Policy(FULL, environment=ENVIRONMENT)
    first, second = policy.build(), policy.build()
    Stack(*first)
    Stack(*second)
    assert first[1][0] is not second[1][0]


def test_the_environment_is_that_of_the_reading() -> None:
    environment = {"N": "1ms"}
    policy = Policy(SERVER + '[[layers]]\ntype="coalesce"\nwindow="${N}"', environment=environment)
    environment["N"] = "9ms"
    assert repr(policy.build()[1][0]) == "Coalesce(window='1ms')"


def test_the_process_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON", "http://localhost:9")
    server, layers = Policy('server = "${TRITON}"').build()
    assert (repr(server), layers) == ("HttpTransport('http://localhost:9')", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"cache"', "Cache(Memory('64MB'))"),
        ('{ type = "cache", stores = ["memory"] }', "Cache(Memory('64MB'))"),
        ('{ type = "cache", ttl = "none" }', "Cache(Memory('64MB'))"),
        ('{ type = "coalesce", window = 0.5 }', "Coalesce(window='500ms')"),
        ('{ type = "coalesce", max_rows = "none" }', "Coalesce(window='2ms')"),
    ],
)
def test_short_forms(text: str, expected: str) -> None:
    """A type by itself has the defaults; "none" is None."""
    _, layers = Policy(f"{SERVER}layers = [{text}]").build()
    assert [repr(layer) for layer in layers] == [expected]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('type = "deadline"\ntimeout = "80ms"', Deadline("80ms")),
        ('type = "retry"\nattempts = 5\nbudget = "20%"', Retry(5, budget="20%")),
        ('type = "breaker"\nfailure_rate = 0.1\nslow = "1s"', Breaker(0.1, slow="1s")),
        ('type = "limit"\nfixed = 3\nshares = { batch = 0 }', Limit(fixed=3, shares={"batch": 0})),
        (
            'type = "hedge"\npercentile = 99\n[[layers.routes]]\nname = "b"\nmodel = "other"\n'
            'server = "http://h"\nlayers = ["breaker"]',
            Hedge(
                99,
                routes=[Route("b", model="other", server="http://h", layers=[Breaker()])],
            ),
        ),
    ],
)
def test_layers(text: str, made: Layer) -> None:
    _, (built,) = Policy(f"{SERVER}[[layers]]\n{text}", environment={}).build()
    assert repr(built) == repr(made)


def test_none_is_for_ever() -> None:
    _, (cache,) = Policy(f'{SERVER}layers = [{{ type = "cache", ttl = "none" }}]').build()
    assert isinstance(cache, Cache)
    assert cache._freshness == Cache(ttl=None)._freshness


def test_a_server_with_options() -> None:
    server, _ = Policy('[server]\ntype="http"\nurl="http://h:1"\nheaders={ A = "b" }').build()
    assert isinstance(server, HttpTransport)
    assert server._headers == b"A: b\r\n"


def test_a_grpc_server() -> None:
    server, _ = Policy('server = "grpc://localhost:8001"').build()
    assert repr(server) == "GrpcTransport('grpc://localhost:8001')"


def test_jobs() -> None:
    assert Policy(SERVER).jobs() is None
    assert isinstance(Policy(SERVER + 'jobs = "local"').jobs(), LocalJobs)
    assert Policy(SERVER + 'jobs = "local"').pace() is None


@pytest.mark.parametrize(
    ("table", "board", "pace"),
    [
        ("in_flight = 4", None, Pace(4)),
        ('type = "local"\ndrain = "30s"\npending = 0', LocalJobs(), Pace(pending=0, drain=30)),
        ('type = "local"\nttl = "5m"', LocalJobs(ttl=300), None),
    ],
)
async def test_the_pace_of_jobs(table: str, board: LocalJobs | None, pace: Pace | None) -> None:
    policy = Policy(f"{SERVER}[jobs]\n{table}")
    assert repr(policy.jobs()) == repr(board)
    assert repr(policy.pace()) == repr(pace)
    async with AsyncClient(*policy.build(), jobs=policy.jobs(), pace=policy.pace()) as client:
        assert repr(client.pace) == repr(pace or Pace())


def test_a_wrong_pace() -> None:
    table = '[jobs]\ntype = "local"\nin_flight = 0\ndrain = "5"\nin_fligth = 1'
    assert found(SERVER + table) == [
        "line 4: jobs.in_flight: in_flight must be at least 1, but got in_flight=0.",
        "line 5: jobs.drain: drain needs a unit out of ns, us, ms, s, m, h, d, but got '5'.",
        "line 6: jobs.in_fligth: is no option; there are drain, in_flight, pending, size, ttl. "
        "Did you mean 'in_flight'?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Of the file.
        ("a = ", r"line 1: Invalid value\.$"),
        ("\n\n[a", r"line 3: Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2\n", r"line 2: Cannot overwrite a value\.$"),
        ("", r"^needs a server, such as server = "),
        # Of a name.
        (SERVER + "layer = []", r"line 2: layer: is no part .* Did you mean 'layers'\?$"),
        (SERVER + "[[layers]]\nttl = 1", r"line 2: layers\[0\]: needs a type out of .*cache, coal"),
        (
            SERVER + '[[layers]]\n\ntype = "cachee"',
            r"line 4: layers\[0\].type: must be one of .*cache, .* Did you mean 'cache'\?$",
        ),
        (SERVER + "[[layers]]\ntype = 7", r"line 3: layers\[0\].type: must be one of .* got 7\.$"),
        (
            SERVER + '[[layers]]\ntype = "cache"\nstale-if-error = "1h"',
            r"line 4: layers\[0\].stale-if-error: is no option; .* mean 'stale_if_error'\?$",
        ),
        (
            SERVER + '[[layers]]\ntype = "cache"\n[layers.clock]',
            r"line 4: layers\[0\].clock: can be given in Python only\.$",
        ),
        (
            SERVER + '[[layers]]\ntype = "cache"\nstores = ["memory",\n"reddis"]',
            r"line 5: layers\[0\].stores\[1\]: must be one of .* Did you mean 'redis'\?$",
        ),
        # Of a type.
        (SERVER + "layers = 3", r"line 2: layers: must be a list of tables with a type out of .*3"),
        (SERVER + "layers = [3]", r"line 2: layers\[0\]: must be a table with a type out of"),
        (
            SERVER + '[[layers]]\ntype="coalesce"\nmax_rows = "8"',
            r"line 4: layers\[0\].max_rows: must be a whole number or 'none', but got '8'\.$",
        ),
        (
            SERVER + '[[layers]]\ntype="coalesce"\nmax_rows = 1.5',
            r"line 4: .*max_rows: must be a whole number or 'none', but got 1\.5\.$",
        ),
        (
            SERVER + '[[layers]]\ntype="coalesce"\nmax_rows = true',
            r"line 4: .*max_rows: must be a whole number or 'none', but got True\.$",
        ),
        (
            SERVER + '[[layers]]\ntype="cache"\nttl = 2026-11-01',
            r"line 4: .*ttl: must be a duration such as '10s' or 'none', but got dat",
        ),
        (
            SERVER + '[[layers]]\ntype="cache"\nidentities = ["a"]',
            r"line 4: .*identities: must be a table or 'none', but got \['a'\]\.$",
        ),
        (
            SERVER + '[[layers]]\ntype="cache"\nrows = [\n"a",\n1]',
            r"line 6: layers\[0\].rows\[1\]: must be text, but got 1\.$",
        ),
        (
            SERVER + '[[layers]]\ntype = "limit"\nshares = { btach = 1 }',
            r"line 4: layers\[0\].shares.btach: must be one of .* Did you mean 'batch'\?$",
        ),
        (
            SERVER + '[[layers]]\ntype = "hedge"\n[[layers.routes]]\nmodel = "b"',
            r"line 4: layers\[0\].routes\[0\]: needs name: text\.$",
        ),
        (
            SERVER + '[[layers]]\ntype = "hedge"\n[[layers.routes]]\nname = "b"\nserver = "h"',
            r"line 6: layers\[0\].routes\[0\].server: url must start with http://",
        ),
        # Of a value: what the constructor says.
        (
            SERVER + '[[layers]]\ntype="cache"\nttl = "24"',
            r"line 4: layers\[0\].ttl: ttl needs a unit out of ns, .* but got '24'\.$",
        ),
        (
            SERVER + '[[layers]]\ntype="coalesce"\nmax_rows = 0',
            r"line 4: .*: max_rows must be at least 1, but got max_rows=0\.$",
        ),
        (
            SERVER + '[[layers]]\ntype="cache"\nstores = [\n{ type = "memory", size = "1QB" }]',
            r"line 5: layers\[0\].stores\[0\].size: size needs a unit out of B, .* got '1QB'\.$",
        ),
        ('server = "localhost"', r"line 1: server: url must start with http://"),
        ('[server]\ntype="http"\nurl=""', r"line 3: server.url: url must start with http://"),
        ('[server]\ntype = "http"', r"line 1: server: needs url: text\.$"),
        (SERVER + 'jobs = { type = "redis", ttl = "0s" }', r"line 2: jobs.ttl: ttl must be 1ms"),
        # Of the environment.
        (
            SERVER + '[[layers]]\ntype="cache"\nttl = "${TTL}"',
            r"line 4: layers\[0\].ttl: the environment has no variable 'TTL'\.$",
        ),
        ('server = "${A}${B}"', r"line 1: server: the environment has no variable 'A'\.$"),
    ],
)
def test_findings(text: str, expected: str) -> None:
    """Each with its line, its key, and what would be right."""
    assert re.search(expected, found(text)[0]), found(text)[0]


def test_all_findings_at_once() -> None:
    """Also of options of one constructor, which stops at the first."""
    text = """
sever = "http://localhost:8000"

[[layers]]
type = "cache"
ttl = "24x"
stale = "1y"
tll = 1
stores = [
  { type = "memory", size = "64MX" },
  { type = "redis", url = "${NONE}", budget = 0 },
]

[[layers]]
type = "coalesce"
max_rows = 0
max_in_flight = -1
by_length = "a"
"""
    assert [(finding.line, finding.key) for finding in findings(text)] == [
        (0, ""),
        (2, "sever"),
        (6, "layers[0].ttl"),
        (7, "layers[0].stale"),
        (8, "layers[0].tll"),
        (10, "layers[0].stores[0].size"),
        (11, "layers[0].stores[1].budget"),
        (11, "layers[0].stores[1].url"),
        (16, "layers[1].max_rows"),
        (17, "layers[1].max_in_flight"),
        (18, "layers[1].by_length"),
    ]


def test_the_error_tells_all_of_it() -> None:
    with pytest.raises(PolicyError, match=r"serving.toml is wrong:\n  needs a server.*\n  line 1"):
        Policy("a = 1", name="serving.toml")
    assert issubclass(PolicyError, ConfigError)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:pa55w0rd@[bad",
        "http://user:pa55w0rd@x",
        "redis://localhost:6379/0?password=pa55w0rd&what=1",
        "redis://localhost/x?password=pa55w0rd",
        "redis://:pa55w0rd@localhost:port",
    ],
)
@pytest.mark.parametrize("where", ["here", "environment"])
def test_passwords_are_not_printed(url: str, where: str) -> None:
    """Neither one in the file nor one from the environment, whatever is wrong with it."""
    stores = 'layers = [{{ type = "cache", stores = [{{ type = "redis", url = "{}" }}] }}]'
    for template in ('server = "{}"', SERVER + stores, SERVER + '[jobs]\ntype="redis"\nurl="{}"'):
        text = template.format(url if where == "here" else "${URL}")
        assert "pa55w0rd" not in "\n".join(found(text, URL=url))


@pytest.mark.parametrize("secret", ["geheimes", "x" * 31])
def test_secrets_are_not_printed(secret: str) -> None:
    for value in (secret, "${SECRET}"):
        text = f'{SERVER}[[layers]]\ntype="cache"\nsecret = "{value}"'
        (finding,) = found(text, SECRET=secret)
        assert "secret must have 32 bytes" in finding
        assert secret not in finding
    (finding,) = found(f'{SERVER}[[layers]]\ntype="coalesce"\nmax_rows="${{SECRET}}"', SECRET="pw")
    assert "'pw'" not in finding


@pytest.mark.parametrize("value", ['["geheim"]', '"geheim"', '{ A = ["geheim"] }'])
def test_headers_are_not_printed(value: str) -> None:
    told = found(f'[server]\ntype = "http"\nurl = "http://h"\nheaders = {value}')
    assert "geheim" not in "".join(told)


def test_variables_within_a_text() -> None:
    variables = Variables({"HOST": "h", "PORT": "1", "EMPTY": ""})
    assert variables.expand("http://${HOST}:${PORT}/${EMPTY}") == ("http://h:1/", [])
    assert variables.expand("$HOST ${ HOST}") == ("$HOST ${ HOST}", [" HOST"])


async def test_clients_from_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "serving.toml"
    path.write_text(FULL)
    expected = Stack(HttpTransport("http://localhost:8000"), python()[0])
    async with AsyncClient.from_policy(path, environment=ENVIRONMENT) as client:
        assert repr(client.stack) == repr(expected)
        assert repr(client.jobs) == repr(python()[1])


def test_a_sync_client_from_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "serving.toml"
    path.write_text(SERVER + 'layers = ["cache", "coalesce"]')
    with Client.from_policy(str(path)) as client:
        assert repr(client) == (
            "Client(Stack(Cache(Memory('64MB')) > Coalesce(window='2ms') > "
            "HttpTransport('http://localhost:8000')))"
        )


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml", "a\0b"):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load_policy(path)
        assert not isinstance(caught.value, PolicyError)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# a\n# \xe9\n")
    with pytest.raises(PolicyError, match=r"line 2: is not UTF-8: byte 0xe9"):
        load_policy(path)


def kinds() -> Iterator[tuple[Any, str, Kind]]:
    for family, rows in FAMILIES.items():
        for name, kind in rows.items():
            yield family, name, kind


@pytest.mark.parametrize(("family", "name", "kind"), list(kinds()))
def test_every_row_of_the_table_is_right(family: Any, name: str, kind: Kind) -> None:
    """Its class is there and of its family, its options can be given, its words are filled in."""
    made, options = schema(kind)
    if isinstance(family, type):
        assert issubclass(made, family)
    assert re.fullmatch(r"[a-z][a-z_]*", name)
    assert "type" not in options
    needed = [option for option in options.values() if option.default is MISSING]
    assert all(option.readable for option in needed)
    for case in kind.cases:
        assert case.situation in CASES
        mentioned = re.findall(r"{(\w+)}", case.text)
        assert set(mentioned) <= set(options)
        assert not case.when or case.when.removeprefix("!") in options
        assert not case.text.endswith(".")


NAMES = sorted({name for _, name, _ in kinds()})
OPTIONS = sorted({option for _, _, kind in kinds() for option in schema(kind).options})
TEXTS = st.sampled_from(
    [*NAMES, "none", "1s", "1MB", "50%", "http://localhost:1", "redis://u:p@h:1/0", "${A}", "${B}",
     "$" * 9, "\ud7ff", "://", "x" * 300, ""]
)  # fmt: skip
PLAIN = (
    TEXTS
    | st.integers(-3, 3)
    | st.just(10**400)
    | st.sampled_from([0.5, -0.5, float("nan"), float("inf"), True])
)
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(OPTIONS), inner, max_size=4)
        | st.dictionaries(st.sampled_from(OPTIONS), inner, max_size=3).flatmap(
            lambda table: st.sampled_from(NAMES).map(lambda name: {"type": name, **table})
        )
    ),
    max_leaves=8,
)


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {toml(item)}' for key, item in value.items())}}}"
    return str(value)


def told_of(text: str, **environment: str) -> list[Finding]:
    """What is wrong with it, if anything; nothing but PolicyError is raised."""
    try:
        Policy(text, environment=environment).build()
    except PolicyError as error:
        return list(error.findings)  # type: ignore[arg-type]
    return []


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["layers", "jobs", "x"]), TREES),
    st.lists(TREES, max_size=3),
)
def test_any_toml_is_a_policy_or_has_findings(parts: dict[str, Any], layers: list[Any]) -> None:
    """Nothing else is raised; each finding has a line, and shows no value of a variable."""
    document = {"server": "http://localhost:1", "layers": layers, **parts}
    text = "\n".join(f"{key} = {toml(value)}" for key, value in document.items())
    told = told_of(text, A="pa55w0rd")
    assert "pa55w0rd" not in "\n".join(map(str, told))
    for finding in told:
        assert 0 < finding.line <= len(document) or "digits" in finding.message


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_policy_or_have_findings(data: bytes) -> None:
    assert told_of(data.decode("utf-8", "replace")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000 + "]" * 5000,
        "a = " + "{a=" * 5000 + "1" + "}" * 5000,
        "server = " + "9" * 5000,
        "server = 0x" + "f" * 5000,
        SERVER + "layers = [" + "0x" + "f" * 5000 + "]",
        SERVER + "[[layers]]\ntype='coalesce'\nmax_rows = 0x" + "f" * 5000,
    ],
)
def test_monsters(text: str) -> None:
    assert findings(text)


def test_a_finding_is_told_once() -> None:
    builder = Builder({}, Variables({}))
    builder.find(("a",), "wrong")
    builder.find(("a",), "wrong")
    assert len(builder.findings) == 1
