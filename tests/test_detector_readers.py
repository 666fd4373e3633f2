"""Estimators that read texts one after the other, through river's checks and what ours promise beyond."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import river.base
import river.checks
from numpy.typing import NDArray

from detectors.novelty import Novelty
from detectors.text_weights import TextWeights


def assert_same(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
        assert values.dtype == other[name].dtype


READERS = pytest.mark.parametrize(
    ("kind", "parameters"),
    [(TextWeights, {"min_authors": 2, "classes": ("bad", "good")}), (Novelty, {"warm_up": 0})],
)
"""Estimators that read texts one after the other, with parameters for their constructor."""


def texts() -> list[tuple[dict[str, int], str]]:
    """Short texts as sets of words, and whether they praise or blame."""
    chance = np.random.default_rng(19)
    words = {"bad": ["late", "lost", "rude", "broken"], "good": ["kind", "quick", "thanks", "smile"]}
    read = []
    for _ in range(120):
        label = str(chance.choice(["bad", "good"]))
        said = [*chance.choice(words[label], 2, replace=False), *chance.choice(["shop", "mail", "desk"], 1)]
        read.append(({str(word): 1 for word in said}, label))
    return read


@READERS
def test_river_accepts_a_reader(
    kind: type, parameters: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = kind(**parameters)
    # River has data for classifiers, and none for clusterers, whose `learn_one` takes no label.
    data = [texts()] if isinstance(reader, river.base.Classifier) else []
    monkeypatch.setattr(river.checks, "_yield_datasets", lambda _model: iter(data))
    river.checks.check_estimator(reader)


@READERS
def test_reading_one_at_a_time_is_repeatable_and_predicting_is_pure(
    kind: type, parameters: Mapping[str, Any]
) -> None:
    reader, again = (kind(**parameters) for _ in range(2))
    for number, (x, y) in enumerate(texts()):
        backwards = dict(reversed(x.items()))
        before = reader.state_arrays()
        assert reader.predict_one(x) == again.predict_one(backwards)
        assert_same(before, reader.state_arrays())
        label = (y,) if isinstance(reader, river.base.Classifier) else ()
        reader.learn_one(x, *label)
        again.learn_one(backwards, *label)
        assert_same(reader.state_arrays(), again.state_arrays())
        if number % 20 == 7:
            arrays, again = again.state_arrays(), kind(**parameters)
            again.load_state_arrays(arrays)
