"""Benchmarks: their command line, their JSON, what they compare with. No test looks at a duration."""

import json
import mailbox
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import __main__ as everything
from benchmarks import _data, _report, _run, dashboards, demo, ingest, memory, replay, throughput

TEXTS = 2_000
MODULES = (ingest, replay, throughput, memory, demo, dashboards)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest demo, ingested."""
    folder = tmp_path_factory.mktemp("benchmark") / "demo"
    _data.write_demo(folder, TEXTS)
    _data.ingest_demo(folder)
    return folder


# the command line and the JSON -------------------------------------------------------------------------


def report() -> _report.Report:
    figures = [
        _report.Figure("fast", 16_000.4, "rows/s", 15_000),
        _report.Figure("small", 2_048, "MiB", 1_024, at_least=False),
    ]
    return _report.Report("A title", [{"what": "ours", "rows": 3, "s": 0.123456, "x": None}], figures, ["n"])


def test_options_have_the_sizes_of_the_demo_or_of_a_quick_run() -> None:
    assert _report.options("b", "about", []) == _report.Options(False, 60_000, None)
    assert _report.options("b", "about", ["--quick"]) == _report.Options(True, 12_000, None)
    given = ["--quick", "--texts", "2000", "--json", "a.json"]
    assert _report.options("b", "about", given) == _report.Options(True, 2_000, Path("a.json"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_every_benchmark_is_among_those_run_together(module: Any) -> None:
    assert module.__name__.removeprefix("benchmarks.") in everything.NAMES
    assert len(everything.NAMES) == len(MODULES)
    assert callable(module.run)


def test_the_json_has_rows_figures_and_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "result.json"
    _report.main("name", "about", lambda _: report(), ["--json", str(file)])
    written = json.loads(file.read_text("utf-8"))
    assert written["benchmark"] == "name"
    assert (written["quick"], written["texts"], written["seed"]) == (False, 60_000, 1)
    assert written["rows"] == [{"what": "ours", "rows": 3, "s": 0.123, "x": None}]
    assert [(figure["name"], figure["met"]) for figure in written["figures"]] == [
        ("fast", True),
        ("small", False),
    ]
    assert set(written["machine"]) >= {"cores", "python", "packages", "date"}
    assert written["machine"]["packages"]["river"].startswith("0.23")
    shown = capsys.readouterr().out
    assert "A title" in shown
    assert "16,000 rows/s" in shown
    assert "≤ 1,024 MiB" in shown
    assert "MISSED" in shown


def test_a_figure_on_its_target_is_met() -> None:
    assert _report.Figure("a", 5, "s", 5).met
    assert _report.Figure("a", 5, "s", 5, at_least=False).met


def test_a_benchmark_that_fails_is_told_and_the_others_still_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(everything, "NAMES", ("no_such_benchmark",))
    assert everything.main(["--json", str(tmp_path / "all.json")]) == 1
    assert json.loads((tmp_path / "all.json").read_text("utf-8")) == {
        "results": [],
        "failed": ["no_such_benchmark"],
    }
    assert "no_such_benchmark ended with code 1" in capsys.readouterr().err


def test_ingest_from_its_command_line(tmp_path: Path) -> None:
    file = tmp_path / "ingest.json"
    _report.main("ingest", "about", ingest.run, ["--quick", "--texts", str(TEXTS), "--json", str(file)])
    rows = json.loads(file.read_text("utf-8"))["rows"]
    read = {(row["format"], row["what"].partition(":")[0]): row["rows"] for row in rows}
    assert set(read) == {
        ("CSV", "ours"),
        ("CSV", "floor"),
        ("CSV", "peer"),
        ("mail", "ours"),
        ("mail", "peer"),
    }
    # All of them read the same.
    assert read["CSV", "ours"] == read["CSV", "floor"] == read["CSV", "peer"] > 1_000
    assert read["mail", "ours"] == read["mail", "peer"] > 100


# measuring ---------------------------------------------------------------------------------------------


def peak_with(mib: int) -> float:
    """Peak memory of a process that once held so many MiB more."""
    held = bytearray(mib << 20)
    held.clear()
    return _run.peak_mib()


def test_peak_memory_is_of_the_child_alone() -> None:
    held_here = bytearray(300 << 20)
    small, large = _run.in_child(peak_with, 0), _run.in_child(peak_with, 200)
    assert 190 < large - small < 240
    assert small < len(held_here) >> 20


def test_a_child_has_one_thread_a_library_and_the_parent_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", "7")
    assert _run.in_child(os.getenv, "POLARS_MAX_THREADS") == "1"
    assert os.environ["POLARS_MAX_THREADS"] == "7"


def test_the_cost_of_a_child_process_counts() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    _, cost = _run.timed(lambda: subprocess.run([sys.executable, "-c", burn], check=True))
    assert cost.cpu_s >= 0.2


def test_costs_subtract() -> None:
    assert _run.Cost(5.0, 3.0) - _run.Cost(1.0, 2.0) == _run.Cost(4.0, 1.0)


# data ----------------------------------------------------------------------------------------------------


def test_a_longer_log_has_more_days_and_no_more_texts_a_day(shop: Path) -> None:
    once = _data.read_events(shop)
    _data.write_long_log(shop, "long", 2 * once.num_rows + 10)
    log = _data.open_workspace(shop, log="long").open_log()
    (part,) = log.slices(max_rows=1 << 30, zone="UTC")
    longer = pa.Table.from_batches([log.read_piece(piece) for piece in log.pieces(part)])
    assert longer.num_rows == 2 * once.num_rows + 10
    assert pc.count_distinct(longer["event_id"]).as_py() == longer.num_rows
    days = Counter(moment.date() for moment in once["occurred_at"].to_pylist())
    of_longer = Counter(moment.date() for moment in longer["occurred_at"].to_pylist())
    for day, texts in days.items():
        assert of_longer[day] == of_longer[day - timedelta(weeks=56)] == texts
    assert list(log.verify()) == []


def test_a_denser_log_has_the_same_texts_in_fewer_days(shop: Path) -> None:
    _data.write_dense_log(shop, "dense", 0.25)
    usual, dense = (_data.read_events(shop, log).sort_by("event_id") for log in ("log", "dense"))
    for name in ("event_id", "text", "author", "perimeter", "score"):
        assert dense[name].equals(usual[name])
    first = pc.min(usual["occurred_at"]).as_py()
    for before, after in zip(usual["occurred_at"].to_pylist(), dense["occurred_at"].to_pylist(), strict=True):
        assert abs((after - first) - (before - first) / 4) < timedelta(milliseconds=1)
    settings = _data.open_workspace(shop, log="dense", share=0.25).settings
    assert settings.detection.warm_up_days == _data.open_workspace(shop).settings.detection.warm_up_days / 4


def test_the_first_day_is_a_log_of_its_own(shop: Path) -> None:
    rows = _data.write_first_day(shop, "day")
    moments = _data.read_events(shop)["occurred_at"].to_pylist()
    expected = sum(moment < min(moments) + timedelta(days=1) for moment in moments)
    assert _data.open_workspace(shop, log="day").open_log().rows == rows == expected > 0


def test_cells_are_short() -> None:
    shown = [_report._text(value) for value in (12_345, 1_234.5, 12.34, 0.126, 0, None, "a")]
    assert shown == ["12,345", "1,234", "12.3", "0.13", "0", "", "a"]


# peers ---------------------------------------------------------------------------------------------------


def test_the_floor_reads_every_row(shop: Path) -> None:
    assert replay.tokenise_with_polars(shop / "log") == _data.read_events(shop).num_rows


def test_a_rate_that_noise_hides_is_left_out() -> None:
    start = _run.Cost(9.0, 9.0)
    clear = replay.Measured("a", 100, start, _run.Cost(3.0, 2.0), _run.Cost(5.0, 4.0))
    assert clear.rate() == 50
    assert clear.rate("wall_s") == 50
    hidden = replay.Measured("a", 100, start, _run.Cost(3.0, 2.0), _run.Cost(2.9, 2.4))
    assert hidden.rate() is None
    assert hidden.rate("wall_s") is None


def test_the_per_event_pipeline_keeps_one_statistic_a_word_and_pair() -> None:
    from river import stats

    learned = replay.learn_per_event(["La caisse bloque", "la caisse"], stats.Count)
    counts = {term: statistic.get() for term, statistic in learned.items()}  # type: ignore[attr-defined]
    assert counts == {"la": 2, "caisse": 2, "bloque": 1, ("la", "caisse"): 2, ("caisse", "bloque"): 1}


def test_the_mail_peer_reads_every_message(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "a.mbox")
    for number in range(3):
        message = EmailMessage()
        message["From"] = "client@example.org"
        message.set_content(f"message {number}")
        box.add(message)
    box.close()
    assert ingest.read_with_mailbox([tmp_path / "a.mbox"]) == 3
