"""A store that moves in the tree keeps its past: no silence where it was, no cold start where it is."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.plain import PlainEngine
from pipelines.settings import load_settings
from pipelines.workspace import Workspace

MOVED = "mag/est/lille"
TREE_AFTER = f"perimeter,name,aliases\nmag,Mag,\n{MOVED},Lille centre,lille\nmag/nord/lens,Lens,lens\n"
TREE_MOVED = (
    "perimeter,name,aliases,moved_from\nmag,Mag,,\n"
    f"{MOVED},Lille centre,lille,mag/nord/lille\nmag/nord/lens,Lens,lens,\n"
)
COMPARED = (
    "signal_id",
    "perimeter",
    "bucket",
    "kind",
    "label",
    "observed",
    "expected",
    "evidence",
    "sentence_fr",
)


def replayed(folder: Path) -> tuple[list[dict[str, Any]], set[str], str]:
    """Signals, perimeters of the tallies, and the version of the settings."""
    import pyarrow.parquet as pq

    workspace = Workspace(load_settings(folder / "vigie.toml"), say=lambda _: None)
    places: set[str] = set()

    def look(found: Any) -> None:
        for file in found.cells:
            places.update(pq.read_table(file)["perimeter"].to_pylist())

    result = workspace.replay(PlainEngine(), use=look)
    rows = result.signals.signals.select(COMPARED).to_pylist()
    return rows, places, workspace.settings_version


def ingested(folder: Path, shop: ModuleType, tree: str) -> Path:
    shop.write_shop(folder)
    (folder / "perimeters.csv").write_text(tree, encoding="utf-8")
    Workspace(load_settings(folder / "vigie.toml"), say=lambda _: None).ingest()
    return folder


@pytest.fixture(scope="module")
def always_there(tmp_path_factory: pytest.TempPathFactory, shop: ModuleType) -> Any:
    return replayed(ingested(tmp_path_factory.mktemp("moves") / "after", shop, TREE_AFTER))


def test_a_declared_move_reads_as_if_the_store_had_always_been_there(
    tmp_path: Path, shop: ModuleType, always_there: Any
) -> None:
    folder = ingested(tmp_path / "shop", shop, shop.TREE)
    before, places, version = replayed(folder)
    assert "mag/nord/lille" in places
    (folder / "perimeters.csv").write_text(TREE_MOVED, encoding="utf-8")
    after, places, version_after = replayed(folder)
    assert (after, places) == always_there[:2]
    assert {row["perimeter"] for row in after} == {MOVED} != {row["perimeter"] for row in before}
    # Signals depend on moves: they are part of the version, and a decision of the log at the next load.
    assert len({version, version_after, always_there[2]}) == 3
    workspace = Workspace(load_settings(folder / "vigie.toml"), say=lambda _: None)
    workspace.ingest()
    last = [one.decision for one in workspace.open_log().decisions() if one.decision is not None][-1]
    assert last.payload["moves"] == {"mag/nord/lille": MOVED}
    assert last.payload["version"] == version_after


def test_sources_may_go_on_writing_the_old_path(tmp_path: Path, shop: ModuleType, always_there: Any) -> None:
    file = shop.write_shop(tmp_path)
    settings = file.read_text("utf-8").replace('"{magasin}"', '"mag/nord/{magasin}"')
    file.write_text(settings, encoding="utf-8")
    (tmp_path / "perimeters.csv").write_text(TREE_MOVED, encoding="utf-8")
    Workspace(load_settings(file), say=lambda _: None).ingest()
    assert replayed(tmp_path)[0] == always_there[0]
