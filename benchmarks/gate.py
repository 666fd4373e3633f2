"""Whether the text path has become much slower than it was: its cost over that of the floor.

A ratio of CPU times of one process, taken in turns, the least of several: it says the same on a fast and on a
slow machine, and nearly the same on a busy one. `make check` runs it.
"""

import sys
from pathlib import Path

from benchmarks._data import work_folder
from benchmarks._report import SEED
from benchmarks._run import in_child, timed
from benchmarks._throughput_log import made_up, open_throughput_log, write_throughput_log
from benchmarks._throughput_ours import text_path
from benchmarks.replay import open_engine, tokenise_with_polars

EVENTS, SMALL = 20_000, 300
TURNS = 4
MOST = 18.0
"""Times the floor's cost; 11 to 12 on this log when this was written."""


def measure(folder: Path) -> float:
    """Least cost of the text path over least cost of the floor, of several turns."""
    for events in (EVENTS, SMALL):
        write_throughput_log(folder, f"log-{events}", events, seed=SEED, sentences=made_up())
    whole, small = (open_throughput_log(folder, f"log-{events}") for events in (EVENTS, SMALL))
    engine, log = open_engine("plain"), folder / f"log-{EVENTS}"
    text_path(small, engine)
    tokenise_with_polars(log)
    ours, started, floors = [], [], []
    for _ in range(TURNS):
        ours.append(timed(lambda: text_path(whole, engine))[1].cpu_s)
        started.append(timed(lambda: text_path(small, engine))[1].cpu_s)
        floors.append(timed(lambda: tokenise_with_polars(log))[1].cpu_s)
    return (min(ours) - min(started)) / min(floors)


def main() -> int:
    """Print the ratio; 1 if it is above the limit."""
    with work_folder() as folder:
        ratio = in_child(measure, folder)
    print(f"text path: {ratio:.1f} times the cost of reading and tokenising alone (at most {MOST})")
    if ratio > MOST:
        print(
            "error: the way from log to signals has become slower; `python -m benchmarks.throughput --quick` "
            "says how much, docs/benchmarks.md where its time goes",
            file=sys.stderr,
        )
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
