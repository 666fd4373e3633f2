"""Our lexicons on real texts that others labelled by hand; floors well below what was measured."""

import csv
import random
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from pipelines.lexicon import Lexicon, load_lexicons, words

DATA = Path(__file__).parents[2] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")

LABELS = {"Positif": 1, "Négatif": -1, "positive": 1, "negative": -1}


def has_theme(tokens: list[str], lexicon: Lexicon) -> bool:
    return any(
        tuple(tokens[start : start + length]) in lexicon.themes
        for start in range(len(tokens))
        for length in range(1, 5)
    )


def sentiment(tokens: list[str], lexicon: Lexicon) -> int:
    """The text's summed weights, read as `Lexicon` says."""
    total = 0
    position = 0
    used: set[int] = set()
    while position < len(tokens):
        spans = (tuple(tokens[position : position + length]) for length in (3, 2, 1))
        entry = next((span for span in spans if span in lexicon.sentiment), None)
        if entry is None:
            position += 1
            continue
        weight = lexicon.sentiment[entry]
        before = [at for at in range(position - 1, max(-1, position - 6), -1) if at not in used]
        for at in before:
            intensifier = lexicon.intensifiers.get(tokens[at])
            if intensifier and position - at <= intensifier.reach:
                weight = (1 if weight > 0 else -1) * max(1, abs(weight) + intensifier.step)
                break
        if any(position - at <= lexicon.negators.get(tokens[at], 0) for at in before):
            weight = -weight
        total += weight
        used.update(range(position, position + len(entry)))
        position += len(entry)
    return total


def area_under_curve(positive: list[int], negative: list[int]) -> float:
    """Share of (positive, negative) pairs in the right order, ties for a half."""
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    return sum(pairs) / len(pairs)


def labelled(name: str) -> tuple[str, list[tuple[str, int]]]:
    if name == "avis_assurance":
        book = CalamineWorkbook.from_path(DATA / name / "avis_1_traduit.xlsx")
        rows = book.get_sheet_by_index(0).to_python()[1:]
        return "fr", [(str(row[2]), (float(str(row[0])) > 3) - (float(str(row[0])) < 3)) for row in rows]
    if name == "services_publics":
        with (DATA / name / "balanced_dataset.csv").open(encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        return "fr", [
            (f"{row['Titre']}. {row['Description']}", LABELS.get(row["Ressenti usager"], 0)) for row in table
        ]
    with (DATA / name / "Tweets_original.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return "en", [(row["text"], LABELS.get(row["airline_sentiment"], 0)) for row in table]


@pytest.mark.parametrize(
    ("name", "least_auc", "least_share"),
    [("services_publics", 0.85, 0.55), ("avis_assurance", 0.85, 0.55), ("us_airline", 0.80, 0.35)],
)
def test_sentiment_orders_and_themes_cover_labelled_texts(
    name: str, least_auc: float, least_share: float
) -> None:
    language, rows = labelled(name)
    lexicon = load_lexicons(["fr", "en"]).languages[language]
    sample = random.Random(1).sample(rows, 1000)
    read = [(words(text, language), label) for text, label in sample]
    positive = [sentiment(tokens, lexicon) for tokens, label in read if label > 0]
    negative = [sentiment(tokens, lexicon) for tokens, label in read if label < 0]
    assert area_under_curve(positive, negative) > least_auc
    assert sum(has_theme(tokens, lexicon) for tokens, _ in read) / len(read) > least_share


@pytest.mark.parametrize(
    ("file", "language"), [("spotifycares/support_requests.csv", "en"), ("metro_tweets/m_tweets.csv", "fr")]
)
def test_themes_cover_a_fair_share_of_other_texts(file: str, language: str) -> None:
    lexicon = load_lexicons(["fr", "en"]).languages[language]
    with (DATA / file).open(encoding="utf-8", newline="") as handle:
        texts = [row["text"] or "" for row in csv.DictReader(handle)]
    sample = random.Random(1).sample(texts, 2000)
    assert sum(has_theme(words(text, language), lexicon) for text in sample) / len(sample) > 0.30
