"""Several benchmarks, one after the other, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks._data import work_folder
from benchmarks._report import show_figures

Results = dict[str, dict[str, Any]]
"""What each benchmark wrote, by name."""


def run_all(names: Sequence[str], *, quick: bool) -> tuple[Results, list[str]]:
    """Run benchmarks by name and print a summary; what they wrote, and the names of those that failed."""
    results: Results = {}
    with work_folder() as folder:
        for name in names:
            print(f"\n{name}: python -m benchmarks.{name}", flush=True)
            file = folder / f"{name}.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(file)]
            ended = subprocess.run([*command, *(["--quick"] if quick else [])], check=False)
            if ended.returncode:
                print(f"error: {name} ended with code {ended.returncode}", file=sys.stderr)
            else:
                results[name] = json.loads(file.read_text("utf-8"))
    print("\nsummary")
    show_figures([figure for result in results.values() for figure in result["figures"]])
    return results, [name for name in names if name not in results]
