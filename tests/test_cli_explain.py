"""`vigie explain` on a small shop: figures that agree with the data, sentences, a picture."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from connectors.alerts.excerpts import most_telling
from connectors.store import open_store
from pipelines.stages.judged_days import band


@pytest.fixture(scope="module")
def settings(shop: ModuleType) -> Iterator[Path]:
    """A shop that was ingested and replayed, its store kept open so that commands find the server running."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-explain-"))
    file = shop.write_shop(folder / "shop")
    shop.run_json("ingest", "--settings", file)
    with open_store(None, data=folder / "shop" / "store"):
        shop.run_json("replay", "--settings", file, "--engine", "plain")
        yield file
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def signal_id(settings: Path, shop: ModuleType) -> str:
    signals = shop.run_json("signals", "list", "--settings", settings)
    return next(str(signal["signal_id"]) for signal in signals if signal["kind"] == "emergence")


@pytest.fixture(scope="module")
def explained(settings: Path, signal_id: str, shop: ModuleType) -> Any:
    return shop.run_json("explain", signal_id[:10], "--settings", settings)


def in_steps(count: int) -> int:
    """What is told of a count: the multiple of the minimum that it is not under."""
    return count - count % 5


def test_the_days_are_those_of_the_sources(explained: Any, shop: ModuleType) -> None:
    days = {one["day"]: one for one in explained["days"]}
    planted = [day.isoformat() for day in shop.PLANTED_DAYS]
    assert explained["judged_at"].startswith("mag/nord")
    assert explained["raised"] in planted
    assert explained["since"] == planted[0]
    until = [day for day in planted if day <= explained["raised"]]
    so_far = [in_steps((number + 1) * shop.A_PLANTED_DAY) for number in range(len(until))]
    assert [days[day]["observed"] for day in until] == so_far
    stores = 1 if explained["judged_at"].endswith("lille") else len(shop.STORES)
    a_day = shop.A_PLANTED_DAY + stores * shop.A_DAY
    assert [days[day]["writers"] for day in until] == [
        in_steps((number + 1) * a_day) for number in range(len(until))
    ]
    assert days[explained["raised"]]["expected"] == pytest.approx(explained["expected"])
    assert min(days) == shop.FIRST_DAY.isoformat()


def test_days_outside_the_episode_tell_of_the_expected_alone(explained: Any) -> None:
    outside = [one for one in explained["days"] if one["day"] < explained["since"]]
    assert len(outside) > 30
    for one in outside:
        told = {name for name, value in one.items() if value is not None}
        assert told == {"day", "expected", "threshold", "raised", "withheld"}
        assert not one["withheld"]


