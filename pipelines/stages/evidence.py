"""The events that carry a signal: who speaks, and what of it may be shown."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
) -> list[dict[str, Any]]:
    """EVIDENCE of a signal. texts: the events with their texts, by id; least: minimum of distinct authors.

    Channel, voice and perimeter are withheld where rows could be counted into groups under the minimum.
    """
    channels, voices = shares(rows, "channel"), shares(rows, "voice")
    places = shares(rows, "event_perimeter")
    excerpts = _excerpts(rows, texts, terms, voices, least)
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
    """The columns of SIGNAL that count who speaks."""
    return {
        "channels": json.dumps(_shown(shares(rows, "channel"), least)),
        "voices": json.dumps(_shown(shares(rows, "voice"), least)),
        "distinct_authors": distinct_authors(rows),
        "min_authors": least,
    }


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
    return {name: size if _all_enough(shares, min_authors) else None for name, size in shares.items()}


def _all_enough(shares: Mapping[str, int], min_authors: int) -> bool:
    return all(size >= min_authors for size in shares.values())


def _excerpts(
    rows: Sequence[Mapping[str, Any]],
    texts: Mapping[bytes, Mapping[str, Any]],
    terms: Sequence[str],
    voices: Mapping[str, int],
    min_authors: int,
) -> dict[bytes, str]:
    """Redacted excerpts of the voices with enough authors, around the signal's terms."""
    return {
        row["event_id"]: excerpt(texts[row["event_id"]]["text"], terms)
        for row in rows
        if voices[row["voice"]] >= min_authors
    }


def excerpt(text: str, terms: Sequence[str]) -> str:
    """At most EXCERPT_LENGTH characters of a text, around the first of the terms it holds.

    >>> excerpt("Bonjour, la caisse automatique ne marche pas.", ["caisse automatique"])
    'Bonjour, la caisse automatique ne marche pas.'
    """
    flat = " ".join(text.split())
    if len(flat) <= EXCERPT_LENGTH:
        return flat
    lower = flat.lower()
    places = [place for place in (lower.find(term) for term in terms) if place >= 0]
    start = max(0, min(places, default=0) - EXCERPT_LENGTH // 3)
    end = min(len(flat), start + EXCERPT_LENGTH)
    return ("… " if start else "") + flat[start:end].strip() + (" …" if end < len(flat) else "")
