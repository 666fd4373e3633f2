"""How loud the loudest authors are, from the log, against sets counted plainly."""

from datetime import date
from pathlib import Path
from types import ModuleType

import polars as pl

from connectors.store.schemas import CROWD
from pipelines.crowds import crowds
from pipelines.settings import load_settings
from pipelines.workspace import Workspace


def test_a_shop_of_forty_days(tmp_path: Path, shop: ModuleType) -> None:
    workspace = Workspace(load_settings(shop.write_shop(tmp_path / "shop")), say=lambda _: None)
    workspace.ingest()
    log, last = workspace.open_log(), (date(2025, 3, 31) - date(1970, 1, 1)).days
    whole = list(crowds(log, zone="Europe/Paris", last_bucket=last, min_authors=5))
    table = pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in whole])
    rows = {
        (row["perimeter"], row["days"], row["starts"], row["voice"]): row["loudest"]
        for row in table.to_dicts()
    }
    # Each customer answers once, so four of them account for four.
    assert rows["mag", 7, date(2025, 3, 3), ""] == 4
    assert rows["mag/nord/lens", 28, date(2025, 2, 17), "customer"] == 4
    # The last week ends on its first day, a Monday.
    assert rows["mag/nord/lille", 7, date(2025, 3, 31), ""] == 4
    assert max(starts for _, _, starts, _ in rows) == date(2025, 3, 31)
    # Slices of a few days give the same.
    sliced = crowds(log, zone="Europe/Paris", last_bucket=last, min_authors=5, slice_rows=40)
    parts = [pl.DataFrame(pl.from_arrow(part)) for part in sliced]
    assert len(parts) > 5
    key = CROWD.names
    assert pl.concat(parts).sort(key).equals(table.sort(key))
    # From a bucket on: the periods of 28 days that it is in and later ones, whole.
    for first, begins in ((date(2025, 3, 20), date(2025, 3, 17)), (date(2025, 3, 1), date(2025, 2, 17))):
        late = crowds(
            log,
            zone="Europe/Paris",
            first_bucket=(first - date(1970, 1, 1)).days,
            last_bucket=last,
            min_authors=5,
            slice_rows=40,
        )
        found = pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in late])
        assert found.sort(key).equals(table.filter(pl.col("starts") >= begins).sort(key))


def test_the_loudest_are_counted_by_day_and_channel(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path / "shop")
    answers = tmp_path / "shop" / "avis.csv"
    loud = [
        f"z{day};{day:02d}/03/2025 10:15;Lens;encore rien {day};5;cliente tres bavarde" for day in range(3, 9)
    ]
    again = ["z9;03/03/2025 18:00;Lens;toujours rien;5;cliente tres bavarde"]
    answers.write_text(answers.read_text("utf-8") + "\n".join(loud + again) + "\n", "utf-8")
    workspace = Workspace(load_settings(settings), say=lambda _: None)
    workspace.ingest()
    parts = crowds(workspace.open_log(), zone="Europe/Paris", last_bucket=30_000, min_authors=3)
    rows = pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in parts])
    lens = rows.filter(perimeter="mag/nord/lens", days=7, starts=date(2025, 3, 3), voice="")
    # Six days of one author, twice on the first, and one day of another.
    assert lens["loudest"].to_list() == [7]
