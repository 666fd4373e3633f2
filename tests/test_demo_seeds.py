"""The story is found at the default seed, and over ten seeds that nothing was chosen on."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from pipelines.demo.trial import run_trial

OTHER_SEEDS = range(201, 211)

pytestmark = pytest.mark.heavy


def test_everything_planted_is_found_at_the_default_seed_and_no_decoy() -> None:
    trial = run_trial(1)
    assert (trial.missed, trial.raised) == ((), ())
    assert trial.unplanned <= 2


def test_four_in_five_are_found_over_other_seeds_with_few_decoys() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        trials = list(pool.map(run_trial, OTHER_SEEDS))
    found = sum(len(trial.found) for trial in trials)
    missed = sum(len(trial.missed) for trial in trials)
    assert found + missed == 5 * len(OTHER_SEEDS)
    assert found >= 0.8 * (found + missed), [(trial.seed, trial.missed) for trial in trials]
    assert sum(len(trial.raised) for trial in trials) <= 1, [(trial.seed, trial.raised) for trial in trials]
