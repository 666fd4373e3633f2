"""How fast texts come in: CSV rows and mail messages through connector, admission and log."""

import csv
import mailbox
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_binary_file, policy
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._data import open_workspace, work_folder, write_demo
from benchmarks._report import Figure, Options, Report, Row, main
from benchmarks._run import Cost, in_child, median_cost

CSV_TARGET, MAIL_TARGET = 5_000, 300
RUNS, QUICK_RUNS = 3, 1


OURS = "ours: connector, admission, log"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way of reading one format cost. rows: read, messages for mail."""

    kind: str
    what: str
    rows: int
    cost: Cost

    @property
    def rate(self) -> float:
        """Rows per second of CPU time."""
        return self.rows / self.cost.cpu_s


@dataclass(frozen=True, slots=True)
class Csv:
    """A CSV file of the demo, with what the peers are told and the product finds out."""

    path: Path
    encoding: str
    delimiter: str
    text: str
    author: str
    occurred_at: str


def csv_files(folder: Path) -> list[Csv]:
    """The demo's CSV files."""
    surveys = [
        Csv(path, "cp1252", ";", "commentaire", "client", "date_reponse")
        for path in sorted((folder / "survey").glob("*.csv"))
    ]
    complaints = folder / "complaints" / "reclamations.csv"
    return [*surveys, Csv(complaints, "utf-8-sig", ",", "motif", "client", "date_creation")]


def mailboxes(folder: Path) -> list[Path]:
    """The demo's mailboxes."""
    return sorted((folder / "mail").glob("*.mbox"))


def ingest_ours(folder: Path, sources: Sequence[str], runs: int) -> tuple[int, Cost]:
    """The product's whole path over some sources, each time into a new log; rows read, and the cost."""
    ingest_once(folder, sources[-1:], log="warm-up")
    rows = 0

    def run(number: int) -> None:
        nonlocal rows
        rows = ingest_once(folder, sources, log=f"run-{'-'.join(sources)}-{number}")

    cost = median_cost(run, runs=runs)
    return rows, cost


def ingest_once(folder: Path, sources: Sequence[str], *, log: str) -> int:
    """Ingest some of the demo's sources into a log of their own; returns the rows read."""
    workspace = open_workspace(folder, log=f"{log}-log")
    settings = workspace.settings
    wanted = [source for source in settings.source if source.name in sources]
    # The survey has a month as a workbook, which is not CSV.
    wanted = [
        source.model_copy(update={"path": "survey/*.csv"}) if source.name == "survey" else source
        for source in wanted
    ]
    privacy = settings.privacy.model_copy(update={"quarantine": f"{log}-quarantine"})
    settings = settings.model_copy(update={"source": wanted, "privacy": privacy})
    accounts = type(workspace)(settings, say=workspace.say).ingest()
    return sum(account.read for account in accounts.values())


def copy_with_polars(files: Sequence[Csv], target: Path) -> int:
    """The floor: read each CSV file and write it as Parquet; returns the rows."""
    rows = 0
    for number, file in enumerate(files):
        frame = pl.read_csv(
            file.path,
            separator=file.delimiter,
            encoding=file.encoding,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
        frame.write_parquet(target / f"floor-{number}.parquet")
        rows += frame.height
    return rows


def ingest_with_script(files: Sequence[Csv], target: Path) -> int:
    """An ordinary script: csv.DictReader, a date, an id and a pseudonym a row, Parquet; returns the rows."""
    rows: list[dict[str, Any]] = []
    for file in files:
        with file.path.open(encoding=file.encoding, newline="") as lines:
            rows += [_scripted(row, file) for row in csv.DictReader(lines, delimiter=file.delimiter)]
    pq.write_table(pa.Table.from_pylist(rows), target / "script.parquet")
    return len(rows)


def _scripted(row: dict[str, str | None], file: Csv) -> dict[str, Any]:
    try:
        occurred_at = datetime.strptime(row[file.occurred_at] or "", "%d/%m/%Y %H:%M")  # noqa: DTZ007
    except ValueError:
        occurred_at = None
    content = "\x1f".join(value or "" for value in row.values())
    return {
        "id": blake2b(content.encode(), digest_size=16).digest(),
        "author": blake2b((row[file.author] or "").encode(), digest_size=16, key=b"key").digest(),
        "occurred_at": occurred_at,
        "text": row[file.text],
    }


def read_with_mailbox(files: Sequence[Path]) -> int:
    """The standard library: mailbox.mbox, the e-mail policy `default`, get_body; returns the messages."""
    messages = 0
    for file in files:
        box = mailbox.mbox(file, factory=_modern)  # type: ignore[arg-type]
        for message in box:
            body = message.get_body(preferencelist=("plain", "html"))  # type: ignore[attr-defined]
            if body is not None:
                body.get_content()
            messages += 1
        box.close()
    return messages


def _modern(file: IO[bytes]) -> Any:
    return message_from_binary_file(file, policy=policy.default)


def peer(work: Callable[[], int], runs: int) -> tuple[int, Cost]:
    """Rows of a peer and its cost, after one run to warm up."""
    rows = work()
    return rows, median_cost(lambda _: work(), runs=runs)


def run(asked: Options) -> Report:
    """Measure ingestion of the demo's CSV files and mailboxes, beside their peers."""
    runs = QUICK_RUNS if asked.quick else RUNS
    with work_folder() as work:
        folder = work / "demo"
        in_child(write_demo, folder, asked.texts)
        tables, boxes = csv_files(folder), mailboxes(folder)
        measured = [
            Measured("CSV", OURS, *in_child(ingest_ours, folder, ("survey", "complaints"), runs)),
            Measured(
                "CSV",
                "floor: polars read_csv, write_parquet",
                *in_child(peer, partial(copy_with_polars, tables, work), runs),
            ),
            Measured(
                "CSV",
                "peer: csv.DictReader, hashes, Parquet",
                *in_child(peer, partial(ingest_with_script, tables, work), runs),
            ),
            Measured("mail", OURS, *in_child(ingest_ours, folder, ("mail",), runs)),
            Measured(
                "mail",
                "peer: mailbox.mbox, get_body",
                *in_child(peer, partial(read_with_mailbox, boxes), runs),
            ),
        ]
    return _report(measured, runs)


def _report(measured: Sequence[Measured], runs: int) -> Report:
    ours = {one.kind: one.rate for one in measured if one.what == OURS}
    rows: list[Row] = [
        {
            "format": one.kind,
            "what": one.what,
            "rows": one.rows,
            "wall s": one.cost.wall_s,
            "CPU s": one.cost.cpu_s,
            "rows/s (CPU)": one.rate,
            "rows/s (wall)": one.rows / one.cost.wall_s,
            "times ours": one.rate / ours[one.kind],
        }
        for one in measured
    ]
    return Report(
        "Ingestion of the demo's CSV files and mailboxes",
        rows,
        [
            Figure("CSV ingest", ours["CSV"], "rows/s", CSV_TARGET),
            Figure("mail ingest", ours["mail"], "messages/s", MAIL_TARGET),
        ],
        [
            f"Median of {runs} run(s) after one to warm up, one thread a library. Targets are read from CPU.",
            "Ours also finds encoding and delimiter, redacts, de-duplicates, tells the language, encrypts "
            "what it rejects, and syncs to disk; the peers are told the form and do none of it.",
        ],
    )


if __name__ == "__main__":
    main("ingest", __doc__ or "", run)
