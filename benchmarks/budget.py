"""Whether the budget of false alerts is kept: what is raised in streams in which nothing happens."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks._data import work_folder
from benchmarks._null_streams import PERIMETERS, YEAR, available, open_null_stream
from benchmarks._report import Figure, Options, Report, Row, main

SEEDS, QUICK_SEEDS = range(201, 206), range(201, 202)
BUDGETS, QUICK_BUDGETS = (0.25, 1.0), (1.0,)
"""False alerts a perimeter and year that are asked for."""
LEAST, MOST = 0.5, 1.2
"""What is raised, over what was asked for."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One stream. raised: signals by kind, those that became part of others left out."""

    name: str
    seed: int
    budget: float
    raised: Counter[str]
    events: int


def run(asked: Options) -> Report:
    """Replay every stream with every budget."""
    names = available()
    if not names:
        return Report(
            "budget", [], [], ["There are no real texts beside the checkout: nothing was measured."]
        )
    seeds, budgets = (QUICK_SEEDS, QUICK_BUDGETS) if asked.quick else (SEEDS, BUDGETS)
    names = names[:1] if asked.quick else names
    tasks = [(name, seed, budget) for name in names for budget in budgets for seed in seeds]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        trials = list(pool.map(judge, *zip(*tasks, strict=True)))
    grouped = [
        [trial for trial in trials if (trial.name, trial.budget) == (name, budget)]
        for name in names
        for budget in budgets
    ]
    return Report(
        "false alerts where nothing happens",
        [_row(group) for group in grouped],
        [figure for group in grouped for figure in _figures(group)],
        [
            f"{PERIMETERS} perimeters over a year, after eight weeks of learning; {len(seeds)} seed(s) that "
            "nothing was chosen on. realised: false alerts a perimeter and year."
        ],
    )


def judge(name: str, seed: int, budget: float) -> Trial:
    """Write and replay one stream."""
    from pipelines.plain import PlainEngine

    with work_folder() as folder:
        workspace = open_null_stream(folder, name, seed, false_alerts=budget)
        replayed = workspace.replay(PlainEngine(), use=lambda _: None)
    rows = replayed.signals.signals.select(["kind", "status"]).to_pylist()
    raised = Counter(str(row["kind"]) for row in rows if row["status"] != "merged")
    return Trial(name, seed, budget, raised, replayed.events)


def _realised(group: Sequence[Trial]) -> float:
    return sum(trial.raised.total() for trial in group) / (len(group) * PERIMETERS * YEAR / 365)


def _row(group: Sequence[Trial]) -> Row:
    kinds: Counter[str] = Counter()
    for trial in group:
        kinds.update(trial.raised)
    return {
        "texts": group[0].name,
        "events": sum(trial.events for trial in group),
        "budget": group[0].budget,
        "realised": _realised(group),
        "× budget": _realised(group) / group[0].budget,
        "signals": kinds.total(),
        "kinds": ", ".join(f"{kind} {size}" for kind, size in sorted(kinds.items())),
    }


def _figures(group: Sequence[Trial]) -> list[Figure]:
    share, name = _realised(group) / group[0].budget, f"{group[0].name}, budget {group[0].budget}"
    return [
        Figure(f"realised over budget, {name}", share, "×", MOST, at_least=False),
        Figure(f"realised over budget, {name}", share, "×", LEAST),
    ]


if __name__ == "__main__":
    main("budget", __doc__ or "", run)
