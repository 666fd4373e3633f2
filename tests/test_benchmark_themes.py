"""The benchmark of emerging themes: its streams, its scores and its peers, against hand-worked cases."""

import math
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _themes_ours as ours
from benchmarks import _themes_peers as peers
from benchmarks import _themes_streams as streams
from benchmarks import themes, themes_settings
from benchmarks._report import Options
from benchmarks._themes_methods import CHOSEN, KLEINBERG, METHODS, OURS, THRESHOLD
from benchmarks._themes_score import NOTHING, Flag, Score, score
from benchmarks._themes_streams import BACKGROUND, Stream, Text

real = pytest.mark.skipif(not streams.DATA.is_dir(), reason="the real texts are not beside the checkout")


def made(*topics: Sequence[int], background: int = 0) -> Stream:
    """A stream of as many buckets as there are lists, each of the topics of its texts."""
    texts = [
        Text(bucket, topic, "en", f"word{topic} of{bucket}")
        for bucket, said in enumerate(topics)
        for topic in (*said, *[BACKGROUND] * background)
    ]
    known = sorted({text.topic for text in texts} - {BACKGROUND})
    return Stream("made", texts, known)


# --- Streams ------------------------------------------------------------------------------------------


@real
def test_labels_that_name_one_topic_are_one() -> None:
    topics = streams.read_topics()
    assert sum(map(len, topics.values())) == 11_109
    # Two labels hold the same story of a tax office, two that of a space company.
    assert {25, 105} <= topics.keys()
    assert not {148, 116} & topics.keys()


@real
def test_trials_share_no_topic_and_backgrounds_hold_none_on_trial() -> None:
    trials = [streams.trial_topics(number) for number in range(3)]
    assert [len(set(trial)) for trial in trials] == [30, 30, 30]
    assert len({topic for trial in trials for topic in trial}) == 90
    with pytest.raises(ValueError, match="trial is 3; there are topics for trials 0 to 2"):
        streams.trial_topics(3)
    held_back = {text for topic in trials[1] for text in streams.read_topics()[topic]}
    kept = {
        text for label, texts in streams.read_topics().items() if label not in trials[1] for text in texts
    }
    for stream in streams.streams(1, 1, count=1):
        drawn = {text.text for text in stream.texts if text.topic == BACKGROUND}
        assert drawn <= kept
        assert len(drawn & held_back) < 10  # the same few words under two labels


@real
@pytest.mark.parametrize("every", [1, 2])
def test_topics_begin_where_the_background_is_known_and_keep_their_rate(every: int) -> None:
    (stream,) = streams.streams(1, every, count=1)
    assert list(stream.topics) == streams.trial_topics(1)[: streams.TOPICS]
    sizes = Counter(text.bucket for text in stream.texts if text.topic == BACKGROUND)
    assert sizes == dict.fromkeys(range(streams.BUCKETS), streams.A_BUCKET)
    for topic in stream.topics:
        mine = [text for text in stream.texts if text.topic == topic]
        assert [text.text for text in mine] == list(streams.read_topics()[topic][: streams.TEXTS])
        buckets = [text.bucket for text in mine]
        assert set(np.diff(buckets)) == {every}
        assert streams.QUIET <= buckets[0] < buckets[-1] < streams.BUCKETS


@real
def test_nothing_injected_leaves_the_same_background() -> None:
    (full,), (empty,) = streams.streams(2, 1, count=1), streams.streams(2, 0, count=1)
    assert [text for text in full.texts if text.topic == BACKGROUND] == list(empty.texts)
    assert list(empty.topics) == []


@real
def test_another_draw_injects_the_same_topics_in_another_background() -> None:
    (one,), (other,) = (streams.streams(0, 1, count=1, draw=draw) for draw in (0, 1))
    assert one.topics == other.topics
    texts, others = ([text.text for text in stream.texts] for stream in (one, other))
    assert texts != others
    assert one.name != other.name


@real
@pytest.mark.parametrize("background", [streams.SPOTIFY, streams.METRO])
def test_other_backgrounds_hold_no_handle_and_no_address(background: str) -> None:
    (stream,) = streams.streams(1, 1, background=background, count=1)
    texts = [text for text in stream.texts if text.topic == BACKGROUND]
    assert len(texts) == streams.BUCKETS * streams.A_BUCKET
    assert not any(re.search(r"[@#]\w|https?://", text.text) for text in texts)
    assert {text.language for text in texts} == {streams.LANGUAGES[background]}


