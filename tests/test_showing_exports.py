"""A signal that lives, day after day, in the store: views and exports subtracted from one another."""

import json
from datetime import datetime, timedelta
from itertools import combinations
from types import ModuleType
from typing import Any

import pytest

from connectors.store import Store
from connectors.store.exports import read_export
from pipelines.plain import PlainEngine
from pipelines.stages.evidence import excerpt
from pipelines.stages.finding import COUNTS, SILENCE
from tests.test_engines import FIRST, PARIS, PLANTED_FROM, ROWS, TELLING, history, run

K = TELLING.min_authors
AUTHORS = {excerpt(row["text"], []): row["author"] or row["event_id"] for row in ROWS}
"""Who wrote what is quoted: generated texts are all different."""


def day_of(at: datetime) -> int:
    return (at.astimezone(PARIS).date() - FIRST).days


@pytest.fixture(scope="module")
def revisions(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The signals of a log that ends some days later each time."""
    found = []
    for days in (1, 2, 3, 5):
        last = PLANTED_FROM + days
        folder = tmp_path_factory.mktemp("until")
        log = history(folder / "log", [row for row in ROWS if day_of(row["occurred_at"]) <= last])
        found.append(run(log, PlainEngine(), folder / "work").replayed.signals)
    return found


def of_emergence(signals: Any) -> list[dict[str, Any]]:
    return [row for row in signals.signals.to_pylist() if row["kind"] == "emergence"]


def carried(signals: Any) -> list[dict[str, Any]]:
    """All but silences, which nobody carries."""
    return [row for row in signals.signals.to_pylist() if row["kind"] != SILENCE]


def told(store: Store, signal_id: str) -> tuple[list[float], set[str], list[tuple[Any, ...]]]:
    """The numbers of people that boards and exports tell of a signal, who is quoted, and how it grew."""
    (row,) = (one for one in read_export(store, "signals").to_pylist() if one["signal_id"] == signal_id)
    numbers = [row["distinct_authors"]]
    if row["kind"] in ("emergence", *COUNTS):
        numbers.append(row["observed"])
    query = "SELECT authors FROM vigie_boards.signal_share WHERE signal_id = %s AND authors IS NOT NULL"
    numbers += [count for (count,) in store.connection.execute(query, (signal_id,)).fetchall()]
    query = "SELECT at, people FROM vigie_boards.signal_growth WHERE signal_id = %s ORDER BY at"
    growth = store.connection.execute(query, (signal_id,)).fetchall()
    texts = read_export(store, "events").to_pylist()
    quoted = {one["text"] for one in texts if one["signal_id"] == signal_id}
    return [*numbers, *(people for _, people in growth)], quoted, growth


def test_no_two_days_of_a_signal_that_lives_give_a_few_people_away(
    revisions: list[Any], store: Store, made: ModuleType
) -> None:
    shown: dict[str, list[Any]] = {}
    kinds: dict[str, str] = {}
    for signals in revisions:
        store.replace_run(made.RUN, signals.signals, signals.evidence, [])
        for row in carried(signals):
            kinds[row["signal_id"]] = row["kind"]
            shown.setdefault(row["signal_id"], []).append(told(store, row["signal_id"]))
    # Two of them grow before our eyes: one that tells of words, and one of the watch.
    sizes: dict[str, int] = {}
    for signal_id, several in shown.items():
        size = len({len(quoted) for _, quoted, _ in several})
        sizes[kinds[signal_id]] = max(size, sizes.get(kinds[signal_id], 0))
    assert sizes["emergence"] > 2
    assert sizes["mood_drift"] > 1
    for several in shown.values():
        numbers = [number for told_of, _, _ in several for number in told_of]
        assert all(number >= K and number % K == 0 for number in numbers)
        for (_, first, grew), (_, second, grown) in combinations(several, 2):
            assert grown[: len(grew)] == grew
            for changed in (second - first, first - second):
                assert not changed or len({AUTHORS[text] for text in changed}) >= K


def test_sentences_say_no_other_number(revisions: list[Any]) -> None:
    rows = of_emergence(revisions[-1])
    assert rows
    for row in rows:
        people = row["distinct_authors"]
        assert f"au moins {people} personnes" in row["sentence_fr"]
        assert f"at least {people} people" in row["sentence_en"]
        assert f"at least {row['observed']:.0f} for" in row["sentence_en"]
        grew = json.loads(row["explanation"])["growth"]
        assert grew[-1][1] == people
        assert row["last_seen"] < row["bucket_at"] + timedelta(days=40)
