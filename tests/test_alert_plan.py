"""What goes to whom, and when: worked by hand, and laws."""

from datetime import UTC, datetime, time, timedelta
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.alerts.plan import (
    WEEK,
    Decision,
    Subscribed,
    Told,
    decide,
    digests_due,
    may_be_shown,
)
from connectors.alerts.schedule import last_digest_time, leaves_at
from connectors.alerts.subscription import Subscription

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def one(alerts: ModuleType) -> Subscribed:
    return subscribed(alerts)


def subscribed(alerts: ModuleType, number: int = 1, address: str = "a", **wishes: Any) -> Subscribed:
    return Subscribed(f"{number:016x}", address, alerts.subscription(**wishes), BEGAN)


def decided(
    signals: list[dict[str, Any]],
    them: list[Subscribed],
    now: datetime,
    **known: Any,
) -> list[Decision]:
    plain: dict[str, Any] = {"told": {}, "dismissed": frozenset(), "sent": {}, "min_authors": 3}
    return decide(signals, them, now=now, **(plain | known))


def test_a_signal_goes_to_those_who_watch_its_perimeter(alerts: ModuleType) -> None:
    them = [
        subscribed(alerts, 1, "inside", perimeters=(alerts.NORD,)),
        subscribed(alerts, 2, "at", perimeters=(alerts.LILLE,), descendants=False),
        subscribed(alerts, 3, "above alone", perimeters=(alerts.NORD,), descendants=False),
        subscribed(alerts, 4, "beside", perimeters=("enseigne/nord/lille",)),
        subscribed(alerts, 5, "below", perimeters=(f"{alerts.LILLE}/rayon",)),
    ]
    assert [one.address_id for one in decided([alerts.row()], them, alerts.NOW)] == ["at", "inside"]


def test_a_signal_of_the_parent_goes_to_the_parents_subscriber_alone(alerts: ModuleType) -> None:
    them = [
        subscribed(alerts, 1, "lille", perimeters=(alerts.LILLE,)),
        subscribed(alerts, 2, "nord", perimeters=(alerts.NORD,)),
    ]
    signals = [
        alerts.row(1, perimeter=alerts.NORD),
        alerts.row(2, status="merged", explanation={"part_of": f"{1:032x}"}),
    ]
    assert [(one.address_id, one.signal_id[-1]) for one in decided(signals, them, alerts.NOW)] == [
        ("nord", "1")
    ]


@pytest.mark.parametrize(
    ("wishes", "values", "expected"),
    [
        ({"dimensions": ("trust",)}, {"dimension": "trust", "theme": "x"}, True),
        ({"dimensions": ("trust",)}, {"dimension": "conformity"}, False),
        ({"dimensions": ("trust",)}, {}, False),
        (
            {"dimensions": ("trust",), "themes": ("queue",)},
            {"dimension": "x", "theme": "queue"},
            True,
        ),
        ({"functions": ("billing",)}, {"owning_function": "billing"}, True),
        ({"functions": ("billing",)}, {"owning_function": "legal"}, False),
        ({"kinds": ("silence",)}, {}, False),
        ({"min_evidence": 12.0}, {"evidence": 11.9}, False),
        ({"min_evidence": 12.0}, {"evidence": 12.0}, True),
        ({"history": False}, {"retrospective": True}, False),
        ({"history": False}, {"retrospective": False}, True),
    ],
)
def test_filters(
    alerts: ModuleType, wishes: dict[str, Any], values: dict[str, Any], *, expected: bool
) -> None:
    them = [subscribed(alerts, **wishes)]
    assert bool(decided([alerts.row(**values)], them, alerts.NOW)) == expected


def test_what_was_raised_before_a_subscription_began_is_not_told(alerts: ModuleType) -> None:
    live = alerts.row(retrospective=False)
    began = live["bucket_at"] + timedelta(days=1)
    for late, expected in ((timedelta(0), 0), (timedelta(seconds=-1), 1)):
        them = [Subscribed("1" * 16, "a", alerts.subscription(history=False), began + late)]
        assert len(decided([live], them, alerts.NOW)) == expected


