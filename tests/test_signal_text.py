"""One signal as people read it in a terminal."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from pipelines.cli.options import Lang
from pipelines.cli.signal_text import print_signal

T0 = datetime(2026, 3, 4, 8, 30, tzinfo=UTC)


def signal(**values: Any) -> dict[str, Any]:
    """A row of the store, with its state; explanation: what is to be explained besides."""
    explanation = {"threshold": 11.0, "terms": {}, "part_of": None, "taught": None}
    return {
        "signal_id": "ab" * 16,
        "perimeter": "mag/lille",
        "bucket": date(2026, 3, 4),
        "status": "open",
        "kind": "emergence",
        "state": "open",
        "retrospective": True,
        "distinct_authors": 7,
        "observed": 5.0,
        "expected": 0.01,
        "first_seen": T0,
        "last_seen": T0,
        "evidence": 12.0,
        "channels": {"email": None, "survey": 5},
        "voices": {"customer": 7},
        "min_authors": 5,
        "tone": "complaint",
        "mean_score": None,
        "theme": None,
        "label": "bip",
        "sentence_fr": "Lille : une phrase.",
        "sentence_en": "Lille: a sentence.",
        **values,
        "explanation": explanation | values.get("explanation", {}),
    }


def shown(
    capsys: pytest.CaptureFixture[str],
    *,
    terms: dict[str, float],
    channel: str | None,
    taught: dict[str, Any] | None = None,
) -> list[str]:
    row = signal(explanation={"terms": terms, "taught": taught})
    said = {"perimeter": "mag/lille", "channel": channel, "voice": "customer", "excerpt": "Ça bipe."}
    print_signal(row, [said | {"occurred_at": T0}], [], {"mag/lille": "Lille"}, Lang.FR)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_channel_with_too_few_people_leaves_no_gap(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, terms={"biper": 11.8}, channel="")
    assert lines[-1] == "2026-03-04 Lille (customer): Ça bipe."
    assert "term evidence" in lines
    assert "biper 11.8" in lines


def test_a_signal_without_terms_has_no_table_of_terms(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, terms={}, channel="survey")
    assert lines[-1] == "2026-03-04 Lille, survey (customer): Ça bipe."
    assert "term evidence" not in lines


def test_what_verdicts_taught_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    taught = {"dismissed": 3, "confirmed": 0, "times": 4.0, "since": "2026-03-12"}
    lines = shown(capsys, terms={}, channel="survey", taught=taught)
    assert "Écarté 3 fois ici : il faut 4 fois plus de preuves depuis le 12/03/2026." in lines
