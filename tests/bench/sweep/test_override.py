"""Against a server in memory; what a real one does is in test_real_server.py."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from tritonkit.bench.commands.target_options import TargetChoice
from tritonkit.bench.sweep.control import ModelControl
from tritonkit.bench.sweep.left_over import Record, recorded_servers
from tritonkit.bench.sweep.override import Override, Superseded, restore_left_over
from tritonkit.bench.sweep.placement import changed_configs
from tritonkit.bench.targets.blueprint import Blueprint, PolicyText
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, ServerError, ServerStartError

real_connect = ModelControl.connect


def delayed(configs, delay):
    return changed_configs(configs, "echo", {"max_queue_delay": delay})


@pytest.fixture
def originals(simulated):
    return dict(simulated.configs)


async def test_restores_after_an_exception(simulated, originals):
    """The exception comes through."""

    async def sweep():
        async with Override(simulated) as override:
            await override.apply(delayed(originals, "5ms"))
            assert simulated.configs != originals
            raise RuntimeError("of the sweep")

    with pytest.raises(RuntimeError, match="of the sweep"):
        await sweep()

    assert simulated.configs == originals


@pytest.mark.parametrize("after", range(1, 12))
async def test_restores_wherever_it_is_cancelled(simulated, originals, after):
    """Once during the sweep, and again while it restores."""

    async def sweep():
        async with Override(simulated) as override:
            await override.apply(delayed(originals, "5ms"))
            await asyncio.sleep(60)

    task = asyncio.create_task(sweep())
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert simulated.configs == originals


async def test_loads_only_what_changes(simulated, originals):
    """The same settings again load nothing; another model's are taken back."""
    async with Override(simulated) as override:
        assert await override.apply({}) == 0
        assert await override.apply(delayed(originals, "5ms")) == 1
        assert await override.apply(delayed(originals, "5ms")) == 0
        copy = changed_configs(originals, "copy", {"instances": "2"})
        assert await override.apply(copy) == 2
        assert simulated.configs == {**originals, **copy}


async def test_a_refused_configuration_is_undone(simulated, originals):
    """Its words come through, and the next settings are applied."""
    async with Override(simulated) as override:
        await override.apply(delayed(originals, "5ms"))
        with pytest.raises(ServerStartError, match="refused on purpose"):
            await override.apply({"echo": {**originals["echo"], "refuse": True}})
        assert simulated.configs == originals
        assert await override.apply(delayed(originals, "7ms")) == 1


async def test_a_model_that_would_go_away_is_brought_back(simulated, originals):
    """An ensemble that nobody named stands and falls with its parts."""
    alone = {"echo": originals["echo"]}
    async with Override(simulated) as override:
        with pytest.raises(ServerError, match="the server has no pipeline left"):
            await override.apply(changed_configs(alone, "echo", {"max_batch_size": "4"}))
        assert simulated.configs == originals


async def test_ensembles_are_ready_in_between(simulated, originals):
    """Smaller batches are taken from the outside in, larger ones from the inside out."""
    async with Override(simulated) as override:
        await override.apply(changed_configs(originals, "echo", {"max_batch_size": "4"}))
        assert [model for model, _ in simulated.loads] == ["pipeline", "echo"]
        simulated.loads.clear()
    assert [model for model, _ in simulated.loads] == ["echo", "pipeline"]


async def test_what_somebody_else_loads_meanwhile_stays(simulated, originals):
    """It is told apart from a server that was started again, which has the originals."""
    async with Override(simulated) as override:
        await override.apply(delayed(originals, "5ms"))
        simulated.restart()
        assert not await override.check()
        assert await override.apply(delayed(originals, "5ms")) == 1
        other = delayed(originals, "9ms")["echo"]
        await simulated.load("echo", other)
        with pytest.raises(Superseded, match="'echo' was loaded by somebody else"):
            await override.check()

    assert simulated.configs["echo"] == other


async def test_a_server_that_is_gone_leaves_the_record(simulated, originals, state):
    """The next command restores; the error says so."""

    async def sweep():
        async with Override(simulated) as override:
            await override.apply(delayed(originals, "5ms"))
            simulated.gone = True

    with pytest.raises(ServerError, match="The next tritonkit bench command"):
        await sweep()
    with pytest.raises(ServerError, match="is not restored: cannot connect"):
        await restore_left_over(simulated)
    simulated.gone = False

    assert (await restore_left_over(simulated) or "").endswith("echo is restored")
    assert simulated.configs == originals
    assert not list(state.glob("*.json"))


