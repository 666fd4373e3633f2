"""How loud the loudest authors are, from the log, against sets counted plainly."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pytest

from connectors.log import EventLog, Piece
from connectors.store.schemas import CROWD, PERIODS_EPOCH
from pipelines.crowds import SPANS, Crowds
from pipelines.settings import load_settings
from pipelines.workspace import Workspace


def together(parts: Iterable[pa.Table]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in parts])


def bucket_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def test_a_shop_of_forty_days(tmp_path: Path, shop: ModuleType) -> None:
    workspace = Workspace(load_settings(shop.write_shop(tmp_path / "shop")), say=lambda _: None)
    workspace.ingest()
    log, last = workspace.open_log(), bucket_of(date(2025, 3, 31))
    table = together(Crowds(log, "Europe/Paris", 5).until(last))
    rows = by_crowd(Crowds(log, "Europe/Paris", 5).until(last))
    # Each customer answers once, so four of them account for four.
    assert rows["mag", 7, date(2025, 3, 3), ""] == 4
    assert rows["mag/nord/lens", 28, date(2025, 2, 17), "customer"] == 4
    # The last week ends on its first day, a Monday.
    assert rows["mag/nord/lille", 7, date(2025, 3, 31), ""] == 4
    assert max(starts for _, _, starts, _ in rows) == date(2025, 3, 31)
    # Slices of a few days give the same.
    sliced = list(Crowds(log, "Europe/Paris", 5, slice_rows=40).until(last))
    assert len(sliced) > 5
    key = CROWD.names
    assert together(sliced).sort(key).equals(table.sort(key))
    # From a bucket on: the periods of 28 days that it is in and later ones, whole.
    for first, begins in ((date(2025, 3, 20), date(2025, 3, 17)), (date(2025, 3, 1), date(2025, 2, 17))):
        late = Crowds(log, "Europe/Paris", 5, slice_rows=40).until(last, first_bucket=bucket_of(first))
        found = together(late)
        assert found.sort(key).equals(table.filter(pl.col("starts") >= begins).sort(key))


def with_a_loud_customer(folder: Path, shop: ModuleType) -> EventLog:
    """The shop's log, with six days of one customer, twice on the first."""
    settings = shop.write_shop(folder)
    answers = folder / "avis.csv"
    loud = [
        f"z{day};{day:02d}/03/2025 10:15;Lens;encore rien {day};5;cliente tres bavarde" for day in range(3, 9)
    ]
    again = ["z9;03/03/2025 18:00;Lens;toujours rien;5;cliente tres bavarde"]
    answers.write_text(answers.read_text("utf-8") + "\n".join(loud + again) + "\n", "utf-8")
    workspace = Workspace(load_settings(settings), say=lambda _: None)
    workspace.ingest()
    return workspace.open_log()


def test_the_loudest_are_counted_by_day_and_channel(tmp_path: Path, shop: ModuleType) -> None:
    rows = together(Crowds(with_a_loud_customer(tmp_path / "shop", shop), "Europe/Paris", 3).until(30_000))
    lens = rows.filter(perimeter="mag/nord/lens", days=7, starts=date(2025, 3, 3), voice="")
    # Six days of one author, twice on the first, and one day of another.
    assert lens["loudest"].to_list() == [7]


Crowd = tuple[str, int, date, str]


def by_crowd(parts: Iterable[pa.Table]) -> dict[Crowd, int]:
    rows = together(parts).to_dicts()
    return {(row["perimeter"], row["days"], row["starts"], row["voice"]): row["loudest"] for row in rows}


def counted_plainly(log: EventLog, least: int) -> dict[Crowd, int]:
    """What each crowd's loudest account for, from sets of a person's days and channels."""
    wrote: dict[Crowd, dict[bytes, set[tuple[date, str, str]]]] = defaultdict(lambda: defaultdict(set))
    for part in log.slices(max_rows=10_000, zone="Europe/Paris"):
        for piece in log.pieces(part):
            for event in log.read_piece(piece, text=False).to_pylist():
                day = event["occurred_at"].astimezone(ZoneInfo("Europe/Paris")).date()
                path, person = event["perimeter"].split("/"), event["author"] or event["event_id"]
                for depth, span, voice in product(range(1, len(path) + 1), SPANS, ("", event["voice"])):
                    starts = day - (day - PERIODS_EPOCH) % timedelta(days=span)
                    where = ("/".join(path[:depth]), span, starts, voice)
                    wrote[where][person].add((day, event["channel"], event["voice"]))
    return {where: sum(sorted(map(len, people.values()))[-(least - 1) :]) for where, people in wrote.items()}


def test_going_on_day_by_day_reads_each_day_once_and_counts_as_at_once(
    tmp_path: Path, shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = with_a_loud_customer(tmp_path / "shop", shop)
    first, last = bucket_of(date(2025, 3, 3)), bucket_of(date(2025, 4, 11))
    read_piece, read = log.read_piece, list[int]()

    def read_and_note(piece: Piece, *, text: bool) -> pa.RecordBatch:
        events = read_piece(piece, text=text)
        read.append(events.num_rows)
        return events

    monkeypatch.setattr(log, "read_piece", read_and_note)
    for least in (3, 8):
        expected = counted_plainly(log, least)
        read.clear()
        crowds = Crowds(log, "Europe/Paris", least)
        found: dict[Crowd, int] = {}
        # The first close is of a whole week, and of none known before.
        for begins, ends in [(None, first + 6), *((day, day) for day in range(first + 7, last + 1))]:
            found |= by_crowd(crowds.until(ends, first_bucket=begins))
        assert found == expected
        assert sum(read) == log.rows
        # The same day again, as after a failure: its whole period.
        again = by_crowd(crowds.until(last, first_bucket=last))
        assert again.items() <= expected.items()
        assert {days for _, days, _, _ in again} == set(SPANS)
