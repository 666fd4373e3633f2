"""Two runs compared: verdicts by hand, laws, and the cause where there is one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import SettingsError
from pipelines.comparing import compare_runs
from pipelines.replay import digest_of
from pipelines.runs import Run, read_run, write_run

SETTINGS = {
    "version": "v",
    "detection": {"half_life_days": 60, "memory_days": 28},
    "lexicon": "l",
    "code": "c",
}


def signal(
    name: str, day: int = 1, place: str = "e/nord", events: str = "abc", **more: Any
) -> dict[str, Any]:
    return {
        "signal_id": name,
        "bucket": f"2025-03-{day:02d}",
        "perimeter": place,
        "kind": "emergence",
        "label": name,
        "distinct_authors": 5,
        "evidence": 9.0,
        "status": "open",
        "settings_version": "v",
        "evidence_events": sorted(events),
        **more,
    }


def run(*signals: dict[str, Any], head: str = "h", **settings: Any) -> Run:
    at = datetime(2025, 4, 1, tzinfo=UTC)
    return Run({**SETTINGS, **settings}, signals, "d", head, 10, at)


@pytest.mark.parametrize(
    ("a", "b", "verdict", "days"),
    [
        (signal("x"), signal("x"), "same", 0),
        (signal("x"), signal("x", settings_version="w"), "same", 0),
        (signal("x"), signal("x", evidence=8.0), "changed", 0),
        (signal("x", 5), signal("y", 3), "earlier", -2),
        (signal("x", 5, "e/nord"), signal("y", 9, "e/nord/lille", "abcdef"), "later", 4),
    ],
)
def test_one_situation_in_both(a: Any, b: Any, verdict: str, days: int) -> None:
    (pair,) = compare_runs(run(a), run(b)).pairs
    assert (pair.verdict, pair.days, pair.here, pair.there) == (verdict, days, a, b)


@pytest.mark.parametrize(
    "other",
    [
        signal("y", place="e/sud"),
        signal("y", place="e/nord-2"),
        signal("y", kind="silence"),
        signal("y", events="xyz"),
        signal("y", events="aefghijk", kind="emergence")
        | {"perimeter": "e/nord/lille/x", "evidence_events": []},
    ],
)
def test_two_situations(other: Any) -> None:
    pairs = compare_runs(run(signal("x")), run(other)).pairs
    assert sorted(pair.verdict for pair in pairs) == ["only_here", "only_there"]


def test_a_third_of_the_fewer_events_makes_it_one_and_less_does_not() -> None:
    def verdicts(events: str) -> list[str]:
        pairs = compare_runs(run(signal("x", events="abcdef")), run(signal("y", events=events))).pairs
        return sorted(pair.verdict for pair in pairs)

    assert verdicts("abuvwxyz") == ["changed"]
    assert verdicts("auvwxyz") == ["only_here", "only_there"]


def test_the_cause_is_named_where_it_is_one_thing() -> None:
    before, after = run(signal("x")), run(detection={"half_life_days": 30, "memory_days": 28})
    cause = compare_runs(before, after).cause
    assert cause is not None
    assert (cause.name, cause.here, cause.there) == ("detection.half_life_days", 60, 30)
    two = run(detection={"half_life_days": 30, "memory_days": 7})
    assert compare_runs(before, two).cause is None
    assert [one.name for one in compare_runs(before, two).differences] == [
        "detection.half_life_days",
        "detection.memory_days",
    ]
    nothing_came_of_it = run(signal("x"), lexicon="m")
    assert compare_runs(before, nothing_came_of_it).cause is None
    assert [one.name for one in compare_runs(before, run(head="i")).differences] == ["log"]


signals_of = st.lists(
    st.tuples(
        st.sampled_from("uvwxyz"),
        st.integers(1, 9),
        st.sampled_from(["e", "e/nord", "e/nord/a", "e/sud"]),
        st.text("abcdef", min_size=1, max_size=4).map(lambda text: "".join(set(text))),
    ),
    unique_by=lambda one: one[0],
    max_size=5,
).map(lambda rows: [signal(name, day, place, events) for name, day, place, events in rows])


@given(signals_of, signals_of)
def test_each_signal_is_in_one_pair_and_the_other_way_round_says_the_reverse(here: Any, there: Any) -> None:
    forth, back = compare_runs(run(*here), run(*there)), compare_runs(run(*there), run(*here))
    assert sorted(pair.here["signal_id"] for pair in forth.pairs if pair.here) == sorted(
        row["signal_id"] for row in here
    )
    assert sum(forth.counts.values()) == len(forth.pairs)
    assert forth.counts["only_here"] == back.counts["only_there"]
    assert forth.counts["only_there"] == back.counts["only_here"]
    assert {pair.verdict for pair in compare_runs(run(*here), run(*here)).pairs} <= {"same"}


def test_a_run_is_read_as_it_was_written_and_not_otherwise(tmp_path: Any) -> None:
    rows = [signal("x"), signal("é")]
    lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows]
    made = replace(run(*rows), digest=digest_of(lines), as_of=datetime(2025, 3, 3, tzinfo=UTC))
    write_run(made, tmp_path / "run")
    assert read_run(tmp_path / "run") == replace(made, signals=rows)
    file = tmp_path / "run" / "signals.jsonl"
    file.write_text(file.read_text("utf-8").replace('"label": "x"', '"label": "z"'), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"its digest is not that of run\.json"):
        read_run(tmp_path / "run")
    with pytest.raises(SettingsError, match=r"holds no run"):
        read_run(tmp_path)
    (tmp_path / "mine").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="holds mine, which is no run's"):
        write_run(made, tmp_path)