async def test_left_over_settings(simulated, originals, state):
    """Restored once; a server that has them no more, or others, stays as it is."""
    wanted, other = delayed(originals, "5ms"), delayed(originals, "9ms")
    kept = {"echo": originals["echo"]}

    async def left(runs):
        await simulated.load("echo", runs["echo"])
        Record(simulated.address).write(kept, wanted)
        return await restore_left_over(simulated)

    assert await restore_left_over(simulated) is None
    said = await left(wanted)
    assert said is not None
    assert said.endswith("echo is restored")
    assert f"(process {os.getpid()})" in said
    assert simulated.configs == originals
    assert await restore_left_over(simulated) is None
    assert (await left(kept) or "").endswith("echo has them no more")
    assert (await left(other) or "").endswith("echo was changed by somebody else since and stays")
    assert simulated.configs["echo"] == other["echo"]
    assert not list(state.glob("*.json"))


async def test_one_sweep_at_a_time(simulated, originals):
    """The second is told; a command of the same process takes the record for its own."""
    async with Override(simulated) as override:
        await override.apply(delayed(originals, "5ms"))
        with pytest.raises(ConfigError, match="another sweep changes the configuration"):
            await Override(simulated).__aenter__()
        assert await restore_left_over(simulated) is None


async def test_a_record_that_cannot_be_kept(simulated, originals, state):
    """Nothing is changed then; one that cannot be read is named."""
    state.parent.mkdir(parents=True)
    state.write_text("a file")
    with pytest.raises(ConfigError, match="set XDG_STATE_HOME"):
        await Override(simulated).__aenter__()
    state.unlink()
    Record(simulated.address).write(originals, originals)
    next(state.glob("*.json")).write_text("{")

    with pytest.raises(ConfigError, match="cannot be read"):
        await restore_left_over(simulated)
    assert not simulated.loads


async def test_a_command_over_grpc_finds_the_record_by_the_machine(simulated, originals, state):
    """Its port says nothing of the one that loads models."""
    assert recorded_servers("simulated") == []
    Record(simulated.address).write(originals, originals)
    (state / "override-other.json").write_text("{")

    assert recorded_servers("simulated") == ["http://simulated:8000"]
    assert recorded_servers("elsewhere") == []


async def test_left_over_models_that_the_server_has_not(simulated, originals, state):
    """Another server on the same port by now: no command is refused for ever."""
    await simulated.load("echo", delayed(originals, "5ms")["echo"])
    kept = {"gone": originals["copy"], "echo": originals["echo"]}
    Record(simulated.address).write(kept, delayed(originals, "5ms"))

    said = await restore_left_over(simulated) or ""
    assert said.endswith("gone is not there any more; echo is restored")
    assert simulated.configs == originals
    assert not list(state.glob("*.json"))


async def test_a_model_that_was_there_and_is_away_is_not_given_up(simulated, originals, state):
    """Its file is named, for whoever knows better."""

    async def states():
        return {"gone": "UNAVAILABLE"}

    simulated.states = states
    Record(simulated.address).write({"gone": originals["copy"]}, {})
    with pytest.raises(ServerError, match=r"'gone' is not restored: .* remove /.*\.json"):
        await restore_left_over(simulated)
    assert list(state.glob("*.json"))


async def test_this_machine_has_one_record_by_any_of_its_names(simulated, originals):
    """Else two sweeps would take each other's settings for the originals."""
    names = ("localhost", "127.0.0.1", "[::1]", socket.gethostname(), "LOCALHOST")
    records = [Record(Address.parse(f"http://{name}:8000")) for name in names]
    assert len({record.path for record in records}) == 1


async def test_a_command_with_a_policy_restores_each_of_its_servers(
    simulated, originals, state, monkeypatch, capsys
):
    """One that is away is told and ends nothing: a layer may be there for that case."""
    text = 'server = ["http://away:8000", "http://simulated:8000"]\n'
    away = type(simulated)(originals)
    away.address = Address.parse("http://away:8000")
    away.gone = True
    servers = {str(one.address): one for one in (simulated, away)}
    monkeypatch.setattr(ModelControl, "connect", lambda url, **_: servers[url])
    await simulated.load("echo", delayed(originals, "5ms")["echo"])
    for one in servers.values():
        Record(one.address).write({"echo": originals["echo"]}, delayed(originals, "5ms"))

    blueprint = Blueprint(model="echo", policy=PolicyText("serving.toml", text))
    await TargetChoice(blueprint).restore_left_over()

    said = capsys.readouterr().err
    assert simulated.configs == originals
    assert "Note: " in said
    assert "echo is restored" in said
    assert "Warning: " in said
    assert "is not restored: cannot connect" in said
    with pytest.raises(ConfigError, match="--control-url"):
        real_connect("")
