"""`tritonkit gateway --check`, and what it says of what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client.policy.schema import schema_of
from tritonkit.gateway.config.config import Listening
from tritonkit.gateway.config.reading import read_config
from tritonkit.gateway.http.bounds import Bounds

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "gateway.md"
EXAMPLE = ROOT / "examples" / "gateway.toml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gateway", *arguments])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "serving.toml"


def test_nothing_is_wrong(file: Path) -> None:
    file.write_text(
        """
        server = ["http://a:8000", "http://b:8000"]
        [[layers]]
        type = "retry"
        [gateway]
        port = 9000
        workers = 2
        max_body = "1MB"
        keep_alive = "5s"
        unaccounted = true
        [gateway.tenants.shop]
        token = "${SHOP}"
        rights = ["infer"]
        [gateway.models.minilm]
        [gateway.live]
        on = false
        """
    )
    result = CliRunner().invoke(
        main, ["gateway", "--policy", "serving.toml", "--check"], env={"SHOP": "x" * 32}
    )
    assert (result.exit_code, result.stdout) == (0, "serving.toml: nothing is wrong.\n")


def test_tells_all_that_is_wrong_at_once(file: Path) -> None:
    """Of the policy and of the table, with line and key and what would be right."""
    file.write_text(
        """\
server = "http://a:8000"

[[layers]]
type = "cash"

[gateway]
port = 99999
worker = 2
max_body = "1 apple"
keep_alive = "0s"

[gateway.tenants.shop]
rights = ["inferr"]

[gateway.live]
size = "1kB"
"""
    )
    result = run("--policy", "serving.toml", "--check")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == "Error: serving.toml is wrong:"
    found = [line.strip().split(": ")[:2] for line in lines[1:]]
    assert found == [
        ["line 4", "layers[0].type"],
        ["line 7", "gateway.port"],
        ["line 8", "gateway.worker"],
        ["line 9", "gateway.max_body"],
        ["line 10", "gateway.keep_alive"],
        ["line 12", "gateway.tenants.shop"],
        ["line 13", "gateway.tenants.shop.rights[0]"],
        ["line 16", "gateway.live.size"],
    ]
    assert "Did you mean 'workers'?" in lines[3]
    assert "must be 0 to 65535, but got 99999." in lines[2]


def test_stands_in_for_the_server_of_a_policy(file: Path) -> None:
    file.write_text('[[layers]]\ntype = "retry"\n')
    assert "needs a server" in run("--policy", "serving.toml", "--check").stderr
    upstream = ("--upstream", "http://a:8000", "--upstream", "http://b:8000")
    assert run("--policy", "serving.toml", *upstream, "--check").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there must be a --policy with a server, or an --upstream."),
        (("--upstream", "grpc://a:8001"), "--upstream must start with http:// or https://"),
        (("--upstream", "a:8000"), "url must start with http://"),
        (("--policy", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("--upstream", "http://a", "--host", "no such host"), "host must be a name"),
    ],
)
def test_says_in_one_line_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments, "--check")
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_a_server_that_speaks_no_http(file: Path) -> None:
    file.write_text('server = "grpc://a:8001"\n')
    result = run("--policy", "serving.toml", "--check")
    assert result.exit_code == 2
    assert "server must be reached over http:// or https:// behind a gateway" in result.stderr


def test_the_example_is_one() -> None:
    """With the variables that it names set, and nothing else."""
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", EXAMPLE.read_text()), "")
    assert set(variables) == {"CACHE_URL", "REDIS_URL", "SHOP_TOKEN", "OPS_TOKEN", "METRICS_TOKEN"}
    tokens = {name: name.lower().ljust(32, "x") for name in variables}
    urls = dict.fromkeys(("CACHE_URL", "REDIS_URL"), "redis://localhost:6379")
    environment = tokens | urls
    command = ["gateway", "--policy", str(EXAMPLE), "--check"]
    result = CliRunner().invoke(main, command, env=environment)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{EXAMPLE}: nothing is wrong.\n"


def test_the_guides_policy_is_one() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    policy, config = read_config(text)
    assert not policy.warnings
    assert config.listening.workers == 2


def test_the_guide_names_every_option_and_its_default() -> None:
    said = {}
    for names, defaults in re.findall(
        r"^\| (`[^|]*) \| ([^|]*) \|", GUIDE.read_text(), re.MULTILINE
    ):
        defaults = defaults.replace("`", "").split(", ")
        said |= dict(zip(re.findall(r"`(\w+)`", names), defaults, strict=True))
    expected = {
        option.name: "none" if option.default is None else str(option.default).lower()
        for made in (Listening, Bounds)
        for option in schema_of(made).options.values()
    }
    assert {name: default.lower() for name, default in said.items()} == expected
