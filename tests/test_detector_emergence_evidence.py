"""Whether authors are a rise is mostly looked up: what is looked up is what is worked out."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from detectors._emergence_evidence import FEW, log_ratio, rises, turns
from detectors.emergence import Emergence

RATIOS = (1.5, 3.0, 6.0, 12.0)


@settings(deadline=None)
@given(
    observed=st.integers(0, FEW + 2),
    expected=st.floats(0.0, 40.0),
    known=st.floats(1e-4, 1e4),
    dispersion=st.sampled_from([0.3, 1.0, 20.0, math.inf]),
)
@example(observed=1, expected=0.1, known=1e-4, dispersion=1.0)
@example(observed=FEW - 1, expected=3.0, known=1e4, dispersion=math.inf)
@example(observed=FEW, expected=3.0, known=1.0, dispersion=1.0)
def test_what_is_looked_up_is_the_sign_of_the_log_ratio(
    observed: int, expected: float, known: float, dispersion: float
) -> None:
    constants, terms = Emergence(ratios=RATIOS, dispersion=dispersion).constants, np.empty(len(RATIOS))
    worked_out = log_ratio(observed, expected, known, constants, terms)
    assert rises(observed, expected, known, constants, terms) == (worked_out > 0.0)


@pytest.mark.parametrize("observed", [1, 4, FEW - 1])
@pytest.mark.parametrize("known", [0.1, 1.0, 9.0])
def test_at_its_turn_a_number_of_authors_is_as_likely_with_a_rise_as_without(
    observed: int, known: float
) -> None:
    # Known 1, cells equally wide in known / (1 + known): the border in their middle, and so on.
    table, shape = turns(RATIOS, 1.0), 1.0 / (1.0 / known + 1.0)
    border = known / (1.0 + known) * (table.shape[1] - 1)
    mean = shape * np.interp(border, np.arange(table.shape[1]), table[observed])

    def likelihood(factor: float) -> float:
        return float(nbinom.pmf(observed, shape, shape / (shape + factor * mean)))

    rise = np.mean([likelihood(ratio) for ratio in RATIOS])
    assert rise == pytest.approx(likelihood(1.0), rel=1e-3)


def test_turns_fall_with_what_is_known_and_rise_with_the_authors() -> None:
    inside = turns(RATIOS, 1.0)[1:, 1:-1]
    assert (np.diff(inside, axis=1) < 0).all()
    assert (np.diff(inside, axis=0) > 0).all()
