"""How long the demo takes from an installed environment: at its very first run, and afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._data import work_folder
from benchmarks._report import SEED, Figure, Options, Report, main
from benchmarks._run import Cost, timed

TARGET = 90


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the command. result: what it printed."""

    what: str
    cost: Cost
    result: Mapping[str, Any]


def measure(what: str, texts: int, compiled: Path) -> Measured:
    """Run `vigie demo --once --json`. compiled: folder of compiled code, as the last run left it."""
    command = [sys.executable, "-m", "pipelines", "demo", "--once", "--json"]
    command += ["--seed", str(SEED), "--texts", str(texts)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(compiled)}
    done, cost = timed(
        lambda: subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    )
    return Measured(what, cost, json.loads(done.stdout))


def run(asked: Options) -> Report:
    """Run the demo twice: nothing compiled yet, and as it runs from then on."""
    with work_folder() as compiled:
        measured = [measure(what, asked.texts, compiled) for what in ("first run", "next run")]
    rows = [
        {
            "what": one.what,
            "events": int(one.result["events"]),
            "signals": len(one.result["signals"]),
            "found": sum(planted["found"] and not planted["decoy"] for planted in one.result["planted"]),
            "start-up s": one.cost.wall_s - float(one.result["seconds"]),
            "wall s": one.cost.wall_s,
            "CPU s": one.cost.cpu_s,
            "events/s (wall)": int(one.result["events"]) / one.cost.wall_s,
        }
        for one in measured
    ]
    figures = [Figure(f"demo, {one.what}", one.cost.wall_s, "s", TARGET, at_least=False) for one in measured]
    return Report(
        "vigie demo --once: write, ingest, replay, store, compare",
        rows,
        figures,
        [
            "The target is read from wall time, which is what one waits. first run: compiles, as after an "
            "installation. start-up: imports and command line, within the wall time.",
            "found: of the planted signals, decoys apart.",
        ],
    )


if __name__ == "__main__":
    main("demo", __doc__ or "", run)
