"""Every estimator of the package through one battery: river's own checks, and what ours promise beyond.

An estimator that `detectors` gains must find an example in EXAMPLES, by the name of its class.
"""

import dataclasses
import importlib
import inspect
import math
import pickle
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import river.base
import river.checks
from numpy.typing import NDArray

import detectors
from detectors.features import feature_id

DAYS, SERIES, CHANGE = 80, 6, 60
IDS = np.array([2**63 + 5, 1, 999, 2**40, 31, 500], np.uint64)
Whole = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Example:
    """Inputs that fit an estimator.

    parameters: of its constructor, with a short warm-up. columns: by argument of `learn_many`, one entry a
    day and series; the change that the estimator looks for begins on day CHANGE. one: `x` of the first
    series on a day, as `learn_one` takes it. ids: the argument that names the series. shared: arguments that
    are the same for all series and days. wrap: what the arguments travel in, if not alone.
    """

    parameters: Mapping[str, Any]
    columns: Columns
    one: Callable[[int], dict[str, Any]]
    ids: str = "series"
    shared: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    wrap: Callable[[dict[str, Any]], dict[str, Any]] = lambda given: given

    def arguments(self, day: int, rows: Sequence[int]) -> dict[str, Any]:
        """Arguments of `learn_many` for some series on a day."""
        chosen = list(rows)
        given = {self.ids: IDS[chosen]} | {name: values[day, chosen] for name, values in self.columns.items()}
        return {**self.wrap(given), **self.shared, "bucket": day}

    def labelled(self) -> list[tuple[dict[str, Any], bool]]:
        """Days of the first series and whether something is amiss, as river's checks take them."""
        return [(self.one(day), day >= CHANGE) for day in range(DAYS)]


def poisson(seed: int, before: float, after: float) -> Whole:
    """Counts of all series whose mean changes, for the first three of them."""
    means = np.full((DAYS, SERIES), before)
    means[CHANGE:, :3] = after
    return np.random.default_rng(seed).poisson(means)


def counts() -> Example:
    y = poisson(1, 5, 20)
    return Example({"warm_up": 10}, {"counts": y}, lambda day: {"y": int(y[day, 0])})


def silence() -> Example:
    y = poisson(2, 6, 0)
    factor = np.random.default_rng(3).choice([1.0, 1.0, 0.5], (DAYS, SERIES))
    return Example(
        {"warm_up": 14},
        {"counts": y, "factor": factor},
        lambda day: {"authors": int(y[day, 0]), "factor": float(factor[day, 0])},
    )


def blind_spot() -> Example:
    customer, field = poisson(4, 4, 5), poisson(5, 3, 0)
    columns = {
        "customer": customer,
        "field": field,
        "customer_exposure": customer + poisson(6, 12, 12),
        "field_exposure": field + poisson(7, 8, 8),
    }
    return Example(
        {"warm_up": 14}, columns, lambda day: {name: int(values[day, 0]) for name, values in columns.items()}
    )


def emergence() -> Example:
    y = np.minimum(1 + poisson(8, 1, 14), 30)
    return Example(
        {"warm_up": 10, "dispersion": 100.0},
        {"counts": y},
        lambda day: {"n": 30, "queue": int(y[day, 0])},
        ids="features",
        shared={"exposure": 30},
    )


def drift() -> Example:
    n = poisson(9, 6, 6)
    high = np.random.default_rng(10).binomial(n, np.where(np.arange(DAYS) < CHANGE, 0.8, 0.3)[:, None])
    sums, squares = n + high, n + 3 * high
    return Example(
        {"low": 1.0, "high": 2.0},
        {"n": n, "sums": sums.astype(float), "squares": squares.astype(float)},
        lambda day: {"n": int(n[day, 0]), "sum": float(sums[day, 0]), "sum_sq": float(squares[day, 0])},
    )


def wave() -> Example:
    written, unwritten = poisson(11, 3, 3), poisson(12, 3, 25)
    return Example(
        {},
        {"answers": written + unwritten, "without_text": unwritten},
        lambda day: {
            "answers": int(written[day, 0] + unwritten[day, 0]),
            "without_text": int(unwritten[day, 0]),
        },
    )


def mismatch() -> Example:
    both, unwritten = poisson(13, 5, 5), poisson(14, 2, 2)
    shift = np.where(np.arange(DAYS) < CHANGE, 0.0, 1.0)[:, None]
    gaps = both * (0.1 + shift) + np.random.default_rng(15).normal(0, 0.05, (DAYS, SERIES)) * both
    squares = np.where(both > 0, gaps**2 / np.maximum(both, 1), 0) + 0.02 * both
    columns = {
        "answers": both + unwritten,
        "without_text": unwritten,
        "both": both,
        "gap_sums": gaps,
        "gap_squares": squares,
    }
    keys = ("answers", "without_text", "both", "gap_sum", "gap_sum_sq")

    def wrap(given: dict[str, Any]) -> dict[str, Any]:
        return {"x": importlib.import_module("detectors.mismatch").Answers(**given)}

    def one(day: int) -> dict[str, Any]:
        return {key: values[day, 0].item() for key, values in zip(keys, columns.values(), strict=True)}

    return Example({}, columns, one, wrap=wrap)


