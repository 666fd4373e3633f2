"""Early looks as a setting: without them, settings and decisions are those of before there were any."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.in_force import payload_of, settings_of
from pipelines.settings import Settings
from pipelines.what_if import must_run_again, with_values
from pipelines.workspace import Workspace


def settings(**detection: Any) -> Settings:
    found = Settings.model_validate({"organisation": {"root": "e", "name": "E"}, "detection": detection})
    found._base = Path("/nowhere")
    return found


def test_without_looks_nothing_speaks_of_them() -> None:
    assert "early_look_minutes" not in settings().relevant["detection"]
    assert settings(early_look_minutes=15).relevant["detection"]["early_look_minutes"] == 15


@pytest.mark.parametrize("minutes", [0, 15])
def test_what_was_decided_is_what_is_in_force_whatever_is_set_today(minutes: int) -> None:
    decided = payload_of(Workspace(settings(early_look_minutes=minutes)))
    for today in (settings(), settings(early_look_minutes=60)):
        then = settings_of(decided, today, where="here")
        assert then.detection.early_look_minutes == minutes
        assert then.relevant["detection"] == decided["detection"]


@pytest.mark.parametrize(("before", "after"), [(0, 15), (15, 0), (15, 30)])
def test_other_looks_ask_for_all_to_be_read_again(before: int, after: int) -> None:
    first = settings(early_look_minutes=before)
    second = with_values(first, {"detection.early_look_minutes": after})
    assert must_run_again(Workspace(first), Workspace(second)) == "everything"


@pytest.mark.parametrize("minutes", [-1, 1441, 7.5])
def test_looks_are_at_most_a_day_apart(minutes: float) -> None:
    with pytest.raises(ValueError, match="early_look_minutes"):
        settings(early_look_minutes=minutes)
