"""Detection on weekly counts with trend and season: Noufaily's 42 scenarios, beside the methods in use.

The detector's parameters and every threshold marked 1% were chosen on seeds 1 and 1001 to 1003; the figures
are of seed 2026. The detector's own threshold is an evidence of ten to one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._noufaily_farrington import farrington
from benchmarks._noufaily_ours import counts_evidence
from benchmarks._noufaily_peers import ears, oracle, signitrend
from benchmarks._noufaily_simulation import TEST, Quality, Series, quality, simulate
from benchmarks._noufaily_surveillance import has_surveillance, surveillance_flags
from benchmarks._report import Figure, Options, Report, Row, main

SEED, REPLICATES, QUICK_REPLICATES, R_REPLICATES = 2026, 100, 25, 3
ORACLE, FARRINGTON, SIGNITREND = -0.010488, -0.010626, 2.7347
"""Thresholds that flag 1% of quiet weeks of the seeds for choosing."""
ALPHA = -0.005
OURS = "Vigie's counts, evidence of ten to one"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Method:
    """Scores of the test weeks without and with the outbreak, and the least that is flagged."""

    quiet: Floats
    struck: Floats
    threshold: float

    def quality(self, series: Series) -> Quality:
        """What the flags are worth."""
        return quality(series, self.quiet >= self.threshold, self.struck >= self.threshold)


def run(asked: Options) -> Report:
    """A row for each method on the same series; R's own on a few of them, where it is installed."""
    replicates = QUICK_REPLICATES if asked.quick else REPLICATES
    series = simulate(SEED, replicates)
    found = {name: method.quality(series) for name, method in methods(series).items()}
    rows = [_row(name, replicates, value) for name, value in found.items()]
    notes = [
        "FPR: quiet test weeks flagged. POD: outbreaks found; POD1: in their first week. The rest per week.",
        "Thresholds were set on other seeds. The oracle knows the true mean and dispersion of every week.",
    ]
    if asked.quick:
        notes.append(
            f"Quick: {replicates} replicates, so that figures near a target may fall on either side of it."
        )
    elif has_surveillance():
        row, note = by_r()
        rows.append(row)
        notes.append(note)
    else:
        notes.append("R's surveillance is not installed (Debian: r-cran-surveillance), so it is not shown.")
    return Report(
        "outbreaks in 42 scenarios of weekly counts (Noufaily et al., 2013)",
        rows,
        _figures(found[OURS], found["Farrington flexible, FPR 1%"]),
        notes,
    )


def methods(series: Series) -> Mapping[str, Method]:
    """Every method that scores each week, ours first."""
    quiet, struck = series.quiet, series.struck
    regression = farrington(quiet, struck, TEST)
    before, after = ears(quiet), ears(struck)
    return {
        OURS: Method(*counts_evidence(series), math.log(10)),
        "oracle, single week, FPR 1%": Method(oracle(series, quiet), oracle(series, struck), ORACLE),
        "Farrington flexible, alpha .005": Method(*regression, ALPHA),
        "Farrington flexible, FPR 1%": Method(*regression, FARRINGTON),
        "EARS C1": Method(before["C1"], after["C1"], 3.0),
        "EARS C2": Method(before["C2"], after["C2"], 3.0),
        "EARS C3": Method(before["C3"], after["C3"], 2.0),
        "SigniTrend, FPR 1%": Method(signitrend(quiet), signitrend(struck), SIGNITREND),
    }


def by_r() -> tuple[Row, str]:
    """The row of R's own Farrington flexible, and how far ours, as a peer, agrees with it."""
    series = simulate(SEED, R_REPLICATES)
    flags = surveillance_flags(series.quiet), surveillance_flags(series.struck)
    peers = [scores >= ALPHA for scores in farrington(series.quiet, series.struck, TEST)]
    alike = sum(int((one == other).sum()) for one, other in zip(flags, peers, strict=True))
    row = _row("Farrington flexible by R, alpha .005", R_REPLICATES, quality(series, *flags))
    return row, f"The peer in Python and R's surveillance agree on {alike:,} of {2 * flags[0].size:,} weeks."


def _row(name: str, replicates: int, found: Quality) -> Row:
    return {
        "method": name,
        "replicates": replicates,
        "FPR %": 100 * found.fpr,
        "worst %": 100 * found.fpr_worst,
        "POD %": 100 * found.pod,
        "POD1 %": 100 * found.pod1,
        "sens. %": 100 * found.sensitivity,
        "PPV %": 100 * found.ppv,
        "F1 %": 100 * found.f1,
    }


def _figures(ours: Quality, peer: Quality) -> list[Figure]:
    return [
        Figure("quiet weeks flagged", 100 * ours.fpr, "%", 1.0, at_least=False),
        Figure("the same in the worst scenario", 100 * ours.fpr_worst, "%", 2.5, at_least=False),
        Figure("outbreaks found (POD)", 100 * ours.pod, "%", 50),
        Figure("found in their first week (POD1)", 100 * ours.pod1, "%", 40),
        Figure("flags that are right (PPV)", 100 * ours.ppv, "%", 70),
        Figure("F1 of weeks", 100 * ours.f1, "%", 44),
        Figure("F1 above Farrington flexible", 100 * (ours.f1 - peer.f1), "points", 0),
    ]


if __name__ == "__main__":
    main("noufaily", __doc__ or "", run)
