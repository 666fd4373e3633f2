"""The written material of the demo, read from the TOML files beside this module."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.demo.grammar import Pattern, compile_lines

FOLDER = Path(__file__).parent
SHOP_FILES = ("phrases_store.toml", "phrases_offer.toml", "phrases_remote.toml", "phrases_season.toml")
SIGNALS = ("store", "region", "field_first", "hidden_by_scores", "praise")
DECOYS = ("season", "campaign", "loud_customer")


@dataclass(frozen=True)
class Subject:
    """Something ordinary that people write about.

    weight: how often, relative to other subjects. saturday, remote: factors of the weight on Saturdays,
    and in mails, letters and complaints. season: a curve of `rhythm`, None where all year. titles: mail
    subjects.
    """

    name: str
    weight: float
    saturday: float
    remote: float
    season: str | None
    titles: tuple[str, ...]
    negative: tuple[Pattern, ...]
    positive: tuple[Pattern, ...]


@dataclass(frozen=True)
class Variant:
    """One wording of a planted item; `terms` are its distinctive words in every form used."""

    name: str
    title: str
    terms: tuple[str, ...]
    titles: tuple[str, ...]
    customer: tuple[Pattern, ...]
    field: tuple[Pattern, ...]


@dataclass(frozen=True)
class Content:
    """customer, field: ordinary subjects of each. frames: patterns by channel and place in the text."""

    customer: tuple[Subject, ...]
    field: tuple[Subject, ...]
    frames: Mapping[str, Mapping[str, tuple[Pattern, ...]]]
    slots: Mapping[str, Sequence[str]]
    abbreviations: Mapping[str, str]
    planted: Mapping[str, tuple[Variant, ...]]
    vocabulary: Mapping[str, Sequence[str]]


@cache
def load_content() -> Content:
    """Everything, compiled once a process."""
    frames = _read("phrases_frames.toml")
    slots, abbreviations = frames.pop("slots"), frames.pop("abbreviations")
    planted = _read("planted_signals.toml") | _read("planted_decoys.toml")
    return Content(
        customer=tuple(subject for name in SHOP_FILES for subject in _subjects(name)),
        field=tuple(_subjects("phrases_field.toml")),
        frames={
            channel: {place: compile_lines(block) for place, block in places.items()}
            for channel, places in frames.items()
        },
        slots=slots,
        abbreviations=abbreviations,
        planted={
            item: tuple(_variant(name, table) for name, table in planted[item].items())
            for item in (*SIGNALS, *DECOYS)
        },
        vocabulary=_read("vocabulary.toml"),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def _subjects(file: str) -> list[Subject]:
    return [
        Subject(
            name=name,
            weight=table["weight"],
            saturday=table.get("saturday", 1.0),
            remote=table.get("remote", 1.0),
            season=table.get("season"),
            titles=tuple(table.get("titles", ())),
            negative=compile_lines(table["negative"]),
            positive=compile_lines(table["positive"]),
        )
        for name, table in _read(file).items()
    ]


def _variant(name: str, table: Mapping[str, Any]) -> Variant:
    return Variant(
        name=name,
        title=table["title"],
        terms=tuple(table["terms"]),
        titles=tuple(table["titles"]),
        customer=compile_lines(table["customer"]),
        field=compile_lines(table.get("field", "")),
    )
