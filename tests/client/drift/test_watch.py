"""False alarms and delays of drift detectors, by simulation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.drift.alert import Alert
from tritonkit.client.drift.evidence import LOSS, WIN, advanced, combined, windows_to_find
from tritonkit.client.drift.noise import CHANCE
from tritonkit.client.drift.profile import Profile
from tritonkit.client.drift.watch import Watch
from tritonkit.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Samples

Streams = Callable[[np.random.Generator, int, int], NDArray[np.float64]]

WINDOW = 200


def reference(stream: NDArray[np.float64]) -> Profile:
    return Profile.of("m", {"x": stream[:, None]})


def evidence(profile: Profile, streams: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """
    Of many streams at a time, shape (streams, rows), as a Tracker has it.

    Returns the evidence after each window, and the share of windows that are too far away.
    """
    (watched,) = profile.watched
    feature = watched.feature
    count = streams.shape[1] // WINDOW
    bins = feature.encode(streams.reshape(-1, 1)[:1]).shape[1]
    places = np.searchsorted(feature.edges, streams[:, : count * WINDOW])  # type: ignore[attr-defined]
    places = places.reshape(len(streams), count, WINDOW)
    means = np.stack([(places == bin_).mean(axis=2) for bin_ in range(bins)], axis=2)
    return replayed(profile, means)


def replayed(profile: Profile, means: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Likewise, of the average of each smallest window, shape (streams, windows, bins)."""
    (watched,) = profile.watched
    allowed = watched.feature.threshold + watched.noise.windows + watched.noise.reference
    count = means.shape[1]
    state = np.zeros((len(means), len(profile.scales)))
    after = np.zeros((len(means), count))
    far_windows = windows = 0
    fars = []
    for scale in range(len(profile.scales)):
        size = 2**scale
        whole = count // size * size
        larger = means[:, :whole].reshape(len(means), whole // size, size, -1).mean(axis=2)
        far = watched.feature.distance(watched.mean, larger) > allowed[scale]
        fars.append(far)
        far_windows += far.sum()
        windows += far.size
    for window in range(count):
        for scale, far in enumerate(fars):
            size = 2**scale
            if (window + 1) % size == 0:
                state[:, scale] = advanced(state[:, scale], far[:, (window + 1) // size - 1])
        after[:, window] = combined(state)
    return after, far_windows / windows


def autocorrelated(chance: np.random.Generator, streams: int, rows: int) -> NDArray[np.float64]:
    """AR(1) of 0.9, of variance 1."""
    found = np.ascontiguousarray(chance.standard_normal((streams, rows)).T)
    found[1:] *= 0.19**0.5
    for before, row in itertools.pairwise(found):
        row += 0.9 * before
    return found.T


def seasonal(chance: np.random.Generator, streams: int, rows: int) -> NDArray[np.float64]:
    """A mean that goes up and down by half a standard deviation in 1,000 rows."""
    season = 0.5 * np.sin(2 * np.pi * np.arange(rows) / 1000)
    return season + chance.standard_normal((streams, rows))


def independent(chance: np.random.Generator, streams: int, rows: int) -> NDArray[np.float64]:
    return chance.standard_normal((streams, rows))


def at_the_threshold(chance: np.random.Generator, streams: int, rows: int) -> NDArray[np.float64]:
    """The largest change that is none: a tenth of a standard deviation."""
    return 0.1 + chance.standard_normal((streams, rows))


def test_a_bet_is_fair() -> None:
    assert pytest.approx(1) == CHANCE * WIN + (1 - CHANCE) * LOSS


def test_run_length_of_the_evidence() -> None:
    """
    Windows that are too far away as often as is allowed: A windows to an alarm on
    average, or more. A mean of 400 run lengths is known to 3 / 20 of their deviation,
    which is about their mean.
    """
    chance = np.random.default_rng(1)
    state, needed, length = np.zeros(400), 300.0, np.full(400, np.nan)
    for window in range(8000):
        state = advanced(state, chance.random(400) < CHANCE)
        length[np.isnan(length) & (state >= needed)] = window + 1
    # Those that are still going on count as if they ended here.
    length[np.isnan(length)] = 8000
    assert length.mean() >= needed * (1 - 3 / 20)


@pytest.mark.parametrize(
    ("live", "sample"),
    [
        (independent, independent),
        (at_the_threshold, independent),
        (autocorrelated, autocorrelated),
        (seasonal, seasonal),
    ],
)
def test_no_drift(live: Streams, sample: Streams) -> None:
    """
    5 references, 20 streams of 100 windows each: an alarm within t windows at run length A
    has probability t / A at most. With A = 10,000, 1 in 100 streams alarms; more than 5
    have probability 0.0006 (Poisson of mean 1). And windows that are too far away are
    no more than CHANCE.
    """
    chance = np.random.default_rng(2)
    alarms, shares = 0, []
    for _ in range(5):
        profile = reference(sample(chance, 1, 5000)[0])
        found, far = evidence(profile, live(chance, 20, 100 * WINDOW))
        alarms += int((found.max(axis=1) >= 10_000).sum())
        shares.append(far)
    assert alarms <= 5
    assert np.mean(shares) <= CHANCE


def test_half_a_deviation_is_found_in_time() -> None:
    """
    Each window of it is too far away: by as much as 0.5 deviations less 3 of a window's
    mean (3 / sqrt(200) = 0.21) is above the 0.24 or so that are allowed. Then the delay
    is what `windows_to_find` says; of 50 streams, one may lack a window.
    """
    chance = np.random.default_rng(3)
    profile = reference(chance.standard_normal(5000))
    run_length, features = 50_000.0, 20
    stated = windows_to_find(run_length, features, len(profile.scales))
    found, _ = evidence(profile, 0.5 + chance.standard_normal((50, 10 * WINDOW)))
    delays = (found >= run_length * features).argmax(axis=1) + 1
    assert (found.max(axis=1) >= run_length * features).all()
    assert (delays <= stated).mean() >= 0.98
    assert stated * WINDOW <= 1400


def test_ten_million_rows_change_nothing() -> None:
    """A change below the threshold stays one, however often it is seen."""
    chance = np.random.default_rng(4)
    profile = reference(chance.standard_normal(5000))
    feature = profile.watched[0].feature
    live = feature.encode(0.09 + chance.standard_normal((50_000, 1))).mean(axis=0)
    windows = 10_000_000 // WINDOW
    means = chance.multinomial(WINDOW, live / live.sum(), size=(1, windows)) / WINDOW
    found, far = replayed(profile, means)
    assert far <= CHANCE
    # t / A again, for one stream: a hundredth.
    assert found.max() < windows * 100


Seen = Callable[..., list[Alert]]


@pytest.fixture
def rows(samples: type[Samples]) -> Callable[..., tuple[Any, Any]]:
    def made(
        count: int, seed: int, *, shift: float = 0.0, sure: float = 8.0, **texts: Any
    ) -> tuple[Any, Any]:
        chance = np.random.default_rng(seed)
        x = chance.standard_normal((count, 2)).astype(np.float32)
        x[:, 1] += shift
        inputs = {"x": x, "text": samples.texts(count, seed + 1, **texts)}
        outputs = {
            "p": samples.probabilities(count, seed + 2, sure),
            "embedding": chance.standard_normal((count, 24)).astype(np.float32),
        }
        return inputs, outputs

    return made


@pytest.fixture
def seen(rows: Callable[..., tuple[Any, Any]]) -> Seen:
    """Shows a watch rows, and gives its alerts."""

    def show(
        watch: Watch, count: int, seed: int, *, computed: bool = True, **options: Any
    ) -> list[Alert]:
        inputs, outputs = rows(count, seed, **options)
        return watch.see(inputs, outputs, np.full(count, computed), 1000.0)

    return show


def test_an_alert_says_what_has_drifted(profile: Profile, seen: Seen) -> None:
    watch = Watch(profile)
    assert seen(watch, 1000, 20) == []
    alerts = seen(watch, 1200, 21, shift=1.0)
    assert {alert.feature for alert in alerts} == {"input x[1]", "input x: all numbers"}
    alert = next(alert for alert in alerts if alert.feature == "input x[1]")
    assert (alert.severity, alert.stream, alert.measure) == ("ticket", "traffic", "wasserstein")
    assert alert.effect == pytest.approx(1.0, abs=0.2)
    assert 900 <= alert.since <= 1200
    assert alert.rows > 1200
    assert "mean" in alert.change
    assert "input x[1] of 'm' has drifted" in str(alert)
    # Said once.
    assert seen(watch, 500, 22, shift=1.0) == []
    # Over, and again.
    assert seen(watch, 1500, 23) == []
    assert {alert.feature for alert in seen(watch, 1200, 24, shift=1.0)} >= {"input x[1]"}


def test_a_change_that_only_large_windows_see_is_said_once() -> None:
    """A quarter of a deviation: within the noise of 200 rows, not in that of 3,200."""
    chance = np.random.default_rng(70)
    watch = Watch(reference(chance.standard_normal(20_000)), run_length=1e6)
    alerts = []
    for _ in range(30):
        x = 0.25 + chance.standard_normal((3200, 1))
        alerts += watch.see({"x": x}, None, np.ones(len(x), np.bool_), 1.0)
    assert [alert.feature for alert in alerts] == ["input x"]


def test_texts_of_another_language(profile: Profile, seen: Seen) -> None:
    alerts = seen(Watch(profile), 1200, 30, words="и в не на я быть он с что")
    assert {"input text: scripts", "input text: trigrams"} <= {a.feature for a in alerts}


def test_less_confidence_is_a_page(profile: Profile, seen: Seen) -> None:
    alerts = seen(Watch(profile), 3000, 40, sure=3.0)
    pages = [alert for alert in alerts if alert.severity == "page"]
    assert [page.feature for page in pages] == ["accuracy by confidence"]
    assert pages[0].effect > 0.05
    assert {"output p: max probability"} <= {alert.feature for alert in alerts}


def test_traffic_and_computed_rows(profile: Profile, seen: Seen) -> None:
    """What only comes more often is drift of traffic alone."""
    watch = Watch(profile, computed=profile)
    streams = {alert.stream for alert in seen(watch, 1200, 50, computed=False, shift=1.0)}
    assert streams == {"traffic"}
    assert {a.stream for a in seen(watch, 1200, 51, shift=1.0)} == {"computed"}
    alone = Watch(profile)
    assert {a.stream for a in seen(alone, 1200, 51, shift=1.0)} == {"traffic"}
    assert alone.report()["features"]["computed"]["input x[1]"]["distance"] > 0.8


def test_windows_of_the_computed_rows_may_be_smaller(
    profile: Profile, rows: Callable[..., Any]
) -> None:
    """Their evidence grows the more often, and still counts by rows."""
    few = Profile.of("m", *rows(100, 52), classes="p", window=20)
    watch = Watch(profile, computed=few)
    features = sum(len(trackers) for trackers in watch.trackers.values())
    tracker = watch.trackers["computed"][0]
    needed = watch.run_length * features / few.scales[0]
    for share, alarms in ((0.9, 0), (1.1, 1)):
        tracker._evidence[0] = share * needed * len(few.scales)
        assert len(list(watch._alarms(1.0))) == alarms


def test_rows_that_are_not_like_the_profile(profile: Profile) -> None:
    watch = Watch(profile)
    odd = {"x": np.zeros((3, 1), np.float32)}
    assert watch.see(odd, {"p": np.zeros((3,))}, np.ones(3, np.bool_), 0.0) == []
    assert watch.unreadable > 0


def test_answers_that_are_not_the_models(profile: Profile, rows: Callable[..., Any]) -> None:
    """Their inputs count."""
    watch = Watch(profile)
    inputs, _ = rows(150, 60)
    watch.see(inputs, None, np.ones(150, np.bool_), 0.0)
    features = watch.report()["features"]["traffic"]
    assert features["input x[0]"]["rows"] == 150
    assert features["output p: class"]["rows"] == 0


def test_options(profile: Profile) -> None:
    strict = Watch(profile, thresholds={"wasserstein": 0.0, "input x[0]": 5.0})
    found = {it.watched.feature.name: it.threshold for it in strict.trackers["traffic"]}
    assert (found["input x[0]"], found["input x[1]"]) == (5.0, 0.0)
    with pytest.raises(ConfigError, match="'input y'"):
        Watch(profile, thresholds={"input y": 1})
    with pytest.raises(ConfigError, match="run_length must be more than 100 rows"):
        Watch(profile, run_length=5)
    with pytest.raises(ConfigError, match="drop must be"):
        Watch(profile, drop=1.0)
