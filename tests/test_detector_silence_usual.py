"""What silence expects without judging equals what its scores say was usual."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.silence import Silence

SERIES = np.array([3, 11, 42], np.uint64)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=30), st.integers(0, 9))
def test_the_usual_is_that_of_the_scores(stream: list[tuple[int, int, int]], skipped: int) -> None:
    detector = Silence()
    for bucket, values in enumerate(stream):
        detector.learn_many(SERIES, np.array(values, np.int64), bucket=bucket)
    bucket = len(stream) + skipped
    scores = detector.score_many(SERIES, np.zeros(3, np.int64), bucket=bucket)
    before = {name: array.tobytes() for name, array in detector.state_arrays().items()}
    # A series that was never given, and those known in any order.
    asked = np.array([42, 7, 3, 11], np.uint64)
    usual = detector.usual_many(asked, bucket=bucket)
    assert usual[1] == 0.0
    assert usual[[2, 3, 0]].tolist() == scores.usual.tolist()
    assert before == {name: array.tobytes() for name, array in detector.state_arrays().items()}


def test_the_usual_of_a_bucket_that_is_learned_is_refused() -> None:
    detector = Silence()
    detector.learn_many(SERIES, np.array([1, 2, 3], np.int64), bucket=4)
    with pytest.raises(ValueError, match="buckets up to 4 are learned already"):
        detector.usual_many(SERIES, bucket=4)
