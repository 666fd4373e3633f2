"""Noufaily's 42 scenarios: weekly counts with trend and season, outbreaks injected, and what was detected.

Source: Noufaily et al. (2013), Statistics in Medicine 32:1206-1222.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WEEKS, LEARNING, TEST = 624, 312, 575
"""Weeks of a series, and the first week of the baseline and of the test, counted from 0."""
YEAR = 52
PAST_SIZES, TEST_SIZES = (2, 3, 5, 10), 10
"""Sizes of the outbreaks in the baseline; the test has one of size 1 to 10, series taking turns."""

BLOCKS = (
    (0.1, 1.5, 0.0025, 0.6, 0.6),
    (-2.0, 2.0, 0.005, 0.1, 0.3),
    (1.5, 1.0, 0.003, 0.2, -0.4),
    (0.5, 5.0, 0.002, 0.5, 0.5),
    (2.5, 3.0, 0.001, 1.0, 0.1),
    (3.75, 1.1, 0.001, 0.1, -0.1),
    (5.0, 1.2, 0.0001, 0.05, 0.01),
)
"""Level, dispersion, trend, cosine and sine of the season."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of the 42: dispersion is the ratio of variance to mean; mean has shape (WEEKS,)."""

    name: str
    dispersion: float
    mean: Floats


@dataclass(frozen=True, slots=True)
class Series:
    """Simulated series, replicates of a scenario together.

    quiet: counts without the test's outbreak. outbreak: its cases. mean: true mean. All of shape
    (series, WEEKS). scenario, dispersion: shape (series,).
    """

    quiet: Counts
    outbreak: Counts
    mean: Floats
    scenario: NDArray[np.int64]
    dispersion: Floats

    @property
    def struck(self) -> Counts:
        """Counts with the test's outbreak."""
        return self.quiet + self.outbreak


@dataclass(frozen=True, slots=True)
class Quality:
    """Share of quiet test weeks flagged, overall and in the worst scenario; outbreaks found at all and in
    their first week with a case; weeks with cases flagged; flags on such weeks; harmonic mean of both."""

    fpr: float
    fpr_worst: float
    pod: float
    pod1: float
    sensitivity: float
    ppv: float
    f1: float


def scenarios() -> list[Scenario]:
    """The 42 of them: seven blocks, without and with trend, none to two harmonics."""
    week = np.arange(1, WEEKS + 1)
    made = []
    for block, (level, dispersion, slope, cosine, sine) in enumerate(BLOCKS, 1):
        for trend in (0, 1):
            for harmonics in (0, 1, 2):
                log_mean = level + trend * slope * week
                for j in range(1, harmonics + 1):
                    angle = 2 * np.pi * j * week / YEAR
                    log_mean = log_mean + cosine * np.cos(angle) + sine * np.sin(angle)
                name = f"block {block}, {'trend' if trend else 'no trend'}, {harmonics} harmonics"
                made.append(Scenario(name, dispersion, np.exp(log_mean)))
    return made


def simulate(seed: int, replicates: int) -> Series:
    """Series of every scenario; the same seed and number give the same series."""
    chance = np.random.default_rng(seed)
    quiet: list[Counts] = []
    outbreak, mean, scenario, dispersion = [], [], [], []
    for number, known in enumerate(scenarios()):
        for _ in range(replicates):
            size = 1 + len(quiet) % TEST_SIZES
            counts = _background(chance, known)
            for past in PAST_SIZES:
                counts += _cases(chance, known, past, chance.integers(LEARNING, TEST))
            quiet.append(counts)
            outbreak.append(_cases(chance, known, size, chance.integers(TEST, WEEKS)))
            mean.append(known.mean)
            scenario.append(number)
            dispersion.append(known.dispersion)
    return Series(
        np.array(quiet), np.array(outbreak), np.array(mean), np.array(scenario), np.array(dispersion)
    )


def quality(series: Series, quiet_flags: Flags, struck_flags: Flags) -> Quality:
    """What flags of the test weeks are worth; both of shape (series, WEEKS - TEST).

    Outbreaks that drew no case, one or two in a hundred, are no outbreaks.
    """
    cases = series.outbreak[:, TEST:] > 0
    real = cases.any(axis=1)
    hits = struck_flags & cases
    first = hits[np.arange(len(hits)), cases.argmax(axis=1)]
    alike = series.scenario == np.arange(len(scenarios()))[:, None]
    sensitivity = hits.sum() / cases.sum()
    ppv = hits.sum() / max(1, struck_flags.sum())
    return Quality(
        fpr=float(quiet_flags.mean()),
        fpr_worst=float(max(quiet_flags[group].mean() for group in alike)),
        pod=float(hits.any(axis=1)[real].mean()),
        pod1=float(first[real].mean()),
        sensitivity=float(sensitivity),
        ppv=float(ppv),
        f1=float(2 * hits.sum() / max(1, cases.sum() + struck_flags.sum())),
    )


def _background(chance: np.random.Generator, scenario: Scenario) -> Counts:
    if scenario.dispersion == 1:
        return chance.poisson(scenario.mean)
    size = scenario.mean / (scenario.dispersion - 1)
    return chance.negative_binomial(size, 1 / scenario.dispersion)


def _cases(chance: np.random.Generator, scenario: Scenario, size: int, start: int) -> Counts:
    """Cases of an outbreak, its size in standard deviations of the week it starts in."""
    number = chance.poisson(size * np.sqrt(scenario.dispersion * scenario.mean[start]))
    weeks = start + np.floor(chance.lognormal(0.0, 0.5, number)).astype(np.int64)
    return np.bincount(weeks[weeks < WEEKS], minlength=WEEKS)
