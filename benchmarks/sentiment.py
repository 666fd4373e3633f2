"""How well the mood and the subject of real texts are told, learned online, beside lexicons and a ceiling.

Parameters of ours and of the ceiling were chosen on a third of the texts (TUNING_SEED); the figures are of
the other two thirds, by five-fold cross-validation: every text is classified by a model that never saw it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks._labelled import DATA, Labelled, read_labelled
from benchmarks._moods import Classes, Method, learned_offline, learned_online, peers, progressive
from benchmarks._report import Figure, Options, Report, Row, main

TUNING_SEED = 0
TUNING_SHARE = 1 / 3
SPLIT_SEED = 101
FOLDS = 5
QUICK_TEXTS = 3_000
TARGET = 90
"""Share of the ceiling's macro-F1, in %."""

CEILING = "TF-IDF + logistic regression, offline (ceiling)"
IN_LOG_ORDER = "ours, learned online in order of time"
SHUFFLED = "ours, learned online in a fixed shuffle"
PROGRESSIVE = "ours, each text before it is learned"


@dataclass(frozen=True, slots=True)
class Result:
    """How well a method told the classes of one set."""

    task: str
    part: str
    method: str
    macro_f1: float
    accuracy: float
    texts: int


def run(asked: Options) -> Report:
    """Every method on every set."""
    sets = [reported(given) for given in read_labelled()]
    if asked.quick:
        sets = [given.take(np.arange(min(len(given.texts), QUICK_TEXTS))) for given in sets]
    if not sets:
        return Report("sentiment", [], [], [f"There is no folder {DATA}: nothing was measured."])
    with threadpool_limits(1):
        results = [result for given in sets for result in judge(given)]
    return Report("the mood and subject of real texts", _rows(results), _figures(results), _notes(results))


def reported(given: Labelled) -> Labelled:
    """The part of a set that nothing was chosen on."""
    tuned_on = np.random.default_rng(TUNING_SEED).random(len(given.texts)) < TUNING_SHARE
    return given.take(np.flatnonzero(~tuned_on))


def judge(given: Labelled) -> Iterator[Result]:
    """Every method on one set."""
    methods: dict[str, Method] = {
        **peers(given.language),
        IN_LOG_ORDER: learned_online,
        SHUFFLED: lambda train, test: learned_online(shuffled(train), test),
        CEILING: learned_offline,
    }
    told = {name: cross_validated(method, given) for name, method in methods.items()}
    told[PROGRESSIVE] = progressive(given)
    for name, classes in told.items():
        right = float(np.mean(classes == given.classes))
        yield Result(given.task, given.part, name, macro_f1(given.classes, classes), right, len(given.texts))


def cross_validated(method: Method, given: Labelled) -> Classes:
    """Class of each text as told by a method that learned the texts of the other folds, in order."""
    fold = folds(given.classes)
    told = np.empty(len(given.texts), np.int64)
    for number in range(FOLDS):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        told[test] = method(given.take(train), given.take(test))
    return told


def folds(classes: Classes) -> NDArray[np.int64]:
    """A fold for each text, every class spread evenly; the same for every method."""
    random = np.random.default_rng(SPLIT_SEED)
    fold = np.empty(classes.size, np.int64)
    for number in np.unique(classes):
        mine = random.permutation(np.flatnonzero(classes == number))
        fold[mine] = np.arange(mine.size) % FOLDS
    return fold


def shuffled(given: Labelled) -> Labelled:
    """The texts in a fixed order that is not of time."""
    return given.take(np.random.default_rng(SPLIT_SEED).permutation(len(given.texts)))


def macro_f1(truth: Classes, told: Classes) -> float:
    """Mean over the classes of the harmonic mean of precision and recall."""
    scores = []
    for number in np.unique(truth):
        both = np.sum((truth == number) & (told == number))
        scores.append(2 * both / (np.sum(truth == number) + np.sum(told == number)))
    return float(np.mean(scores))


def _rows(results: Sequence[Result]) -> list[Row]:
    """One line a set and method; the parts of a set as their mean."""
    rows: list[Row] = []
    for task in dict.fromkeys(result.task for result in results):
        mine = [result for result in results if result.task == task]
        ceiling = _mean(mine, CEILING, lambda result: result.macro_f1)
        for method in dict.fromkeys(result.method for result in mine):
            f1 = _mean(mine, method, lambda result: result.macro_f1)
            rows.append(
                {
                    "set": task,
                    "method": method,
                    "macro_f1": f1,
                    "of the ceiling, %": 100 * f1 / ceiling,
                    "accuracy": _mean(mine, method, lambda result: result.accuracy),
                    "texts": max(result.texts for result in mine),
                }
            )
    return rows


def _figures(results: Sequence[Result]) -> list[Figure]:
    return [
        Figure(f"{row['set']}, online, of the ceiling", float(row["of the ceiling, %"] or 0), "%", TARGET)
        for row in _rows(results)
        if row["method"] == IN_LOG_ORDER
    ]


def _notes(results: Sequence[Result]) -> list[str]:
    parts = [
        f"{part} {_mean(mine, IN_LOG_ORDER, _f1):.2f} of {_mean(mine, CEILING, _f1):.2f}"
        for part in dict.fromkeys(result.part for result in results if result.part)
        for mine in [[result for result in results if result.part == part]]
    ]
    return [
        "Five-fold cross-validation on the two thirds of the texts that nothing was chosen on.",
        "Ours learns words of 5 authors or more, and is read as whole numbers, as `understand` reads it.",
        "Lexicons are cut into classes offline, on the texts that the others learn.",
        f"Dimensions: not mentioned, negative, positive; macro-F1 online of offline: {'; '.join(parts)}.",
    ]


def _f1(result: Result) -> float:
    return result.macro_f1


def _mean(results: Sequence[Result], method: str, value: Callable[[Result], float]) -> float:
    return mean(value(result) for result in results if result.method == method)


if __name__ == "__main__":
    main("sentiment", __doc__ or "", run)
