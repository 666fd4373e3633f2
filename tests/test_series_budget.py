"""Where thresholds of the watch come from: the budget of false alerts, shared by the series of a kind."""

import math
from dataclasses import replace

import pytest

from pipelines.cli.audit_report import series_budget_section
from pipelines.cli.options import Lang
from pipelines.derivation import SeriesBudget, budget_of_series
from pipelines.stages.detect import Detection
from pipelines.stages.finding import BLIND_SPOT, KINDS, SILENCE, UP
from tests.test_stage_episodes import finding
from tests.test_stage_watch import LOOSE, WHOLE, blind, findings

DETECTION = Detection(false_alerts=0.25)


def test_a_threshold_follows_from_the_budget_by_hand() -> None:
    # Silence may spend 6% of a quarter of an alert: .015 a year, on three channels judged 365 times.
    bar = math.log(3 * 365 / 0.015)
    silent = replace(finding(10, "e/nord"), kind=SILENCE, series=3, threshold=bar)
    budget = budget_of_series(silent, DETECTION)
    assert budget.bound == pytest.approx(bar)
    assert budget == SeriesBudget(0.25, 0.06, 3, budget.bound, bar, 0.0)
    dismissed = budget_of_series(replace(silent, threshold=bar + math.log(2)), DETECTION)
    assert dismissed.taught == pytest.approx(math.log(2))


def test_every_threshold_of_the_watch_is_that_of_its_series() -> None:
    spots = findings(blind(quiet_from=84, quiet="field"), LOOSE)
    found = [*WHOLE, *(one for one in spots if one.kind == BLIND_SPOT)]
    assert {SILENCE, BLIND_SPOT} < {one.kind for one in found}
    for one in found:
        budget = budget_of_series(one, LOOSE)
        assert budget.threshold == pytest.approx(budget.bound)
        assert budget.taught == 0.0
    # Each of the root's channels is a series, and all themes of a week are seven days' tests.
    channels = {one.series for one in found if one.kind == SILENCE}
    assert max(channels) > 1
    assert {one.series for one in found if one.kind not in (SILENCE, BLIND_SPOT)} == {1}


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_in_both_languages(kind: str, lang: Lang) -> None:
    alarm = replace(finding(10, "e/nord"), kind=kind, series=2, direction=UP)
    section = series_budget_section(budget_of_series(alarm, DETECTION), lang)
    values = [value for _, value in section.rows]
    assert values[0] == ("0,25" if lang is Lang.FR else "0.25")
    assert values[2] == "2"
