"""Holidays and occasions in `vigie.toml`: what they come to, their faults, and the version that follows."""

import json
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import SettingsError
from detectors.occasions import NO_OCCASIONS, Span
from pipelines.in_force import settings_of
from pipelines.occasions import YEARS, Period, as_plain
from pipelines.settings import Settings, load_settings
from pipelines.what_if import must_run_again, with_values
from pipelines.workspace import Workspace

PLAIN = """\
[organisation]
root = "e"
name = "E"
languages = ["fr", "en"]
"""
SALES = """
[[occasion]]
name = "Soldes d'hiver"
dates = [{ first = 2025-01-08, last = 2025-02-04 }, { first = 2026-01-07, last = 2026-02-03 }]
[[occasion]]
name = "Fête des mères"
dates = [2025-05-25, "2026-05-31"]
"""


def load(folder: Path, content: str) -> Settings:
    file = folder / "vigie.toml"
    file.write_text(content, encoding="utf-8")
    return load_settings(file)


def faults(folder: Path, content: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, content)
    return [line.removeprefix(f"{folder / 'vigie.toml'}: ") for line in str(caught.value).splitlines()]


def day(year: int, month: int, number: int) -> int:
    return (date(year, month, number) - date(1970, 1, 1)).days


def test_without_a_country_and_occasions_nothing_is_other_than_before(tmp_path: Path) -> None:
    settings = load(tmp_path, PLAIN)
    assert settings.stages.occasions == NO_OCCASIONS
    assert set(settings.relevant) == {"organisation", "min_authors", "detection"}
    assert set(settings.relevant["organisation"]) == {"root", "timezone", "languages"}


def test_occasions_are_days_and_periods(tmp_path: Path) -> None:
    settings = load(tmp_path, PLAIN + SALES)
    assert settings.stages.occasions.named == (
        (
            "Fête des mères",
            (Span(day(2025, 5, 25), day(2025, 5, 25)), Span(day(2026, 5, 31), day(2026, 5, 31))),
        ),
        ("Soldes d'hiver", (Span(day(2025, 1, 8), day(2025, 2, 4)), Span(day(2026, 1, 7), day(2026, 2, 3)))),
    )
    assert settings.relevant["occasions"] == {
        "Fête des mères": ["2025-05-25", "2026-05-31"],
        "Soldes d'hiver": ["2025-01-08/2025-02-04", "2026-01-07/2026-02-03"],
    }


def test_the_holidays_of_france_are_named_in_french_whatever_the_machine_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "th")
    found = load(tmp_path, f'{PLAIN}country = "FR"\n').occasions
    # The eleven of the Labour Code, article L3133-1; Easter days as any almanac gives them.
    assert set(found) == {
        "Jour de l'an",
        "Lundi de Pâques",
        "Fête du Travail",
        "Fête de la Victoire",
        "Ascension",
        "Lundi de Pentecôte",
        "Fête nationale",
        "Assomption",
        "Toussaint",
        "Armistice",
        "Noël",
    }
    easter = {one.first.year: one.first for one in found["Lundi de Pâques"]}
    assert list(easter) == list(YEARS)
    assert [easter[2011], easter[2024], easter[2025]] == [
        date(2011, 4, 25),
        date(2024, 4, 1),
        date(2025, 4, 21),
    ]
    # In 2008 Ascension was the first of May: two names of one day.
    first_of_may = Period(first=date(2008, 5, 1), last=date(2008, 5, 1))
    assert first_of_may in found["Ascension"]
    assert first_of_may in found["Fête du Travail"]


def test_parts_of_a_country_add_theirs_and_school_holidays_are_periods(tmp_path: Path) -> None:
    moselle = load(tmp_path, f'{PLAIN}country = "FR"\nsubdivisions = ["57"]\n').occasions
    assert {"Vendredi saint", "Saint-Étienne"} <= set(moselle)
    zones = 'subdivisions = ["Zone A", "Zone B"]\nschool_holidays = true\n'
    found = load(tmp_path, f'{PLAIN}country = "FR"\n{zones}').occasions
    # In 2025 zone B was off from 8 February, and zone A back at school on 10 March, with no day between.
    [winter] = [one for one in found["Vacances d'hiver"] if one.first.year == 2025]
    assert (winter.first, winter.last) == (date(2025, 2, 8), date(2025, 3, 9))
    assert "Lundi de Pâques" in found


def test_days_that_the_library_estimates_keep_the_name_they_have_when_they_are_known(tmp_path: Path) -> None:
    found = load(tmp_path, f'{PLAIN}country = "MA"\n').occasions
    assert not [name for name in found if "(" in name]
    feasts = found["Fête de la rupture du jeûne"]
    # Two days each, about 354 days apart.
    gaps = {(b.first - a.first).days for a, b in pairwise(feasts)}
    assert gaps <= {353, 354, 355, 356}


def test_an_organisation_may_name_more_days_of_a_holiday(tmp_path: Path) -> None:
    eves = '[[occasion]]\nname = "Noël"\ndates = [2025-12-24, 2026-12-01]\n'
    found = load(tmp_path, f'{PLAIN}country = "FR"\n{eves}').occasions["Noël"]
    assert [one for one in found if one.first.year in (2025, 2026)] == [
        Period(first=date(2025, 12, 24), last=date(2025, 12, 25)),
        Period(first=date(2026, 12, 1), last=date(2026, 12, 1)),
        Period(first=date(2026, 12, 25), last=date(2026, 12, 25)),
    ]