def test_fewer_people_than_the_minimum_are_never_told_of(alerts: ModuleType, one: Subscribed) -> None:
    few = alerts.row(distinct_authors=4, min_authors=3)
    assert decided([few], [one], alerts.NOW, min_authors=4)
    assert not decided([few], [one], alerts.NOW, min_authors=5)
    assert not may_be_shown(alerts.row(distinct_authors=4, min_authors=5), 3)
    silence = alerts.row(kind="silence", distinct_authors=0, expected=6.0)
    assert may_be_shown(silence, 6)
    assert not may_be_shown(silence, 7)


def test_growth_alerts_again_at_each_doubling_of_what_was_told(alerts: ModuleType, one: Subscribed) -> None:
    told: dict[tuple[str, str], Told] = {}
    steps = []
    for people in (7, 8, 13, 14, 27, 28, 20, 60):
        for made in decided([alerts.row(distinct_authors=people)], [one], alerts.NOW, told=told):
            steps.append((people, made.step))
            told[made.address_id, made.signal_id] = Told(made.step, made.people, made.people)
    assert steps == [(7, 0), (14, 1), (28, 2), (60, 3)]


def test_a_dismissed_signal_is_not_told_again(alerts: ModuleType, one: Subscribed) -> None:
    grown = alerts.row(distinct_authors=70)
    told = {("a", grown["signal_id"]): Told(0, 7, 7)}
    assert decided([grown], [one], alerts.NOW, told=told)
    assert not decided([grown], [one], alerts.NOW, told=told, dismissed=frozenset({grown["signal_id"]}))


def test_a_wider_signal_is_told_only_a_step_beyond_its_parts(alerts: ModuleType, one: Subscribed) -> None:
    part = alerts.row(2, status="merged", explanation={"part_of": f"{1:032x}"})
    told = {("a", part["signal_id"]): Told(0, 7, 7)}
    for people, expected in ((13, 0), (14, 1)):
        whole = alerts.row(1, perimeter=alerts.NORD, distinct_authors=people)
        assert len(decided([whole, part], [one], alerts.NOW, told=told)) == expected


def test_a_wider_signal_is_told_where_no_message_on_its_parts_left(
    alerts: ModuleType, one: Subscribed
) -> None:
    """Decided on at night or for Monday's digest, and part of a wider signal before the message left."""
    part = alerts.row(2, status="merged", explanation={"part_of": f"{1:032x}"})
    whole = alerts.row(1, perimeter=alerts.NORD, distinct_authors=9)
    waits = {("a", part["signal_id"]): Told(0, 7, None)}
    (made,) = decided([whole, part], [one], alerts.NOW, told=waits)
    assert (made.signal_id, made.step) == (whole["signal_id"], 0)
    # Of two steps the first left: it told of seven.
    for told, expected in ((Told(1, 14, 7), 0), (Told(1, 14, 4), 1), (Told(0, 0, 0), 1)):
        assert (
            len(decided([whole, part], [one], alerts.NOW, told={("a", part["signal_id"]): told})) == expected
        )


def test_an_address_is_told_once_by_the_subscription_that_wants_it_soonest(alerts: ModuleType) -> None:
    them = [
        subscribed(alerts, 1, rhythm="weekly"),
        subscribed(alerts, 2, perimeters=(alerts.LILLE,)),
        subscribed(alerts, 3, rhythm="daily"),
    ]
    (made,) = decided([alerts.row()], them, alerts.NOW)
    assert (made.subscription_id, made.held) == (them[1].id, None)


def test_the_cap_holds_back_the_weakest_and_drops_none(alerts: ModuleType) -> None:
    them = [subscribed(alerts, weekly_cap=3)]
    signals = [alerts.row(number, evidence=float(number)) for number in range(1, 6)]
    made = decided(signals, them, alerts.NOW, sent={"a": 1})
    assert {one.signal_id[-1]: one.held for one in made} == {
        "5": None,
        "4": None,
        "3": "cap",
        "2": "cap",
        "1": "cap",
    }


