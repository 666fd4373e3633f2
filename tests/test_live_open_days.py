"""Days that are still open, shown as they come: by the machines, in the store, and to boards."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from connectors.log import EventLog, LogWriter
from connectors.perimeters import division, levels
from connectors.store import Store
from connectors.store.publication import Publication, Rules
from connectors.store.schemas import THEME
from pipelines.live.sinks import FolderSink
from tests.live_machines import ByHand, live_job
from tests.test_engines import PARIS, SETTINGS, TELLING, Rows, history
from tests.test_live_machines import GRACE_S, LIVE, PAST, append, day_counted, result_of

K = 3
DAY_ZERO = date(1970, 1, 1)


def followed(folder: Path, segments: list[tuple[datetime, Rows]]) -> ByHand:
    """A job that follows a log of history and these live segments."""
    history(folder / "log", [{**row, "grace_s": GRACE_S} for row in PAST])
    append(folder / "log", segments)
    log = EventLog(folder / "log")
    live = ByHand(live_job(log, SETTINGS, TELLING, folder / "out", ends=False, slice_rows=700))
    live.run()
    return live


def shown(live: ByHand, after: date) -> list[dict[str, Any]]:
    """Cells of open days, in order."""
    assert isinstance(live.job.sink, FolderSink)
    live.show()
    cells = live.job.sink.shown(after=(after - DAY_ZERO).days)
    return sorted(cells.to_pylist(), key=str)


def last_closed(folder: Path) -> date:
    settled = EventLog(folder / "log").settled_until()
    assert settled is not None
    return settled.astimezone(PARIS).date() - timedelta(days=1)


def test_open_days_are_counted_at_every_level(tmp_path: Path) -> None:
    segments = LIVE[:25]
    live = followed(tmp_path, segments)
    closed = last_closed(tmp_path)
    expected: Counter[tuple[str, date]] = Counter()
    people: dict[tuple[str, date], set[bytes]] = {}
    for row in (row for _, rows in segments for row in rows):
        day = day_counted(row)
        if day > closed:
            for path in levels(row["perimeter"]):
                if path != "e" or row["perimeter"] == "e":
                    expected[path, day] += 1
                    people.setdefault((path, day), set()).add(row["author"] or row["event_id"])
    assert expected
    cells = [cell for cell in shown(live, closed) if not cell["channel"] and not cell["theme"]]
    days = {(cell["perimeter"], DAY_ZERO + timedelta(days=cell["bucket"])): cell for cell in cells}
    assert {place: cell["texts"] for place, cell in days.items()} == expected
    assert {place: cell["authors"] for place, cell in days.items()} == {
        place: len(authors) for place, authors in people.items()
    }


def test_what_is_shown_last_is_what_the_close_tells(tmp_path: Path) -> None:
    live = followed(tmp_path, LIVE)
    closed = last_closed(tmp_path)
    before = [cell for cell in shown(live, closed) if cell["channel"]]
    assert before
    with LogWriter(tmp_path / "log", now=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as writer:
        writer.heartbeat(LIVE[-1][0] + timedelta(days=9))
    live.run()
    told = [
        cell
        for cell in result_of(live.job).cells
        if cell["bucket"] > (closed - DAY_ZERO).days and cell["perimeter"] != "e"
    ]
    assert sorted(told, key=str) == [cell for cell in before if cell["perimeter"] != "e"]
    assert shown(live, last_closed(tmp_path)) == []


def test_a_failure_between_changes_nothing(tmp_path: Path) -> None:
    live = followed(tmp_path, LIVE[:25])
    closed = last_closed(tmp_path)
    once = shown(live, closed)
    for file in (tmp_path / "out" / "open").iterdir():
        file.unlink()
    assert shown(live, closed) == []
    live.restart()
    live.run()
    assert shown(live, closed) == once


def test_nothing_is_shown_by_a_job_that_ends(tmp_path: Path) -> None:
    log = history(tmp_path / "log", PAST)
    live = ByHand(live_job(log, SETTINGS, TELLING, tmp_path / "out"))
    live.run()
    assert shown(live, DAY_ZERO) == []


def tallied(made: ModuleType, perimeter: str, day: int, authors: int, **more: Any) -> dict[str, Any]:
    at = date(2024, 3, 4) + timedelta(days=day)
    return dict(
        made.tally(
            perimeter=perimeter,
            bucket=at,
            bucket_at=datetime(at.year, at.month, at.day, tzinfo=UTC),
            texts=2 * authors,
            authors=authors,
            **{"channel": "", "voice": "", **more},
        )
    )


def publish(store: Store, made: ModuleType, *rows: dict[str, Any], weekly_depth: int = 1) -> None:
    """Load tallies of closed days under a minimum of K."""
    rules = Rules(min_authors=K, weekly_depth=weekly_depth, timezone="UTC", false_alerts=1)
    publication = Publication(rules, THEME.empty_table())
    store.replace_run(made.RUN, made.signals(), made.proofs(), [made.tallies(*rows)], publication=publication)


def on_boards(raw: psycopg.Connection) -> dict[tuple[str, int], int]:
    found = raw.execute("SELECT perimeter, at, persons, provisional FROM vigie_boards.open_day").fetchall()
    assert all(provisional for *_, provisional in found)
    first = datetime(2024, 3, 4, tzinfo=UTC)
    return {(perimeter, (at - first).days): persons for perimeter, at, persons, _ in found}


def rows_of(raw: psycopg.Connection) -> list[Any]:
    return raw.execute("SELECT * FROM vigie.open_tally ORDER BY division, bucket_at, perimeter").fetchall()


def test_a_division_s_open_days_are_replaced_until_they_close(
    store: Store, raw: psycopg.Connection, made: ModuleType
) -> None:
    publish(store, made, tallied(made, "e/nord/a", 0, 9, channel="email", voice="customer"))
    first = made.tallies(tallied(made, "e/nord", 1, 9), tallied(made, "e/nord", 2, 9))
    store.replace_open(["e/nord"], first)
    store.replace_open(["e/sud"], made.tallies(tallied(made, "e/sud", 1, 12)))
    kept = rows_of(raw)
    store.replace_open(["e/nord"], first)
    assert rows_of(raw) == kept
    assert on_boards(raw) == {("e/nord", 1): 6, ("e/nord", 2): 6, ("e/sud", 1): 9}
    store.replace_open(["e/nord"], made.tallies(tallied(made, "e/nord", 1, 15)))
    assert on_boards(raw) == {("e/nord", 1): 12, ("e/sud", 1): 9}
    days = (date(2024, 3, 5), date(2024, 3, 5))
    closed = tallied(made, "e/nord", 1, 15, channel="email", voice="customer")
    store.replace_tallies(made.tallies(closed), days=days)
    assert rows_of(raw) == []
    # What a shard had sent before it heard of the close comes after it.
    store.replace_open(["e/sud"], made.tallies(tallied(made, "e/sud", 1, 12)))
    assert rows_of(raw) == []


@pytest.mark.parametrize("weekly_depth", [0, 1, 2])
def test_boards_count_in_steps_of_the_minimum_and_one_level_alone(
    store: Store, raw: psycopg.Connection, made: ModuleType, weekly_depth: int
) -> None:
    """Whatever is taken from whatever, and whenever: what is left is nothing or the minimum at least."""
    publish(store, made, weekly_depth=weekly_depth)
    before: dict[tuple[str, int], int] = {}
    for people in range(1, 20):
        for name, authors in (("e/nord", people), ("e/sud", 2 * people), ("e", 1)):
            rows = [
                tallied(made, name, 0, authors),
                tallied(made, name, 0, authors, channel="email", voice="customer"),
                tallied(made, name, 0, authors, theme="price"),
            ]
            below = [] if name == "e" else [tallied(made, f"{name}/a", 0, authors)]
            store.replace_open([name], made.tallies(*rows, *below))
        counted = {"e": 3 * people + 1} if weekly_depth == 0 else {"e/nord": people, "e/sud": 2 * people}
        now = on_boards(raw)
        assert now.keys() <= {(name, 0) for name in counted}
        for name, authors in counted.items():
            persons = now.get((name, 0), 0)
            assert persons % K == 0
            assert (authors - persons >= K) if persons else authors < 2 * K
            assert persons - before.get((name, 0), 0) in {0, K, 2 * K}
        before = now


def test_divisions_are_as_stages_name_them(made: ModuleType, store: Store, raw: psycopg.Connection) -> None:
    publish(store, made)
    paths = ["e", "e/nord", "e/nord/a", "e/nord/a/b"]
    store.replace_open(["e", "e/nord"], made.tallies(*(tallied(made, path, 0, 5) for path in paths)))
    found = raw.execute("SELECT perimeter, division FROM vigie.open_tally").fetchall()
    assert dict(found) == {path: division(path) for path in paths}
