"""The sentiment benchmark: its figures, its splits, its methods on made-up texts, the real sets it reads."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _report, sentiment
from benchmarks._labelled import DATA, DIMENSIONS, Labelled, read_labelled
from benchmarks._moods import learned_offline, learned_online, our_lexicon, progressive, textblob_fr, vader

WORDS = {
    "fr": (("affreux", "lent", "panne"), ("moyen", "correct", "tabouret"), ("parfait", "rapide", "merci")),
    "en": (("awful", "slow", "broken"), ("table", "chair", "paper"), ("great", "love", "thanks")),
}


def made_up(language: str, size: int = 240, part: str = "") -> Labelled:
    """Texts of three words of their class and one of any."""
    random = np.random.default_rng(1)
    classes = random.integers(0, 3, size)
    words = WORDS[language]
    any_word = [word for group in words for word in group]
    texts = [
        " ".join([*random.permutation(words[number])[:2], random.choice(any_word)]) for number in classes
    ]
    return Labelled(f"made up {language}", part, language, texts, classes, np.arange(size).astype(np.uint64))


@settings(max_examples=50, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    truth, told = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    # Of the classes that texts have: a class told but never true is an error of others.
    expected = f1_score(truth, told, labels=np.unique(truth), average="macro", zero_division=0.0)
    assert sentiment.macro_f1(truth, told) == pytest.approx(expected)


def test_folds_share_every_class_evenly_and_stay_the_same() -> None:
    classes = np.array([0] * 50 + [1] * 20 + [2] * 5)
    fold = sentiment.folds(classes)
    assert Counter(zip(classes.tolist(), fold.tolist(), strict=True)) == {
        (number, place): size for number, size in ((0, 10), (1, 4), (2, 1)) for place in range(5)
    }
    assert np.array_equal(fold, sentiment.folds(classes))


def test_no_text_is_told_by_a_model_that_learned_it() -> None:
    given = made_up("fr", 60)
    seen: list[int] = []

    def method(train: Labelled, test: Labelled) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        assert not set(train.authors.tolist()) & set(test.authors.tolist())
        assert train.authors.tolist() == sorted(train.authors.tolist())
        assert len(train.texts) + len(test.texts) == 60
        seen.extend(test.authors.tolist())
        return test.classes

    assert np.array_equal(sentiment.cross_validated(method, given), given.classes)
    assert sorted(seen) == list(range(60))


def test_what_is_reported_was_not_tuned_on() -> None:
    given = made_up("fr", 3_000)
    kept = sentiment.reported(given)
    assert 1_900 < len(kept.texts) < 2_100
    assert kept.authors.tolist() == sorted(kept.authors.tolist())
    moved = sentiment.shuffled(given)
    assert moved.authors.tolist() != given.authors.tolist()
    assert sorted(moved.authors.tolist()) == given.authors.tolist()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_method_tells_plain_texts(language: str) -> None:
    given = made_up(language)
    train, test = given.take(np.arange(180)), given.take(np.arange(180, 240))
    assert sentiment.macro_f1(given.classes, progressive(given)) > 0.85
    with threadpool_limits(1):
        for method in (learned_online, learned_offline):
            assert sentiment.macro_f1(test.classes, method(train, test)) > 0.9
        for lexicon in (our_lexicon, vader if language == "en" else textblob_fr):
            # Better than chance: whatever a lexicon lacks, it knows some of these words.
            assert sentiment.macro_f1(test.classes, lexicon(train, test)) > 0.4


def test_the_benchmark_from_its_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [made_up("fr", part="one"), made_up("fr", part="two"), made_up("en")]
    monkeypatch.setattr(sentiment, "read_labelled", lambda: sets)
    file = tmp_path / "sentiment.json"
    _report.main("sentiment", "about", sentiment.run, ["--quick", "--json", str(file)])
    written = json.loads(file.read_text("utf-8"))
    assert written["benchmark"] == "sentiment"
    methods = [row["method"] for row in written["rows"] if row["set"] == "made up en"]
    assert {"our lexicon alone", "VADER", sentiment.IN_LOG_ORDER, sentiment.CEILING} <= set(methods)
    for row in written["rows"]:
        assert 0 < row["macro_f1"] <= 1
    ceilings = [row["of the ceiling, %"] for row in written["rows"] if row["method"] == sentiment.CEILING]
    assert ceilings == [100, 100]
    assert [figure["name"].split(",")[0] for figure in written["figures"]] == ["made up fr", "made up en"]
    assert all(figure["met"] for figure in written["figures"])


def test_without_real_data_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_labelled(tmp_path / "nowhere") == []
    monkeypatch.setattr(sentiment, "read_labelled", list)
    report = sentiment.run(_report.Options(quick=True, texts=0, json=None))
    assert (report.rows, report.figures) == ([], [])
    assert "nothing was measured" in report.notes[0]


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not here")
def test_the_real_sets_have_the_labels_their_readers_counted() -> None:
    sets = {(given.task, given.part): given for given in read_labelled()}
    assert [part for task, part in sets if task == "services: dimensions"] == list(DIMENSIONS)
    felt = sets["services: felt", ""]
    assert np.bincount(felt.classes).tolist() == [400, 400, 400]
    notes = sets["insurance: note, 5 classes", ""]
    assert np.bincount(notes.classes).tolist() == [319, 153, 129, 206, 193]
    three = sets["insurance: note, 3 classes", ""]
    assert np.bincount(three.classes).tolist() == [319 + 153, 129, 206 + 193]
    # 14,640 rows, of which 155 repeat an id.
    tweets = sets["airline: sentiment", ""]
    assert len(tweets.texts) == 14_640 - 155
    for one in sets.values():
        assert len(one.texts) == one.classes.size == one.authors.size
