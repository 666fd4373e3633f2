"""Every benchmark of speed and memory, one after the other, and a summary of figures against targets."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._report import write_json
from benchmarks._together import run_all

NAMES = ("ingest", "replay", "throughput", "memory", "demo", "dashboards")
RESULTS = Path("bench-results", "benchmarks.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run them all; 1 if one of them could not be run, 0 otherwise, targets met or missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less work: within a minute each on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS, help=f"default: {RESULTS}")
    asked = parser.parse_args(argv)
    results, failed = run_all(NAMES, quick=asked.quick)
    write_json(asked.json, {"results": list(results.values()), "failed": failed})
    print(f"written to {asked.json}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
