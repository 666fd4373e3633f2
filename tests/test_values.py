"""Dates, numbers and scores as people and spreadsheets write them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.source_settings import ScoreScale
from connectors.values import Scale, day_first_of, fold, parse_number, parse_time, shape

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Paris is UTC+1 in winter, UTC+2 in summer.
        ("2024-03-12", "2024-03-11T23:00"),
        ("2024-03-12 14:30", "2024-03-12T13:30"),
        ("2024-03-12T14:30:00Z", "2024-03-12T14:30"),
        ("2024-07-12T14:30:00.250+02:00", "2024-07-12T12:30:00.250"),
        ("2015-02-24 11:35:52 -0800", "2015-02-24T19:35:52"),
        ("2024-03-12 14:30:00 UTC", "2024-03-12T14:30"),
        ("2024/3/5 7:05", "2024-03-05T06:05"),
        ("12/03/2024 14:30", "2024-03-12T13:30"),
        ("12/03/2024 14:30:05", "2024-03-12T13:30:05"),
        ("12.03.2024", "2024-03-11T23:00"),
        ("24-02-2015 11.35", "2015-02-24T10:35"),
        ("12/03/24", "2024-03-11T23:00"),
        ("12/03/99", "1999-03-11T23:00"),
        ("12/03/2024 4:05 pm", "2024-03-12T15:05"),
        ("12/31/2024 12:00 AM", "2024-12-30T23:00"),
        ("20240312", "2024-03-11T23:00"),
        ("20240712143005", "2024-07-12T12:30:05"),
        ("12 mars 2024 à 14h30", "2024-03-12T13:30"),
        ("1er août 2023", "2023-07-31T22:00"),
        ("lundi 14 févr. 2022 à 9 h 05", "2022-02-14T08:05"),
        ("le 3 déc. 2021 14h", "2021-12-03T13:00"),
        ("Mar 3, 2021 4:05 PM", "2021-03-03T15:05"),
        ("mar. 12 mars 2024", "2024-03-11T23:00"),
        ("March 3rd, 2021 at 4 p.m.", "2021-03-03T15:00"),
        ("12-Mar-2024 10:00", "2024-03-12T09:00"),
        ("Tue, 31 Oct 2017 23:36:20 +0000", "2017-10-31T23:36:20"),
        ("Tue Oct 31 23:36:20 +0000 2017", "2017-10-31T23:36:20"),
        ("Tue Oct 31 23:36:20 2017", "2017-10-31T22:36:20"),
        ("1000000000", "2001-09-09T01:46:40"),
        ("1000000000000", "2001-09-09T01:46:40"),
        ("1000000000.5", "2001-09-09T01:46:40.500"),
        # Day 25569 of a spreadsheet is 1 January 1970; half a day is noon.
        ("25569.5", "1970-01-01T11:00"),
        ("25569,5", "1970-01-01T11:00"),
        ("45000", "2023-03-14T23:00"),
        ("  2024-03-12\u00a0", "2024-03-11T23:00"),
    ],
)
def test_time_forms(text: str, expected: str) -> None:
    assert parse_time(text, zone=PARIS) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_time_is_in_utc() -> None:
    assert parse_time("2024-03-12T14:30:00+05:00", zone=PARIS).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "31/02/2024",
        "2024-13-01",
        "12/03/2024 25:00",
        "12/03/2024 13:00 PM",
        "13/13/2024",
        "12 foo 2024",
        "12 mars 2024 14",
        "0612345678",
        "99999999",
        "9" * 400,
        "1,2,3",
        "²²²²",
        "2024-03-12x10:00",
        "Camille Durand",
    ],
)
def test_not_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date; write"):
        parse_time(text, zone=PARIS)


def test_day_first_reads_an_ambiguous_date() -> None:
    assert parse_time("03/04/2024", zone="UTC", day_first=True) == datetime(2024, 4, 3, tzinfo=UTC)
    assert parse_time("03/04/2024", zone="UTC", day_first=False) == datetime(2024, 3, 4, tzinfo=UTC)


def test_a_date_that_proves_itself_needs_no_setting() -> None:
    assert parse_time("31/12/2024", zone="UTC", day_first=False) == datetime(2024, 12, 31, tzinfo=UTC)
    assert parse_time("12/31/2024", zone="UTC", day_first=True) == datetime(2024, 12, 31, tzinfo=UTC)


def test_a_time_that_occurs_twice_is_the_first() -> None:
    assert parse_time("27/10/2024 02:30", zone=PARIS) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_a_time_that_never_occurs_moves_forward() -> None:
    moved = parse_time("31/03/2024 02:30", zone=PARIS)
    assert moved == parse_time("31/03/2024 03:30", zone=PARIS) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", ["Camille Durand", "0612345678", "06.12.34.56.78", "a@b.fr le 3"])
def test_the_message_does_not_say_what_may_be_personal(value: str) -> None:
    with pytest.raises(ValueError, match="not a date") as caught:
        parse_time(value, zone=PARIS)
    assert value not in str(caught.value)
    with pytest.raises(ValueError, match=r"not a number|on the scale") as caught:
        Scale(ScoreScale(worst=1, best=5)).normalise(value)
    assert value not in str(caught.value)


def test_the_message_shows_a_wrong_date() -> None:
    with pytest.raises(ValueError, match="'31/02/2024'"):
        parse_time("31/02/2024", zone=PARIS)


MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2060, 1, 1)).map(lambda m: m.replace(microsecond=0))  # noqa: DTZ001
FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d-%m-%Y %H.%M.%S",
    "%Y%m%d%H%M%S",
    "%d %B %Y %H:%M:%S",
    "%B %d, %Y %I:%M:%S %p",
    "%b %d, %Y %I:%M:%S %p",
    "%a, %d %b %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
]


@settings(deadline=None, max_examples=60)
@given(moment=MOMENTS, form=st.sampled_from(FORMATS))
def test_what_is_written_is_read(moment: datetime, form: str) -> None:
    assert parse_time(moment.strftime(form), zone="UTC") == moment.replace(tzinfo=UTC)


@settings(deadline=None, max_examples=60)
@given(moment=MOMENTS, hours=st.integers(-12, 14))
def test_an_offset_outweighs_the_zone(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    for form in ("%Y-%m-%d %H:%M:%S %z", "%d/%m/%Y %H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y"):
        assert parse_time(aware.strftime(form), zone=PARIS) == aware


@settings(deadline=None, max_examples=60)
@given(moment=st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_serial_day_is_read_to_the_second(moment: datetime) -> None:
    days = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
    read = parse_time(f"{days:.10f}", zone="UTC")
    assert abs(read - moment.replace(tzinfo=UTC)) < timedelta(milliseconds=2)


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=40) | st.from_regex(r"[0-9 /:.,+\-apmhTZ]{1,25}", fullmatch=True))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        moment = parse_time(text, zone=PARIS)
    except ValueError:
        return
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (["03/04/2024", "25/04/2024 10:00"], True),
        (["03/04/2024", "04-25-2024"], False),
        (["03/04/2024", "05/06/2024"], None),
        (["25/04/2024", "04/25/2024"], None),
        (["2024-04-25", "", "hier"], None),
        (["32/04/2024"], True),
        ([], None),
    ],
)
def test_a_column_tells_its_order(samples: list[str], expected: bool | None) -> None:
    assert day_first_of(samples) is expected


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [
        ("4,5", True, 4.5),
        ("4,5", False, 4.5),
        ("4.5", True, 4.5),
        ("1 234,5", True, 1234.5),
        ("1\u00a0234,5", True, 1234.5),
        ("1\u202f234\u202f567", True, 1234567.0),
        ("1,234", True, 1.234),
        ("1,234", False, 1234.0),
        ("1.234", True, 1234.0),
        ("1.234", False, 1.234),
        ("1.234,5", True, 1234.5),
        ("1,234.5", False, 1234.5),
        ("1,234,567", True, 1234567.0),
        ("1'234.50", False, 1234.5),
        ("85 %", True, 85.0),
        ("85%", True, 85.0),
        ("4/5", True, 4.0),
        ("8 sur 10", True, 8.0),
        ("4 out of 5", False, 4.0),
        ("★★★★☆", True, 4.0),
        ("⭐️⭐️", True, 2.0),
        ("☆☆☆☆☆", True, 0.0),
        ("4 étoiles", True, 4.0),
        ("1 étoile", True, 1.0),
        ("3 stars", False, 3.0),
        ("-1", True, -1.0),
        ("−1", True, -1.0),
        (" 7 ", True, 7.0),
    ],
)
def test_number_forms(text: str, comma: bool, expected: float) -> None:
    assert parse_number(text, decimal_comma=comma) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "a", "1 2", "--4", "4.", "nan", "inf", "1e5", "1.2.3", "%", "4/5/6"]
)
@pytest.mark.parametrize("comma", [True, False])
def test_not_a_number(text: str, comma: bool) -> None:
    with pytest.raises(ValueError, match="is not a number; write"):
        parse_number(text, decimal_comma=comma)


@settings(deadline=None, max_examples=100)
@given(number=st.integers(-(10**9), 10**9), hundredths=st.integers(0, 99))
def test_numbers_in_both_customs(number: int, hundredths: int) -> None:
    expected = float(f"{number}.{hundredths:02}")
    english = f"{number:,}.{hundredths:02}"
    french = english.replace(",", "\u202f").replace(".", ",")
    assert parse_number(english, decimal_comma=False) == expected
    assert parse_number(french, decimal_comma=True) == expected


@pytest.mark.parametrize(
    ("worst", "best", "value", "expected"),
    [
        (0, 10, "7", 0.7),
        (1, 5, 1, 0.0),
        (1, 5, 5.0, 1.0),
        (1, 5, "4/5", 0.75),
        (1, 5, "★★★☆☆", 0.5),
        (6, 1, "1", 1.0),
        (6, 1, 6, 0.0),
        (0, 100, "85 %", 0.85),
        (-100, 100, -50, 0.25),
    ],
)
def test_linear_scale(worst: float, best: float, value: Any, expected: float) -> None:
    assert Scale(ScoreScale(worst=worst, best=best)).normalise(value) == pytest.approx(expected)


@pytest.mark.parametrize("blank", [None, "", "  ", "\u00a0", float("nan")])
def test_blank_has_no_score(blank: Any) -> None:
    assert Scale(ScoreScale(worst=1, best=5)).normalise(blank) is None
    assert Scale(ScoreScale(labels={"bon": 1})).normalise(blank) is None


def test_labels_compare_without_case_or_accents() -> None:
    scale = Scale(ScoreScale(labels={"Très satisfait": 1, "Neutre": 0.5, "négatif": 0, "3": 0.3}))
    assert scale.normalise(" TRES  SATISFAIT ") == 1
    assert scale.normalise("neutre") == 0.5
    assert scale.normalise("Négatif") == 0
    assert scale.normalise("Ne\u0301gatif") == 0
    assert scale.normalise(3.0) == scale.normalise(3) == 0.3


@pytest.mark.parametrize("given", [{"worst": 0, "best": 10}, {"labels": {"bon": 1}}])
def test_what_stands_for_no_answer_is_blank(given: dict[str, Any]) -> None:
    scale = Scale(ScoreScale(**given, unanswered=["N/A", "Sans  réponse", "99"]))
    for value in ("n/a", " sans reponse", "99", 99, 99.0):
        assert scale.normalise(value) is None
    for value in ("N.A.", "98", 98):
        with pytest.raises(ValueError, match="not"):
            scale.normalise(value)


def test_out_of_scale_says_scale_and_value() -> None:
    scale = Scale(ScoreScale(worst=1, best=5))
    with pytest.raises(ValueError, match=r"7 is not on the scale: 1 \(worst\) to 5 \(best\)"):
        scale.normalise("7")
    with pytest.raises(ValueError, match="'8/10' is out of 10"):
        scale.normalise("8/10")
    with pytest.raises(ValueError, match="inf is not on the scale"):
        scale.normalise(float("inf"))
    with pytest.raises(ValueError, match="is not a number"):
        scale.normalise(True)


def test_an_unknown_label_is_shown_by_its_shape() -> None:
    with pytest.raises(ValueError, match="'Aaaaaaa' is not on the scale: the labels bon, mauvais"):
        Scale(ScoreScale(labels={"Bon": 1, "Mauvais": 0})).normalise("Camille")


BOUNDS = st.floats(-1000, 1000).map(lambda value: round(value, 3))


@settings(deadline=None, max_examples=100)
@given(worst=BOUNDS, best=BOUNDS, shares=st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_linear_scale_stays_in_range_and_order(worst: float, best: float, shares: list[float]) -> None:
    if worst == best:
        best += 1
    low, high = min(worst, best), max(worst, best)
    values = [min(max(worst + share * (best - worst), low), high) for share in sorted(shares)]
    scale = Scale(ScoreScale(worst=worst, best=best))
    poorer, better = (scale.normalise(value) for value in values)
    assert poorer is not None
    assert better is not None
    assert 0 <= poorer <= better <= 1
    assert better == pytest.approx(max(shares), abs=1e-9)
    assert scale.normalise(worst) == 0
    assert scale.normalise(best) == 1


def test_fold_and_shape() -> None:
    assert fold("ﬁn  d'Été") == "fin d'ete"
    assert shape("Été 24!" * 10, limit=7) == "Aaa 99!…"
