"""From a replay to the signal store: signals with evidence, tallies, perimeters, and what was loaded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.civil_days import midnight
from connectors.loads import accounts_of
from connectors.log import EventLog
from connectors.store import Run, Store
from connectors.store.publication import Publication, Rules
from connectors.store.schemas import TALLY, THEME
from pipelines.columns import mapped
from pipelines.crowds import Crowds
from pipelines.replay import Replayed
from pipelines.stages.tally import theme_keys
from pipelines.workspace import Workspace

_EPOCH = date(1970, 1, 1)


def publish(workspace: Workspace, replayed: Replayed, store: Store, *, started_at: datetime) -> None:
    """Make the store reflect a replay, whole or not at all, and keep the accounting of every load.

    The files of `replayed` must exist. StoreError if the store cannot take it; it then stays as it was.
    """
    run = Run(
        log_head=replayed.log_head,
        settings_version=workspace.settings_version,
        lexicon_version=workspace.lexicons.version,
        code_version=version("vigie"),
        closed_until=replayed.closed_until,
        started_at=started_at,
        finished_at=workspace.now(),
        digest=replayed.digest,
    )
    tallies = read_tallies(
        replayed.cells,
        themes=theme_keys(list(workspace.lexicons.themes)),
        zone=workspace.settings.organisation.timezone,
    )
    signals = replayed.signals
    store.replace_run(
        run,
        signals.signals,
        signals.evidence,
        tallies,
        perimeters=workspace.names,
        publication=publication_of(workspace, replayed.cells),
    )
    log = workspace.open_log()
    record_loads(store, log)
    seq = log.seq_of(replayed.log_head)
    if seq is not None:
        store.record_head(seq, replayed.log_head)


def publication_of(workspace: Workspace, cells: Sequence[Path] | None = None) -> Publication:
    """By which rules boards count, the themes' names, and the crowds behind CELLS, all files there are."""
    settings = workspace.settings
    zone = settings.organisation.timezone
    themes = [
        {**asdict(theme), "owning_function": theme.function} for theme in workspace.lexicons.themes.values()
    ]
    return Publication(
        rules=Rules(
            min_authors=settings.privacy.min_authors,
            weekly_depth=settings.privacy.weekly_depth,
            timezone=zone,
            false_alerts=settings.detection.false_alerts_per_perimeter_per_year,
        ),
        themes=pa.Table.from_pylist(themes, schema=THEME),
        crowds=None
        if cells is None
        else crowds_of(workspace, workspace.open_log()).until(_last_bucket(cells)),
    )


def crowds_of(workspace: Workspace, log: EventLog) -> Crowds:
    """Counts the crowds of a workspace's log."""
    settings = workspace.settings
    return Crowds(log, zone=settings.organisation.timezone, min_authors=settings.privacy.min_authors)


def _last_bucket(cells: Iterable[Path]) -> int:
    """The last bucket with a tally: crowds of later ones would vouch for tallies that are not there."""
    lasts = (pc.max(pq.read_table(file, columns=["bucket"])["bucket"]).as_py() for file in cells)
    return max((last for last in lasts if last is not None), default=0)


def read_tallies(files: Iterable[Path], *, themes: Mapping[int, str], zone: str) -> Iterator[pa.Table]:
    """TALLY of files of CELLS, one table a file. themes: id to key, 0 to the empty key; zone: of the days."""
    for file in files:
        yield tallies_of(pq.read_table(file), themes=themes, zone=zone)


def tallies_of(cells: pa.Table, *, themes: Mapping[int, str], zone: str) -> pa.Table:
    """TALLY of CELLS. Raises KeyError for a theme that `themes` does not name."""
    named = {
        "bucket": mapped(cells["bucket"], _date, TALLY.field("bucket").type),
        "bucket_at": mapped(
            cells["bucket"],
            lambda day: midnight(_date(day), zone),
            TALLY.field("bucket_at").type,
        ),
        "theme": mapped(cells["theme"], themes.__getitem__, TALLY.field("theme").type),
    }
    columns = [named[name] if name in named else cells[name] for name in TALLY.names]
    return pa.Table.from_arrays(columns, schema=TALLY)


def record_loads(store: Store, log: EventLog) -> None:
    """Keep what the log's notes say became of every row, by load and source.

    A load is known by the number of its manifest, so recording it again changes nothing.
    """
    for manifest in log.manifests():
        accounts = accounts_of(manifest.note)
        if accounts:
            loaded_at = manifest.load.loaded_at if manifest.load else manifest.written_at
            store.record_ingest(f"{manifest.seq:012d}", loaded_at, accounts)


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)
