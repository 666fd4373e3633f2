"""What boards may count: primary and complementary suppression, against the events themselves."""

from collections import defaultdict
from datetime import timedelta
from itertools import product
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from connectors.store import Store

K = 3
THEMES = ("customer theme", "field theme")
KNOWN_TO_HOLD = {
    "all": {"all", "day", "channel", "voice", "answer", *THEMES},
    "day": {"day"},
    "channel": {"channel", "answer"},
    "voice": {"voice", "channel", "answer", *THEMES},
    "answer": {"answer", "channel", *THEMES},
    "customer theme": set(),
    "field theme": set(),
}
"""Breakdowns whose cells a reader may know to lie in a cell of another. Of two themes, or a theme and a day,
nobody can know it: that all texts of one should be among the other's is nothing that is told."""


def load(store: Store, made: ModuleType, boards: ModuleType, events: list[Any], **rules: Any) -> None:
    store.replace_run(
        made.RUN,
        made.signals(),
        made.proofs(),
        [boards.tallies(events)],
        publication=boards.publication(events, **{"least": K, **rules}),
    )


def published(raw: psycopg.Connection) -> list[dict[str, Any]]:
    with raw.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM vigie.published ORDER BY 1, 2, 3, 5").fetchall()


def authors(events: list[Any], places: frozenset[int]) -> int:
    return len({events[place].author for place in places})


def shown(raw: psycopg.Connection, breakdown: str = "all") -> set[str]:
    return {row["perimeter"] for row in published(raw) if row["breakdown"] == breakdown}


