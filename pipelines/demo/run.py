"""The demo from end to end: write a fictional retailer, ingest, replay, compare with what was planted."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.contract import Accounting
from connectors.errors import SettingsError
from connectors.store import Store
from pipelines.demo.compare import Comparison, compare
from pipelines.demo.generate import generate
from pipelines.demo.story import Story
from pipelines.publish import publish
from pipelines.replay import Engine, Replayed
from pipelines.settings import DEFAULT_NAME, load_settings
from pipelines.workspace import Workspace

_LABEL = "README.txt"

Stage = Callable[[str], None]
"""Receives what begins now, in words."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo did. seconds: wall time of everything."""

    story: Story
    workspace: Workspace
    accounts: dict[str, Accounting]
    replayed: Replayed
    comparison: Comparison
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The one object that `vigie demo --json` prints."""
        unplanned = set(self.comparison.unplanned)
        names = {
            signal: outcome.planted.name for outcome in self.comparison.outcomes for signal in outcome.signals
        }
        return {
            "seed": self.story.seed,
            "events": self.replayed.events,
            "seconds": round(self.seconds, 1),
            "rows": {
                source: {
                    name: account.as_json()[name]
                    for name in ("read", "events", "duplicates", "set_aside", "quarantined")
                }
                for source, account in self.accounts.items()
            },
            "planted": [outcome.as_json() for outcome in self.comparison.outcomes],
            "signals": [
                {
                    "id": row["signal_id"],
                    "perimeter": row["perimeter"],
                    "bucket": row["bucket"].isoformat(),
                    "label": row["label"],
                    "distinct_authors": row["distinct_authors"],
                    "evidence": row["evidence"],
                    "planted": names.get(row["signal_id"]),
                    "sentence_fr": row["sentence_fr"],
                    "sentence_en": row["sentence_en"],
                }
                for row in self.replayed.signals.signals.to_pylist()
            ],
            "unplanned": len(unplanned),
            "digest": self.replayed.digest,
        }


def run_demo(
    folder: Path,
    *,
    seed: int,
    texts: int,
    engine: Engine,
    stage: Stage,
    progress: Callable[[int, int], None],
    use: Callable[[Workspace, Store], None] | None = None,
) -> Demo:
    """Run the demo in a folder, which must be empty, new, or one that an earlier demo wrote.

    progress: events replayed, and in all. use: receives the store while it is open.
    Raises SettingsError for a folder that holds anything else.
    """
    began = time.monotonic()
    _make_room(folder)
    stage("writing 56 weeks of a fictional retailer")
    story = generate(folder, seed=seed, texts=texts)
    workspace = Workspace(load_settings(folder / DEFAULT_NAME), say=lambda _: None)
    stage("ingesting mail, letters, survey, field notes and complaints")
    accounts = workspace.ingest()
    started_at = workspace.now()
    with workspace.open_store() as store:
        stage("replaying the log")
        replayed = workspace.replay(
            engine,
            use=lambda done: publish(workspace, done, store, started_at=started_at),
            progress=progress,
        )
        if use is not None:
            use(workspace, store)
    comparison = compare(story, replayed.signals, workspace.secret)
    return Demo(story, workspace, accounts, replayed, comparison, time.monotonic() - began)


def _make_room(folder: Path) -> None:
    if not folder.exists() or not any(folder.iterdir()):
        return
    label = folder / _LABEL
    if not (label.is_file() and "vigie demo" in label.read_text("utf-8", errors="replace")):
        raise SettingsError(
            f"{folder}: holds something that `vigie demo` did not write; name another folder with --folder"
        )
    shutil.rmtree(folder)