# --- Scores -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("carried", "topic"),
    [
        ({7: 3}, 7),
        ({7: 3, BACKGROUND: 3}, 7),
        ({7: 3, BACKGROUND: 4}, BACKGROUND),
        ({7: 2, 8: 3}, 8),
        ({7: 3, 8: 3}, 7),
        ({BACKGROUND: 5}, BACKGROUND),
        ({}, BACKGROUND),
    ],
)
def test_a_flag_is_about_the_topic_of_half_its_texts(carried: dict[int, int], topic: int) -> None:
    assert Flag(3, "label", carried).topic == topic


def test_a_score_by_hand() -> None:
    stream = made([7], [7, 7, 8], [7], [8, 9])
    flags = [
        Flag(2, "later", {7: 4}),
        Flag(1, "first", {7: 3}),
        Flag(3, "another", {8: 2, BACKGROUND: 1}),
        Flag(3, "nothing", {BACKGROUND: 2}),
    ]
    worth = score(stream, flags)
    assert worth == Score(streams=1, topics=3, texts_before=(3, 2), flags=4, false=1)
    assert worth.found == pytest.approx(2 / 3)
    assert worth.false_share == 0.25
    assert (worth.median_texts, worth.flags_a_topic) == (2.5, 1.5)
    assert worth.found_in(2) == pytest.approx(1 / 3)
    assert worth.found_in(3) == pytest.approx(2 / 3)
    both = worth + score(made([7]), [])
    assert both == Score(streams=2, topics=4, texts_before=(3, 2), flags=4, false=1)


def test_no_flag_is_no_false_one() -> None:
    assert (NOTHING.found, NOTHING.false_share, NOTHING.median_texts, NOTHING.flags_a_topic) == (
        0,
        0,
        None,
        None,
    )


# --- Peers --------------------------------------------------------------------------------------------


def counted(counts: Sequence[Sequence[float]], size: float) -> peers.Counted:
    """Counts in the first buckets of a stream whose other buckets hold none."""
    table = np.zeros((len(counts), streams.BUCKETS))
    table[:, : len(counts[0])] = counts
    return peers.Counted(made(), ["term"] * len(counts), [], table, np.full(streams.BUCKETS, size))