def test_people_under_the_minimum_are_withheld_until_it_is_reached(
    shop: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subject comes up at three people a day: 3 are withheld, 6 are told as 5 or more."""
    monkeypatch.setattr(shop, "A_PLANTED_DAY", 3)
    monkeypatch.setattr(
        shop, "PLANTED_DAYS", tuple(shop.PLANTED_DAYS[0] + timedelta(day) for day in range(6))
    )
    file = shop.write_shop(tmp_path / "shop")
    shop.run_json("ingest", "--settings", file)
    with open_store(None, data=tmp_path / "shop" / "store"):
        shop.run_json("replay", "--settings", file, "--engine", "plain")
        signals = shop.run_json("signals", "list", "--settings", file)
        identity = next(signal["signal_id"] for signal in signals if signal["kind"] == "emergence")
        told = shop.run_json("explain", identity, "--settings", file)
        text = shop.run("explain", identity, "--settings", file, "--lang", "en").stdout
    days = [one for one in told["days"] if told["since"] <= one["day"] <= told["raised"]]
    counts = [3 * (number + 1) for number in range(len(days))]
    assert [one["observed"] for one in days] == [None if count < 5 else in_steps(count) for count in counts]
    assert [one["withheld"] for one in days] == [count < 5 for count in counts]
    assert all((one["writers"] is None) == one["withheld"] for one in days)
    assert all(one["evidence"] is None for one in days if one["withheld"])
    assert len(days) > 1
    after = [one for one in told["days"] if one["day"] > told["raised"]]
    assert after[0]["withheld"]
    cells = [cell for line in text.splitlines() for cell in line.split()]
    assert cells.count("withheld") == sum(one["withheld"] for one in days)
    assert "1 people" not in text


def test_what_it_stands_on_fits_together(explained: Any, shop: ModuleType) -> None:
    days = {one["day"]: one for one in explained["days"]}
    alert = days[explained["raised"]]
    assert alert["raised"]
    assert alert["evidence"] == pytest.approx(explained["evidence"])
    assert alert["threshold"] == pytest.approx(explained["threshold"])
    assert not any(one["raised"] for day, one in days.items() if day < explained["raised"])
    assert explained["since"] == shop.PLANTED_DAYS[0].isoformat()
    assert explained["baseline"] == {
        "first": shop.FIRST_DAY.isoformat(),
        "last": (shop.PLANTED_DAYS[0] - timedelta(1)).isoformat(),
    }
    assert explained["authors_to_clear"] in range(5, int(explained["observed"]) + 5, 5)
    assert explained["channels"] == {"survey": {"authors": in_steps(2 * shop.A_PLANTED_DAY), "share": 1.0}}
    assert explained["distinct_authors"] == in_steps(2 * shop.A_PLANTED_DAY)


def test_the_excerpts_are_three_and_of_the_subject(explained: Any, shop: ModuleType) -> None:
    said = [item["excerpt"] for item in explained["excerpts"]]
    assert sorted(said) == sorted(shop.PLANTED)


def test_the_sentences_say_what_would_have_cleared_it(explained: Any) -> None:
    fewer = explained["authors_to_clear"]
    assert (
        f"Avec {fewer} personnes de moins, il n'y aurait pas eu d'alerte ce jour-là."
        in explained["sentence_fr"]
    )
    assert f"With {fewer} people fewer there would have been no alert that day." in explained["sentence_en"]
    assert "enquête 100 %" in explained["sentence_fr"]
    assert "du 3 mars 2025 au 7 avril 2025" in explained["sentence_fr"]


@pytest.mark.parametrize(("lang", "words"), [("fr", "seuil d'alerte"), ("en", "alert threshold")])
def test_text_and_picture_in_the_language_asked_for(
    settings: Path, signal_id: str, shop: ModuleType, tmp_path: Path, lang: str, words: str
) -> None:
    picture = tmp_path / "why.svg"
    result = shop.run("explain", signal_id, "--settings", settings, "--plot", picture, "--lang", lang)
    assert result.exit_code == 0, result.stderr
    assert "personnes ont parlé" in result.stdout if lang == "fr" else "people mentioned" in result.stdout
    assert "portillon" in result.stdout
    other = {"fr": ("evidence", "threshold", "wrote", "expected"), "en": ("preuve", "seuil", "attendu")}
    assert not any(word in result.stdout for word in other[lang])
    drawn = ElementTree.parse(picture).getroot()
    said = ["".join(part.itertext()) for part in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words in said
    assert len([part for part in drawn.iter() if part.get("class") == "observed"]) >= 1


def test_without_a_store_a_replay_finds_the_signal(
    settings: Path, explained: Any, shop: ModuleType, tmp_path: Path
) -> None:
    """The same explanation, from a copy of the shop that has no store."""
    copied = tmp_path / "shop"
    shutil.copytree(settings.parent, copied, ignore=shutil.ignore_patterns("store"))
    result = shop.run("explain", explained["signal_id"], "--settings", copied / "vigie.toml", "--json")
    assert result.exit_code == 0, result.stderr
    assert "there is no signal store yet" in result.stderr
    told = json.loads(result.stdout)
    for name in ("days", "sentence_fr", "channels", "authors_to_clear"):
        assert told[name] == explained[name]
    assert not (copied / "store").exists()


def test_an_alert_that_todays_settings_do_not_raise_is_told(
    settings: Path, signal_id: str, shop: ModuleType
) -> None:
    """The same store and log, with a budget that no longer allows it."""
    severe = settings.with_name("severe.toml")
    text = settings.read_text("utf-8")
    severe.write_text(
        text.replace("[detection]\n", "[detection]\nfalse_alerts_per_perimeter_per_year = 1e-30\n"), "utf-8"
    )
    result = shop.run("explain", signal_id, "--settings", severe)
    assert result.exit_code == 5
    assert "the settings have changed" in result.stderr
    assert "raises no such alert; `vigie replay` brings the store up to date" in result.stderr


def test_an_id_that_is_none_is_an_error(settings: Path, shop: ModuleType) -> None:
    result = shop.run("explain", "zz", "--settings", settings)
    assert result.exit_code == 5
    assert "no signal begins with 'zz'" in result.stderr


def test_a_picture_needs_a_folder_that_is_there(settings: Path, signal_id: str, shop: ModuleType) -> None:
    result = shop.run(
        "explain", signal_id, "--settings", settings, "--plot", settings.parent / "no" / "a.svg"
    )
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr


def test_the_most_telling_excerpts_by_hand() -> None:
    def item(number: int, excerpt: str | None) -> dict[str, Any]:
        return {"occurred_at": datetime(2026, 1, number, tzinfo=UTC), "excerpt": excerpt}

    rows = [
        item(1, "La porte grince"),
        item(2, None),
        item(3, "La porte grince et fuit, hélas"),
        item(4, "Rien"),
        item(5, "la PORTE grince"),
        item(6, "Elle fuit"),
        item(7, "Une porte, sans plus"),
    ]
    told = most_telling(rows, {"porte": 5.0, "grince": 3.0, "fuit": 7.0}, date(2026, 1, 9), most=3)
    # 15, then 8 (once), then 7.
    assert [(row["occurred_at"].day, row["excerpt"]) for row in told] == [
        (1, "La porte grince"),
        (3, "La porte grince et fuit, hélas"),
        (6, "Elle fuit"),
    ]
    # Without terms, those nearest to the alert.
    assert [row["occurred_at"].day for row in most_telling(rows, {}, date(2026, 1, 4), most=3)] == [3, 4, 6]


@pytest.mark.parametrize("mean", [0.02, 0.4, 3.0, 25.0, 300.0])
@pytest.mark.parametrize("size", [1.0, 4.0])
def test_the_band_holds_nine_days_in_ten(mean: float, size: float) -> None:
    from scipy.stats import nbinom

    expected = nbinom.ppf([0.05, 0.95], size, size / (size + mean))
    assert band(mean, size) == pytest.approx(tuple(expected))
