"""Boards and signals that were raised early: open ones count, withdrawn ones do not, and both are named."""

from datetime import UTC, datetime
from types import ModuleType

import pytest

from connectors.store import Store
from dashboards.building import build_boards
from dashboards.macros import TimeRange, expand, queries_of
from dashboards.words import Lang

DURING = TimeRange(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC))
STATUSES = ("open", "early", "not_sustained", "ended")


@pytest.fixture
def filled(store: Store, made: ModuleType) -> Store:
    """A signal of each status."""
    signals = [
        made.signal(
            number,
            status=status,
            explanation='{"threshold": 9.5, "strongest_evidence": 12.0, "part_of": null}',
        )
        for number, status in enumerate(STATUSES, start=1)
    ]
    store.replace_run(
        made.RUN,
        made.signals(*signals),
        made.proofs(*(made.proof(number) for number in range(1, len(STATUSES) + 1))),
        [made.tallies(made.tally())],
        perimeters={"enseigne": "Enseigne"},
    )
    return store


def shown(store: Store, lang: Lang, board: str, panel: str) -> list[tuple[object, ...]]:
    """What a panel of a board shows."""
    values = {"perimeter": "enseigne", "dimension": [""], "signal": f"{3:032x}"}
    (sql,) = [
        sql
        for one in build_boards()[lang]
        for title, _, sql in queries_of(one)
        if one["uid"] == f"vigie-{board}-{lang}" and title == f"panel '{panel}'"
    ]
    return store.connection.execute(expand(sql, DURING, values).encode()).fetchall()


@pytest.mark.parametrize(
    ("lang", "count", "listed", "one", "weekly", "early", "gone"),
    [
        (
            "fr",
            "Ouverts",
            "Signaux ouverts",
            "Le signal",
            "Signaux levés par semaine",
            "précoce",
            "non confirmé",
        ),
        (
            "en",
            "Open",
            "Open signals",
            "The signal",
            "Signals raised a week",
            "early",
            "not sustained",
        ),
    ],
)
def test_early_signals_are_open_and_withdrawn_ones_are_not(
    filled: Store, lang: Lang, count: str, listed: str, one: str, weekly: str, early: str, gone: str
) -> None:
    assert shown(filled, lang, "watch", count) == [(2,)]
    rows = shown(filled, lang, "watch", listed)
    assert len(rows) == 2
    assert [early in row for row in rows].count(True) == 1
    assert gone in shown(filled, lang, "signal", one)[0]
    assert {early, gone} <= {cell for row in shown(filled, lang, "follow-up", weekly) for cell in row}
