"""The picture of a signal: well-formed, drawn where by hand it should be, in either language."""

from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from dashboards.evidence_plot import Titles, evidence_plot
from dashboards.judged_plot import Judged

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2026, 1, 5)
TITLES = Titles(
    "« a < b », Lille & co", "5 personnes", "personnes par jour", "alerte du 13/01", "jusqu'au 08/01"
)
QUIET = Judged(FIRST, 0, 0.5, 0, 2, 0.0, 10.0, raised=False)


def day(number: int, **changes: Any) -> Judged:
    values = {name: getattr(QUIET, name) for name in Judged.__slots__}
    return Judged(**{**values, "day": FIRST + timedelta(days=number), **changes})


DAYS = [
    *(day(number) for number in range(8)),
    day(8, observed=4, evidence=12.0, raised=True),
    day(9, observed=1, evidence=1.0),
]


def draw(days: list[Judged] = DAYS, **changes: Any) -> ElementTree.Element:
    arguments: dict[str, Any] = {
        "raised": FIRST + timedelta(days=8),
        "learned_until": FIRST + timedelta(days=3),
        "shape": "bars",
        "least": 3,
    }
    return ElementTree.fromstring(evidence_plot(days, TITLES, **arguments | changes))


def classed(drawn: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [part for part in drawn.iter() if part.get("class") == name]


def texts(drawn: ElementTree.Element) -> list[str]:
    return ["".join(part.itertext()) for part in drawn.iter(f"{SVG}text")]


def test_a_bar_for_each_day_that_was_heard_at_its_day() -> None:
    bars = classed(draw(), "observed")
    # Ten days from 96 to 926 are 83 wide each; the bar takes 72% of the middle of its day.
    assert [bar.get("x") for bar in bars] == ["771.6", "854.6"]
    assert {bar.get("width") for bar in bars} == {"59.8"}
    heights = [float(bar.get("height", 0)) for bar in bars]
    assert heights[0] == pytest.approx(4 * heights[1], rel=0.01)


def test_steps_begin_where_counts_are_told_and_begin_anew_after_the_alert() -> None:
    withheld = {"withheld": True, "observed": None, "evidence": None}
    days = [
        day(0, observed=None, evidence=None),
        day(1, **withheld),
        day(2, **withheld),
        day(3, observed=3, evidence=4.0),
        day(5, observed=6, evidence=12.0, raised=True),
        day(6, **withheld),
        day(7, observed=8, evidence=6.0),
        day(9, observed=None, evidence=None),
    ]
    drawn = draw(days, shape="steps", raised=FIRST + timedelta(days=5), learned_until=None)
    # Ten days of 83 from 96 on; the silent fifth day is the fourth's.
    zones = [(part.get("x"), part.get("width")) for part in classed(drawn, "withheld")]
    # In the panel of what was observed, and in that of evidence.
    assert zones == 2 * [("179.0", "166.0"), ("594.0", "83.0")]
    steps = classed(drawn, "observed")
    assert [(part.get("x"), part.get("width")) for part in steps] == [
        ("345.0", "166.0"),
        ("511.0", "83.0"),
        ("677.0", "83.0"),
    ]
    heights = [float(part.get("height", 0)) for part in steps]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    zone = classed(drawn, "withheld")[0]
    # As high as the panel, whatever is withheld.
    assert float(zone.get("height", 0)) > 2 * heights[0]
    lines = [part for part in drawn.iter(f"{SVG}path") if part.get("stroke-width") == "2.4"]
    assert [line.get("d", "").count("L") for line in lines] == [3, 1]
    assert "tu : moins de 3" in texts(drawn)
    assert not any("moins de" in words for words in texts(draw()))


def test_evidence_that_is_known_of_one_day_alone_is_as_wide_as_the_day() -> None:
    withheld = {"withheld": True, "observed": None, "evidence": None}
    days = [day(0, evidence=None), day(1, **withheld), day(2, observed=5, evidence=9.0, raised=True)]
    days += [day(number, **withheld) for number in range(3, 10)]
    drawn = draw(days, shape="steps", raised=FIRST + timedelta(days=2), learned_until=None)
    (area,), (crossing,) = classed(drawn, "evidence"), classed(drawn, "crossing")
    assert (area.get("x"), area.get("width")) == ("262.0", "83.0")
    assert area.get("y") == crossing.get("cy")
    # Days on end are a line, and have no area of their own.
    assert not classed(draw(), "evidence")


def test_the_alert_crosses_both_panels_on_its_day_and_evidence_has_its_mark_there() -> None:
    drawn = draw()
    (alert,), (crossing,) = classed(drawn, "alert"), classed(drawn, "crossing")
    moves = alert.get("d", "").split("M")[1:]
    assert len(moves) == 2
    assert all(move.startswith("801.5 ") for move in moves)
    assert crossing.get("cx") == "801.5"
    tops, bottoms = zip(*(map(float, move.split(" ")[1].split("V")) for move in moves), strict=True)
    # The scale ends 12% above the highest evidence.
    assert float(crossing.get("cy", 0)) == pytest.approx(bottoms[1] - (bottoms[1] - tops[1]) / 1.12, abs=0.1)


def test_the_band_and_the_lines_are_there() -> None:
    drawn = draw()
    assert len([part for part in drawn.iter(f"{SVG}rect") if part.get("fill") == "#e4e7eb"]) == len(DAYS) + 1
    dashed = [part for part in drawn.iter(f"{SVG}path") if part.get("stroke-dasharray")]
    assert len(dashed) == 2
    levels = {point.split(" ")[1] for point in dashed[1].get("d", "")[1:].split("L")}
    assert len(levels) == 1


def test_words_are_safe_and_in_the_language_asked_for() -> None:
    french, english = texts(draw()), texts(draw(lang="en"))
    for words in (french, english):
        assert {TITLES.title, TITLES.subtitle, TITLES.unit, TITLES.alert, TITLES.baseline} <= set(words)
    assert {"seuil d'alerte", "1 sur 100", "05/01"} <= set(french)
    assert {"alert threshold", "1 in 100", "1 in 10,000"} <= set(english)


def test_a_long_title_takes_more_lines_and_the_picture_grows() -> None:
    long = Titles("mot " * 60, "", "", "", "")
    plain, longer = (
        evidence_plot(DAYS, titles, raised=FIRST, learned_until=None, shape="bars", least=3)
        for titles in (TITLES, long)
    )
    heights = [
        float((ElementTree.fromstring(one).get("viewBox") or "").split()[3]) for one in (plain, longer)
    ]
    assert heights[0] < heights[1]
    assert TITLES.baseline not in texts(ElementTree.fromstring(plain))


def test_values_are_points_and_a_day_without_one_breaks_the_lines() -> None:
    nothing = {"observed": None, "expected": None, "low": None, "high": None, "evidence": None}
    days = [day(number, observed=0.7, expected=0.8, low=0.6, high=0.9) for number in range(9)]
    days[4] = day(4, threshold=None, **nothing)
    drawn = draw(days, shape="points")
    assert len(classed(drawn, "observed")) == 8
    assert {point.tag for point in classed(drawn, "observed")} == {f"{SVG}circle"}
    assert len([part for part in drawn.iter(f"{SVG}path") if part.get("stroke-dasharray")]) == 4
    assert {"0,6", "0,7", "0,8", "0,9"} <= set(texts(drawn))


@pytest.mark.parametrize(("days", "written"), [(30, 5), (80, 6), (200, 6)])
def test_dates_are_few_enough_to_be_read(days: int, written: int) -> None:
    drawn = texts(draw([day(number) for number in range(days)]))
    dates = [word for word in drawn if len(word) == 5 and word[2] == "/"]
    assert len(dates) == written


def test_a_picture_needs_a_day() -> None:
    assert len(classed(draw(DAYS[8:9]), "observed")) == 1
    with pytest.raises(ValueError, match="there are no days"):
        draw([])
