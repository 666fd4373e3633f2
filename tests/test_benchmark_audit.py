"""The benchmark of audits: its log, and what it makes of its measures. No test looks at a duration."""

import sys
from pathlib import Path

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _year_log, audit
from benchmarks._run import Cost
from connectors.log import EventLog


def test_the_log_is_compacted_and_verifying_it_costs_something(tmp_path: Path) -> None:
    manifests = audit.write_compacted(tmp_path / "log", 13_000)
    log = EventLog(tmp_path / "log")
    assert log.rows == 13_000
    assert manifests == sum(1 for _ in log.manifests())
    assert any(manifest.kind == "compaction" for manifest in log.manifests())
    for rows in (False, True):
        assert audit.verify(tmp_path / "log", rows=rows, runs=1).cpu_s > 0


def test_rates_are_of_processor_time_and_a_missing_peer_is_told() -> None:
    ours = audit.Measured(audit.HASHED, 600_000_000, Cost(wall_s=9, cpu_s=1.5))
    assert ours.mb_s == 400
    told = audit.report([ours], events=10, manifests=2, files=3)
    assert [figure.met for figure in told.figures] == [True]
    assert "no peer" in told.notes[-1]
    slow = audit.Measured(audit.HASHED, 600_000_000, Cost(wall_s=1, cpu_s=3))
    assert not audit.report([slow], events=10, manifests=2, files=3).figures[0].met


def test_a_year_is_asked_about_with_and_without_snapshots(tmp_path: Path) -> None:
    _year_log.write_year(tmp_path / "lived", 2_000)
    year = _year_log.measure_year(tmp_path / "lived")
    assert year.same
    assert 1_900 < year.events <= 2_000
    assert len(year.known) == _year_log.QUESTIONS
    assert 0 < year.snapshots < year.log
    ours = audit.Measured(audit.HASHED, 600_000_000, Cost(wall_s=9, cpu_s=1.5))
    told = audit.together(audit.report([ours], events=10, manifests=2, files=3), year)
    tails = [audit.TAIL.format(days) for days in _year_log.TAILS]
    ways = [row["way"] for row in told.rows]
    assert ways == [audit.HASHED, audit.KNOWN, *tails, audit.FULL, audit.WRITTEN]
    assert "the same as without them" in told.notes[-1]
