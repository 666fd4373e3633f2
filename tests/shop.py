"""A small fictional shop for tests of the command line: forty days, two stores, a survey and a mailbox.

Everyone in it is generated. On two days, sixteen customers of Lille write of a stuck gate; nobody does
before. Two rows of the survey cannot become events: one for its date, one for its store.
Tests reach this through the fixture `shop`.
"""

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from pipelines.cli import app

FIRST_DAY = date(2025, 3, 3)
DAYS = 40
STORES = ("Lille", "Lens")
A_DAY = 6
EVERYDAY: tuple[str, ...] = (
    "Accueil correct, passage rapide en caisse.",
    "Le rayon fruits est bien fourni.",
    "Attente un peu longue samedi.",
    "Parking propre, rien à dire.",
    "Prix en hausse sur les pâtes.",
    "Vendeur aimable au rayon bricolage.",
    "Il manquait du pain vers midi.",
)
PLANTED_DAYS = (FIRST_DAY + timedelta(36), FIRST_DAY + timedelta(37))
PLANTED: tuple[str, ...] = (
    "Portillon bloqué à la sortie",
    "Encore le portillon bloqué ce matin",
    "Un portillon bloqué, quelle idée",
)
A_PLANTED_DAY = 8
MAILS = 12

SURVEY_ROWS = DAYS * len(STORES) * A_DAY + len(PLANTED_DAYS) * A_PLANTED_DAY
EVENTS = SURVEY_ROWS + MAILS
BAD_ROWS = (
    ("x1", "99/99/2025", "Lille", "rien", "5", "cliente x1"),
    ("x2", "03/03/2025 10:15", "Paris", "rien", "5", "cliente x2"),
)

SETTINGS = """\
[organisation]
root = "mag"
name = "Mag"
tree = "perimeters.csv"

[detection]
warm_up_days = 7

[[source]]
name = "avis"
kind = "table"
path = "avis.csv"
channel = "survey"
perimeter = "{magasin}"
columns = { id = "id", occurred_at = "date", text = "avis", score = "note", author = "client" }
score = { worst = 0, best = 10 }

[[source]]
name = "mail"
kind = "mail"
path = "mail.mbox"
perimeter = "{to_local}"
"""
TREE = "perimeter,name,aliases\nmag,Mag,\nmag/nord/lille,Lille centre,lille\nmag/nord/lens,Lens,lens\n"


def write_shop(folder: Path) -> Path:
    """Write the settings, the tree and the sources; the settings file."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "avis.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(("id", "date", "magasin", "avis", "note", "client"))
        writer.writerows(_answers())
        writer.writerows(BAD_ROWS)
    (folder / "mail.mbox").write_text("".join(_mails()), encoding="utf-8")
    (folder / "perimeters.csv").write_text(TREE, encoding="utf-8")
    (folder / "vigie.toml").write_text(SETTINGS, encoding="utf-8")
    return folder / "vigie.toml"


def _answers() -> Iterator[tuple[str, ...]]:
    number = 0
    for offset in range(DAYS):
        day = FIRST_DAY + timedelta(offset)
        said = [(store, EVERYDAY) for store in STORES for _ in range(A_DAY)]
        said += [("Lille", PLANTED)] * (A_PLANTED_DAY if day in PLANTED_DAYS else 0)
        for store, texts in said:
            number += 1
            # Seven is prime to the six of a day: every store hears every text.
            text = texts[(number + offset) % len(texts)]
            yield f"r{number}", f"{day:%d/%m/%Y} 10:15", store, text, str(5 + number % 6), f"cliente {number}"


def _mails() -> Iterator[str]:
    for number in range(MAILS):
        sent = f"{FIRST_DAY + timedelta(number):%d %b %Y} 09:00:00 +0100"
        yield (
            f"From cliente{number}@exemple.test Mon Mar  3 09:00:00 2025\n"
            f"From: cliente{number}@exemple.test\nTo: lens@exemple.test\nDate: {sent}\n"
            f"Message-ID: <{number}@exemple.test>\nSubject: horaires\n\nBonjour, ouvrez vous dimanche ?\n\n"
        )


def run(*arguments: str | Path, **environment: str) -> Result:
    """One command of `vigie`, in this process."""
    return CliRunner(env={"LANG": "fr_FR.UTF-8", "LC_ALL": "", **environment}).invoke(
        app, list(map(str, arguments))
    )


def run_json(*arguments: str | Path) -> Any:
    """What a command that succeeds prints with `--json`."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
