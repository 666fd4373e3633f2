"""Noufaily's scenarios and their peers, against hand-worked cases and a plain regression."""

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _noufaily_farrington as flexible
from benchmarks import _noufaily_peers as peers
from benchmarks import _noufaily_simulation as simulation
from benchmarks import _noufaily_surveillance as surveillance
from benchmarks import noufaily
from benchmarks._noufaily_simulation import TEST, WEEKS
from benchmarks._report import Options

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def series() -> simulation.Series:
    return simulation.simulate(5, 4)


# --- The simulation ----------------------------------------------------------------------------------------


def test_there_are_42_scenarios_with_the_means_of_the_paper() -> None:
    known = simulation.scenarios()
    assert len(known) == 42
    assert known[0].mean == pytest.approx(np.full(WEEKS, math.exp(0.1)))
    # Block 2 with trend and one harmonic, in its week 52: the cosine is 1, the sine 0.
    assert known[10].mean[51] == pytest.approx(math.exp(-2 + 0.005 * 52 + 0.1))
    # Block 5, two harmonics, week 26: cosines -1 and 1.
    assert known[26].mean[25] == pytest.approx(math.exp(2.5))
    assert [scenario.dispersion for scenario in known[::6]] == [1.5, 2, 1, 5, 3, 1.1, 1.2]


def test_series_have_the_mean_and_dispersion_of_their_scenario() -> None:
    many = simulation.simulate(6, 60)
    past = slice(0, simulation.LEARNING)
    departure = many.quiet[:, past] - many.mean[:, past]
    for group in range(42):
        rows = many.scenario == group
        ratio = np.mean(departure[rows] ** 2 / many.mean[rows, past])
        assert ratio == pytest.approx(many.dispersion[rows][0], rel=0.15)
        assert abs(departure[rows].mean()) < 0.1 * math.sqrt(many.mean[rows].mean() + 0.1)


def test_the_outbreak_is_in_the_test_and_as_large_as_asked() -> None:
    many = simulation.simulate(6, 40)
    assert not many.outbreak[:, :TEST].any()
    assert np.array_equal(many.struck - many.outbreak, many.quiet)
    rows = many.scenario == 36
    size = np.arange(rows.sum()) % 10 + 1
    cases = many.outbreak[rows].sum(axis=1) / np.sqrt(1.2 * math.exp(5))
    # All but those that fall after the last week.
    assert np.mean(cases / size) == pytest.approx(1, abs=0.12)


def test_the_same_seed_gives_the_same_series(series: simulation.Series) -> None:
    again, other = simulation.simulate(5, 4), simulation.simulate(6, 4)
    assert np.array_equal(series.struck, again.struck)
    assert not np.array_equal(series.quiet, other.quiet)


def test_quality_by_hand() -> None:
    weeks = WEEKS - TEST
    outbreak = np.zeros((3, WEEKS), np.int64)
    outbreak[0, [TEST + 3, TEST + 4]] = 2, 1
    outbreak[1, [TEST + 3, TEST + 4]] = 2, 1
    quiet, struck = np.zeros((3, weeks), bool), np.zeros((3, weeks), bool)
    quiet[2, :7] = True
    struck[0, [3, 9]] = True
    struck[1, 4] = True
    # Fourteen times the same three scenarios; the third's outbreak drew no case.
    made = simulation.Series(
        np.zeros((42, WEEKS), np.int64),
        np.tile(outbreak, (14, 1)),
        np.ones((42, WEEKS)),
        np.arange(42),
        np.ones(42),
    )
    found = simulation.quality(made, np.tile(quiet, (14, 1)), np.tile(struck, (14, 1)))
    assert found.fpr == pytest.approx(7 / (3 * weeks))
    assert found.fpr_worst == pytest.approx(7 / weeks)
    assert (found.pod, found.pod1, found.sensitivity) == (1, 0.5, 0.5)
    assert found.ppv == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))


