"""What Vigie raises in years of real operations messages, day by day: the fourteen lines of the métro's.

A run of the product as a user would make it: settings, ingest, replay. There is no truth to compare with:
signals are sorted by what the messages that carry them are, to be read critically. Greetings of agents who
come on duty are routine, and planned closures are known; neither is news.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._data import work_folder
from benchmarks._metro_weekdays import Calendar, of_weekdays
from benchmarks._report import Figure, Options, Report, Row, main
from benchmarks._themes_streams import FILES, METRO

QUICK_MESSAGES = 8_000
LEAST_SIGNED = 20
"""Greetings that a first name signs, from which it is taken to be an agent's."""
MOST_ROUTINE = 5.0
"""Share of signals that greetings, or planned closures, may carry, in %."""

GREETING, PLANNED, INCIDENT, ANNOUNCEMENT, OTHER = (
    "greetings",
    "planned",
    "incidents",
    "announcements",
    "other",
)
KINDS = (INCIDENT, ANNOUNCEMENT, PLANNED, GREETING, OTHER)
_READ_AS = (
    (
        GREETING,
        r"bonjour|bonsoir|bonne (journée|soirée|fin)|vous (accompagne|informe|souhaite|renseigne|tient)",
    ),
    (PLANNED, r"travaux|rénovation|modernisation|à compter d|jusqu'au \d|du \d+ .{0,12}au \d+"),
    (
        INCIDENT,
        r"\d ?[:h] ?\d\d.{0,40}(trafic|arrêt|station)|trafic|interromp|perturb|incident|fermée|colis|grève",
    ),
    (ANNOUNCEMENT, r"\[url\]|@\w|rendez-vous|découvr|participe"),
)
_SIGNED = re.compile(
    r"\b([A-ZÉÈ][a-zà-öø-ÿ]{2,})\s+(?:de\s+la\s+#?RATP\s+)?(?:et\s+)?vous\s+"
    r"(?:accompagne|informe|souhaite|renseigne|tient|salue|attend|répond)"
)