def unusual_day() -> Example:
    mails, mood = poisson(16, 20, 60), np.random.default_rng(17).normal(0, 1, (DAYS, SERIES))
    mood[CHANGE:, :3] -= 6
    values = np.stack([mails, mood], axis=2).astype(float)
    components = np.array([feature_id("mails"), feature_id("mood")], np.uint64)
    return Example(
        {"counts": ("mails",), "warm_up": 14},
        {"values": values},
        lambda day: {"mails": float(values[day, 0, 0]), "mood": float(values[day, 0, 1])},
        shared={"components": components},
    )


EXAMPLES: dict[str, Callable[[], Example]] = {
    "BlindSpot": blind_spot,
    "Counts": counts,
    "Drift": drift,
    "Emergence": emergence,
    "Mismatch": mismatch,
    "Silence": silence,
    "UnusualDay": unusual_day,
    "Wave": wave,
}
"""Estimators that watch series, bucket by bucket."""

READERS = {"TextWeights", "Novelty"}
"""Estimators that read texts one after the other: tests/test_detector_readers.py."""


@cache
def estimators() -> dict[str, type]:
    """Concrete river estimators defined in the package, by the name of their class."""
    found = {}
    for module in pkgutil.iter_modules(detectors.__path__):
        if not module.name.startswith("_"):
            source = importlib.import_module(f"detectors.{module.name}")
            for name, kind in inspect.getmembers(source, inspect.isclass):
                own = kind.__module__ == source.__name__ and not inspect.isabstract(kind)
                if own and issubclass(kind, river.base.Estimator):
                    found[name] = kind
    return found


@cache
def example_of(name: str) -> Example:
    return EXAMPLES[name]()


def started(name: str) -> Any:
    return estimators()[name](**example_of(name).parameters)