@given(
    people=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    caps=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    sent=st.integers(0, 5),
)
def test_deciding_again_decides_nothing_and_the_cap_is_kept(
    alerts: ModuleType, people: list[int], caps: list[int], sent: int
) -> None:
    signals = [alerts.row(number, distinct_authors=count) for number, count in enumerate(people)]
    them = [subscribed(alerts, number, f"a{number % 2}", weekly_cap=cap) for number, cap in enumerate(caps)]
    made = decided(signals, them, alerts.NOW, sent={"a0": sent})
    told = {(one.address_id, one.signal_id): Told(one.step, one.people, one.people) for one in made}
    assert not decided(signals, them, alerts.NOW, told=told)
    assert len({one.message_id for one in made}) == len(made)
    shown = sum(count >= 3 for count in people)
    for address in {one.address_id for one in them}:
        mine = [one for one in made if one.address_id == address]
        assert len(mine) == shown
        at_once = sum(one.held is None for one in mine) + (sent if address == "a0" else 0)
        cap = max(cap for number, cap in enumerate(caps) if f"a{number % 2}" == address)
        assert at_once <= max(cap, sent if address == "a0" else 0)


def wanting(**wishes: Any) -> Subscription:
    return Subscription(subscriber="x", to="x@exemple.test", perimeters=("a",), **wishes)


@pytest.mark.parametrize(
    ("now", "leaves"),
    [
        # Paris is one hour ahead of UTC in winter, two in summer.
        ("2024-03-06T18:59", "2024-03-06T18:59"),
        ("2024-03-06T19:00", "2024-03-07T06:30"),
        ("2024-03-07T06:29", "2024-03-07T06:30"),
        ("2024-03-07T06:30", "2024-03-07T06:30"),
        ("2024-07-07T18:30", "2024-07-08T05:30"),
        # The clock goes forward in the night of 31 March.
        ("2024-03-30T22:00", "2024-03-31T05:30"),
    ],
)
def test_quiet_hours_over_midnight(now: str, leaves: str) -> None:
    quiet = wanting(timezone="Europe/Paris", quiet_from=time(20), quiet_until=time(7, 30))
    at, expected = (datetime.fromisoformat(f"{one}+00:00") for one in (now, leaves))
    assert leaves_at(quiet, at) == expected


def test_quiet_hours_inside_a_day_and_none() -> None:
    noon = wanting(timezone="UTC", quiet_from=time(12), quiet_until=time(14))
    at = datetime(2024, 3, 6, 12, tzinfo=UTC)
    assert leaves_at(noon, at) == at + timedelta(hours=2)
    assert leaves_at(noon, at - timedelta(minutes=1)) == at - timedelta(minutes=1)
    assert leaves_at(wanting(), at) == at


@pytest.mark.parametrize(
    ("rhythm", "now", "expected"),
    [
        ("daily", "2024-03-06T07:00", "2024-03-06T07:00"),
        ("daily", "2024-03-06T06:59", "2024-03-05T07:00"),
        ("weekly", "2024-03-06T09:00", "2024-03-04T07:00"),
        ("weekly", "2024-03-04T06:59", "2024-02-26T07:00"),
        ("weekly", "2024-03-04T07:00", "2024-03-04T07:00"),
        ("immediate", "2024-03-06T09:00", "2024-03-04T07:00"),
        ("daily", "2024-07-06T07:00", "2024-07-06T06:00"),
    ],
)
def test_digests_leave_at_eight_in_the_subscribers_time(rhythm: Any, now: str, expected: str) -> None:
    wants = wanting(rhythm=rhythm, timezone="Europe/Paris")
    at = last_digest_time(wants, datetime.fromisoformat(f"{now}+00:00"))
    assert at == datetime.fromisoformat(f"{expected}+00:00")


def test_a_digest_is_due_once_something_was_held_before_its_time(alerts: ModuleType) -> None:
    weekly = subscribed(alerts, rhythm="weekly")
    monday = datetime(2024, 3, 4, 7, tzinfo=UTC)
    before = {weekly.id: monday - timedelta(minutes=1)}
    (due,) = digests_due([weekly], before, now=alerts.NOW)
    assert due.at == monday
    assert digests_due([weekly], {weekly.id: monday}, now=alerts.NOW) == []
    assert digests_due([weekly], {}, now=alerts.NOW) == []
    (again,) = digests_due([weekly], before, now=alerts.NOW + timedelta(hours=1))
    assert again.message_id == due.message_id
    (later,) = digests_due([weekly], before, now=alerts.NOW + WEEK)
    assert later.message_id != due.message_id
