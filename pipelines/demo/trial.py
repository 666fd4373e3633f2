"""One seed of the demo without a store: what was found of what was planted."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.demo.compare import compare
from pipelines.demo.generate import generate
from pipelines.plain import PlainEngine
from pipelines.settings import DEFAULT_NAME, load_settings
from pipelines.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Trial:
    """found, missed: names of planted signals. raised: decoys that were. texts_before: of each found one."""

    seed: int
    found: tuple[str, ...]
    missed: tuple[str, ...]
    raised: tuple[str, ...]
    texts_before: tuple[int, ...]
    signals: int
    unplanned: int


def run_trial(seed: int, *, texts: int = 60_000) -> Trial:
    """Write, ingest and replay one seed in a temporary folder, by plain functions."""
    with tempfile.TemporaryDirectory(prefix="vigie-trial-") as folder:
        story = generate(Path(folder, "demo"), seed=seed, texts=texts)
        workspace = Workspace(load_settings(Path(folder, "demo", DEFAULT_NAME)), say=lambda _: None)
        workspace.ingest()
        signals = workspace.replay(PlainEngine(), use=None).signals
        compared = compare(story, signals, workspace.secret)
    real = [outcome for outcome in compared.outcomes if not outcome.planted.decoy]
    decoys = [outcome for outcome in compared.outcomes if outcome.planted.decoy]
    return Trial(
        seed=seed,
        found=tuple(outcome.planted.name for outcome in real if outcome.first),
        missed=tuple(outcome.planted.name for outcome in real if not outcome.first),
        raised=tuple(outcome.planted.name for outcome in decoys if outcome.first),
        texts_before=tuple(outcome.texts_before for outcome in real if outcome.texts_before is not None),
        signals=signals.signals.num_rows,
        unplanned=len(compared.unplanned),
    )
