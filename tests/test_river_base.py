"""detectors.river_base: the class is river's own, whoever is imported first, and costs no other import."""

import subprocess
import sys

import pytest

HEAVY = ("pandas", "sklearn", "scipy.stats", "river.anomaly")


def said_by(source: str) -> str:
    """What a fresh Python prints."""
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.mark.parametrize("module", ["pipelines.replay", "pipelines.workspace", "pipelines.stages.watch"])
def test_replaying_loads_none_of_river_s_own_detectors(module: str) -> None:
    source = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    assert said_by(source) == "[]"


@pytest.mark.parametrize(
    "imports",
    [
        "from detectors.silence import Silence\nfrom river import anomaly",
        "from river import anomaly\nfrom detectors.silence import Silence",
        "from detectors.silence import Silence\nimport river.anomaly as anomaly",
    ],
)
def test_river_knows_our_detectors_whoever_is_imported_first(imports: str) -> None:
    source = f"""{imports}
from river.utils import inspect
ours = Silence()
print(isinstance(ours, anomaly.base.AnomalyDetector), inspect.isanomalydetector(ours))
print(isinstance(anomaly.HalfSpaceTrees(), anomaly.base.AnomalyDetector))"""
    assert said_by(source).split() == ["True"] * 3
