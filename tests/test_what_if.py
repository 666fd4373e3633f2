"""The past under other settings is what a replay with them gives, whatever had to run again for it."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from connectors.errors import SettingsError
from connectors.log import LogWriter
from pipelines.plain import PlainEngine
from pipelines.settings import load_settings
from pipelines.what_if import Past, over_cap, parse_set, with_values
from pipelines.workspace import Workspace
from tests.past_log import Life, live_through

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "cap": ({"alerts.weekly_cap": 1}, "nothing"),
    "detectors": (
        {"detection.half_life_days": 14, "detection.memory_days": 7, "detection.warm_up_days": 20},
        "judging",
    ),
    "half-life": ({"detection.half_life_days": 14}, "judging"),
    "budget": ({"detection.false_alerts_per_perimeter_per_year": 0.001}, "judging"),
    "authors": ({"privacy.min_authors": 8}, "judging"),
    "zone": ({"organisation.timezone": "Pacific/Auckland"}, "everything"),
}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live_through(tmp_path_factory.mktemp("what-if"), copies=0)


@pytest.fixture(scope="module")
def past(life: Life) -> Iterator[Past]:
    with Past.opened(Workspace(load_settings(life.settings), say=lambda _: None)) as past:
        yield past


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_what_a_replay_with_them_gives(life: Life, past: Past, name: str) -> None:
    values, again = CHANGES[name]
    changed = with_values(load_settings(life.settings), values)
    run, ran_again = past.under(changed)
    assert ran_again == again
    replayed = Workspace(changed, say=lambda _: None).replay(PlainEngine(), use=lambda _: None)
    assert (run.digest, run.events) == (replayed.digest, replayed.events)
    assert (run.digest == past.run.digest) == (again == "nothing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("half_life_days", "is no setting with its value"),
        ("log.path=elsewhere", "log.path: changes nothing of what was found or told"),
        ("detection.half_lives=3", "detection.half_lives: there is no such setting"),
        ("detection.half_life_days=3", r"detection\.half_life_days is 3; must be 7 at least"),
        ('detection.half_life_days="x"', r"detection\.half_life_days is 'x'; must be a number"),
        ("detection.lexicon=nowhere", r"detection\.lexicon is \"nowhere\"; there is no such folder"),
    ],
)
def test_settings_that_cannot_be_are_named(life: Life, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        with_values(load_settings(life.settings), dict([parse_set(text)]))
    assert "\n" not in str(error.value)


def test_a_cap_holds_back_what_is_over_it_in_any_seven_days() -> None:
    first = date(2025, 3, 1)
    days = [first + timedelta(day) for day in (0, 0, 1, 6, 7, 8, 8)]
    # One of two is held on day 0; then 1 and 6 wait for day 0 to be a week ago, and 8 for day 7.
    assert over_cap(days, 1) == 5
    assert over_cap(days, 2) == 3
    assert over_cap(days, 9) == 0


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, shop: ModuleType) -> Path:
    """A shop whose signal was confirmed."""
    settings: Path = shop.write_shop(tmp_path_factory.mktemp("judged") / "shop")
    shop.run_json("ingest", "--settings", settings)
    replay = ("replay", "--settings", settings, "--engine", "plain", "--no-store")
    signals = shop.run_json(*replay, "--save", settings.parent / "before")["signals"]
    (gate,) = [one for one in signals if one["kind"] == "emergence"]
    with LogWriter(settings.parent / "log", now=lambda: Workspace(load_settings(settings)).now()) as log:
        log.verdict(gate["signal_id"], "confirm", by=None)
    return settings


def test_what_was_confirmed_and_would_be_lost_is_counted(judged: Path, shop: ModuleType) -> None:
    asked = ("what-if", "--settings", judged, "--set", "privacy.min_authors=17")
    told = shop.run_json(*asked)
    assert (told["again"], told["lost_confirmed"], told["lost_dismissed"]) == ("judging", 1, 0)
    text = shop.run(*asked)
    assert text.exit_code == 0
    assert "of the lost ones 1 had been confirmed, none dismissed" in text.stdout
    assert "the detectors ran again on what had been understood" in text.stderr


def test_a_sweep_draws_what_the_choices_trade(judged: Path, shop: ModuleType, tmp_path: Path) -> None:
    picture = tmp_path / "trade.svg"
    told = shop.run_json(
        *("what-if", "--settings", judged, "--sweep", "privacy.min_authors=5,17"),
        *("--sweep", "detection.half_life_days=30,60", "--picture", picture),
    )
    assert [tuple(one["values"].values()) for one in told] == [(5, 30), (5, 60), (17, 30), (17, 60)]
    assert told[1]["again"] == "nothing"
    assert [one["kept_share_of_confirmed"] for one in told] == [1.0, 1.0, 0.0, 0.0]
    assert {
        circle.attrib["class"] for circle in ElementTree.parse(picture).iter() if "cx" in circle.attrib
    } == {"point"}


def test_two_settings_files_and_a_saved_run_are_compared(judged: Path, shop: ModuleType) -> None:
    other = judged.with_name("other.toml")
    other.write_text(judged.read_text("utf-8") + "\n[privacy]\nmin_authors = 17\n", encoding="utf-8")
    told = shop.run_json("audit", "diff", judged, other)
    assert told["counts"]["only_here"] >= 1
    assert told["cause"] == {"name": "min_authors", "a": 5, "b": 17}
    text = shop.run("audit", "diff", judged, other)
    assert "cause: min_authors, 5 in A and 17 in B" in text.stdout
    since = shop.run_json("audit", "diff", judged.parent / "before", judged)
    assert [one["name"] for one in since["differences"]] == ["log"]
    assert since["counts"]["same"] == sum(since["counts"].values())
    missing = shop.run("audit", "diff", judged.parent / "gone", judged)
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    with_file = shop.run_json("what-if", "--settings", judged, "--with", other)
    assert with_file["lost_confirmed"] == 1
    assert json.dumps(with_file["pairs"])
