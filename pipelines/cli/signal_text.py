"""Signals as people read them in a terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import typer

from dashboards.evidence_words import SHAPES
from dashboards.taught_words import taught_words
from dashboards.words import STATUSES
from pipelines.cli.options import Lang
from pipelines.cli.output import minute, notice, plural, print_table, shown

ID_LENGTH = 8
"""Characters of an id that tables show; commands take any beginning that is one signal's alone."""
EXCERPTS = 10
"""Excerpts shown of a signal; `--json` gives all."""


def print_signals(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], lang: Lang) -> None:
    """A table of signals, the newest first, the strongest first within a day. names: of perimeters, by path.

    Signals that became part of a wider one are counted, not listed.
    """
    listed = [row for row in rows if row["status"] != "merged"]
    listed.sort(key=lambda row: (row["bucket"], row["evidence"]), reverse=True)
    if listed:
        print_table(
            {
                "date": "left",
                "perimeter": "left",
                "signal": "wrap",
                "people": "right",
                "state": "left",
                "id": "left",
            },
            [
                (
                    f"{row['bucket']:%Y-%m-%d}",
                    name_of(row["perimeter"], names),
                    f"{row['label']}\n{row[f'sentence_{lang}']}\n",
                    f"≥ {row['distinct_authors']}" if row["distinct_authors"] else "",
                    _state(row),
                    row["signal_id"][:ID_LENGTH],
                )
                for row in listed
            ],
        )
    else:
        notice("no signal")
    if len(listed) < len(rows):
        notice(f"{plural(len(rows) - len(listed), 'signal')} more became part of a wider one: see --json")


def print_signal(
    row: Mapping[str, Any],
    evidence: Sequence[Mapping[str, Any]],
    actions: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    lang: Lang,
) -> None:
    """One signal: sentence, figures, who speaks, what was said, what was done. evidence: rows with an
    excerpt. actions: rows of the store.
    """
    typer.echo(shown(row[f"sentence_{lang}"]))
    typer.echo()
    print_table({"": "left", " ": "wrap"}, list(_figures(row, names)))
    if said := taught_words(row["explanation"].get("taught"), lang):
        typer.echo(said)
        typer.echo()
    terms = sorted(row["explanation"]["terms"].items(), key=lambda item: (-item[1], item[0]))
    if terms:
        print_table({"term": "left", "evidence": "right"}, [(term, f"{value:.1f}") for term, value in terms])
    for item in evidence[-EXCERPTS:]:
        # A channel with too few people is not told.
        where = ", ".join(filter(None, (name_of(item["perimeter"], names), item["channel"])))
        typer.echo(f"{item['occurred_at']:%Y-%m-%d}  {where} ({item['voice']}): {shown(item['excerpt'])}")
    if len(evidence) > EXCERPTS:
        notice(f"the last {EXCERPTS} excerpts of {len(evidence)}; --json gives all")
    for done in actions:
        said = f": {done['comment']}" if done["comment"] else ""
        typer.echo(shown(f"{minute(done['acted_at'])}  {done['actor']}, {done['action']}{said}"))


def name_of(perimeter: str, names: Mapping[str, str]) -> str:
    """What people call a perimeter; the last part of its path where it has no name."""
    return names.get(perimeter) or perimeter.rpartition("/")[2]


def _state(row: Mapping[str, Any]) -> str:
    """What people made of a signal, and how one stands that was raised before its day closed."""
    standing = _status(row) if row["status"] in ("early", "not_sustained") else ""
    return ", ".join(filter(None, (row.get("state", ""), standing)))


def _status(row: Mapping[str, Any]) -> str:
    status = str(row["status"])
    return STATUSES.get(status, ("", status))[1]


def raised_early_at(row: Mapping[str, Any]) -> str | None:
    """When a look raised a signal, before its day closed; None where a close did."""
    early = row["explanation"].get("early")
    return None if early is None else minute(datetime.fromisoformat(early["at"]))


def _figures(row: Mapping[str, Any], names: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    explanation = row["explanation"]
    figures = [
        ("id", row["signal_id"]),
        ("perimeter", f"{name_of(row['perimeter'], names)} ({row['perimeter']})"),
        (
            "raised",
            f"{row['bucket']:%Y-%m-%d}, {_status(row)}" + (", from history" if row["retrospective"] else ""),
        ),
        (
            "people",
            f"at least {row['distinct_authors']}; on that day {observed_text(row)}, "
            f"{row['expected']:.2g} expected",
        ),
        ("seen", f"{row['first_seen']:%Y-%m-%d} to {row['last_seen']:%Y-%m-%d}"),
        ("evidence", f"{row['evidence']:.1f}, threshold {explanation['threshold']:.1f} (natural logarithms)"),
        ("channels", counts_text(row["channels"], row["min_authors"])),
        ("voices", counts_text(row["voices"], row["min_authors"])),
        ("tone", row["tone"]),
        ("state", row["state"]),
    ]
    if at := raised_early_at(row):
        since = ", confirmed since" if explanation["early"]["standing"] == "confirmed" else ""
        figures.append(("raised early", f"{at}, while the day was open{since}"))
    if row["mean_score"] is not None:
        figures.append(("mean score", f"{row['mean_score']:.2f} of 1"))
    if row["theme"] is not None:
        figures.append(
            ("theme", f"{row['theme']}: {row['dimension']}, {row['stance']}, for {row['owning_function']}")
        )
    if explanation["part_of"]:
        figures.append(("part of", explanation["part_of"][:ID_LENGTH]))
    return figures


def counts_text(counts: Mapping[str, int | None], min_authors: int) -> str:
    """`survey ≥ 10, email ≥ 5`; where one count is too small to be told, none is."""
    if any(count is None for count in counts.values()):
        return f"{', '.join(counts)} (one of them under {min_authors} people: counts are withheld)"
    return ", ".join(f"{name} ≥ {count}" for name, count in counts.items())


def observed_text(signal: Mapping[str, Any]) -> str:
    """What a signal observed when it was raised: a count is told as at least so many, a mean as it is."""
    if signal["kind"] not in SHAPES:
        return f"{signal['observed']:.3g}"
    return f"at least {signal['observed']:.0f}" if signal["observed"] else f"under {signal['min_authors']}"
