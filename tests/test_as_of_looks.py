"""Replay as of an instant where open days are looked at: what looks raised by then, and nothing later."""

import json
from types import ModuleType
from typing import Any

import pytest

from pipelines.cli.explain import why_no_alert
from pipelines.in_force import payload_of, workspace_as_of
from pipelines.snapshots.opening import keeping_of
from tests.past_log import Life, Moment, live_through, opened
from tests.test_as_of import lines

COPIES, LOOK_MINUTES = 1, 240
AROUND = (30, 32, 35)
"""Segments of the days on which a look raises what is planted, and its close confirms it."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live_through(tmp_path_factory.mktemp("past"), copies=COPIES, also=AROUND, looks=LOOK_MINUTES)


def test_as_of_is_what_was_known_then_early_looks_included(life: Life) -> None:
    """Through late rows, merges, settings that change and a new generation."""
    early: list[str] = []
    for moment in life.moments:
        past = workspace_as_of(opened(life.settings, life.now), moment.at)
        assert past.settings.detection.early_look_minutes == LOOK_MINUTES
        assert payload_of(past) == payload_of(moment.workspace)
        assert keeping_of(past, print) is None
        found = lines(past)
        assert found == lines(moment.workspace)
        early += [line for line in found[1] if json.loads(line)["status"] == "early"]
    assert len(early) == 1
    assert "cendre" in early[0]


def early_at(moment: Moment) -> tuple[str, dict[str, Any]] | None:
    """Id of what was planted as far as a look had raised it by a moment, and what is told of the look."""
    rows = [json.loads(line) for line in lines(moment.workspace)[1]]
    told = [(row["signal_id"], row["explanation"]) for row in rows if "cendre" in row["label"]]
    return next(((name, one["early"]) for name, one in told if "early" in one), None)


def test_an_early_signal_is_explained_once_its_day_is_closed(life: Life, shop: ModuleType) -> None:
    found = [(moment, raised) for moment in life.moments if (raised := early_at(moment))]
    moments = {early["standing"]: moment for moment, (_, early) in reversed(found)}
    name, early = found[0][1]
    asked = (name, "--lang", "en", "--settings")
    refused = shop.run("explain", *asked, moments["early"].settings)
    assert refused.exit_code == 5
    assert "is not closed yet, and only closed days are explained" in refused.stderr
    told = shop.run("audit", "why", *asked, moments["confirmed"].settings)
    assert told.exit_code == 0, told.stderr
    said = " ".join(told.stdout.split())
    at = early["at"][:16].replace("T", " ")
    assert f"raised early, while the day was open {at} UTC; evidence and threshold are of then" in said
    # The close that confirmed it tells whose it is.
    assert "e/sud/b: no perimeter below holds as much of it" in said


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ("early", "is not closed yet"),
        ("not_sustained", "has closed without bearing it out: `vigie audit why-not` tells why not"),
        ("confirmed", "bore it out by other terms"),
    ],
)
def test_what_no_closed_day_shows_says_why(standing: str, said: str) -> None:
    early = {"at": "2024-04-17T16:00:00+00:00", "standing": standing}
    reason = why_no_alert({"bucket": "2024-04-17", "explanation": {"early": early}})
    assert reason.startswith("a look raised it at 2024-04-17 16:00 UTC, before its day, 2024-04-17, was over")
    assert said in reason
