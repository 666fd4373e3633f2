"""From the stages' tables to the store's, by hand-worked cases."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from connectors.store.schemas import TALLY
from pipelines.publish import tallies_of
from pipelines.stages.tally import CELLS, theme_keys

THEMES = theme_keys(["delivery"])
(DELIVERY,) = (theme for theme, key in THEMES.items() if key == "delivery")


def cells(*rows: tuple[int, int]) -> pa.Table:
    """Cells of days and themes, all else the same."""
    return pa.Table.from_pylist(
        [
            {
                "perimeter": "mag/nord",
                "bucket": day,
                "channel": "survey",
                "voice": "customer",
                "theme": theme,
                "texts": 3,
                "authors": 2,
                "score_sum": 15_000,
                "scored": 2,
                "sentiment_sum": -5_000,
                "without_text": 1,
                "late": 0,
            }
            for day, theme in rows
        ],
        CELLS,
    )


def test_days_themes_and_midnights() -> None:
    # 2025-03-30 is day 20177 since 1970; Paris passes to summer time on its morning.
    tallies = tallies_of(
        cells((20177, 0), (20178, DELIVERY), (20177, DELIVERY)), themes=THEMES, zone="Europe/Paris"
    )
    assert tallies.schema == TALLY
    assert tallies.select(["bucket", "bucket_at", "theme"]).to_pylist() == [
        {"bucket": date(2025, 3, 30), "bucket_at": datetime(2025, 3, 29, 23, tzinfo=UTC), "theme": ""},
        {
            "bucket": date(2025, 3, 31),
            "bucket_at": datetime(2025, 3, 30, 22, tzinfo=UTC),
            "theme": "delivery",
        },
        {
            "bucket": date(2025, 3, 30),
            "bucket_at": datetime(2025, 3, 29, 23, tzinfo=UTC),
            "theme": "delivery",
        },
    ]
    kept = [name for name in TALLY.names if name not in ("bucket", "bucket_at", "theme")]
    assert tallies.select(kept).equals(cells((20177, 0), (20178, DELIVERY), (20177, DELIVERY)).select(kept))


def test_no_cells_are_no_tallies() -> None:
    assert tallies_of(CELLS.empty_table(), themes=THEMES, zone="Europe/Paris").equals(TALLY.empty_table())


def test_a_theme_without_name_is_refused() -> None:
    with pytest.raises(KeyError):
        tallies_of(cells((20177, DELIVERY)), themes={0: ""}, zone="Europe/Paris")