# --- The peers ---------------------------------------------------------------------------------------------


def test_the_oracle_is_the_mid_p_value(series: simulation.Series) -> None:
    scores = peers.oracle(series, series.quiet)
    for row in (0, 15 * 4):
        mean, y = series.mean[row, TEST], series.quiet[row, TEST]
        if series.dispersion[row] > 1:
            known: Any = stats.nbinom(mean / (series.dispersion[row] - 1), 1 / series.dispersion[row])
        else:
            known = stats.poisson(mean)
        assert scores[row, 0] == pytest.approx(-known.sf(y) - known.pmf(y) / 2)


def test_ears_by_hand() -> None:
    counts = np.zeros((1, WEEKS), np.int64)
    counts[0, TEST - 9 : TEST + 1] = [1, 3, 2, 2, 1, 3, 2, 2, 9, 8]
    found = peers.ears(counts)
    # The seven before are 2 2 1 3 2 2 9; two weeks earlier they are 1 3 2 2 1 3 2.
    assert found["C1"][0, 0] == pytest.approx((8 - 3) / np.std([2, 2, 1, 3, 2, 2, 9], ddof=1))
    spread = np.std([1, 3, 2, 2, 1, 3, 2], ddof=1)
    assert found["C2"][0, 0] == pytest.approx((8 - 2) / spread)
    earlier = (9 - 12 / 7) / np.std([0, 1, 3, 2, 2, 1, 3], ddof=1) - 1
    assert found["C3"][0, 0] == pytest.approx((8 - 2) / spread - 1 + earlier)


def test_ears_after_a_flat_past() -> None:
    counts = np.zeros((1, WEEKS), np.int64)
    counts[0, TEST + 1] = 1
    assert peers.ears(counts)["C1"][0, :2].tolist() == [0, math.inf]


def test_signitrend_by_hand() -> None:
    counts = np.zeros((1, WEEKS), np.int64)
    counts[0, -1] = 6
    # Weeks of zeros leave mean and variance at zero; the floor is a half.
    assert peers.signitrend(counts)[0, -1] == pytest.approx((6 - 0.5) / 0.5)
    steady = np.full((1, WEEKS), 4)
    assert abs(peers.signitrend(steady)[0]).max() < 1e-9


# --- Farrington flexible against a plain quasi-Poisson regression ------------------------------------------


class Regression:
    """Weighted Poisson regression with all its matrices, fitted by a general optimiser."""

    def __init__(self, y: Floats, design: Floats, weights: Floats) -> None:
        self.design = design

        def loss(beta: Floats) -> tuple[float, Floats]:
            mean = np.exp(design @ beta)
            return float(weights @ (mean - y * (design @ beta))), design.T @ (weights * (mean - y))

        start = np.zeros(design.shape[1])
        start[:10] = math.log(y.mean())
        self.beta = optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
        self.mean = np.exp(design @ self.beta)
        inner = np.linalg.inv(design.T @ (design * (weights * self.mean)[:, None]))
        self.leverage = weights * self.mean * np.einsum("ij,jk,ik->i", design, inner, design)
        free = y.size - design.shape[1]
        self.dispersion = max(1.0, float(weights @ ((y - self.mean) ** 2 / self.mean)) / free)


