"""A report as one HTML file that needs nothing else: paragraphs, tables and pictures under headings."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.desk.render import render


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under a heading. headings, rows: of a table, of equal lengths; no heading row where all are
    blank. figure: an SVG document.
    """

    title: str
    paragraphs: Sequence[str] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figure: str | None = None


def report(title: str, lead: str, about: str, sections: Sequence[Section], *, lang: str) -> str:
    """An HTML document; all but the figures is escaped. about: a line of small print at the end."""
    return render("report.html", title=title, lead=lead, about=about, sections=sections, lang=lang)