SETTINGS = """\
[organisation]
root = "metro"
name = "Métro"
timezone = "Europe/Paris"
languages = ["fr"]

[privacy]
directory = "names.txt"

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

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Raised:
    """A signal. excerpts: of the messages that carry it, as shown."""

    row: Record
    excerpts: Sequence[str]

    @property
    def carried_by(self) -> str:
        """What most of its messages are."""
        return read_as(self.excerpts)


def run(asked: Options) -> Report:
    """Replay the stream and sort what is raised."""
    file = FILES[METRO]
    title = "real operations messages"
    if not file.is_file():
        return Report(title, [], [], [f"There is no file {file}: nothing was measured."])
    with file.open(encoding="utf-8", newline="") as lines:
        messages = sorted(csv.DictReader(lines), key=lambda row: (row["created_at"], row["status_id"]))
    if asked.quick:
        messages = messages[:QUICK_MESSAGES]
    with work_folder() as folder:
        raised = replay(folder, messages)
    return Report(title, rows(messages, raised), figures(raised), notes(messages, raised), listing(raised))


def replay(folder: Path, messages: Sequence[Record]) -> list[Raised]:
    """Settings, ingest and replay in a folder; the signals that did not become part of others, in order."""
    from pipelines.plain import PlainEngine
    from pipelines.settings import load_settings
    from pipelines.workspace import Workspace

    with (folder / "messages.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(messages[0]))
        writer.writeheader()
        writer.writerows(messages)
    (folder / "names.txt").write_text("\n".join(agents(row["text"] for row in messages)), encoding="utf-8")
    (folder / "vigie.toml").write_text(SETTINGS, encoding="utf-8")
    workspace = Workspace(load_settings(folder / "vigie.toml"), say=lambda _: None)
    workspace.ingest()
    signals = workspace.replay(PlainEngine(), use=lambda _: None).signals
    excerpts: dict[str, list[str]] = {}
    for one in signals.evidence.to_pylist():
        if one["excerpt"]:
            excerpts.setdefault(one["signal_id"], []).append(one["excerpt"])
    found = [
        Raised(row, excerpts.get(row["signal_id"], []))
        for row in signals.signals.to_pylist()
        if row["status"] != "merged"
    ]
    return sorted(found, key=lambda one: (one.row["bucket"], one.row["signal_id"]))


def agents(texts: Iterable[str]) -> list[str]:
    """First names that sign greetings: what a user would list in the directory of names to redact."""
    from pipelines.lexicon import load_lexicons

    stop = load_lexicons(["fr"]).languages["fr"].stopwords
    signed = Counter(name for text in texts for name in _SIGNED.findall(text or ""))
    return sorted(name for name, size in signed.items() if size >= LEAST_SIGNED and name.lower() not in stop)


def read_as(excerpts: Sequence[str]) -> str:
    """Of the kinds of message, the first that half of the excerpts are; OTHER if none."""
    for kind, pattern in _READ_AS:
        held = sum(bool(re.search(pattern, text, re.IGNORECASE)) for text in excerpts)
        if excerpts and 2 * held >= len(excerpts):
            return kind
    return OTHER


def rows(messages: Sequence[Record], raised: Sequence[Raised]) -> list[Row]:
    """One line a year."""
    written = Counter(str(row["created_at"])[:4] for row in messages)
    table: list[Row] = []
    for year in sorted(written):
        mine = [one for one in raised if str(one.row["bucket"].year) == year]
        kinds = Counter(one.carried_by for one in mine if one.row["kind"] == "emergence")
        table.append(
            {
                "year": year,
                "messages": written[year],
                "signals": len(mine),
                "days with one": len({one.row["bucket"] for one in mine}),
                "of one line": sum("/" in one.row["perimeter"] for one in mine),
                **{kind: kinds[kind] for kind in KINDS},
                "mood, silence": sum(one.row["kind"] != "emergence" for one in mine),
                "messages of a signal, median": median(_messages(mine)) if mine else None,
            }
        )
    return table


def figures(raised: Sequence[Raised]) -> list[Figure]:
    """What is no news must not be raised."""
    kinds = Counter(one.carried_by for one in raised)
    share = 100 / max(1, len(raised))
    return [
        Figure(f"signals carried by {what}", kinds[kind] * share, "%", MOST_ROUTINE, at_least=False)
        for kind, what in ((GREETING, "greetings"), (PLANNED, "planned closures and works"))
    ]


def notes(messages: Sequence[Record], raised: Sequence[Raised]) -> list[str]:
    """How to read the table."""
    days = {str(row["created_at"])[:10] for row in messages}
    emerged = [one for one in raised if one.row["kind"] == "emergence"]
    weekdays = of_weekdays(
        Calendar(messages), [(one.row["bucket"], one.row["label"].partition(",")[0]) for one in emerged]
    )
    return [
        f"{len(messages):,} messages on {len(days):,} days; {len(raised):,} signals, one in "
        f"{len(days) / max(1, len(raised)):.1f} days. A message counts as a person: accounts name no author.",
        f"{len(emerged):,} are of words that emerge, sorted by what half of their messages are; lists come "
        "in this order: incidents, announcements with a link, planned works and closures, greetings.",
        f"{weekdays.typical} of {weekdays.looked_at} whose strongest term was known are of words of that "
        f"weekday; by chance {weekdays.by_chance:.1f} would be.",
        "First names that sign greetings are redacted by a directory of names, as a user would.",
    ]


def listing(raised: Sequence[Raised]) -> list[Row]:
    """One line a signal, in order of day."""
    return [
        {
            "day": str(one.row["bucket"]),
            "perimeter": one.row["perimeter"],
            "kind": one.row["kind"],
            "what": one.row["label"],
            "carried by": one.carried_by,
            "observed": float(one.row["observed"]),
            "expected": float(one.row["expected"]),
            "evidence": float(one.row["evidence"]),
            "messages": int(one.row["distinct_authors"]),
        }
        for one in raised
    ]


def _messages(raised: Sequence[Raised]) -> list[int]:
    return [int(one.row["distinct_authors"]) for one in raised]


if __name__ == "__main__":
    main("metro", __doc__ or "", run)
