"""Writes what goes with the sources: vigie.toml, the tree, the directory of names, a readme."""

import csv
from pathlib import Path

from pipelines.demo.organisation import NAME, ROOT, Organisation
from pipelines.demo.rhythm import STORY_DAY
from pipelines.demo.story import Story
from pipelines.demo.write_letters import PATTERN

_WINDOW = "{ first = 2025-01-01, last = 2026-12-31 }"

_SETTINGS = f"""\
# Données fictives, générées par `vigie demo` (generated, fictional data).

[organisation]
root = "{ROOT}"
name = "{NAME}"
tree = "perimeters.csv"
timezone = "Europe/Paris"
languages = ["fr", "en"]

[privacy]
key_file = "secret/vigie.key"
directory = "names.txt"
min_authors = 5
quarantine_days = 30

[log]
path = "log"

[store]
dsn = ""

[detection]
# Forty-four weeks of history to learn from, judged from there on: in a first year, every season is news.
warm_up_days = {STORY_DAY}
# Half a false alert is to be expected of all forty-seven perimeters in the twelve weeks of the story.
false_alerts_per_perimeter_per_year = 0.05

[alerts]
sender = "Vigie (données fictives, generated data) <vigie@{ROOT}.example>"
mailbox = "mailbox"

[[source]]
name = "mail"
kind = "mail"
path = "mail"
perimeter = "{{to_local}}"
window = {_WINDOW}

[[source]]
name = "letters"
kind = "letters"
path = "letters"
perimeter = "{{magasin}}"
pattern = '{PATTERN}'
window = {_WINDOW}

[[source]]
name = "survey"
kind = "table"
path = "survey"
channel = "survey"
perimeter = "{{magasin}}"
decimal_comma = true
window = {_WINDOW}

[source.columns]
id = "id_reponse"
occurred_at = "date_reponse"
text = "commentaire"
score = "note"
author = "client"

[source.score]
worst = 0
best = 10

[[source]]
name = "field_notes"
kind = "table"
path = "notes/notes_terrain.jsonl"
channel = "field_note"
voice = "field"
perimeter = "{{magasin}}"
window = {_WINDOW}

[source.columns]
id = "id"
occurred_at = "date"
text = "note"
author = "agent"

[[source]]
name = "complaints"
kind = "table"
path = "complaints/reclamations.csv"
channel = "complaint"
perimeter = "{{magasin}}"
window = {_WINDOW}

[source.columns]
id = "numero"
occurred_at = "date_creation"
text = "motif"
author = "client"
agent = "saisi_par"
"""

_README = f"""\
Données fictives, entièrement générées par `vigie demo` : {NAME} n'existe pas, ni ses clients, ni ses agents.
Generated, fictional data: {NAME}, its customers and its agents do not exist.

Graine (seed) : {{seed}}

Ce qui a été planté dans les douze dernières semaines (S1 à S12, nombre de textes) :

{{table}}
"""


def write_settings(folder: Path, organisation: Organisation, story: Story) -> None:
    """Write `vigie.toml`, `perimeters.csv`, `names.txt` and `README.txt`."""
    readme = _README.format(seed=story.seed, table=story.table())
    names = sorted(
        {name for store in organisation.stores for agent in store.agents for name in _known_as(agent)}
    )
    for name, content in (
        ("vigie.toml", _SETTINGS),
        ("README.txt", readme),
        ("names.txt", "\n".join(names) + "\n"),
    ):
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    with (folder / "perimeters.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_tree(organisation))


def _known_as(agent: str) -> tuple[str, str]:
    """Whole name, and surname alone."""
    return agent, agent.split(" ", 1)[1]


def _tree(organisation: Organisation) -> list[tuple[str, str, str]]:
    rows = [("perimeter", "name", "aliases"), (ROOT, NAME, "")]
    for region in organisation.regions:
        stores = organisation.stores_of(region)
        rows.append((stores[0].division, region, ""))
        rows += [(store.perimeter, store.name, f"{store.code}|Magasin {store.code}") for store in stores]
    return rows
