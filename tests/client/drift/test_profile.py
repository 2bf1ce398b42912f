"""Profiles: made, written, read again; damage is told."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tritonkit.client.drift.profile import Profile
from tritonkit.client.drift.profile_file import FORMAT
from tritonkit.client.drift.shares import Shares
from tritonkit.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Samples


def test_what_is_watched(profile: Profile) -> None:
    assert [it.feature.name for it in profile.watched] == [
        "input x[0]",
        "input x[1]",
        "input x: all numbers",
        "input text: characters",
        "input text: words",
        "input text: scripts",
        "input text: trigrams",
        "output p: class",
        "output p: max probability",
        "output p: margin",
        "output p: entropy",
        "output embedding: component 1",
        "output embedding: component 2",
        "output embedding: component 3",
        "output embedding: component 4",
        "output embedding: residual",
        "output embedding: all numbers",
        "accuracy by confidence",
    ]
    assert profile.classes == "p"
    assert profile.agreement == 1.0
    # Labels are drawn from the probabilities: 3 standard errors of 2,000 coins.
    assert profile.accuracy == pytest.approx(profile.expected, abs=3 * 0.5 / 2000**0.5)


def test_written_and_read(profile: Profile, samples: type[Samples], tmp_path: Path) -> None:
    profile.save(tmp_path / "m.drift")
    again = Profile.load(tmp_path / "m.drift")
    assert again.scales == profile.scales
    assert (again.accuracy, again.expected) == (profile.accuracy, profile.expected)
    chance = np.random.default_rng(0)
    sides = {
        "input": {"x": chance.standard_normal((5, 2)), "text": samples.texts(5, 1)},
        "output": {"p": samples.probabilities(5, 2), "embedding": chance.standard_normal((5, 24))},
    }
    for one, other in zip(profile.watched, again.watched, strict=True):
        rows = sides[one.feature.side][one.feature.tensor]
        assert np.array_equal(one.feature.encode(rows), other.feature.encode(rows))
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.noise.windows, other.noise.windows)
    assert [path.name for path in tmp_path.iterdir()] == ["m.drift"]


def test_the_same_sample_makes_the_same_profile() -> None:
    x = np.random.default_rng(3).standard_normal((400, 1))
    one, other = (Profile.of("m", {"x": x}).watched[0] for _ in range(2))
    assert np.array_equal(one.noise.windows, other.noise.windows)
    # Worked out once, and pinned: a file that is read later says the same.
    assert one.feature.encode(np.array([[-9.0], [0.0], [9.0], [np.nan]])).argmax(1).tolist() == [
        0,
        int(np.searchsorted(np.sort(x.ravel())[19:-1:20], 0.0)) + 1,
        21,
        22,
    ]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "huge", "format", "lacking"])
def test_damaged_files(profile: Profile, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.drift"
    profile.save(path)
    whole = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "flipped":
            middle = len(whole) // 3
            path.write_bytes(whole[:middle] + bytes(256) + whole[middle + 256 :])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("no profile")
        case "huge":
            # An array that no memory holds, by its header.
            header = io.BytesIO()
            fields = {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
            np.lib.format.write_array_header_1_0(header, fields)
            with zipfile.ZipFile(path, "w") as file:
                file.writestr("meta.npy", header.getvalue())
        case _:
            with np.load(path) as file:
                arrays = dict(file)
            meta = json.loads(arrays["meta"].tobytes())
            meta["format" if damage == "format" else "classes"] = FORMAT + 1
            if damage == "lacking":
                del meta["classes"], meta["watched"]
            arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
            with path.open("wb") as file:
                np.savez(file, **arrays)
    with pytest.raises(ConfigError, match=r"m\.drift"):
        Profile.load(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no drift profile"):
        Profile.load(tmp_path / "none")
    with pytest.raises(ConfigError):
        Profile.load(tmp_path)


def test_a_file_that_cannot_be_written(profile: Profile, tmp_path: Path) -> None:
    """What was there stays."""
    (tmp_path / "m").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        profile.save(tmp_path / "m")
    with pytest.raises(ConfigError, match="cannot be written"):
        profile.save(tmp_path / "none" / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_samples_that_do_not_do(samples: type[Samples]) -> None:
    x = np.zeros((200, 1), np.float32)
    with pytest.raises(ConfigError, match="100 rows at least, but got 50"):
        Profile.of("m", {"x": x[:50]})
    with pytest.raises(ConfigError, match="same number of rows"):
        Profile.of("m", {"x": x}, {"y": x[:150]})
    with pytest.raises(ConfigError, match="labels need an output with classes"):
        Profile.of("m", {"x": x}, {"y": x}, labels=[0] * 200)
    with pytest.raises(ConfigError, match="a label for each"):
        Profile.of("m", {"x": x}, {"p": samples.probabilities(200, 1)}, labels=[0] * 20)


def test_hashes_and_scripts_are_pinned() -> None:
    """A profile that was written is read by later versions: parts stay where they are."""
    rows = np.array([["abc"], ["ab"], ["abcd é"]], dtype=np.object_)
    trigrams = Shares("t", "input", "t", parts="trigrams").encode(rows)
    assert [np.flatnonzero(row).tolist() for row in trigrams] == [[60], [64], [25, 45, 54, 60]]
    scripts = Shares("t", "input", "t", parts="scripts").encode(
        np.array([["aé1 .жא漢あ한😀"], [""]], dtype=np.object_)
    )
    assert np.flatnonzero(scripts[0]).tolist() == [1, 2, 3, 4, 5, 8, 9, 14, 15, 16, 17]
    assert scripts[1, -1] == 1.0
    tokens = Shares("t", "input", "t", parts="tokens").encode(np.array([[1, 2, 0, 70_000]]))
    assert np.flatnonzero(tokens[0]).tolist() == [15, 24, 39]


def test_large_samples_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tritonkit.client.drift.profile.MOST_ROWS", 150)
    classes = np.tile(np.array([[0.9, 0.1]]), (400, 1))
    found = Profile.of("m", {"x": np.arange(400.0)}, {"p": classes}, labels=np.zeros(400, int))
    assert (found.rows, found.labels, found.accuracy) == (150, 150, 1.0)


@pytest.mark.parametrize("width", [4, 32])
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_one_number_that_is_none(width: int, odd: float) -> None:
    """In the reference, and in a window: what is seen of all others is seen with it too."""
    chance = np.random.default_rng(6)
    x = chance.standard_normal((300, width))
    x[7, 1] = odd
    found = Profile.of("m", {"x": x}, window=50)
    live = chance.standard_normal((200, width)) * 3
    live[5, 2] = odd
    for it in found.watched:
        assert np.isfinite(it.mean).all()
        distance = it.feature.distance(it.mean, it.feature.encode(live).mean(axis=0))
        assert it.noise.reference < distance < np.inf


def test_unusual_values() -> None:
    """Constants, missing values, few values and wide rows."""
    chance = np.random.default_rng(5)
    found = Profile.of(
        "m",
        {
            "constant": np.full((200, 1), 3.0),
            "holes": np.where(chance.random((200, 1)) < 0.5, np.nan, 1.0),
            "few": chance.integers(0, 3, (200, 1)),
            "flag": chance.random((200, 1)) < 0.5,
            "tokens": chance.integers(0, 30_000, (200, 64)),
            "nothing": np.full((200, 1), np.nan),
            "label": np.array([[b"a"], [b"b"]] * 100, dtype=np.object_),
        },
    )
    kinds = {it.feature.name: it.feature.kind for it in found.watched}
    assert kinds["input few"] == kinds["input flag"] == kinds["input label"] == "categories"
    assert kinds["input tokens: tokens"] == "shares"
    for it in found.watched:
        assert np.isfinite(it.noise.windows).all()
    (holes,) = (it for it in found.watched if it.feature.name == "input holes")
    gone = holes.feature.encode(np.full((10, 1), np.nan)).mean(axis=0)
    # Half of the values were missing, now all are.
    assert holes.feature.distance(holes.mean, gone) == pytest.approx(0.5, abs=0.15)
