"""How well Vigie detects, beside the methods people use: every benchmark of quality, one after the other."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._report import write_json
from benchmarks._together import run_all

NAMES = (
    *("noufaily", "themes", "drift", "sentiment", "budget"),
    *("absence", "unusual_day", "novelty", "metro", "seeds"),
)
RESULTS = Path("bench-results", "quality.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run them all; 1 if one of them could not be run, 0 otherwise, targets met or missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less work: within a minute each on two cores")
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS, help=f"default: {RESULTS}")
    asked = parser.parse_args(argv)
    results, failed = run_all(NAMES, quick=asked.quick)
    rows = {name: result["rows"] for name, result in results.items()}
    figures = [figure for result in results.values() for figure in result["figures"]]
    write_json(asked.json, {**rows, "figures": figures, "results": list(results.values()), "failed": failed})
    print(f"written to {asked.json}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
