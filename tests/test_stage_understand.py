"""Rows of events to rows of what they say: any split, civil days, persons, languages."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import ModuleType

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import EVENT, FLAG_LATE, FLAG_REDACTED, SchemaError
from detectors.features import feature_id
from pipelines.lexicon import load_lexicons
from pipelines.stages.understand import UNDERSTOOD, Reader, make_reader, understand
from pipelines.words import stem

NOON = datetime(2024, 5, 6, 10, tzinfo=UTC)
LEXICONS = load_lexicons(["fr", "en"])
INPUT = pa.schema([*EVENT, pa.field("position", pa.int64())])
LONG = "la barrière du parking reste levée toute la nuit et personne ne vient la baisser avant midi"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return make_reader(LEXICONS, default="fr", zone="Europe/Paris")


def event(number: int, **changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "event_id": number.to_bytes(16, "little"),
        "occurred_at": NOON,
        "admitted_at": changes.get("occurred_at", NOON),
        "grace_s": 0,
        "source": "s",
        "channel": "survey",
        "voice": "customer",
        "perimeter": "e/nord/lille",
        "score": None,
        "author": None,
        "agent": None,
        "language": "fr",
        "flags": 0,
        "text": "",
        "position": number,
    }
    return base | changes


def batch(*rows: dict[str, object]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=INPUT)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        # Clocks go forward on 31 March 2024 and back on 27 October: days of 23 and 25 hours.
        ("2024-03-30T22:59:59.999999", date(2024, 3, 30)),
        ("2024-03-30T23:00:00", date(2024, 3, 31)),
        ("2024-03-31T21:59:59.999999", date(2024, 3, 31)),
        ("2024-03-31T22:00:00", date(2024, 4, 1)),
        ("2024-10-26T21:59:59", date(2024, 10, 26)),
        ("2024-10-26T22:00:00", date(2024, 10, 27)),
        ("2024-10-27T22:59:59", date(2024, 10, 27)),
        ("2024-10-27T23:00:00", date(2024, 10, 28)),
        ("1969-12-31T22:59:59", date(1969, 12, 31)),
        ("1969-12-31T23:00:00", date(1970, 1, 1)),
    ],
)
def test_days_are_those_of_the_calendar_in_paris(reader: Reader, instant: str, day: date) -> None:
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    expected = (day - date(1970, 1, 1)).days
    assert understand(batch(event(1, occurred_at=at)), reader)["bucket"].to_pylist() == [expected]


def test_the_bucket_is_that_of_the_effective_time(reader: Reader) -> None:
    admitted = NOON + timedelta(days=5)
    rows = understand(
        batch(
            event(1, admitted_at=admitted, grace_s=6 * 86_400),
            event(2, admitted_at=admitted, grace_s=2 * 86_400, flags=FLAG_LATE | FLAG_REDACTED),
        ),
        reader,
    )
    first = (NOON.date() - date(1970, 1, 1)).days
    assert rows["bucket"].to_pylist() == [first, first + 3]
    assert rows["late"].to_pylist() == [False, True]


def test_perimeters_are_where_they_stand_today() -> None:
    reader = make_reader(
        LEXICONS,
        default="fr",
        zone="Europe/Paris",
        moves={"e/nord": "e/hauts", "e/hauts/caen": "e/ouest/caen"},
    )
    before = ["e/nord/lille", "e/nord", "e/nord/caen", "e/hauts/lille", "e/nordique/lille", "e"]
    rows = understand(batch(*(event(n, perimeter=path) for n, path in enumerate(before))), reader)
    assert rows["perimeter"].to_pylist() == [
        "e/hauts/lille",
        "e/hauts",
        "e/ouest/caen",
        "e/hauts/lille",
        "e/nordique/lille",
        "e",
    ]


def test_persons_are_authors_or_their_own_event(reader: Reader) -> None:
    author = bytes(range(16))
    rows = understand(
        batch(event(7), event(8, author=author), event(9, author=author), event(10, author=bytes(16))), reader
    )
    assert rows["person"].to_pylist() == [7, 0x0706050403020100, 0x0706050403020100, 0]


def test_copies_are_told_by_their_text_and_short_texts_by_their_event(reader: Reader) -> None:
    rows = understand(
        batch(
            event(1, text=f"{LONG}, {LONG[3:]}"),
            event(2, text=f"{LONG}, {LONG[3:]}. Anne"),
            event(3, text="merci"),
            event(4),
        ),
        reader,
    )
    one, other, *short = rows["copy"].to_pylist()
    assert one == other
    assert short == [3, 4]
    assert rows["has_text"].to_pylist() == [True, True, True, False]


def test_scores_become_whole_ten_thousandths(reader: Reader) -> None:
    rows = understand(
        batch(*(event(n, score=score) for n, score in enumerate([0.0, 1.0, 0.25, 1 / 3, 2 / 3, None]))),
        reader,
    )
    assert rows["score_e4"].to_pylist() == [0, 10_000, 2_500, 3_333, 6_667, None]


def features(rows: pa.RecordBatch) -> list[set[int]]:
    return [set(listed) for listed in rows["features"].to_pylist()]


def test_each_text_is_read_in_its_language_and_others_in_the_default(
    reader: Reader, reference: ModuleType
) -> None:
    texts = [
        ("fr", LONG),
        ("en", "the parking barriers were broken"),
        ("xx", LONG),
        ("und", LONG),
        ("fr", ""),
    ]
    rows = understand(
        batch(*(event(n, language=asked, text=text) for n, (asked, text) in enumerate(texts))), reader
    )
    expected = []
    for asked, text in texts:
        language = asked if asked == "en" else "fr"
        lexicon = LEXICONS.languages[language]
        expected.append(
            reference.features(
                reference.clauses(text, language), lexicon, lambda word, to=language: stem(word, to)
            )
        )
    assert features(rows) == expected
    assert feature_id("barrier") in expected[1]
    assert feature_id("barrièr") in expected[0]


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "language": st.sampled_from(["fr", "en", "it"]),
            "text": st.sampled_from(
                ["", LONG, "la caisse", "the till is not good", "très bon, merci ! Panne"]
            ),
            "author": st.none() | st.sampled_from([bytes(16), bytes(range(16))]),
            "score": st.none() | st.floats(0, 1),
            "flags": st.sampled_from([0, FLAG_LATE]),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_any_split_of_the_rows_gives_the_same(
    reader: Reader, rows: list[dict[str, object]], cuts: list[int]
) -> None:
    events = batch(*(event(number, **row) for number, row in enumerate(rows)))
    whole = understand(events, reader)
    assert whole.schema == UNDERSTOOD
    bounds = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [understand(events.slice(start, end - start), reader) for start, end in pairwise(bounds)]
    together = pa.Table.from_batches(parts, UNDERSTOOD)
    assert together.to_pylist() == pa.Table.from_batches([whole]).to_pylist()


def test_no_rows_give_no_rows(reader: Reader) -> None:
    rows = understand(batch(), reader)
    assert rows.num_rows == 0
    assert rows.schema == UNDERSTOOD


def test_a_missing_column_is_named(reader: Reader) -> None:
    with pytest.raises(SchemaError, match=r"understand: missing \['voice'\]"):
        understand(
            pa.RecordBatch.from_pylist([], schema=INPUT.remove(INPUT.get_field_index("voice"))), reader
        )