def test_words_and_pairs_are_counted_once_a_text() -> None:
    texts = [Text(place // 5, BACKGROUND, "en", "Gate gate beeps") for place in range(10)]
    found = peers.count(Stream("made", [*texts, Text(3, 7, "en", "gate")], [7]))
    held = dict(zip(found.terms, found.counts[:, :4].tolist(), strict=True))
    pair = {"gate": [5, 5, 0, 1], "beeps": [5, 5, 0, 0], ("gate", "gate"): [5, 5, 0, 0]}
    assert held == {**pair, ("gate", "beeps"): [5, 5, 0, 0]}
    assert found.sizes[:4].tolist() == [5, 5, 0, 1]


def test_signitrend_follows_its_equations() -> None:
    beta, half_life, size = 0.01, 2.0, 10.0
    shares = [0.1, 0.3, 0.0, 0.5]
    strength = peers.signitrend(
        counted([[share * size for share in shares]], size), epoch=1, beta=beta, half_life=half_life
    )
    alpha = 1 - math.exp(math.log(0.5) / half_life)
    mean, variance, weight = shares[0], shares[0] ** 2, alpha
    for bucket, x in enumerate(shares[1:], 1):
        expected = (x - max(mean, beta)) / (math.sqrt(variance) + beta)
        assert strength[0, bucket] == pytest.approx(expected)
        step = alpha / (weight * (1 - alpha) + alpha)
        weight += (1 - weight) * alpha
        change = x - mean
        mean += step * change
        variance = (1 - step) * (variance + step * change * change)


def test_an_epoch_of_signitrend_sums_its_buckets() -> None:
    daily = peers.signitrend(counted([[1.0, 2.0, 0.0, 3.0]], 10), epoch=1, beta=0.01, half_life=2)
    halves = [[0.5, 0.5, 1.0, 1.0, 0.0, 0.0, 1.5, 1.5]]
    spread = peers.signitrend(counted(halves, 5), epoch=2, beta=0.01, half_life=4)
    assert spread[0, 1:8:2] == pytest.approx(daily[0, :4])
    assert not spread[0, 0:8:2].any()


def test_kleinberg_saves_the_best_run_of_gains() -> None:
    held, size, ratio = [1.0, 0.0, 3.0, 4.0, 0.0], 20.0, 3.0
    strength = peers.kleinberg(counted([held], size), ratio=ratio)
    gains, seen = [], 0.0
    for bucket, y in enumerate(held):
        base = (seen + 0.5) / (bucket * size + 1)
        burst = min(0.5, ratio * base)
        gains.append(y * math.log(burst / base) + (size - y) * math.log((1 - burst) / (1 - base)))
        seen += y
        # The cheapest path up to here that ends in the burst state may have gone up at any bucket.
        best = max(sum(gains[start:]) for start in range(len(gains)))
        assert strength[0, bucket] == pytest.approx(max(0.0, best))


def test_adwin_notes_a_rise_and_no_fall() -> None:
    rise, fall = [0.0] * 60 + [1.0] * 60, [1.0] * 60 + [0.0] * 60
    strength = peers.adwin(counted([rise, fall], 10), delta=0.1, epoch=1, shortest=5)
    assert strength[0, 60:90].any()
    assert not strength[0, :60].any()
    assert not strength[1].any()


def test_adwin_tells_a_drift_at_the_end_of_its_epoch() -> None:
    daily = peers.adwin(counted([[0.0] * 30 + [1.0] * 30], 10), delta=0.1, epoch=1, shortest=1)
    halves = peers.adwin(counted([[0.0] * 60 + [0.5] * 60], 5), delta=0.1, epoch=2, shortest=1)
    drifts = np.flatnonzero(daily[0, :60])
    assert drifts.size
    assert np.flatnonzero(halves[0, :120]).tolist() == (2 * drifts + 1).tolist()


def test_a_term_that_stays_flagged_is_one_flag() -> None:
    stream = made(*[[7] if bucket < 150 else [] for bucket in range(streams.BUCKETS)], background=1)
    found = peers.count(stream)
    row = found.terms.index("word7")
    strength = np.zeros(found.counts.shape)
    strength[row, [10, 60, 61, 80, 120, 190]] = 5.0
    first, last = peers.flags(found, strength, 5.0)
    # Bucket 10 is warm-up; 61 and 80 come within four weeks of one before, 120 does not; nothing carries 190.
    assert (first.bucket, first.topic, first.carried) == (60, 7, {7: peers.REACH})
    assert (last.bucket, last.topic, last.carried) == (120, 7, {7: peers.REACH})


# --- Ours ---------------------------------------------------------------------------------------------


def test_a_planted_theme_is_found_through_the_real_stages() -> None:
    words = "amber birch cedar dune ember fjord grove heath islet jetty knoll lagoon".split()
    chance = np.random.default_rng(5)

    def chatter() -> str:
        return " ".join(chance.choice(words, 3))

    texts = [Text(bucket, BACKGROUND, "en", chatter()) for bucket in range(120) for _ in range(20)]
    texts += [Text(bucket, 7, "en", f"turnstile jammed {chatter()}") for bucket in range(100, 110)]
    stream = Stream("made", sorted(texts, key=lambda text: text.bucket), [7])
    (flag,) = (flag for flag in ours.find(stream, half_life=180, false_alerts=8) if flag.topic == 7)
    assert "turnstile" in flag.label
    assert 102 <= flag.bucket <= 106
    assert score(stream, [flag]).texts_before == (flag.bucket - 99,)


def test_events_know_the_text_they_are() -> None:
    ids = [ours._event_id(place) for place in (0, 1, 70_000)]
    assert [ours.place_of(event_id) for event_id in ids] == [0, 1, 70_000]
    assert {len(event_id) for event_id in ids} == {16}


# --- The report ---------------------------------------------------------------------------------------


def test_scores_of_streams_add_up_by_background_rate_and_method() -> None:
    tasks = [
        themes.Task(streams.NEWS, trial, 0, every) for every in themes.EVERY for trial in themes.REPORTED
    ]
    mine, theirs = Score(1, 6, (3, 4, 5, 6, 7, 8), 7, 0), Score(1, 6, (9,), 3, 2)
    quiet = Score(1, 0, (), 1, 1)
    played = [
        {OURS: mine if task.every else quiet, KLEINBERG: theirs if task.every else NOTHING} for task in tasks
    ]
    scores = themes.total(tasks, played)
    assert scores[streams.NEWS, 1, OURS] == mine + mine
    assert scores[streams.NEWS, 2, KLEINBERG] == theirs + theirs
    values = {figure.name: figure.value for figure in themes.figures(scores)}
    assert values["news: topics found at 1"] == 100
    assert values["news: texts before, at 1"] == 5.5
    assert values["news: signals of a topic found, at 1"] == pytest.approx(7 / 6)
    assert values["news: false discovery proportion"] == 0
    # All six found, by their sixth text four; of the peer one, too late.
    assert values["news: found at 1, ahead of the best peer"] == pytest.approx(100 * 5 / 6)
    assert values["news: by text 6 at 0.5, ahead of the best"] == pytest.approx(100 * 4 / 6)
    # One a stream, over three perimeters and the judged days of a stream.
    assert values["news: false alerts, nothing injected"] == pytest.approx(365 / (3 * 144))


def test_the_plan_covers_every_background_and_reports_no_tuning_topic() -> None:
    tasks = themes.plan(quick=False)
    assert {task.background for task in tasks} == {streams.NEWS, streams.SPOTIFY, streams.METRO}
    assert {task.trial for task in tasks} == {1, 2}
    assert {task.every for task in tasks} == {0, 1, 2}
    assert len({(task.background, task.trial, task.number, task.every) for task in tasks}) == len(tasks)
    assert len(themes.plan(quick=True)) == 3


def test_without_the_texts_the_report_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.touch()
    for name in list(streams.FILES):
        monkeypatch.setitem(streams.FILES, name, tmp_path / "absent.csv" if name == streams.METRO else there)
    report = themes.run(Options(quick=True, texts=0, json=None))
    assert report.rows == [{"": "no texts of metro beside the checkout"}]
    assert report.figures == []


# --- Settings -----------------------------------------------------------------------------------------


def tried(found: int, *, false: int = 0, without: int = 0, texts: int = 5) -> themes_settings.Tried:
    """A setting that finds so many of ten topics at either rate, each after so many texts, in one stream."""
    worth = Score(1, 10, (texts,) * found, 30, false)
    name = f"{found} {false} {without} {texts}"
    return themes_settings.Tried(
        "b", "m", ((name, 1.0),), {1: worth, 2: worth, 0: Score(2, 0, (), without, without)}
    )


def test_settings_within_the_limits_come_first_and_of_those_the_one_that_finds_most() -> None:
    # Of sixty flags one more than two is .05, of two streams one is every second.
    beyond = [tried(10, false=2), tried(10, without=3)]
    within = [tried(9, without=1), tried(8), tried(8, false=1), tried(8, texts=7)]
    # Of 60 and 63 flags 4 and 3 are false beyond the limits: the smaller share first.
    assert themes_settings.choose([*beyond, *within[::-1]], "b", "m") == [*within, *beyond[::-1]]
    assert themes_settings.choose(within, "b", "another") == []
    assert themes_settings.choose(within, "another", "m") == []


def test_of_settings_that_find_as_many_within_a_standard_error_the_soonest_is_chosen() -> None:
    def finds(found: int, texts: int) -> themes_settings.Tried:
        worth = Score(1, 100, (texts,) * found, 100, 1)
        given = ((f"{found} {texts}", 1.0),)
        return themes_settings.Tried("b", "m", given, {1: worth, 2: worth, 0: Score(2, 0, (), 0, 0)})

    # Ninety of a hundred, more or less three.
    best, sooner, fewer = finds(90, 7), finds(88, 5), finds(86, 3)
    assert themes_settings.choose([fewer, best, sooner], "b", "m") == [sooner, best, fewer]


def test_scores_of_settings_add_up_by_background_and_rate() -> None:
    key: tuple[str, themes_settings.Given] = ("m", (("delta", 0.1),))
    one = Score(1, 6, (3,), 2, 1)
    tasks = [("b", 1, 0, 0), ("b", 1, 1, 0), ("b", 2, 0, 0), ("c", 1, 0, 1)]
    first, second = themes_settings.total(tasks, [{key: one}, {key: one}, {key: NOTHING}, {key: one}])
    assert (first.background, first.method, first.given) == ("b", *key)
    assert first.worth == {1: one + one, 2: NOTHING}
    assert (second.background, second.worth) == ("c", {1: one})


def test_what_is_used_is_what_the_grid_holds() -> None:
    held = [(OURS, dict(given)) for given in themes_settings.OURS_GRID]
    held += [
        (method, {**dict(given), THRESHOLD: threshold})
        for method, given, thresholds in themes_settings.PEERS_GRID
        for threshold in thresholds
    ]
    assert set(CHOSEN) == {(background, method) for background in streams.FILES for method in METHODS}
    for (_, method), setting in CHOSEN.items():
        assert (method, setting) in held
