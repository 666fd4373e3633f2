"""The events that carry a signal: who speaks, and what of it may be shown.

A signal is shown as it was when its crowd had last grown by the minimum, and numbers of people are rounded
down to its multiples: whatever is taken from whatever, and whenever, nothing is left or the minimum at least.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from connectors.events import SUBJECT_MARK

EXCERPT_LENGTH = 280

Row = Mapping[str, Any]
"""An event as in SUPPORT."""


def evidence_of(
    signal_id: str,
    owner: str,
    rows: Sequence[Row],
    texts: Mapping[bytes, Row],
    terms: Sequence[str],
    least: int,
    *,
    quoted: Sequence[Row],
) -> list[dict[str, Any]]:
    """EVIDENCE of a signal. rows: those of the state that is shown. texts: the events with their texts, by
    id; least: minimum of distinct authors; quoted: those of the rows whose excerpts are shown.

    Channel, voice and perimeter are withheld where rows could be counted into groups under the minimum.
    """
    channels, voices = shares(rows, "channel"), shares(rows, "voice")
    places = shares(rows, "event_perimeter")
    excerpts = {row["event_id"]: excerpt(texts[row["event_id"]]["text"], terms) for row in quoted}
    return [
        {
            "signal_id": signal_id,
            "event_id": row["event_id"],
            "occurred_at": texts[row["event_id"]]["occurred_at"],
            "channel": row["channel"] if _all_enough(channels, least) else "",
            "voice": row["voice"] if _all_enough(voices, least) else "",
            "perimeter": row["event_perimeter"] if _all_enough(places, least) else owner,
            "excerpt": excerpts.get(row["event_id"]),
        }
        for row in rows
    ]


def crowd(rows: Sequence[Row], least: int) -> dict[str, Any]:
    """The columns of SIGNAL that count who speaks. rows: those of the state that is shown."""
    return {
        "channels": json.dumps(_shown(shares(rows, "channel"), least)),
        "voices": json.dumps(_shown(shares(rows, "voice"), least)),
        "distinct_authors": people_told(rows, least),
        "min_authors": least,
    }


def at_least(count: float, least: int) -> int:
    """The multiple of the minimum that a count is not under: what is shown of it.

    >>> [at_least(count, 5) for count in (4, 5, 9, 10)]
    [0, 5, 5, 10]
    """
    return int(count) // least * least


def people_told(rows: Sequence[Row], least: int) -> int:
    """How many people at least a signal is said to come from.

    A voice of fewer than the minimum is heard beside one that has it, and not counted: else excerpts, which
    are of the others alone, would give its size away.
    """
    voices = shares(rows, "voice")
    loud = [row for row in rows if voices[row["voice"]] >= least]
    return at_least(distinct_authors(loud or rows), least)


def growth(rows: Sequence[Row], least: int) -> list[int]:
    """The steps in which a crowd had grown by the minimum since the one before, from when it had that many.

    rows: each with the `step`, or else the `bucket`, from which it carries the signal, so that later rows
    change no earlier one.
    """
    steps: list[int] = []
    people: set[int] = set()
    counted = 0
    for step, members in groupby(sorted(rows, key=step_of), key=step_of):
        people.update(row["person"] for row in members)
        if len(people) >= counted + least:
            steps.append(step)
            counted = len(people)
    return steps


def until_last_step(rows: Sequence[Row], least: int) -> list[Row]:
    """Of the rows of a signal those that are shown: up to the last step of its growth."""
    last = max(growth(rows, least), default=None)
    return [] if last is None else [row for row in rows if step_of(row) <= last]


def step_of(row: Row) -> int:
    """When a row began to carry the signal, of a story or of an episode: in order."""
    return int(row["step"] if "step" in row else row["bucket"])


def distinct_authors(rows: Iterable[Row]) -> int:
    """Persons behind the events."""
    return len({row["person"] for row in rows})


def shares(rows: Sequence[Mapping[str, Any]], column: str) -> dict[str, int]:
    """Distinct authors per value, the most first."""
    people: dict[str, set[int]] = {}
    for row in rows:
        people.setdefault(row[column], set()).add(row["person"])
    return dict(
        sorted(((name, len(who)) for name, who in people.items()), key=lambda item: (-item[1], item[0]))
    )


def _shown(shares: Mapping[str, int], min_authors: int) -> dict[str, int | None]:
    """Counts where every one is large enough: one hidden alone could be found by subtraction."""
    enough = _all_enough(shares, min_authors)
    return {name: at_least(size, min_authors) if enough else None for name, size in shares.items()}


def _all_enough(shares: Mapping[str, int], min_authors: int) -> bool:
    return all(size >= min_authors for size in shares.values())


def quoted_of(rows: Sequence[Row], least: int) -> list[Row]:
    """Of the rows of a signal those whose excerpts are shown: of each voice, those of the state in which it
    last grew by the minimum.
    """
    return [
        row
        for voice in shares(rows, "voice")
        for row in until_last_step([row for row in rows if row["voice"] == voice], least)
    ]


def excerpt(text: str, terms: Sequence[str]) -> str:
    """At most EXCERPT_LENGTH characters of a text, around the first of the terms it holds.

    >>> excerpt("Bonjour, la caisse automatique ne marche pas.", ["caisse automatique"])
    'Bonjour, la caisse automatique ne marche pas.'
    >>> excerpt("[Subject] Colis\\nIl n'est pas là.", [])
    "Colis — Il n'est pas là."
    """
    if text.startswith(SUBJECT_MARK):
        subject, _, rest = text.removeprefix(SUBJECT_MARK).partition("\n")
        text = f"{subject} — {rest}" if rest.strip() else subject
    flat = " ".join(text.split())
    if len(flat) <= EXCERPT_LENGTH:
        return flat
    lower = flat.lower()
    places = [place for place in (lower.find(term) for term in terms) if place >= 0]
    start = max(0, min(places, default=0) - EXCERPT_LENGTH // 3)
    end = min(len(flat), start + EXCERPT_LENGTH)
    return ("… " if start else "") + flat[start:end].strip() + (" …" if end < len(flat) else "")
