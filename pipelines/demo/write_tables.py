"""Writes the survey, the agents' notes and the complaints, each with a few rows that cannot be understood."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

from pipelines.demo.entries import Entry
from pipelines.demo.labels import ORIGIN
from pipelines.demo.office import Cell, xlsx_bytes

SURVEY_HEADER = (
    "id_reponse",
    "date_reponse",
    "magasin",
    "note",
    "commentaire",
    "duree_visite_min",
    "client",
    "origine",
)
COMPLAINTS_HEADER = ("numero", "date_creation", "magasin", "motif", "client", "saisi_par", "origine")
WORKBOOK_MONTH = "2026-02"
"""That month's survey was delivered as a spreadsheet."""
REPEATED_ROWS = 8
_FRENCH = "%d/%m/%Y %H:%M"


def write_survey(folder: Path, entries: Sequence[Entry], rng: Random) -> int:
    """Write `survey/enquete_MONTH.csv` (cp1252, decimal commas) and one `.xlsx`; returns the rows."""
    target = folder / "survey"
    target.mkdir()
    months: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        months[entry.moment.isoformat()[:7]].append(entry)
    for month, answers in months.items():
        durations = [rng.randrange(50, 900) / 10 for _ in answers]
        if month == WORKBOOK_MONTH:
            rows = [_survey_cells(*pair) for pair in zip(answers, durations, strict=True)]
            (target / f"enquete_{month}.xlsx").write_bytes(xlsx_bytes([SURVEY_HEADER, *rows]))
        else:
            texts = [_survey_texts(*pair) for pair in zip(answers, durations, strict=True)]
            if month == max(months):
                texts += [*texts[:REPEATED_ROWS], *_BAD_ANSWERS]
            content = _csv_text([SURVEY_HEADER, *texts], ";")
            (target / f"enquete_{month}.csv").write_bytes(content.encode("cp1252"))
    return len(entries) + REPEATED_ROWS + len(_BAD_ANSWERS)


def _survey_cells(entry: Entry, minutes: float) -> list[Cell]:
    client = entry.author.email if entry.author else None
    return [entry.own_id, entry.moment, entry.store.name, entry.score, entry.text, minutes, client, ORIGIN]


def _survey_texts(entry: Entry, minutes: float) -> list[str]:
    return [
        entry.own_id,
        entry.moment.strftime(_FRENCH),
        entry.store.name,
        f"{entry.score:g}".replace(".", ","),
        entry.text,
        f"{minutes:.1f}".replace(".", ","),
        entry.author.email if entry.author else "",
        ORIGIN,
    ]


_BAD_ANSWERS: tuple[list[str], ...] = (
    ["R900001", "31/02/2026 10:12", "Valmorin", "7", "rien à dire", "12,0", "", ORIGIN],
    ["R900002", "hier soir", "Brécourt", "9", "très bien", "8,5", "", ORIGIN],
    ["R900003", "", "Orsanne", "4", "trop d'attente", "25,0", "", ORIGIN],
    ["R900004", "12/13/2026 11:00", "Vernoyes", "6", "moyen", "14,0", "", ORIGIN],
    ["R900005", "03/03/2026 17:40", "Atlantis", "8", "bon accueil", "18,0", "", ORIGIN],
    ["R900006", "07/03/2026 15:05", "Magasin test", "10", "essai", "1,0", "", ORIGIN],
    ["R900007", "14/03/2026 12:30", "", "2", "caisses fermées", "31,0", "", ORIGIN],
    ["R900008", "15/03/2026 16:20", "Fontavel", "77", "bien", "9,0", "", ORIGIN],
    ["R900009", "18/03/2026 10:10", "Mirefleur", "beaucoup", "bien", "9,0", "", ORIGIN],
    ["R900010", "20/03/2026"],
    ["R900011"],
)


def write_notes(folder: Path, entries: Sequence[Entry]) -> int:
    """Write `notes/notes_terrain.jsonl`; returns the lines."""
    lines = [
        json.dumps(
            {
                "id": entry.own_id,
                "date": entry.moment.isoformat(),
                "agent": entry.agent,
                "magasin": entry.store.code,
                "note": entry.text,
                "origine": ORIGIN,
            },
            ensure_ascii=False,
        )
        for entry in entries
    ]
    lines += _BAD_NOTES
    target = folder / "notes"
    target.mkdir()
    (target / "notes_terrain.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return len(lines)


_BAD_NOTES = (
    '{"id": "N900001", "date": "2026-03-02T10:00:00", "agent": "", "magasin": "L99", "note": "RAS"}',
    '{"id": "N900002", "date": "2026-03-04T11:30:00", "agent": "", "magasin": "siège", "note": "réunion"}',
    '{"id": "N900003", "date": "demain", "agent": "", "magasin": "L03", "note": "point à faire"}',
    '{"id": "N900004", "date": "2026-02-30T09:00:00", "agent": "", "magasin": "L04", "note": "inventaire"}',
    '{"id": "N900005", "agent": "", "magasin": "L05", "note": "sans date"}',
    '{"id": "N900006", "date": "2026-03-09T18:00:00", "magasin": "L0',
    '{"id": "N900007", "date": ',
    "tablette déchargée, note perdue",
)


def write_complaints(folder: Path, entries: Sequence[Entry]) -> int:
    """Write `complaints/reclamations.csv` (UTF-8, commas); returns the rows."""
    rows = [
        [
            entry.own_id,
            entry.moment.strftime(_FRENCH),
            f"Magasin {entry.store.code}",
            entry.text,
            entry.author.email if entry.author else "",
            entry.agent,
            ORIGIN,
        ]
        for entry in entries
    ]
    rows += _BAD_COMPLAINTS
    target = folder / "complaints"
    target.mkdir()
    content = _csv_text([COMPLAINTS_HEADER, *rows], ",")
    (target / "reclamations.csv").write_bytes(content.encode("utf-8-sig"))
    return len(rows)


_BAD_COMPLAINTS = (
    ["REC-900001", "00/00/0000 00:00", "Magasin L02", "colis perdu", "", "", ORIGIN],
    ["REC-900002", "29/02/2026 10:00", "Magasin L08", "retour refusé", "", "", ORIGIN],
    ["REC-900003", "", "Magasin L11", "attente", "", "", ORIGIN],
    ["REC-900004", "05/03/2026 09:10", "Magasin L88", "prix faux", "", "", ORIGIN],
    ["REC-900005", "06/03/2026 14:45", "inconnu", "prix faux", "", "", ORIGIN],
    ["REC-900006", "11/03/2026 16:00", "", "accueil", "", "", ORIGIN],
    ["REC-900007", "12/03/2066 16:00", "Magasin L20", "année mal saisie", "", "", ORIGIN],
    ["REC-900008", "13/03/2026"],
    ["REC-900009"],
)


def _csv_text(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue()
