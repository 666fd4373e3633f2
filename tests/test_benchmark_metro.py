"""The benchmark on real operations messages: how it sorts what is raised, on made-up ones of two lines."""

import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _report, metro
from benchmarks._metro_weekdays import Calendar, of_weekdays
from benchmarks._themes_streams import FILES, METRO
from benchmarks.metro import ANNOUNCEMENT, GREETING, INCIDENT, OTHER, PLANNED

FIRST = datetime(2023, 3, 6, 6, tzinfo=UTC)
DAYS = 150
LINES = ("LigneA", "LigneB")
STUCK = (
    "12:1{n}, incident à Fontaine : un cormoran bloque le quai, trafic interrompu",
    "12:2{n}, le cormoran est toujours là, trafic perturbé entre Fontaine et Moulin",
    "Station Fontaine fermée à cause du cormoran, le trafic reprend ailleurs",
    "Incident : des pompiers cherchent à attraper le cormoran",
    "12:4{n}, trafic ralenti, le cormoran est monté sur une rame",
    "Trafic interrompu vers Moulin, un filet est posé autour du cormoran",
    "Le cormoran a été vu près du tunnel, incident en cours",
    "13:0{n}, nos équipes suivent le cormoran, trafic très ralenti",
    "Le cormoran est dehors, fin de l'incident",
)


def messages() -> list[dict[str, str]]:
    """Each line is greeted every morning and reports normal traffic; a bird stops one of them on a day."""
    written: list[tuple[datetime, str, str]] = []
    for day in range(DAYS):
        for number, line in enumerate(LINES):
            at = FIRST + timedelta(days=day, minutes=number)
            name = "Capucine" if day % 2 else "Anselme"
            written.append((at, line, f"Bonjour, {name} vous accompagne ce matin sur la #ligne{number + 1}."))
            written.append(
                (at + timedelta(hours=4), line, f"1{number}:0{day % 10}, trafic normal sur la ligne")
            )
    noon = FIRST + timedelta(days=140, hours=6)
    written += [(noon + timedelta(minutes=n), "LigneA", said.format(n=n)) for n, said in enumerate(STUCK)]
    return [
        {"status_id": f"{number}", "created_at": f"{at:%Y-%m-%d %H:%M:%S}", "screen_name": line, "text": text}
        for number, (at, line, text) in enumerate(sorted(written))
    ]


def test_a_term_of_its_weekday_is_told_from_one_of_any_day() -> None:
    """26 weeks, two messages a day: one speaks of the match on Saturdays and of works on any day in turn."""
    alert = date(2023, 10, 7)
    assert alert.weekday() == 5
    said = []
    for back in range(300):
        day = alert - timedelta(days=back)
        match, works = day.weekday() == 5, back % 13 == 0
        said += [f"Un match au stade{' et des travaux' if works else ''}" if match else "Rien"]
        said += ["Des travaux à Fontaine" if works and not match else "Rien"]
    messages = [
        {"created_at": f"{alert - timedelta(days=number // 2)} 08:00:00", "text": text}
        for number, text in enumerate(said)
    ]
    calendar = Calendar(messages)
    # 26 Saturdays of 26 mentions, one day in seven: 7 ** -26. Sunday has none.
    assert calendar.chance("match, stade", alert) == pytest.approx(7.0**-26)
    assert calendar.chance("match", alert + timedelta(days=1)) == 1.0
    # 14 days in 182, two of which are Saturdays: 1 - (6/7)^14 - 2 (6/7)^13.
    assert calendar.chance("travaux", alert) == pytest.approx(1 - (6 / 7) ** 14 - 2 * (6 / 7) ** 13)
    assert calendar.chance("grève", alert) is None
    assert calendar.chance("match", alert - timedelta(days=290)) is None
    found = of_weekdays(calendar, [(alert, "match"), (alert, "travaux"), (alert, "grève")])
    assert (found.looked_at, found.typical) == (2, 1)
    assert found.by_chance == pytest.approx(0.02)


def test_what_signs_greetings_is_a_name() -> None:
    assert metro.agents(row["text"] for row in messages()) == ["Anselme", "Capucine"]
    assert metro.agents(["Nous vous informons que Léa vous accompagne."] * 40) == ["Léa"]
    assert metro.agents(["Léa vous accompagne."] * 3 + [""]) == []


@pytest.mark.parametrize(
    ("excerpts", "kind"),
    [
        (["Bonjour à tous", "[name] vous informe du trafic", "12:10, trafic interrompu"], GREETING),
        (["12:10, trafic interrompu", "Station fermée (colis suspect)", "Bonjour"], INCIDENT),
        (["Travaux du 3 au 9 mai, trafic modifié", "Rénovation de la station"], PLANNED),
        (["Découvrez notre jeu [url]", "Rendez-vous au concert"], ANNOUNCEMENT),
        (["un deux trois", "quatre"], OTHER),
        ([], OTHER),
    ],
)
def test_signals_are_what_half_of_their_messages_are(excerpts: list[str], kind: str) -> None:
    assert metro.read_as(excerpts) == kind


def test_a_bird_is_news_and_a_greeting_is_none(tmp_path: Path) -> None:
    raised = metro.replay(tmp_path, messages())
    assert [one.carried_by for one in raised if one.row["kind"] == "emergence"] == [INCIDENT]
    (bird,) = [one for one in raised if one.row["kind"] == "emergence"]
    assert "cormoran" in bird.row["label"]
    assert bird.row["perimeter"] == "metro/lignea"
    (year,) = metro.rows(messages(), raised)
    assert (year["messages"], year["signals"], year[INCIDENT]) == (DAYS * 4 + len(STUCK), len(raised), 1)
    assert all(figure.met for figure in metro.figures(raised))
    (line,) = [row for row in metro.listing(raised) if row["kind"] == "emergence"]
    assert (line["day"], line["carried by"]) == ("2023-07-24", INCIDENT)


def test_without_the_messages_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, METRO, tmp_path / "nowhere.csv")
    report = metro.run(_report.Options(quick=True, texts=0, json=None))
    assert (report.rows, report.figures, report.listing) == ([], [], ())
    assert "nothing was measured" in report.notes[0]


def test_a_listing_is_printed_and_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def run(_: Any) -> _report.Report:
        return _report.Report(
            "sums", [{"year": "2023", "signals": 2}], [], [], [{"day": "2023-04-20", "x": 0.5}]
        )

    file = tmp_path / "out.json"
    _report.main("any", "about", run, ["--json", str(file)])
    printed = capsys.readouterr().out
    assert printed.index("2023-04-20") < printed.index("sums")
    assert json.loads(file.read_text("utf-8"))["listing"] == [{"day": "2023-04-20", "x": 0.5}]
