"""`vigie audit why` and `why-not` on a small shop: figures that agree with the data and with one another."""

import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from connectors.log import EventLog
from connectors.store import open_store
from detectors.emergence_tails import CROSSING


@pytest.fixture(scope="module")
def settings(shop: ModuleType) -> Iterator[Path]:
    """A shop that was ingested and replayed, with somebody told and a verdict; its store is kept open."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-why-"))
    file = shop.write_shop(folder / "shop")
    with file.open("a", encoding="utf-8") as more:
        more.write('\n[alerts]\nmailbox = "boite"\n')
    shop.run_json("ingest", "--settings", file)
    with open_store(None, data=folder / "shop" / "store"):
        told = shop.run_json("replay", "--settings", file, "--engine", "plain")
        signal = _emergence(told["signals"])
        asked = ("subscribe", "--settings", file, "--subscriber", "La directrice", "--to", "d@example.org")
        assert shop.run(*asked, "--perimeter", "mag", "--history").exit_code == 0
        assert shop.run("deliver", "--settings", file, "--no-pictures").exit_code == 0
        act = shop.run("signals", "confirm", signal["signal_id"], "--by", "La directrice", "--settings", file)
        assert act.exit_code == 0
        shop.run_json("ingest", "--settings", file)
        yield file
    shutil.rmtree(folder)


def _emergence(signals: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in signals if one["kind"] == "emergence")


@pytest.fixture(scope="module")
def signal(settings: Path, shop: ModuleType) -> Any:
    return _emergence(shop.run_json("signals", "list", "--settings", settings))


@pytest.fixture(scope="module")
def told(settings: Path, signal: Any, shop: ModuleType) -> Any:
    return shop.run_json("audit", "why", signal["signal_id"][:12], "--settings", settings)


def test_the_threshold_follows_from_the_budget_by_hand(told: Any) -> None:
    """`Detection.thresholds`, worked again: a bound over all tests, or what the perimeter's past says."""
    budget = told["derivation"]["budget"]
    alerts = budget["false_alerts"] * budget["share"]
    assert (budget["false_alerts"], budget["share"]) == (0.25, 0.7)
    bound = math.log(budget["tests"] * 365 / alerts)
    assert budget["bound"] == pytest.approx(max(CROSSING, bound))
    thresholds = [budget["bound"]]
    if budget["stories"] is not None:
        calibrated = CROSSING + max(0.0, math.log(budget["stories"] / alerts)) / budget["slope"]
        assert budget["calibrated"] == pytest.approx(calibrated)
        thresholds.append(calibrated)
    assert told["threshold"] == pytest.approx(min(thresholds)) == pytest.approx(budget["threshold"])


def test_what_was_merged_is_what_the_planted_texts_say(told: Any, signal: Any) -> None:
    born = told["derivation"]["born"]
    terms = {one["term"] for one in born}
    assert {"portillon", "bloqué"} <= {word for term in terms for word in term.split()}
    assert {one["day"] for one in born} == {signal["bucket"]}
    assert all(one["evidence"] >= one["threshold"] for one in born)
    judged = [one for one in born if one["evidence"] == signal["evidence"]]
    assert judged
    descent = told["derivation"]["descent"]
    assert descent[-1] == signal["perimeter"] == "mag/nord/lille"
    assert all(after.startswith(before) for before, after in pairwise(descent))


def test_expected_is_the_rate_times_those_who_wrote(told: Any, shop: ModuleType) -> None:
    derived = told["derivation"]
    days = {one["day"]: one for one in told["days"]}
    if told["raised"] == told["since"]:
        writers = shop.A_PLANTED_DAY + shop.A_DAY
        assert days[told["raised"]]["writers"] == writers - writers % 5
        assert told["expected"] == pytest.approx(derived["rate"] * writers, rel=1e-9)
    assert derived["history"] == (datetime.fromisoformat(told["raised"]).date() - shop.FIRST_DAY).days


def test_who_was_told_and_who_answered(told: Any) -> None:
    (alert,) = told["alerts"]
    assert (alert["subscriber"], alert["channel"], alert["state"]) == ("La directrice", "email", "sent")
    (action,) = told["actions"]
    assert (action["actor"], action["action"]) == ("La directrice", "confirm")
    (verdict,) = told["verdicts"]
    assert verdict["judgement"] == "confirm"
    assert "d@example.org" not in str(told)


