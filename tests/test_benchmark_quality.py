"""The benchmarks of quality together: which there are, and the JSON of them all."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import quality


def test_a_list_of_rows_of_each_benchmark_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def run_all(names: tuple[str, ...], *, quick: bool) -> tuple[dict[str, Any], list[str]]:
        asked.extend(names)
        figure = {"name": "f", "value": 1, "unit": "", "target": 1, "at_least": True, "met": True}
        return {name: {"rows": [{"method": name}], "figures": [figure], "quick": quick} for name in names}, []

    monkeypatch.setattr(quality, "run_all", run_all)
    file = tmp_path / "quality.json"
    assert quality.main(["--quick", "--json", str(file)]) == 0
    written = json.loads(file.read_text("utf-8"))
    assert {"noufaily", "themes", "drift", "sentiment", "budget", "seeds"} <= set(asked)
    assert {name: written[name] for name in asked} == {name: [{"method": name}] for name in asked}
    assert len(written["figures"]) == len(asked)
    assert written["failed"] == []
    assert str(file) in capsys.readouterr().out


@pytest.mark.parametrize("name", quality.NAMES)
def test_every_benchmark_of_quality_can_be_run(name: str) -> None:
    assert callable(import_module(f"benchmarks.{name}").run)