@pytest.mark.parametrize("seed", range(12))
def test_no_two_figures_differ_by_a_small_group(
    seed: int, store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    events = published_events.draw(seed)
    load(store, made, published_events, events, weekly_depth=seed % 3, with_crowds=seed % 4 != 3)
    cells = [(row, published_events.counted(events, row)) for row in published(raw)]
    for row, mine in cells:
        assert len(mine) == row["texts"]
        assert authors(events, mine) >= K, row
    for (whole, larger), (part, smaller) in product(cells, cells):
        same = whole["breakdown"] in THEMES and whole["breakdown"] == part["breakdown"]
        comparable = whole["value"] == part["value"] if same else True
        if (
            (same or part["breakdown"] in KNOWN_TO_HOLD[whole["breakdown"]])
            and comparable
            and whole["perimeter"] in published_events.within(part["perimeter"])
            and smaller < larger
        ):
            assert authors(events, larger - smaller) >= K, (whole, part)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_small_is_left_of_a_parent_or_a_total(
    seed: int, store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    events = published_events.draw(seed)
    load(store, made, published_events, events, weekly_depth=seed % 3)
    left: dict[tuple[Any, ...], frozenset[int]] = {}
    below: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    split: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for row in published(raw):
        mine = published_events.counted(events, row)
        left[row["breakdown"], row["value"], row["perimeter"], row["days"], row["starts"]] = mine
        parent = row["perimeter"].rpartition("/")[0]
        below[row["breakdown"], row["value"], parent, row["days"], row["starts"]] |= mine
        split[row["breakdown"], row["perimeter"], row["days"], row["starts"]] |= mine
    for (breakdown, value, perimeter, days, starts), mine in left.items():
        rest = mine - below[breakdown, value, perimeter, days, starts]
        assert not rest or authors(events, rest) >= K, (breakdown, value, perimeter, starts)
        if breakdown == "all":
            for other in ("day", "channel", "voice"):
                parts = split.get((other, perimeter, days, starts), mine)
                assert mine == parts, (other, perimeter, starts)
    # Weeks of a perimeter add up to the four weeks that its children are counted by.
    for (breakdown, value, perimeter, days, starts), children in below.items():
        weeks = [
            left.get((breakdown, value, perimeter, 7, starts + timedelta(days=7 * week))) for week in range(4)
        ]
        if days == 28 and all(weeks):
            rest = frozenset().union(*(week for week in weeks if week)) - children
            assert not rest or authors(events, rest) >= K, (breakdown, value, perimeter, starts)


def test_most_of_a_large_organisation_is_published(
    store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    events = [
        published_events.Event(
            path,
            published_events.FIRST + timedelta(days=day),
            channel,
            f"{path[:3]}{day}{channel}{number}",
            ("delivery",) if number % 2 else (),
            channel == "survey",
        )
        for path, day, channel, number in product(
            published_events.STORES, range(28), published_events.CHANNELS, range(6)
        )
    ]
    load(store, made, published_events, events)
    by_breakdown = {breakdown: shown(raw, breakdown) for breakdown in KNOWN_TO_HOLD}
    everywhere = {"e", "e/a", "e/b", "e/c", *published_events.STORES}
    assert by_breakdown == {**dict.fromkeys(KNOWN_TO_HOLD, everywhere), "day": {"e", "e/a", "e/b", "e/c"}}


def crowd(path: str, size: int, boards: ModuleType, *, prefix: str = "") -> list[Any]:
    """So many people who wrote on one day."""
    return [boards.Event(path, boards.FIRST, "email", f"{prefix}{path}-{number}") for number in range(size)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # 2 of 15 would be told by the difference: the smaller of the others is withheld too.
        ((7, 6, 2), {"e", "e/a"}),
        # 2 and 3 together are five: nobody can tell them apart.
        ((7, 6, 2, 3), {"e", "e/a", "e/b"}),
        ((7, 6), {"e", "e/a", "e/b"}),
        ((7, 4), {"e"}),
        ((4,), set()),
    ],
)
def test_hand_worked_cases(
    sizes: tuple[int, ...],
    expected: set[str],
    store: Store,
    raw: psycopg.Connection,
    made: ModuleType,
    published_events: ModuleType,
) -> None:
    events = [
        event
        for name, size in zip("abcd", sizes, strict=False)
        for event in crowd(f"e/{name}", size, published_events)
    ]
    load(store, made, published_events, events, least=5)
    assert shown(raw) == expected


def test_distinct_authors_of_a_week_are_not_the_sum_of_its_days(
    store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    def week(authors: int) -> list[Any]:
        return [
            published_events.Event(
                "e", published_events.FIRST + timedelta(days=day), "email", f"{day % authors}"
            )
            for day in range(7)
        ]

    load(store, made, published_events, week(7), least=5)
    assert shown(raw) == {"e"}
    load(store, made, published_events, week(4), least=5)
    assert shown(raw) == set()
    # Without a crowd a week has at least the authors of its busiest day, which may be all.
    load(store, made, published_events, week(7), least=5, with_crowds=False)
    assert shown(raw) == set()


def test_rare_channels_are_shown_as_one(
    store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    events = [
        published_events.Event("e", published_events.FIRST, channel, f"{channel}{number}")
        for channel, size in (("survey", 30), ("email", 9), ("letter", 2), ("note", 12))
        for number in range(size)
    ]
    load(store, made, published_events, events, weekly_depth=0)
    rows = [(row["value"], row["texts"]) for row in published(raw) if row["breakdown"] == "channel"]
    assert rows == [("email + letter", 11), ("note", 12), ("survey", 30)]


def test_publishing_again_changes_nothing_and_a_part_is_published_as_the_whole(
    store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    events = published_events.draw(5, days=56)
    load(store, made, published_events, events)
    query = "SELECT ctid::text, xmin::text, published.* FROM vigie.published ORDER BY 1"
    before = raw.execute(query).fetchall()
    assert before
    store.refresh_published()
    store.refresh_published(published_events.FIRST + timedelta(days=40))
    assert raw.execute(query).fetchall() == before
    # Tallies that came since may be of the loudest authors: what only crowds vouch for waits for theirs.
    store.upsert_tallies(published_events.tallies(events))
    store.refresh_published()
    assert 0 < len(published(raw)) < len(before)
    store.refresh_published(crowds=[published_events.crowds(events, K)])
    assert len(published(raw)) == len(before)


def test_tallies_that_come_live_are_published_by_the_rules_of_the_day(
    store: Store, raw: psycopg.Connection, made: ModuleType, published_events: ModuleType
) -> None:
    events = published_events.draw(5, days=84)
    load(store, made, published_events, events)
    before = published(raw)
    last = max(event.day for event in events)
    days = (last - timedelta(days=3), last)
    came = published_events.tallies([event for event in events if event.day >= days[0]])
    rules = published_events.publication(events, least=K, with_crowds=False)
    rules = type(rules)(rules.rules, rules.themes)
    store.replace_tallies(came, days=days)
    assert published(raw) == before
    store.refresh_published(days[0], publication=rules)
    # Older periods are as they were, under the crowds of the replay.
    old = published_events.period(days[0], 28)
    assert [row for row in published(raw) if row["starts"] < old] == [
        row for row in before if row["starts"] < old
    ]
    # A higher minimum holds at once for the past too, and old crowds vouch for it no longer.
    higher = published_events.publication(events, least=K + 4, with_crowds=False)
    store.refresh_published(days[0], publication=type(higher)(higher.rules, higher.themes))
    for row in published(raw):
        assert authors(events, published_events.counted(events, row)) >= K + 4
    assert raw.execute("SELECT count(*) FROM vigie.crowd").fetchone() == (0,)
