"""An excerpt that came after the alert is marked: it is no reason for it."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipelines.cli.audit_report import excerpts_section
from pipelines.cli.options import Lang
from pipelines.probing import Probed
from pipelines.settings import Settings
from pipelines.stages.probe import PROBED
from pipelines.why import Why, why

SETTINGS = Settings.model_validate({"organisation": {"root": "e", "name": "E", "timezone": "Europe/Paris"}})
SIGNAL = {
    "signal_id": "1",
    "perimeter": "e/lille",
    "bucket": date(2026, 3, 14),
    "kind": "emergence",
    "label": "badge",
    "observed": 5.0,
    "expected": 0.4,
    "evidence": 12.0,
    "channels": {"survey": 5},
    "min_authors": 5,
    "distinct_authors": 5,
    "sentence_fr": "",
    "sentence_en": "",
    "explanation": {
        "terms": {"badge": 12.0},
        "threshold": 9.0,
        "judged_at": "e/lille",
        "since": "2026-03-12",
        "feature": "00000000000000aa",
    },
}
INSTANTS = (
    datetime(2026, 3, 13, 12, tzinfo=UTC),
    # Half an hour before and after the midnight in Paris that ends the day of the alert.
    datetime(2026, 3, 14, 22, 30, tzinfo=UTC),
    datetime(2026, 3, 14, 23, 30, tzinfo=UTC),
)


@pytest.fixture
def told() -> Why:
    evidence: list[dict[str, Any]] = [
        {"occurred_at": at, "excerpt": f"badge {place}", "perimeter": "e/lille", "channel": "survey"}
        for place, at in enumerate(INSTANTS)
    ]
    return why(SIGNAL, evidence, Probed(PROBED.empty_table()), SETTINGS, place="Lille")


def test_the_day_is_the_organisations(told: Why) -> None:
    assert [(one["occurred_on"].day, one["after_alert"]) for one in told.as_json()["excerpts"]] == [
        (13, False),
        (14, False),
        (15, True),
    ]


@pytest.mark.parametrize(("lang", "mark"), [(Lang.FR, "après l'alerte"), (Lang.EN, "after the alert")])
def test_it_is_told_in_both_languages(told: Why, lang: Lang, mark: str) -> None:
    rows = excerpts_section(told, {"e/lille": "Lille"}, lang).rows
    assert [row[0] for row in rows] == ["2026-03-13", "2026-03-14", f"2026-03-15, {mark}"]
    channel = {Lang.FR: "enquête", Lang.EN: "survey"}[lang]
    assert [row[1:] for row in rows] == [(f"Lille, {channel}", f"badge {place}") for place in range(3)]
