"""A replay in the signal store replaces the one before, whole or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from connectors.store import Store


def test_a_replay_replaces_the_one_before_whole(
    store: Store, raw: psycopg.Connection, made: ModuleType
) -> None:
    assert store.run() is None
    store.replace_run(
        made.RUN,
        made.signals(made.signal(1), made.signal(2, perimeter="enseigne/sud")),
        made.proofs(made.proof(1, 1), made.proof(1, 2), made.proof(2, 3)),
        iter([made.tallies(made.tally()), made.tallies(made.tally("enseigne/sud"))]),
        perimeters={"enseigne/est": "L'Est", "enseigne/nord": "Le Nord"},
    )
    assert store.run() == made.RUN
    assert store.perimeters() == [
        {"path": "enseigne", "name": "enseigne", "parent": None, "depth": 0, "division": "enseigne"},
        {
            "path": "enseigne/est",
            "name": "L'Est",
            "parent": "enseigne",
            "depth": 1,
            "division": "enseigne/est",
        },
        {
            "path": "enseigne/nord",
            "name": "Le Nord",
            "parent": "enseigne",
            "depth": 1,
            "division": "enseigne/nord",
        },
        {
            "path": "enseigne/nord/lille-2",
            "name": "lille-2",
            "parent": "enseigne/nord",
            "depth": 2,
            "division": "enseigne/nord",
        },
        {"path": "enseigne/sud", "name": "sud", "parent": "enseigne", "depth": 1, "division": "enseigne/sud"},
    ]

    later = replace(made.RUN, settings_version="s2", digest="ef" * 32)
    store.replace_run(
        later,
        made.signals(made.signal(1, label="badge"), made.signal(3)),
        made.proofs(made.proof(1, 2), made.proof(3, 4)),
        [made.tallies(made.tally(day=1))],
    )
    assert store.run() == later
    assert later.run_id != made.RUN.run_id
    assert [(row["signal_id"][-1], row["label"]) for row in store.signals()] == [
        ("1", "badge"),
        ("3", "badge refusé"),
    ]
    assert store.evidence(f"{1:032x}") == [made.proof(1, 2)]
    assert store.evidence(f"{2:032x}") == []
    assert store.tallies("enseigne/nord/lille-2").to_pylist() == [made.tally(day=1)]
    assert store.tallies("enseigne/sud").num_rows == 0
    assert [row["path"] for row in store.perimeters()] == [
        "enseigne",
        "enseigne/nord",
        "enseigne/nord/lille-2",
    ]
    assert raw.execute("SELECT count(*), count(*) FILTER (WHERE is_current) FROM vigie.run").fetchone() == (
        2,
        1,
    )


def test_the_same_replay_twice_rewrites_no_row(
    store: Store, raw: psycopg.Connection, made: ModuleType
) -> None:
    def load() -> Any:
        store.replace_run(
            made.RUN, made.signals(made.signal(1)), made.proofs(made.proof(1)), [made.tallies(made.tally())]
        )
        return made.dump(raw)

    assert load() == load()


def test_readers_see_a_replay_whole_or_not_at_all(
    store: Store, raw: psycopg.Connection, made: ModuleType
) -> None:
    store.replace_run(
        made.RUN, made.signals(made.signal(1)), made.proofs(made.proof(1)), [made.tallies(made.tally())]
    )
    before = made.dump(raw)

    def interrupted() -> Iterator[pa.RecordBatch]:
        yield made.tallies(made.tally(day=5))
        assert made.dump(raw) == before
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.replace_run(replace(made.RUN, log_head="00" * 32), made.signals(), made.proofs(), interrupted())
    assert made.dump(raw) == before
    assert store.run() == made.RUN


def test_the_same_replay_is_the_same_run_whenever_it_is_made(made: ModuleType) -> None:
    assert replace(made.RUN, started_at=made.T0 - timedelta(days=1), digest="").run_id == made.RUN.run_id
    others = [
        replace(made.RUN, log_head="other"),
        replace(made.RUN, settings_version="other"),
        replace(made.RUN, lexicon_version="other"),
        replace(made.RUN, code_version="other"),
        replace(made.RUN, closed_until=made.T0 + timedelta(days=1)),
    ]
    assert len({run.run_id for run in [made.RUN, *others]}) == 6


def test_tallies_of_some_days_leave_those_of_others(store: Store, made: ModuleType) -> None:
    store.replace_run(
        made.RUN,
        made.signals(),
        made.proofs(),
        [made.tallies(*(made.tally(day=day) for day in range(3)), made.tally("enseigne/sud", day=1))],
    )
    before = store.tallies("enseigne/nord/lille-2")
    days = before["bucket"].to_pylist()
    assert len(days) == 3

    store.replace_tallies(made.tallies(made.tally(day=1, texts=9)), days=(days[1], days[1]))
    texts = store.tallies("enseigne/nord/lille-2")["texts"].to_pylist()
    assert texts == [before["texts"][0].as_py(), 9, before["texts"][2].as_py()]
    assert store.tallies("enseigne/sud").num_rows == 0

    later = replace(made.RUN, digest="ef" * 32)
    store.continue_run(later, made.signals(), made.proofs(), made.tallies(), days=(None, days[1]))
    assert store.tallies("enseigne/nord/lille-2")["bucket"].to_pylist() == days[2:]
    assert store.run() == later
