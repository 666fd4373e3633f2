"""The drift benchmark: its streams, its reading of alarms, its bound, its report."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _report, drift

SMALL = drift.Size(streams=8, null=400, after=600, peer_streams=2, slow_streams=1)


@pytest.fixture(scope="module")
def streams() -> drift.Streams:
    return drift.simulate(SMALL)


def test_streams_have_the_means_they_say(streams: drift.Streams) -> None:
    assert streams.null.shape == (8, 400)
    assert streams.null.mean() == pytest.approx(2 / 3, abs=0.01)
    for shift, values in streams.changed.items():
        assert values.shape == (8, 3_600)
        assert values[:, :3_000].mean() == pytest.approx(2 / 3, abs=0.01)
        assert values[::2, 3_000:].mean() == pytest.approx(2 / 3 - shift, abs=0.02)
        assert values[1::2, 3_000:].mean() == pytest.approx(2 / 3 + shift, abs=0.02)


def test_the_first_alarm_counts_observations() -> None:
    alarms = np.array([[False, True, True], [True, False, False], [False, False, False]])
    assert drift.first_alarm(alarms).tolist() == [2, 1, math.inf]


def test_an_alarm_falls_on_the_last_observation_of_its_bucket() -> None:
    values = np.full((2, 400), 0.5)
    values[0, ::2], values[1, ::2] = 0.6, 0.6
    values[1, 300:] = 0.95
    alarms = drift.alarms_of_drift(values, per_bucket=20)
    assert not alarms[0].any()
    assert alarms[1].nonzero()[0][0] in (319, 339)


def test_a_river_detector_is_fed_one_at_a_time() -> None:
    class Third:
        def __init__(self) -> None:
            self.seen: list[float] = []

        def update(self, value: float) -> None:
            self.seen.append(value)

        @property
        def drift_detected(self) -> bool:
            return len(self.seen) == 3

    assert drift.alarms_of_peer(Third, np.zeros((2, 4))).tolist() == [[False, False, True, False]] * 2


def test_the_likelihood_ratio_is_scipys(streams: drift.Streams) -> None:
    x = streams.null[:2, :50]
    a, b = np.array([[5.5], [6.4]]), np.array([[3.5], [2.6]])
    expected = stats.beta.logpdf(x, a, b) - stats.beta.logpdf(x, 6, 3)
    assert drift._log_beta_ratio(x, a, b) == pytest.approx(expected)


def test_the_bound_is_log_ten_thousand_over_the_divergence() -> None:
    """BENCHMARKS: about 163 and 41 observations on average."""
    streams = drift.simulate(drift.Size(streams=400, null=1, after=800, peer_streams=0, slow_streams=0))
    row = drift.ideal(streams)
    assert row["false alarms in 10,000"] is None
    assert 130 < float(row["median delay, 0.05"] or 0) < 180
    assert 32 < float(row["median delay, 0.10"] or 0) < 48


def test_it_reports_every_method_and_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(drift, "CHANGE", 800)
    monkeypatch.setattr(drift, "QUICK", SMALL)
    file = tmp_path / "drift.json"
    _report.main("drift", "about", drift.run, ["--quick", "--json", str(file)])
    written = json.loads(file.read_text("utf-8"))
    methods = [(row["method"], row["per bucket"]) for row in written["rows"]]
    assert methods == [
        ("Drift", 1),
        ("Drift", 10),
        ("Drift", 50),
        ("river ADWIN", 1),
        ("river PageHinkley", 1),
        ("river KSWIN", 1),
        ("ideal sequential test", 1),
    ]
    targets = {figure["name"]: figure["target"] for figure in written["figures"]}
    assert list(targets.values()) == [1, 1, 1, 220, 70]
    assert written["rows"][0]["median delay, 0.10"] < written["rows"][3]["median delay, 0.10"]
