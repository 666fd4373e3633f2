"""Learning weights from a log, moods from weights, and the file that holds them; a log of generated texts."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.errors import LogError, SettingsError
from connectors.events import EVENT
from connectors.log import EventLog, LogWriter
from detectors.features import THEME, feature_id
from detectors.text_weights import UNIT, Quantised, Texts
from pipelines import learn as learning
from pipelines.learn import Agreement, Lesson, learn
from pipelines.lexicon import load_lexicons
from pipelines.settings import load_settings
from pipelines.stages.mood import STRONGEST, moods
from pipelines.stages.understand import Reader, make_reader, understand
from pipelines.weights import Weights, read_weights, write_weights
from pipelines.words import stem

FIRST = datetime(2025, 3, 3, 9, tzinfo=UTC)
LEXICONS = load_lexicons(["fr", "en"])
THEMES = {feature_id(key, THEME): key for key in LEXICONS.themes}
TEXTS = 400
# The lexicon has an opinion on none of these words.
HAPPY, UNHAPPY, BETWEEN = "guichet tournesol", "guichet parpaing", "guichet tabouret"
SCORE = {HAPPY: 1.0, UNHAPPY: 0.0, BETWEEN: 0.5}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return make_reader(LEXICONS, default="fr", zone="Europe/Paris")


def rows(count: int = TEXTS, **changes: object) -> list[dict[str, object]]:
    """Texts that say which score they have, each by somebody else, ten a day."""
    chosen = random.Random(1).choices(tuple(SCORE), weights=(5, 3, 2), k=count)
    return [
        event(number, text=f"{text} numero", score=SCORE[text], **changes)
        for number, text in enumerate(chosen)
    ]


def event(number: int, **changes: object) -> dict[str, object]:
    at = FIRST + timedelta(hours=2.4 * number)
    base: dict[str, object] = {
        "event_id": number.to_bytes(16, "little"),
        "occurred_at": at,
        "admitted_at": at,
        "grace_s": 0,
        "source": "avis",
        "channel": "survey",
        "voice": "customer",
        "perimeter": "mag/lille",
        "score": None,
        "author": number.to_bytes(16, "little"),
        "agent": None,
        "language": "fr",
        "flags": 0,
        "text": "",
    }
    return base | changes


def write_log(folder: Path, events: Sequence[dict[str, object]]) -> EventLog:
    with LogWriter(folder, now=lambda: FIRST) as log:
        log.append_history(pa.Table.from_pylist(list(events), schema=EVENT), loaded_at=FIRST, note={})
    return EventLog(folder)


def lesson_of(folder: Path, events: Sequence[dict[str, object]], reader: Reader, **given: Any) -> Lesson:
    log = write_log(folder / "log", events)
    return learn(log, reader, **{"min_authors": 5, "themes": THEMES, **given})


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory, reader: Reader) -> Lesson:
    return lesson_of(tmp_path_factory.mktemp("lesson"), rows(), reader)


def word(text: str) -> int:
    return feature_id(stem(text, "fr"))


# what is learned -----------------------------------------------------------------------------------------


def test_scores_teach_what_the_lexicon_does_not_know(lesson: Lesson) -> None:
    (french,) = lesson.languages
    assert (french.language, french.texts, french.learned.texts) == ("fr", TEXTS, TEXTS)
    # To the lexicon all texts are of no mood: right where the score is in the middle.
    between = sum(row["score"] == 0.5 for row in rows())
    assert french.lexicon.share == between / TEXTS
    assert french.lexicon.macro_f1 == pytest.approx(2 * between / (between + TEXTS) / 3)
    assert french.learned.macro_f1 > 0.85
    # All others now have a mood.
    assert french.moved == TEXTS - between


def test_it_says_which_words_changed_and_how(lesson: Lesson) -> None:
    change = {one.word: one for one in lesson.changes}
    assert change["tournesol"].after > 0.5 > 0 > -0.5 > change["parpaing"].after
    assert all(one.before == 0 and one.language == "fr" for one in lesson.changes)
    sizes = [abs(one.rise) for one in lesson.changes]
    assert sizes == sorted(sizes, reverse=True)


def test_what_was_learned_tells_the_mood_of_new_texts(lesson: Lesson, reader: Reader) -> None:
    weighted = make_reader(LEXICONS, default="fr", zone="Europe/Paris", weights=lesson.weights.languages)
    new = [event(n, text=text) for n, text in enumerate(("Du parpaing.", "Un tournesol !", "", "Merci !"))]
    batch = pa.RecordBatch.from_pylist(
        [{**row, "position": n} for n, row in enumerate(new)],
        schema=pa.schema([*EVENT, pa.field("position", pa.int64())]),
    )
    bad, good, empty, thanks = understand(batch, weighted)["sentiment"].to_pylist()
    assert bad < 0 < good
    assert empty == 0
    # The lexicon's, for the scored texts hold no word of it.
    plain = understand(batch, reader)
    assert thanks == plain["sentiment"][3].as_py() > 0
    for name in plain.schema.names:
        if name != "sentiment":
            assert plain[name].equals(understand(batch, weighted)[name])


def test_a_word_of_few_people_leaves_no_trace(tmp_path: Path, reader: Reader) -> None:
    events = rows()
    for number in range(40):
        events[number]["text"] = f"{events[number]['text']} archimandrite"
        events[number]["author"] = (number % 4).to_bytes(16, "little")
    for number in range(40, 45):
        events[number]["text"] = f"{events[number]['text']} baobab"
    features = lesson_of(tmp_path, events, reader).weights.languages["fr"].features
    assert word("archimandrite") not in features
    assert word("baobab") in features
    assert word("tournesol") in features


def test_copies_of_a_text_are_learned_once(tmp_path: Path, reader: Reader) -> None:
    campaign = (
        "nous demandons tous ensemble la réouverture immédiate du parpaing municipal de notre quartier, "
        "signez avec nous cette pétition pour le tournesol et pour le retour des anciens horaires"
    )
    copies = [event(TEXTS + n, text=f"{campaign}. Anne{'e' * n}", score=0.0) for n in range(50)]
    assert lesson_of(tmp_path, rows() + copies, reader).languages[0].learned.texts == TEXTS + 1


def test_texts_without_score_or_without_words_teach_nothing(tmp_path: Path, reader: Reader) -> None:
    more = [event(TEXTS + n, text=f"{UNHAPPY} encore") for n in range(30)]
    more += [event(TEXTS + 30 + n, score=0.0) for n in range(30)]
    (french,) = lesson_of(tmp_path, rows() + more, reader).languages
    assert (french.learned.texts, french.texts) == (TEXTS, TEXTS + 30)


def test_each_language_learns_its_own_or_keeps_the_lexicon(tmp_path: Path, reader: Reader) -> None:
    english = [event(TEXTS + n, text=f"gate {n}", score=1.0, language="en") for n in range(20)]
    german = [event(TEXTS + 20 + n, text="Kasse", score=1.0, language="de") for n in range(3)]
    found = lesson_of(tmp_path, rows() + english + german, reader)
    assert list(found.weights.languages) == ["fr"]
    assert found.left == {"en": 20}
    # Texts of a language without lexicon are read in the first.
    assert found.languages[0].learned.texts == TEXTS + 3


def test_too_few_texts_are_an_error(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(LogError, match="holds 30 scored texts that differ; 200 of one language are needed"):
        lesson_of(tmp_path, rows(30), reader)


def test_learning_again_changes_nothing(tmp_path: Path, lesson: Lesson) -> None:
    taught = make_reader(LEXICONS, default="fr", zone="Europe/Paris", weights=lesson.weights.languages)
    again = lesson_of(tmp_path, rows(), taught)
    assert again.weights.version == lesson.weights.version
    assert again.languages[0].moved == 0
    assert again.changes == []


def test_sizes_and_the_order_of_loading_are_nothing_to_it(
    tmp_path: Path, lesson: Lesson, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "SLICE_ROWS", 70)
    monkeypatch.setattr(learning, "BATCH_ROWS", 17)
    seen: list[tuple[int, int]] = []
    log = write_log(tmp_path / "log", rows()[200:])
    with LogWriter(tmp_path / "log", now=lambda: FIRST) as writer:
        writer.append_history(pa.Table.from_pylist(rows()[:200], schema=EVENT), loaded_at=FIRST, note={})
    log.refresh()
    other = learn(log, reader, min_authors=5, themes=THEMES, progress=lambda *done: seen.append(done))
    assert other.weights.version == lesson.weights.version
    assert other.changes == lesson.changes
    assert seen[-1] == (2 * TEXTS, 2 * TEXTS)


def test_agreement_by_hand() -> None:
    agreement = Agreement()
    agreement.add(np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 2, 0]))
    # Low: 1 of 2 found, 1 of 2 right. High: 2 of 3 found, 2 of 2 right. No score is in the middle.
    assert agreement.share == 3 / 5
    assert agreement.macro_f1 == pytest.approx((1 / 2 + 4 / 5) / 2)
    assert (Agreement().share, Agreement().macro_f1) == (0.0, 0.0)


# moods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "middle", "high", "mood"),
    [
        (0.0, 0.0, 0.01, 1),
        (0.0, 0.0, 0.24, 1),
        (0.0, 0.0, 0.25, 2),
        (0.0, 0.5, 1.0, 3),
        (1.0, -2.0, 0.0, -5),
        (9.0, 0.0, 0.0, -STRONGEST),
        (0.0, 0.0, 99.0, STRONGEST),
        (0.0, 0.5, 0.25, 0),
        (1.0, 0.0, 1.0, 0),
        (0.0, 1.0, 1.0, 0),
        (0.0, 0.0, 0.0, 0),
    ],
)
def test_a_mood_is_how_far_the_likeliest_class_is_ahead(
    low: float, middle: float, high: float, mood: int
) -> None:
    weights = np.array([[low, middle, high]]) * UNIT
    one = Quantised(
        np.array([5], np.uint64), weights.astype(np.int64), np.array([256]), np.zeros((7, 3), np.int64)
    )
    texts = Texts(np.array([5, 9], np.uint64), np.array([0, 1, 2]), np.array([4, -4]))
    # The second text holds no word with a weight: the lexicon's sentiment stands.
    assert moods(texts, one).tolist() == [mood, -4]


# the file ------------------------------------------------------------------------------------------------


def test_the_file_is_named_by_its_content_and_holds_no_word(tmp_path: Path, lesson: Lesson) -> None:
    file = write_weights(tmp_path, lesson.weights)
    assert file.name == f"weights-{lesson.weights.version}.parquet"
    back = read_weights(file)
    assert back.version == lesson.weights.version
    for name in ("features", "weights", "squared", "hints"):
        assert np.array_equal(
            getattr(back.languages["fr"], name), getattr(lesson.weights.languages["fr"], name)
        )
    columns = pq.read_table(file).to_pydict()
    assert {type(value) for name, column in columns.items() if name != "language" for value in column} == {
        int
    }
    assert set(columns["language"]) == {"fr"}
    assert write_weights(tmp_path, back) == file
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_another_weight_is_another_name(lesson: Lesson) -> None:
    french = lesson.weights.languages["fr"]
    changed = Quantised(french.features, french.weights + 1, french.squared, french.hints)
    names = {
        Weights({"fr": french}).version,
        Weights({"fr": changed}).version,
        Weights({"en": french}).version,
    }
    assert len(names) == 3


def test_files_that_are_not_what_they_are_called(tmp_path: Path, lesson: Lesson) -> None:
    file = write_weights(tmp_path, lesson.weights)
    renamed = file.rename(tmp_path / f"weights-{'0' * 32}.parquet")
    with pytest.raises(SettingsError, match=f"holds {file.name}; a file of weights is named by its content"):
        read_weights(renamed)
    renamed.write_bytes(renamed.read_bytes()[:-20])
    with pytest.raises(SettingsError, match="not a file of weights; put the one back"):
        read_weights(renamed)
    pq.write_table(pa.table({"language": ["fr"]}), renamed)
    with pytest.raises(SettingsError, match="its columns are not those of weights"):
        read_weights(renamed)
    with pytest.raises(SettingsError, match="no such file; `vigie learn` makes one"):
        read_weights(file)


def test_settings_with_weights_are_another_version(tmp_path: Path) -> None:
    file, plain = tmp_path / "vigie.toml", '[organisation]\nroot = "mag"\nname = "Mag"\n'
    versions = set()
    (tmp_path / "old").mkdir()
    for weights in ("0", "1", "old/1"):
        (tmp_path / weights).with_name(f"weights-{weights[-1] * 32}.parquet").touch()
    for line in (
        "",
        f'sentiment = "weights-{"0" * 32}.parquet"',
        f'sentiment = "weights-{"1" * 32}.parquet"',
    ):
        file.write_text(f"{plain}[understanding]\n{line}\n", "utf-8")
        versions.add(load_settings(file).version("lexicon"))
    file.write_text(f'{plain}[understanding]\nsentiment = "old/weights-{"1" * 32}.parquet"\n', "utf-8")
    assert load_settings(file).version("lexicon") in versions
    assert len(versions) == 3
    file.write_text(f'{plain}[understanding]\nsentiment = "weights.parquet"\n', "utf-8")
    with pytest.raises(SettingsError, match=r"understanding\.sentiment is .weights\.parquet."):
        load_settings(file)
