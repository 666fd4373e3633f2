"""Writes the demo: a folder of sources in their native formats, and the story they hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np

from pipelines.demo.compose import Composer
from pipelines.demo.content import load_content
from pipelines.demo.entries import SHARES, Entry, Writer
from pipelines.demo.everyday import Everyday
from pipelines.demo.goods import Goods
from pipelines.demo.organisation import build_organisation
from pipelines.demo.plot import Act, Plot
from pipelines.demo.rhythm import STORY_DAY, day_date
from pipelines.demo.story import Planted, PlantedText, Story
from pipelines.demo.voices import Customers
from pipelines.demo.write_letters import write_letters
from pipelines.demo.write_mail import write_mail
from pipelines.demo.write_settings import write_settings
from pipelines.demo.write_tables import write_complaints, write_notes, write_survey

LEAST_TEXTS = 2_000
"""Fewer could not hide the planted ones."""
CHANNELS = {
    "mail": "email",
    "letters": "letter",
    "survey": "survey",
    "field_notes": "field_note",
    "complaints": "complaint",
}


def generate(folder: Path, *, seed: int = 1, texts: int = 60_000) -> Story:
    """Write 56 weeks of a fictional retailer into an empty or new folder, and say what was planted.

    texts: records of the five sources together, survey answers without text included; the planted texts
    are among them, rows that cannot be understood and machine-made mails come on top. The same seed and
    number of texts write the same bytes. Raises ValueError if the folder holds anything, or texts is
    under 2,000.
    """
    if texts < LEAST_TEXTS:
        raise ValueError(f"texts is {texts}; it must be at least {LEAST_TEXTS}")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"{folder} holds something; give a new or empty folder")
    rng, content = Random(seed), load_content()
    organisation = build_organisation(content, rng)
    customers = Customers(content, stores=len(organisation.stores), rng=rng)
    acts = Plot(content, organisation, customers, rng).acts()
    writer = Writer(
        content,
        organisation,
        composer=Composer(content, Goods(content, rng), rng),
        everyday=Everyday(content, organisation, rng),
        customers=customers,
        acts=acts,
        rng=rng,
    )
    volumes = np.random.default_rng(seed)
    entries = {source: writer.entries(source, count, volumes) for source, count in _shares(texts).items()}
    rows = {
        "mail": write_mail(folder, entries["mail"], organisation, rng),
        "letters": write_letters(folder, entries["letters"]),
        "survey": write_survey(folder, entries["survey"], rng),
        "field_notes": write_notes(folder, entries["field_notes"]),
        "complaints": write_complaints(folder, entries["complaints"]),
    }
    story = Story(seed=seed, planted=tuple(_planted(act, entries) for act in acts), rows=rows)
    write_settings(folder, organisation, story)
    return story


def _shares(texts: int) -> dict[str, int]:
    """Texts of each source; the survey takes what rounding leaves."""
    shares = {source: round(share * texts) for source, share in SHARES.items()}
    shares["survey"] += texts - sum(shares.values())
    return shares


def _planted(act: Act, entries: Mapping[str, Sequence[Entry]]) -> Planted:
    mine = sorted(
        (entry for records in entries.values() for entry in records if entry.planted == act.name),
        key=lambda entry: (entry.moment, entry.source, entry.own_id),
    )
    in_story = [entry for entry in mine if entry.moment.date() >= day_date(STORY_DAY)]
    return Planted(
        name=act.name,
        variant=act.variant.name,
        title=act.variant.title,
        decoy=act.decoy,
        perimeters=act.perimeters,
        starts=in_story[0].moment.date(),
        ends=in_story[-1].moment.date(),
        channels=tuple(dict.fromkeys(CHANNELS[entry.source] for entry in in_story)),
        terms=act.variant.terms,
        texts=tuple(PlantedText(entry.source, entry.own_id, entry.moment.date()) for entry in mine),
    )
