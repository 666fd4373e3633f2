"""Every benchmark, one after the other, and a summary of figures against targets."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._data import work_folder
from benchmarks._report import show_figures, write_json

NAMES = ("ingest", "replay", "memory", "demo")
RESULTS = Path("bench-results", "benchmarks.json")


def run_one(name: str, file: Path, *, quick: bool) -> dict[str, Any]:
    """Run a benchmark in a process of its own; returns what it wrote. CalledProcessError if it failed."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(file)]
    subprocess.run([*command, *(["--quick"] if quick else [])], check=True)
    result: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run them all; 1 if one of them could not be run, 0 otherwise, targets met or missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less work: within a minute each on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS, help=f"default: {RESULTS}")
    asked = parser.parse_args(argv)
    results, failed = [], []
    with work_folder() as folder:
        for name in NAMES:
            print(f"\n{name}: python -m benchmarks.{name}", flush=True)
            try:
                results.append(run_one(name, folder / f"{name}.json", quick=asked.quick))
            except subprocess.CalledProcessError as error:
                print(f"error: {name} ended with code {error.returncode}", file=sys.stderr)
                failed.append(name)
    print("\nsummary")
    show_figures([figure for result in results for figure in result["figures"]])
    write_json(asked.json, {"results": results, "failed": failed})
    print(f"written to {asked.json}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
