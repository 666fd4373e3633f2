"""Special functions of the counts detector against scipy."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from detectors import _counts_math as ours

POSITIVE = st.floats(1e-4, 1e6)


@settings(deadline=None, max_examples=200)
@given(x=POSITIVE)
def test_gamma_functions(x: float) -> None:
    assert ours.digamma(x) == pytest.approx(special.digamma(x), rel=1e-8, abs=1e-9)
    assert ours.trigamma(x) == pytest.approx(special.polygamma(1, x), rel=1e-8)
    assert ours.inverse_trigamma(float(special.polygamma(1, x))) == pytest.approx(x, rel=1e-6)


@settings(deadline=None, max_examples=300)
@given(y=st.integers(0, 3_000), mean=st.floats(1e-3, 3e3), size=st.floats(1e-2, 1e5))
def test_negative_binomial(y: int, mean: float, size: float) -> None:
    expected = stats.nbinom.logpmf(y, size, size / (size + mean))
    found = ours.log_kernel(float(y), mean, size) - math.lgamma(y + 1)
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-6)


@pytest.mark.parametrize(("y", "mean"), [(0, 0.2), (3, 2.0), (11, 4.0), (12, 4.0), (150, 100.0)])
def test_a_large_size_is_poisson(y: int, mean: float) -> None:
    found = ours.log_kernel(float(y), mean, 1e10) - math.lgamma(y + 1)
    assert found == pytest.approx(stats.poisson.logpmf(y, mean), abs=1e-4)


@settings(deadline=None, max_examples=300)
@given(y=st.integers(0, 2_000), mean=st.floats(1e-3, 2e3), size=st.floats(1e-2, 1e4))
def test_lower_tail(y: int, mean: float, size: float) -> None:
    expected = stats.nbinom.cdf(y, size, size / (size + mean))
    found = ours.log_lower_tail(float(y), mean, size)
    assert found <= 0
    assert math.exp(found) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("mean", "size"), [(1e9, 1e6), (1e12, 0.5), (1e-12, 1e-12), (40.0, 1e6)])
@pytest.mark.parametrize("y", [0.0, 50.0, 1e9, 1e15])
def test_the_lower_tail_of_extremes_is_a_probability(y: float, mean: float, size: float) -> None:
    assert -math.inf < ours.log_lower_tail(y, mean, size) <= 0


def test_a_deep_lower_tail_keeps_its_digits() -> None:
    expected = stats.nbinom.logcdf(3, 20.0, 20.0 / (20.0 + 4000.0))
    assert expected < -50
    assert ours.log_lower_tail(3.0, 4000.0, 20.0) == pytest.approx(expected, rel=1e-6)
