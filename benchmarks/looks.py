"""What early looks bring: how much sooner signals are told, how many are withdrawn, and what a look costs.

The streams are those of `budget`, in which nothing happens, but live after the warm-up: texts come in over
twelve hours of each day, and days close at midnight. In a second log of the same stream, stories are planted:
on a day, eight people of one store say a word that nobody said before.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks._data import work_folder
from benchmarks._null_streams import (
    DIVISIONS,
    FIRST_DAY,
    PERIMETERS,
    STORES,
    WARM_UP,
    YEAR,
    available,
    events,
)
from benchmarks._report import Figure, Options, Report, Row, main

if TYPE_CHECKING:
    from pipelines.workspace import Workspace

SEEDS, QUICK_SEEDS = range(201, 204), range(201, 202)
DAYS, QUICK_DAYS = YEAR, 60
"""Live, after the warm-up."""
BUDGET = 1.0
LOOK_MINUTES = 15
OPENS, SPAN = timedelta(hours=8), timedelta(hours=12)
"""When on a day the first text may come in, and how long they do."""
SPEAKERS, EVERY = 8, 7
"""People of a planted story, and days from one story to the next."""
LEAST, MOST = 0.5, 1.2
"""What is raised where nothing happens, over what was asked for."""
SOONER = 4.0
"""Hours by which looks tell planted stories before closes do, at least, in the middle."""
_SEGMENT = 3_000
_AUTHORS = 1 << 40
"""Number of the first author of planted stories; those of streams are lower."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One stream. raised, withdrawn: where nothing happens; closes: raised without looks. sooner: hours by
    which each planted story is told before the close of the day on which closes tell it, 0 for one that looks
    did not raise. cost, looks: CPU seconds that looks add to a replay, and how many are taken.
    """

    name: str
    raised: int
    withdrawn: int
    closes: int
    planted: int
    sooner: list[float]
    cost: float
    looks: int


def run(asked: Options) -> Report:
    """Replay every stream with and without looks, and with planted stories."""
    names = available()
    if not names:
        return Report("looks", [], [], ["There are no real texts beside the checkout: nothing was measured."])
    seeds, days = (QUICK_SEEDS, QUICK_DAYS) if asked.quick else (SEEDS, DAYS)
    tasks = [(name, seed, days) for name in (names[:1] if asked.quick else names) for seed in seeds]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        trials = list(pool.map(judge, *zip(*tasks, strict=True)))
    groups = [
        [one for one in trials if one.name == name] for name in dict.fromkeys(one.name for one in trials)
    ]
    return Report(
        "early looks",
        [_row(group, days) for group in groups],
        [figure for group in groups for figure in _figures(group, days)],
        [
            f"A look each {LOOK_MINUTES} minutes at which something was said; {days} live days, {len(seeds)} "
            f"seed(s), a budget of {BUDGET:g} false alert a perimeter and year. × budget: what is raised "
            "where nothing happens, those withdrawn included. sooner: than the close, of planted stories."
        ],
    )


def judge(name: str, seed: int, days: int) -> Trial:
    """Write and replay one stream."""
    with work_folder() as folder:
        rows = live(events(name, seed), seed, days)
        write_log(folder / "null", rows)
        closes, plain = _told(_workspace(folder / "null", 0))
        raised, looking = _told(_workspace(folder / "null", LOOK_MINUTES))
        planted = plant(rows, seed, days)
        write_log(folder / "planted", pa.concat_tables([rows, *planted.values()]))
        found, _ = _told(_workspace(folder / "planted", LOOK_MINUTES))
    hours = [_hours(row) for row in found if any(word in row["label"] for word in planted)]
    withdrawn = sum(row["status"] == "not_sustained" for row in raised)
    return Trial(
        name, len(raised), withdrawn, len(closes), len(planted), hours, looking - plain, ticks_of(rows)
    )


def live(stream: pa.Table, seed: int, days: int) -> pa.Table:
    """A stream of so many days after the warm-up, each text at a random time of its day."""
    chance = np.random.default_rng([seed, 1])
    hours = pa.array(
        (chance.random(stream.num_rows) * SPAN.total_seconds() * 1e6).astype(np.int64), pa.duration("us")
    )
    noon = pa.scalar(timedelta(hours=FIRST_DAY.hour) - OPENS, pa.duration("us"))
    at = pc.add(pc.subtract(stream["occurred_at"], noon), hours)
    for name in ("occurred_at", "admitted_at"):
        stream = stream.set_column(stream.schema.get_field_index(name), stream.schema.field(name), at)
    return stream.filter(pc.less(at, pa.scalar(_midnight(WARM_UP + days), at.type)))


def plant(rows: pa.Table, seed: int, days: int) -> dict[str, pa.Table]:
    """Stories by their word, each on a day and in a store of its own."""
    chance = np.random.default_rng([seed, 2])
    like, texts = rows.slice(0, 1).to_pylist()[0], rows["text"].to_pylist()
    found: dict[str, pa.Table] = {}
    for number, day in enumerate(range(WARM_UP + EVERY, WARM_UP + days, EVERY)):
        word = "zar" + "".join(chr(ord("a") + number // 26**place % 26) for place in range(2)) + "quiton"
        division, store = number % DIVISIONS, number // DIVISIONS % STORES
        said: list[dict[str, Any]] = []
        for speaker in range(SPEAKERS):
            at = _midnight(day) + OPENS + SPAN * float(chance.random())
            author = (_AUTHORS + number * SPEAKERS + speaker).to_bytes(16, "little")
            said.append(
                {
                    **like,
                    "event_id": author,
                    "author": author,
                    "occurred_at": at,
                    "admitted_at": at,
                    "channel": "email",
                    "voice": "customer",
                    "score": None,
                    "perimeter": f"e/d{division}/s{division}{store}",
                    "text": f"{word} {texts[int(chance.integers(len(texts)))]}",
                }
            )
        found[word] = pa.Table.from_pylist(said, rows.schema)
    return found


def write_log(path: Path, rows: pa.Table) -> None:
    """Write rows as a log: the warm-up as history, the rest live, and a clock that closes the last day."""
    from connectors.events import FLAG_HISTORY
    from connectors.log import LogWriter

    began = _midnight(WARM_UP)
    rows = rows.sort_by([("admitted_at", "ascending"), ("event_id", "ascending")]).combine_chunks()
    size = pc.sum(pc.less(rows["admitted_at"], pa.scalar(began, rows["admitted_at"].type))).as_py()
    last = pc.max(rows["admitted_at"]).as_py()
    with LogWriter(path, now=lambda: began) as log:
        flags = rows.schema.get_field_index("flags")
        past = rows.slice(0, size).set_column(
            flags, rows.schema.field(flags), pa.array([FLAG_HISTORY] * size, pa.uint16())
        )
        log.append_history(past, loaded_at=began, note={})
        for start in range(size, rows.num_rows, _SEGMENT):
            log.append_live(rows.slice(start, _SEGMENT), note={})
        log.heartbeat(datetime.combine(last.date(), time(1), last.tzinfo) + timedelta(days=1))


def ticks_of(rows: pa.Table) -> int:
    """How many looks are taken: ticks at which something was said since the last."""
    at = rows["admitted_at"].cast(pa.int64()).to_numpy()
    since = int(_midnight(WARM_UP).timestamp() * 1e6)
    return int(np.unique(at[at >= since] // (LOOK_MINUTES * 60_000_000)).size)


def _midnight(day: int) -> datetime:
    return FIRST_DAY.replace(hour=0) + timedelta(days=day)


def _workspace(log: Path, minutes: int) -> "Workspace":
    from pipelines.settings import Settings
    from pipelines.workspace import Workspace

    settings = Settings.model_validate(
        {
            "organisation": {"root": "e", "name": "E", "timezone": "UTC", "languages": ["en", "fr"]},
            "detection": {
                "false_alerts_per_perimeter_per_year": BUDGET,
                "warm_up_days": WARM_UP,
                "early_look_minutes": minutes,
            },
            "log": {"path": str(log)},
        }
    )
    settings._base = log.parent
    return Workspace(settings, say=lambda _: None)


def _told(workspace: "Workspace") -> tuple[list[dict[str, Any]], float]:
    """The signals, but for those that became part of others, and the CPU seconds of the replay."""
    from pipelines.plain import PlainEngine

    began = process_time()
    signals = workspace.replay(PlainEngine(), use=lambda _: None).signals.signals
    cost = process_time() - began
    return [row for row in signals.to_pylist() if row["status"] != "merged"], cost


def _hours(row: dict[str, Any]) -> float:
    """Hours from the look that raised a signal to the close of its day."""
    early = json.loads(row["explanation"]).get("early")
    if early is None:
        return 0.0
    closes = datetime.combine(row["bucket"], time(), timezone(timedelta(0))) + timedelta(days=1)
    return (closes - datetime.fromisoformat(early["at"])).total_seconds() / 3600


def _times_budget(raised: int, group: Sequence[Trial], days: int) -> float:
    return raised / (len(group) * PERIMETERS * days / 365) / BUDGET


def _sooner(group: Sequence[Trial]) -> float:
    return median([hours for trial in group for hours in trial.sooner] or [0.0])


def _row(group: Sequence[Trial], days: int) -> Row:
    return {
        "texts": group[0].name,
        "× budget, closes": _times_budget(sum(trial.closes for trial in group), group, days),
        "× budget, looks": _times_budget(sum(trial.raised for trial in group), group, days),
        "withdrawn": sum(trial.withdrawn for trial in group),
        "planted": sum(trial.planted for trial in group),
        "found": sum(len(trial.sooner) for trial in group),
        "by a look": sum(hours > 0 for trial in group for hours in trial.sooner),
        "sooner, h": _sooner(group),
        "looks": sum(trial.looks for trial in group),
        "ms a look": 1000 * sum(trial.cost for trial in group) / max(1, sum(trial.looks for trial in group)),
    }


def _figures(group: Sequence[Trial], days: int) -> list[Figure]:
    share, name = _times_budget(sum(trial.raised for trial in group), group, days), group[0].name
    return [
        Figure(f"realised over budget with looks, {name}", share, "×", MOST, at_least=False),
        Figure(f"realised over budget with looks, {name}", share, "×", LEAST),
        Figure(f"told sooner than at the close, {name}", _sooner(group), "h", SOONER),
    ]


if __name__ == "__main__":
    main("looks", __doc__ or "", run)