A_DATE = (
    "must be a date such as 2026-05-31, or a first and a last one: { first = 2026-01-07, last = 2026-02-03 }"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            'country = "fr"',
            'country is "fr"; must be the two capital letters of a country, such as FR; no '
            "holidays are known of this one",
        ),
        ("country = 33", "country is 33; must be text, in quotes"),
        ('subdivisions = ["57"]', "subdivisions: parts of organisation.country, which is missing; add it"),
        (
            'country = "MC"\nsubdivisions = ["57"]',
            "subdivisions: MC has no part 57: none are known; leave them out",
        ),
        (
            "school_holidays = true",
            "school_holidays is true; those of organisation.country, which is missing; add it",
        ),
        (
            'country = "MC"\nschool_holidays = true',
            "school_holidays is true; school holidays of MC are not "
            "known; leave it out, and name them as an [[occasion]]",
        ),
    ],
)
def test_a_fault_of_the_country_is_one_clear_line(tmp_path: Path, content: str, expected: str) -> None:
    assert faults(tmp_path, f"{PLAIN}{content}\n") == [f"organisation.{expected}"]


@pytest.mark.parametrize(
    ("asked", "begins"),
    [
        ('subdivisions = ["57", "Zone D"]', "subdivisions: FR has no part Zone D: they are 57, 6AE, "),
        (
            "school_holidays = true",
            "school_holidays is true; school holidays of FR differ between its parts: name yours in "
            "organisation.subdivisions, of 57, ",
        ),
    ],
)
def test_a_fault_of_parts_names_those_that_are_known(tmp_path: Path, asked: str, begins: str) -> None:
    [line] = faults(tmp_path, f'{PLAIN}country = "FR"\n{asked}\n')
    assert line.startswith(f"organisation.{begins}")
    assert line.endswith("Zone A, Zone B, Zone C")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('name = ""\ndates = [2026-01-01]', 'occasion[1].name is ""; must not be empty'),
        ('name = "S"\ndates = []', "occasion[1].dates: must hold 1 at least"),
        ('name = "S"\ndates = ["x"]', f'occasion[1].dates[1] is "x"; {A_DATE}'),
        ('name = "S"\ndates = [3]', f"occasion[1].dates[1] is 3; {A_DATE}"),
        (
            'name = "S"\ndates = [2026-01-01T03:00:00]',
            f"occasion[1].dates[1] is 2026-01-01 03:00:00; {A_DATE}",
        ),
        ('name = "S"\ndates = [{ first = 2026-01-01 }]', "occasion[1].dates[1].last: is missing; add it"),
        (
            'name = "S"\ndates = [{ first = 2026-01-02, last = 2026-01-01 }]',
            "occasion[1].dates[1]: first is 2026-01-02, last is 2026-01-01; first must not be after last",
        ),
        (
            'name = "S"\ndates = [{ first = 2026-01-01, last = 2026-04-11 }]',
            "occasion[1].dates[1]: lasts from 2026-01-01 to 2026-04-11; must be 100 days at most",
        ),
        (
            'name = "S"\ndates = [2026-01-05, { first = 2026-01-01, last = 2026-01-05 }]',
            "occasion[1]: dates overlap: 2026-01-01/2026-01-05 and 2026-01-05; must be apart",
        ),
        (
            'name = "S"\ndates = [2026-01-01]\n[[occasion]]\nname = "S"\ndates = [2027-01-01]',
            "occasion: names must differ: S stands twice; put its dates together",
        ),
    ],
)
def test_a_fault_of_an_occasion_is_one_clear_line(tmp_path: Path, content: str, expected: str) -> None:
    assert faults(tmp_path, f"{PLAIN}[[occasion]]\n{content}\n") == [expected]


def test_a_hundred_days_are_allowed(tmp_path: Path) -> None:
    long = '[[occasion]]\nname = "S"\ndates = [{ first = 2026-01-01, last = 2026-04-10 }]\n'
    assert len(load(tmp_path, PLAIN + long).occasions["S"]) == 1


def decided(settings: Settings) -> dict[str, Any]:
    """What a decision keeps, through JSON as the log writes it."""
    kept = {"version": settings.version("x"), "lexicon": "x", "tree": {"e": "E"}, **settings.relevant}
    found: dict[str, Any] = json.loads(json.dumps(kept))
    return found


def test_a_decision_keeps_the_days_and_gives_them_back_whatever_is_set_today(tmp_path: Path) -> None:
    then = load(tmp_path, f'{PLAIN}country = "FR"\n{SALES}')
    plain = load(tmp_path, PLAIN)
    assert len({then.version("x"), plain.version("x"), load(tmp_path, PLAIN + SALES).version("x")}) == 3
    again = settings_of(decided(then), plain, where="log")
    assert again.stages.occasions == then.stages.occasions
    assert again.relevant == then.relevant
    before = settings_of(decided(plain), then, where="log")
    assert before.stages.occasions == NO_OCCASIONS
    assert before.relevant == plain.relevant
    assert as_plain(again.occasions) == as_plain(then.occasions)


@pytest.mark.parametrize("occasions", [{"S": ["hier"]}, {"S": 3}, ["S"], {"S": [None]}])
def test_a_decision_that_cannot_be_read_is_said(tmp_path: Path, occasions: Any) -> None:
    settings = load(tmp_path, PLAIN)
    with pytest.raises(SettingsError, match="log: the settings then in force are not complete"):
        settings_of({**decided(settings), "occasions": occasions}, settings, where="log")


def test_another_country_asks_for_judging_only(tmp_path: Path) -> None:
    settings = load(tmp_path, PLAIN)
    other = with_values(settings, {"organisation.country": "FR"})
    assert other.stages.occasions.named
    assert must_run_again(Workspace(settings), Workspace(other)) == "judging"
    with pytest.raises(
        SettingsError, match=r"organisation\.country is 'XX'; must be the two capital letters"
    ):
        with_values(settings, {"organisation.country": "XX"})
