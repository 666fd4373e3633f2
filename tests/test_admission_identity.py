"""The laws of identity: what is the same event, and what is not."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.admission.identity import Identity, Occurrences, canonical_content
from connectors.admission.pseudonyms import Pseudonyms, normalise_identity, telling_name
from connectors.contract import Parsed

KEY = bytes(range(32))
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def row(text: str = "très bien", **fields: object) -> Parsed:
    return Parsed(**{"occurred_at": NOON, "perimeter": "Nord/Lille", "text": text, **fields})  # type: ignore[arg-type]


def ids(rows: list[Parsed], *, source: str = "avis", key: bytes = KEY, batch: int = 1000) -> list[bytes]:
    """The ids of one load, given batch by batch."""
    identity = Identity(key, source)
    return [i for start in range(0, len(rows), batch) for i in identity.of(rows[start : start + batch])]


ROWS = st.lists(
    st.builds(
        row,
        text=st.sampled_from(["bien", "mal", ""]),
        author=st.sampled_from([None, "", "a@example.org"]),
        own_id=st.sampled_from([None, None, "7", "8"]),
        score=st.sampled_from([None, 0.0, 1.0]),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=80)
@given(ROWS, st.integers(1, 40))
def test_same_file_twice_gives_the_same_ids_at_any_batch_size(rows: list[Parsed], batch: int) -> None:
    assert ids(rows, batch=batch) == ids(rows)


@settings(deadline=None, max_examples=80)
@given(ROWS, ROWS)
def test_a_grown_file_keeps_the_ids_of_what_it_held(rows: list[Parsed], more: list[Parsed]) -> None:
    assert ids(rows + more)[: len(rows)] == ids(rows)


@settings(deadline=None, max_examples=80)
@given(ROWS)
def test_every_row_without_own_id_is_an_event_of_its_own(rows: list[Parsed]) -> None:
    anonymous = [one for one in rows if one.own_id is None]
    named = {one.own_id for one in rows if one.own_id is not None}
    assert len(set(ids(rows))) == len(anonymous) + len(named)


@settings(deadline=None, max_examples=80)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_change_the_set_of_ids(rows: list[Parsed], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert sorted(ids(shuffled)) == sorted(ids(rows))


def test_two_identical_anonymous_rows_are_two_events() -> None:
    first, second = ids([row(), row()])
    assert first != second


def test_own_id_rules_whatever_the_content() -> None:
    first, second, other = ids([row("a", own_id="42"), row("b", own_id=" 42 "), row("a", own_id="43")])
    assert first == second != other


def test_blank_own_id_is_none() -> None:
    assert ids([row(own_id="  ")]) == ids([row()])


def test_source_and_key_are_part_of_the_id() -> None:
    for one in (row(), row(own_id="42")):
        assert len({*ids([one]), *ids([one], source="autre"), *ids([one], key=bytes(32))}) == 3


def test_own_id_never_meets_content() -> None:
    content = canonical_content(row()).decode()
    assert ids([row(own_id=content)]) != ids([row()])


@pytest.mark.parametrize(
    "changed",
    [
        row("autre"),
        row(occurred_at=NOON + timedelta(microseconds=1)),
        row(perimeter="Nord/Roubaix"),
        row(score=0.0),
        row(author="a"),
        row(agent="a"),
        row(channel="survey"),
        row(voice="field"),
        row(author=""),
    ],
)
def test_every_mapped_field_counts(changed: Parsed) -> None:
    assert ids([changed]) != ids([row()])


def test_fields_do_not_run_into_each_other() -> None:
    assert canonical_content(row("ab", author="c")) != canonical_content(row("a", author="bc"))
    assert canonical_content(row(author="x")) != canonical_content(row(agent="x"))


def test_one_instant_in_two_zones_is_one_content() -> None:
    paris = NOON.astimezone(timezone(timedelta(hours=1)))
    assert canonical_content(row(occurred_at=paris)) == canonical_content(row())


@settings(deadline=None, max_examples=80)
@given(st.lists(st.lists(st.integers(0, 12), max_size=20), max_size=15))
def test_occurrences_count_like_a_dictionary(batches: list[list[int]]) -> None:
    counter, seen = Occurrences(), dict[int, int]()
    for batch in batches:
        expected = []
        for value in batch:
            expected.append(seen.get(value, 0))
            seen[value] = expected[-1] + 1
        assert counter.number(np.array(batch, dtype=np.uint64)).tolist() == expected


def test_a_pseudonym_is_of_the_person_not_of_the_spelling() -> None:
    pseudonyms = Pseudonyms(KEY)
    one, two, three, other = pseudonyms.of(
        ["Jean Dupont <JD@example.org>", " jd@Example.ORG", "<jd@example.org>", "je@example.org"]
    )
    assert one == two == three != other
    assert one is not None
    assert len(one) == 16
    assert pseudonyms.of([None, "", "  "]) == [None, None, None]
    assert Pseudonyms(bytes(32)).of(["jd@example.org"]) != [one]


def test_normalisation_keeps_different_people_apart() -> None:
    assert normalise_identity("Agent  12") == normalise_identity("agent 12")
    assert normalise_identity("Agent 1 2") != normalise_identity("agent 12")
    assert normalise_identity("a <b> c") == "a <b> c"


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("client", None),
        ("12345", None),
        ("123456", "123456"),
        ("jd@example.org", None),
        ("Jean Dupont <jd@example.org>", "jean dupont"),
        ("AGT-58213", "agt-58213"),
        ("Zoé", None),
    ],
)
def test_only_telling_names_are_sought_in_texts(identity: str, name: str | None) -> None:
    assert telling_name(identity) == name
