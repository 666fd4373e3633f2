"""One stream, one truth: every engine gives the same bytes on the demo's story and on years of real messages.

Whole workspaces: settings, files, admission, the full lexicons. Real ones are read where they are present.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from connectors.log import EventLog
from pipelines.beam import BeamEngine
from pipelines.demo.generate import generate
from pipelines.flink import FlinkEngine
from pipelines.plain import PlainEngine
from pipelines.replay import Engine
from pipelines.settings import load_settings
from pipelines.workspace import Workspace
from tests.test_engines import Result, run, same

DATA = Path(__file__).parents[2] / "shared" / "data"
SEED, TEXTS = 3, 6_000
"""Of the demo: a tenth of its everyday texts, all of its story."""
MESSAGES = 12_000
"""Of the métro's fourteen lines: fourteen months."""
REAL = """\
[organisation]
root = "metro"
name = "Métro"
timezone = "Europe/Paris"
languages = ["fr"]

[[source]]
name = "messages"
kind = "table"
path = "messages.csv"
channel = "operations"
voice = "field"
perimeter = "{screen_name}"
timezone = "UTC"
columns = { id = "status_id", occurred_at = "created_at", text = "text" }
"""

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Story:
    """A log in its workspace, and what plain functions find in it in one slice."""

    log: EventLog
    workspace: Workspace
    expected: Result

    def run(self, engine: Engine | FlinkEngine, work: Path, **sizes: int) -> Result:
        return run(self.log, engine, work, self.workspace.settings, self.workspace.telling(), **sizes)


def write_real(folder: Path) -> None:
    """Messages of the métro, as far as they go."""
    folder.mkdir()
    with (
        (DATA / "metro_tweets" / "m_tweets.csv").open(encoding="utf-8", newline="") as lines,
        (folder / "messages.csv").open("w", encoding="utf-8", newline="") as out,
    ):
        found = sorted(csv.DictReader(lines), key=lambda row: (row["created_at"], row["status_id"]))
        writer = csv.DictWriter(out, list(found[0]))
        writer.writeheader()
        writer.writerows(islice(found, MESSAGES))
    (folder / "vigie.toml").write_text(REAL, encoding="utf-8")


@pytest.fixture(
    scope="module",
    params=[
        "demo",
        pytest.param(
            "real",
            marks=pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not here"),
        ),
    ],
)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    work = tmp_path_factory.mktemp("story")
    folder = work / "workspace"
    if request.param == "demo":
        generate(folder, seed=SEED, texts=TEXTS)
    else:
        write_real(folder)
    workspace = Workspace(load_settings(folder / "vigie.toml"), say=lambda _: None)
    workspace.ingest()
    log, telling = workspace.open_log(), workspace.telling()
    expected = run(log, PlainEngine(), work / "plain", workspace.settings, telling)
    assert len(expected.lines) >= 5
    assert len({row["perimeter"] for row in expected.replayed.signals.signals.to_pylist()}) > 1
    return Story(log, workspace, expected)


@pytest.mark.parametrize(
    ("engine", "slice_rows"),
    [
        pytest.param(PlainEngine, 1_500, id="plain"),
        pytest.param(BeamEngine, 3_000, id="beam, one worker"),
        pytest.param(lambda: BeamEngine(workers=2), 8_000, id="beam, two workers"),
        pytest.param(FlinkEngine, 1_000, id="flink, one worker"),
        pytest.param(lambda: FlinkEngine(parallelism=2), 2_500, id="flink, two workers"),
        pytest.param(lambda: FlinkEngine(parallelism=4), 700, id="flink, four workers"),
    ],
)
def test_engines_tell_the_same_story(
    story: Story, tmp_path: Path, engine: Callable[[], Engine | FlinkEngine], slice_rows: int
) -> None:
    same(story.run(engine(), tmp_path / "work", slice_rows=slice_rows, batch_rows=500), story.expected)