def in_columns(scores: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a scores object, those of parts included."""
    columns: dict[str, NDArray[Any]] = {}
    for column in dataclasses.fields(scores):
        value = getattr(scores, column.name)
        if dataclasses.is_dataclass(value):
            columns |= {f"{column.name}.{part}": values for part, values in in_columns(value).items()}
        elif isinstance(value, np.ndarray):
            columns[column.name] = value
    return columns


def of_rows(scores: Any, given: Sequence[int], asked: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Scores of the series `asked`, where `given` were given: in that order, or by id if they name series."""
    places = [list(given).index(row) for row in asked]
    if hasattr(scores, "series"):
        places = [int(np.flatnonzero(scores.series == IDS[row])[0]) for row in asked]
    return {
        name: values[places] for name, values in in_columns(scores).items() if values.ndim and values.size
    }


def assert_same(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
        assert values.dtype == other[name].dtype


def rows_of(day: int) -> list[int]:
    """Series given on a day: some appear late, and some are away for a while."""
    return [row for row in range(SERIES) if row < 4 or (day >= 20 and (day // 5 + row) % 3)]


WATCHING = pytest.mark.parametrize("name", sorted(EXAMPLES.keys() & estimators().keys()))


def test_the_package_is_searched() -> None:
    assert {"Emergence", "Silence", "BlindSpot"} <= estimators().keys()


@pytest.mark.parametrize("name", sorted(estimators()))
def test_every_estimator_has_an_example(name: str) -> None:
    known = EXAMPLES.keys() | READERS
    assert name in known, f"{name} has no example: add one to EXAMPLES, or to those of the readers"


@WATCHING
def test_river_accepts_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = example_of(name).labelled()
    monkeypatch.setattr(river.checks, "_yield_datasets", lambda _model: iter([data]))
    river.checks.check_estimator(started(name))


@WATCHING
def test_an_estimator_rises_where_its_change_is(name: str) -> None:
    example, detector = example_of(name), started(name)
    evidence = []
    for x, _ in example.labelled():
        evidence.append(detector.score_one(x))
        detector.learn_one(x)
    assert max(evidence[CHANGE:]) > 5 > max(evidence[:CHANGE])
    assert all(math.isfinite(value) for value in evidence)


@WATCHING
def test_scoring_changes_nothing_and_says_what_learning_says(name: str) -> None:
    example, detector = example_of(name), started(name)
    for day in range(DAYS):
        arguments = example.arguments(day, rows_of(day))
        before = detector.state_arrays()
        scored = in_columns(detector.score_many(**arguments))
        detector.score_one(example.one(day))
        assert_same(before, detector.state_arrays())
        assert_same(scored, in_columns(detector.learn_many(**arguments)))


@WATCHING
def test_learning_leaves_its_arguments_and_earlier_scores_alone(name: str) -> None:
    example, detector = example_of(name), started(name)
    earlier: list[tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]] = []
    for day in range(DAYS):
        scores = in_columns(detector.learn_many(**example.arguments(day, rows_of(day))))
        earlier.append((scores, {part: values.copy() for part, values in scores.items()}))
    for scores, copies in earlier:
        assert_same(scores, copies)
    for column, values in EXAMPLES[name]().columns.items():
        np.testing.assert_array_equal(values, example.columns[column])


@WATCHING
@pytest.mark.parametrize("by", ["arrays", "pickle"])
def test_checkpoints_anywhere_change_nothing(name: str, by: str) -> None:
    example, whole, stopped = example_of(name), started(name), started(name)
    for day in range(DAYS):
        if day % 9 == 4 and by == "arrays":
            arrays = stopped.state_arrays()
            kept = {part: values.copy() for part, values in arrays.items()}
            old, stopped = stopped, started(name)
            stopped.load_state_arrays(arrays)
            old.learn_many(**example.arguments(day, rows_of(day)))
            assert_same(arrays, kept)
        elif day % 9 == 4:
            stopped = pickle.loads(pickle.dumps(stopped))
        arguments = example.arguments(day, rows_of(day))
        assert_same(in_columns(whole.learn_many(**arguments)), in_columns(stopped.learn_many(**arguments)))
        assert_same(whole.state_arrays(), stopped.state_arrays())
        assert whole.next_bucket == stopped.next_bucket == day + 1


@WATCHING
def test_the_order_of_series_changes_nothing(name: str) -> None:
    example, straight, shuffled = example_of(name), started(name), started(name)
    chance = np.random.default_rng(18)
    for day in range(DAYS):
        rows = rows_of(day)
        other = [rows[place] for place in chance.permutation(len(rows))]
        one = straight.learn_many(**example.arguments(day, rows))
        two = shuffled.learn_many(**example.arguments(day, other))
        assert_same(of_rows(one, rows, rows), of_rows(two, other, rows))
        assert_same(straight.state_arrays(), shuffled.state_arrays())


@WATCHING
def test_a_series_alone_is_the_same_as_among_others(name: str) -> None:
    example, together = example_of(name), started(name)
    apart = [started(name) for _ in range(SERIES)]
    for day in range(DAYS):
        rows = rows_of(day)
        scores = together.learn_many(**example.arguments(day, rows))
        for row in range(SERIES):
            given = [row] if row in rows else []
            alone = apart[row].learn_many(**example.arguments(day, given))
            if given:
                assert_same(of_rows(scores, rows, given), of_rows(alone, given, given))


@WATCHING
def test_one_at_a_time_is_the_same_as_many(name: str) -> None:
    example, one, many = example_of(name), started(name), started(name)
    for day in range(DAYS):
        x = example.one(day)
        scores = many.score_many(**example.arguments(day, [0]))
        assert one.score_one(x) == scores.evidence.max()
        one.learn_one(x)
        many.learn_many(**example.arguments(day, [0]))
        assert one.next_bucket == many.next_bucket


@WATCHING
def test_restart_begins_evidence_anew(name: str) -> None:
    example, detector = example_of(name), started(name)
    for day in range(CHANGE + 6):
        scores = detector.learn_many(**example.arguments(day, range(SERIES)))
    reached = of_rows(scores, range(SERIES), range(3))["evidence"]
    detector.restart(IDS[:3])
    detector.restart(np.array([77], np.uint64))
    after = detector.score_many(**example.arguments(CHANGE + 6, range(SERIES)))
    restarted = of_rows(after, range(SERIES), range(3))["evidence"]
    plain = started(name)
    for day in range(CHANGE + 6):
        plain.learn_many(**example.arguments(day, range(SERIES)))
    on = of_rows(
        plain.score_many(**example.arguments(CHANGE + 6, range(SERIES))), range(SERIES), range(SERIES)
    )
    assert (reached > 3).all()
    assert (restarted <= on["evidence"][:3]).all()
    others = of_rows(after, range(SERIES), range(3, SERIES))["evidence"]
    np.testing.assert_array_equal(others, on["evidence"][3:])


@WATCHING
def test_a_bucket_learned_already_is_refused(name: str) -> None:
    example, detector = example_of(name), started(name)
    detector.learn_many(**example.arguments(3, range(SERIES)))
    before = detector.state_arrays()
    for day in (2, 3):
        for method in (detector.score_many, detector.learn_many):
            with pytest.raises(ValueError, match=f"bucket is {day}"):
                method(**example.arguments(day, range(SERIES)))
    assert_same(before, detector.state_arrays())


@WATCHING
def test_empty_buckets_and_jumps_of_the_clock_are_borne(name: str) -> None:
    example, detector = example_of(name), started(name)
    detector.learn_many(**example.arguments(0, []))
    for day in range(1, DAYS):
        bucket = day if day < 40 else day + 5_000_000
        rows = [] if day in (7, 41) else rows_of(day)
        scores = detector.learn_many(**{**example.arguments(day, rows), "bucket": bucket})
        assert np.isfinite(scores.evidence).all()
    assert detector.next_bucket == DAYS + 5_000_000
