"""Real texts that people labelled, in the order they were written. They lie beside the checkout."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

DATA = Path(__file__).parents[2] / "shared" / "data"

DIMENSIONS = (
    "Accessibilité",
    "Information/Explication",
    "Relation",
    "Réactivité",
    "Simplicité/Complexité",
)
_FELT = {"Négatif": 0, "Neutre": 1, "Positif": 2}
_TWEETED = {"negative": 0, "neutral": 1, "positive": 2}
_MARKED = {None: 0, "Négatif": 1, "Positif": 2}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts in order of time. task: name of the set; part: which label of it.

    classes: number of each text's class, from 0, the lowest mood first where classes are moods. authors: a
    number for each person.
    """

    task: str
    part: str
    language: str
    texts: list[str]
    classes: NDArray[np.int64]
    authors: NDArray[np.uint64]

    def take(self, rows: NDArray[np.int64]) -> "Labelled":
        """Some of the texts, in the order asked."""
        texts = [self.texts[row] for row in rows]
        return Labelled(self.task, self.part, self.language, texts, self.classes[rows], self.authors[rows])


def read_labelled(folder: Path = DATA) -> list[Labelled]:
    """Every set there is; none where the folder of real data is absent."""
    if not folder.is_dir():
        return []
    return [*_services(folder), *_insurance(folder), _airline(folder)]


def _services(folder: Path) -> list[Labelled]:
    """How an experience felt, and how each dimension of it was marked; nobody wrote twice that we know."""
    frame = pl.read_csv(folder / "services_publics" / "balanced_dataset.csv", infer_schema=False)
    frame = frame.with_columns(at=pl.col("Date de publication").str.to_datetime("%d/%m/%Y %H:%M"))
    frame = frame.sort("at", "ID expérience")
    texts = pl.concat_str("Titre", "Description", separator=". ", ignore_nulls=True)
    frame = frame.with_columns(text=texts, author=pl.int_range(pl.len(), dtype=pl.UInt64))
    sets = [_set("services: felt", "", "fr", frame, "Ressenti usager", _FELT)]
    for name in DIMENSIONS:
        # From 5 to 66 texts are marked neutral: too few to measure.
        marked = frame.filter(pl.col(name).is_null() | (pl.col(name) != "Neutre"))
        sets.append(_set("services: dimensions", name, "fr", marked, name, _MARKED))
    return sets


def _insurance(folder: Path) -> list[Labelled]:
    """Notes from 1 to 5, as they are and as three classes: 1 and 2, 3, 4 and 5."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(str(folder / "avis_assurance" / "avis_1_traduit.xlsx"))
    names, *rows = book.get_sheet_by_index(0).to_python()
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    cells.sort(key=lambda row: datetime.strptime(str(row["date_publication"]), "%d/%m/%Y"))  # noqa: DTZ007
    frame = pl.DataFrame(
        {
            "text": [str(row["avis"]) for row in cells],
            "author": _numbers([str(row["auteur"]) for row in cells]),
            "note": [str(int(float(str(row["note"])))) for row in cells],
        }
    )
    three = {"1": 0, "2": 0, "3": 1, "4": 2, "5": 2}
    five = {str(note): note - 1 for note in range(1, 6)}
    return [
        _set("insurance: note, 3 classes", "", "fr", frame, "note", three),
        _set("insurance: note, 5 classes", "", "fr", frame, "note", five),
    ]


def _airline(folder: Path) -> Labelled:
    frame = pl.read_csv(folder / "us_airline" / "Tweets_original.csv", infer_schema=False)
    frame = frame.unique("tweet_id", keep="first", maintain_order=True).sort("tweet_created", "tweet_id")
    frame = frame.with_columns(author=_numbers(frame["name"].to_list()))
    return _set("airline: sentiment", "", "en", frame, "airline_sentiment", _TWEETED)


def _numbers(names: list[str]) -> pl.Series:
    return pl.Series(np.unique(names, return_inverse=True)[1].astype(np.uint64))


def _set(
    task: str,
    part: str,
    language: str,
    frame: pl.DataFrame,
    column: str,
    classes: dict[str, int] | dict[str | None, int],
) -> Labelled:
    numbers = np.array([classes[label] for label in frame[column].to_list()], np.int64)
    return Labelled(task, part, language, frame["text"].to_list(), numbers, frame["author"].to_numpy())
