"""The timeline's geometry by hand, and its text safe for XML."""

from datetime import date
from xml.etree import ElementTree

import pytest

from dashboards.timeline import Line, timeline

_SVG = "{http://www.w3.org/2000/svg}"


def _draw(line: Line) -> ElementTree.Element:
    text = timeline([line], first=date(2026, 1, 5), last=date(2026, 1, 15), title="<T>", legend="l & l")
    return ElementTree.fromstring(text)


def test_a_dot_a_day_where_its_date_stands_and_a_mark_where_it_was_raised() -> None:
    days = [date(2026, 1, 5), date(2026, 1, 10), date(2026, 1, 10), date(2026, 2, 1)]
    drawn = _draw(Line("a < b", "x", days, date(2026, 1, 15), quiet=False))
    # From 300 to 930: the middle day of ten stands at 615; a day outside is not drawn.
    assert [circle.get("cx") for circle in drawn.iter(f"{_SVG}circle")] == ["300.0", "615.0"]
    marks = [path.get("d") for path in drawn.iter(f"{_SVG}path") if path.get("stroke-width")]
    assert marks == ["M930.0 70V104"]


def test_nothing_is_marked_where_nothing_was_raised() -> None:
    drawn = _draw(Line("a", "x", [], None, quiet=True))
    assert not [path for path in drawn.iter(f"{_SVG}path") if path.get("stroke-width")]


def test_the_last_day_must_be_after_the_first() -> None:
    with pytest.raises(ValueError, match="it must be after first"):
        timeline([], first=date(2026, 1, 5), last=date(2026, 1, 5), title="", legend="")
