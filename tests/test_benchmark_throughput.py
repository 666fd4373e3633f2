"""The benchmark of throughput: its log, and what it makes of its measures. No test looks at a duration."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _throughput_log as log
from benchmarks import _throughput_ours as ours
from benchmarks import throughput
from benchmarks._report import Options
from benchmarks._run import Cost

EVENTS = 30_000


@pytest.fixture(scope="module")
def events() -> pa.Table:
    """A log of some days, of made-up words."""
    return pa.concat_tables(log.tables(EVENTS, log.made_up(), seed=3))


def test_the_log_has_the_shape_that_it_should(events: pa.Table) -> None:
    assert events.num_rows == EVENTS
    places = [path.split("/") for path in set(events["perimeter"].to_pylist())]
    assert len(places) == log.LEAVES == 200
    assert len({region for _, region, _ in places}) == log.REGIONS == 10
    assert set(events["channel"].to_pylist()) == {"survey", "email", "complaint", "field_note"}
    days = {moment.date() for moment in events["occurred_at"].to_pylist()}
    assert len(days) == round(EVENTS / 1_000_000 * 90) == 3
    assert len(set(events["event_id"].to_pylist())) == EVENTS
    scored = [score is not None for score in events["score"].to_pylist()]
    assert scored == [channel == "survey" for channel in events["channel"].to_pylist()]


def test_six_in_ten_have_an_author_and_a_tenth_of_those_return_to_their_leaf(events: pa.Table) -> None:
    signed: dict[bytes, set[str]] = {}
    for author, leaf in zip(events["author"].to_pylist(), events["perimeter"].to_pylist(), strict=True):
        if author is not None:
            signed.setdefault(author, set()).add(leaf)
    written = EVENTS - events["author"].null_count
    assert written / EVENTS == pytest.approx(0.6, abs=0.02)
    # The first to write at a leaf cannot return: 200 of 18,000.
    assert 1 - len(signed) / written == pytest.approx(0.1, abs=0.015)
    assert {len(leaves) for leaves in signed.values()} == {1}


def test_texts_have_about_38_words_and_new_ones_for_ever(events: pa.Table) -> None:
    texts = [text.split() for text in events["text"].to_pylist()]
    assert np.mean([len(text) for text in texts]) == pytest.approx(38, abs=1.5)
    known = {word for text in texts[: EVENTS // 2] for word in text}
    later = {word for text in texts[EVENTS // 2 :] for word in text}
    assert len(later - known) > 0.5 * log.MISSPELT * 38 * EVENTS / 2


def test_the_same_seed_gives_the_same_log() -> None:
    sentences = log.Sentences([["un", "deux", "trois."], ["quatre", "cinq"]], "made up")
    one, same, other = (pa.concat_tables(log.tables(300, sentences, seed)) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_a_log_is_replayed_on_the_text_path_and_with_everything(tmp_path: Path) -> None:
    stirred = log.write_throughput_log(tmp_path, "log", 500, seed=1)
    assert stirred.events == log.open_throughput_log(tmp_path, "log").open_log().rows == 500
    told = []
    for whole in (False, True):
        one = ours.measure(tmp_path, "log", "log", "plain", sentiment=None, runs=1, whole=whole)
        told.append((one.what, one.events))
    assert told == [("plain functions: text path", 500), ("plain functions: everything on", 500)]


def test_a_log_is_learned_as_long_as_its_days_say_whatever_its_texts(tmp_path: Path) -> None:
    found = {}
    for name, days, a_day in (("short", 9, 20), ("thin", 90, 2), ("long", 100, 2)):
        log.write_throughput_log(tmp_path, name, days * a_day, seed=1, a_day=a_day)
        found[name] = ours.warm_up_of(log.open_throughput_log(tmp_path, name).open_log())
    assert found == {"short": 3, "thin": 28, "long": 28}


# What is made of the measures, by hand: costs of the log alone are the runs' less 0.5 s ---------------------


def way(what: str, events: int, seconds: float, peak: float = 500, found: int = 2) -> ours.Way:
    half = Cost(0.5, 0.5)
    return ours.Way(what, events, Cost(9, 9), half, Cost(2 * seconds + 0.5, seconds + 0.5), peak, found)


def measured(**ways: ours.Way) -> throughput.Measured:
    text = {"plain": way("p", 1_000, 4), "beam-1": way("b", 1_000, 5), "beam-2": way("b2", 1_000, 2), **ways}
    return throughput.Measured(
        log=log.Stirred(1_000, 38_000, 900, "made up"),
        floor=way("floor", 1_000, 2),
        river=way("river", 1_000, 80),
        ways=text,
        everything=way("all", 1_000, 5, peak=700),
        growth=[way("p", 100, 0.5), text["plain"]],
        thin=way("thin", 100, 0.5),
    )


def test_the_json_has_the_rates_the_peak_and_the_growth() -> None:
    values = throughput.report(measured(), Options(False, 1_000, None)).values
    assert values == {
        "log": {"distinct_words": 900, "texts_from": "made up"},
        "floor_events_per_s": 500,
        "river_events_per_s": 12,
        "plain_events_per_s": 250,
        "plain_all_events_per_s": 200,
        "beam_events_per_s": 200,
        # Of two workers by the clock on the wall, which the hand-made costs let run twice as fast.
        "beam_2_workers_events_per_s": 250,
        "peak_rss_mib": 700,
        "growth": [
            {"events": 100, "seconds": 0.5, "peak_rss_mib": 500},
            {"events": 1_000, "seconds": 4.0, "peak_rss_mib": 500},
        ],
    }


def test_figures_are_ratios_to_what_ran_beside() -> None:
    figures = throughput.report(measured(), Options(False, 1_000, None)).figures
    assert [(figure.name, round(figure.value, 3), figure.met) for figure in figures] == [
        ("text path, one core", 250, False),
        ("text path", 2, True),
        ("everything on, one core", 200, False),
        ("text path", 20, True),
        ("Beam, 1 worker", 1.25, False),
        ("Beam, 2 workers", 2.5, True),
        ("peak memory", 700, True),
        ("seconds an event, longest log", 0.8, True),
        ("seconds an event, ten times the texts a day", 0.8, True),
    ]


def test_an_engine_more_has_its_row_and_its_key() -> None:
    report = throughput.report(measured(flink=way("f", 1_000, 8)), Options(False, 1_000, None))
    assert report.values["flink_events_per_s"] == 125
    assert "f" in [row["what"] for row in report.rows]


def test_engines_that_find_other_signals_stop_the_benchmark() -> None:
    with pytest.raises(ValueError, match=r"engines found 2 \(p\), 3 \(b\)"):
        throughput._check_alike({"plain": way("p", 1, 1), "beam-1": way("b", 1, 1, found=3)})