def farrington_slowly(past: Floats, *, trend: bool) -> tuple[float, float]:
    time = np.arange(past.size) / 52
    design = np.zeros((past.size, 10))
    for week in range(past.size):
        place = week % 52
        design[week, 0 if place < 7 else 1 + (place - 7) // 5] = 1
    if trend:
        design = np.column_stack([design, time - time.mean()])
    fit = Regression(past, design, np.ones(past.size))
    residual = 1.5 * (past ** (2 / 3) * fit.mean ** (-1 / 6) - np.sqrt(fit.mean))
    residual /= np.sqrt(fit.dispersion * (1 - fit.leverage))
    weights = np.where(residual > 2.58, residual**-2.0, 1.0)
    fit = Regression(past, design, weights * past.size / weights.sum())
    now = np.zeros(design.shape[1])
    now[0] = 1
    if trend:
        now[10] = 263 / 52 - time.mean()
    return float(np.exp(now @ fit.beta)), fit.dispersion


@pytest.mark.parametrize("row", [0, 12, 21, 24, 30, 39])
@pytest.mark.parametrize("trend", [True, False])
def test_a_fit_is_the_quasi_poisson_regression(series: simulation.Series, row: int, trend: bool) -> None:
    past = series.quiet[row * 4, TEST - 263 : TEST - 26].astype(np.float64)
    room = np.empty((3, past.size))
    found = flexible._forecast(past, flexible._periods(), trend, *room)
    assert found == pytest.approx(farrington_slowly(past, trend=trend), rel=1e-3)


def test_what_the_outbreak_cannot_touch_is_judged_alike(series: simulation.Series) -> None:
    some = slice(60, 68)
    quiet, struck = series.quiet[some], series.struck[some]
    one, other = flexible.farrington(quiet, struck, TEST)
    alone, _ = flexible.farrington(struck, struck, TEST)
    assert np.array_equal(other, alone)
    before = np.cumsum(series.outbreak[some, TEST:], axis=1) == 0
    assert np.array_equal(one[before], other[before])
    assert not np.array_equal(one, other)


def test_too_few_cases_raise_no_alarm() -> None:
    counts = np.zeros((1, WEEKS), np.int64)
    counts[0, TEST + 1 : TEST + 3] = 3, 2
    scores, _ = flexible.farrington(counts, counts, TEST)
    assert (scores[0, :2] == -math.inf).all()
    assert (scores[0, 2:5] > -0.005)[0]
    assert scores[0, 5] == -math.inf


def test_without_r_there_is_no_surveillance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert not surveillance.has_surveillance()


def test_r_reads_series_and_writes_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    def program(command: list[str], **_: Any) -> None:
        folder = Path(command[2])
        counts = np.loadtxt(folder / "counts.csv", delimiter=",", ndmin=2)
        assert command[0] == "Rscript"
        assert int(command[3]) == TEST + 1
        np.savetxt(folder / "flags.csv", counts[:, TEST:] > 6, fmt="%d", delimiter=",")

    monkeypatch.setattr(subprocess, "run", program)
    counts = np.arange(2 * WEEKS).reshape(2, WEEKS) % 9
    assert np.array_equal(surveillance.surveillance_flags(counts), counts[:, TEST:] > 6)


def test_the_note_on_r_counts_the_weeks_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    def flags(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = flexible.farrington(counts, counts, TEST)[0] >= -0.005
        found[0, 0] ^= True
        return found

    monkeypatch.setattr(noufaily, "surveillance_flags", flags)
    monkeypatch.setattr(noufaily, "R_REPLICATES", 1)
    row, note = noufaily.by_r()
    assert row["replicates"] == 1
    assert f"{42 * 49 * 2 - 2:,} of {42 * 49 * 2:,} weeks" in note


# --- The report --------------------------------------------------------------------------------------------


def test_the_report_has_a_row_for_each_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noufaily, "QUICK_REPLICATES", 2)
    report = noufaily.run(Options(quick=True, texts=0, json=None))
    rows = {str(row["method"]): row for row in report.rows}
    assert next(iter(rows)) == noufaily.OURS
    assert {"EARS C1", "EARS C2", "EARS C3", "Farrington flexible, alpha .005"} < rows.keys()
    assert all(0 <= float(value or 0) <= 100 for row in report.rows for value in list(row.values())[1:])
    peer = "Farrington flexible, FPR 1%"
    assert float(rows[noufaily.OURS]["F1 %"] or 0) > float(rows[peer]["F1 %"] or 0)
    assert [figure.target for figure in report.figures[:6]] == [1.0, 2.5, 50, 40, 70, 44]