def test_what_it_rests_on_is_in_the_log(told: Any, settings: Path) -> None:
    log = EventLog(settings.parent / "log")
    rests = told["rests_on"]
    assert rests["log_head"] == log.head_hash
    seq, _ = rests["decision"]
    (decision,) = [one.decision for one in log.decisions() if one.seq == seq]
    assert decision is not None
    assert decision.payload["version"] == rests["settings_version"]
    assert decision.payload["lexicon"] == rests["lexicon"]


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_page_needs_nothing_else(
    settings: Path, signal: Any, shop: ModuleType, tmp_path: Path, lang: str
) -> None:
    page = tmp_path / "why.html"
    asked = ("audit", "why", signal["signal_id"], "--settings", settings, "--html", page, "--lang", lang)
    result = shop.run(*asked)
    assert result.exit_code == 0
    html = page.read_text("utf-8")
    assert not re.search(r"""(?:src|href)\s*=|@import|url\((?!#)""", html)
    assert f'<html lang="{lang}">' in html
    (svg,) = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for part in (signal[f"sentence_{lang}"][:20], "La directrice", "portillon"):
        assert part in html
        assert part in result.stdout
    # What is expected of a day and of the episode is told apart.
    apart = {
        "fr": ("le seul jour de l'alerte", "attendu de l'épisode, depuis le"),
        "en": ("on the day of the alert alone", "expected in the episode, since"),
    }[lang]
    assert all(words in " ".join(result.stdout.split()) for words in apart)


def why_not(shop: ModuleType, settings: Path, place: str, day: Any, term: str) -> Any:
    return shop.run_json(
        *("audit", "why-not", "--settings", settings, "--perimeter", place),
        *("--bucket", str(day), "--term", term),
    )


def test_a_raised_term_is_told_by_its_signal(settings: Path, signal: Any, shop: ModuleType) -> None:
    told = signal["explanation"]
    answer = why_not(shop, settings, told["judged_at"], signal["bucket"], told["term"])
    assert (answer["reason"], answer["signal_id"]) == ("told", signal["signal_id"])


def test_each_reason_is_the_first_that_holds(settings: Path, signal: Any, shop: ModuleType) -> None:
    first, day = shop.FIRST_DAY, signal["bucket"]
    asked = {
        ("Lille", first + timedelta(3), "caisse"): "warming_up",
        ("Lens", day, "portillon"): "too_few",
        # The alarm of the day before began the evidence anew.
        ("Lille", shop.PLANTED_DAYS[1], "portillon"): "below_threshold",
        ("nord", shop.PLANTED_DAYS[1], "portillon"): "below_threshold",
        ("Lille", shop.PLANTED_DAYS[1] + timedelta(1), "portillon"): "not_heard",
    }
    for (place, at, term), reason in asked.items():
        answer = why_not(shop, settings, place, at, term)
        assert answer["reason"] == reason, (place, at, term)
        assert answer["sentence"]
    withheld = why_not(shop, settings, "Lens", day, "portillon")["day"]
    assert withheld["observed"] in (None, 0.0)


def test_what_cannot_be_asked_is_one_line(settings: Path, shop: ModuleType) -> None:
    where = ("--settings", settings)
    day, later = ("--bucket", "2025-04-08"), ("--bucket", "2026-01-01")
    for arguments, code, said in (
        (("why", "ffffffff"), 5, "no signal begins with 'ffffffff'"),
        (("why-not", "--perimeter", "Paris", *day, "--term", "pain"), 2, "--perimeter is 'Paris'"),
        (("why-not", "--perimeter", "Lille", *day, "--term", "le"), 2, "--term is 'le'; it must be a word"),
        (
            ("why-not", "--perimeter", "Lille", *later, "--term", "pain"),
            4,
            "is not judged yet",
        ),
    ):
        result = shop.run("audit", *arguments, *where)
        assert result.exit_code == code
        assert said in result.stderr
        assert result.stderr.strip().count("\n") == 0


def test_nothing_is_changed(settings: Path, signal: Any, shop: ModuleType) -> None:
    def seen() -> dict[str, int]:
        log = settings.parent / "log"
        return {str(path): path.stat().st_mtime_ns for path in log.rglob("*")}

    before = seen()
    shop.run_json("audit", "why", signal["signal_id"], "--settings", settings)
    assert seen() == before
