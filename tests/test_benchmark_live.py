"""The load of the live benchmark, and what it makes of what it measured."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

# The benchmarks are no part of the package that is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import live
from connectors.log import EventLog, LogWriter
from tests.test_engines import ROWS, table

BEGIN = datetime(2025, 5, 1, tzinfo=UTC)


def test_a_day_of_the_load_lasts_its_seconds_and_is_closed_by_its_last(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "log", now=lambda: BEGIN) as writer:
        load = live.Load(writer, table(ROWS[:200]), 20, BEGIN, timedelta())
        for _ in range(2 * live.A_DAY_S):
            load.second()
    log = EventLog(tmp_path / "log")
    assert load.events == log.rows == 20 * 2 * live.A_DAY_S
    assert [day for day, _ in load.closed] == [date(2025, 5, 1), date(2025, 5, 2)]
    assert log.closed_until() == BEGIN + timedelta(days=2)
    assert len(log.known_ids()) == log.rows
    assert [(day, so_far) for day, so_far, _ in load.commits] == [
        (date(2025, 5, 1 + day), 20 * (second + 1)) for day in range(2) for second in range(live.A_DAY_S)
    ]


def test_the_report_tells_growing_lag_and_the_worst_of_all_runs() -> None:
    calm = live.Measured(1_000, events=300, seconds=3.0, ready=9.0, recovery=4.0, memory=900.0)
    calm.delays = [0.5] * 98 + [0.7, 3.0]
    calm.shown = [1.0] * 98 + [1.5, 9.0]
    late = live.Measured(10_000, events=3_000, seconds=3.0, ready=8.0, recovery=30.0, memory=800.0)
    late.delays = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    late.shown = [2.5]
    report = live.report([calm, late])
    assert report.rows[1]["events/s"] == pytest.approx(1_000)
    assert report.rows[1]["first third s"] == pytest.approx(1.5)
    assert report.rows[1]["last third s"] == pytest.approx(5.5)
    met = {figure.name: (figure.value, figure.met) for figure in report.figures}
    assert met["live, close stored, p99"][0] == pytest.approx(0.7)
    assert met["live, close stored, p99"][1]
    assert met["live, tally shown, p99"] == (1.5, True)
    assert met["live, sustained"] == (1_000, False)
    assert met["live, closes later at its end"] == (4.0, False)
    assert met["live, recovery"] == (30.0, False)
    assert met["live, ready"] == (9.0, True)
