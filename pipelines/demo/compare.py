"""What was planted against what was raised."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from connectors.admission.identity import Identity
from connectors.contract import Parsed
from connectors.secret import Secret
from pipelines.demo.story import Planted, Story
from pipelines.stages.explain import Signals

_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
BELONGS = 0.5
"""Share of a signal's events that must be planted texts of one item for the signal to be its."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One planted item. signals: ids of its signals, the first raised first.

    texts_before: its texts from its start up to the day the first signal was raised, None if none was.
    """

    planted: Planted
    signals: tuple[str, ...]
    first: date | None
    texts_before: int | None

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `vigie demo --json` prints them."""
        return {
            "name": self.planted.name,
            "decoy": self.planted.decoy,
            "starts": self.planted.starts.isoformat(),
            "found": self.first is not None,
            "first_signal": self.first.isoformat() if self.first else None,
            "texts_before_signal": self.texts_before,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """outcomes: one a planted item, in the story's order. unplanned: ids of signals that match none and
    are no part of another.
    """

    outcomes: tuple[Outcome, ...]
    unplanned: tuple[str, ...]


def compare(story: Story, signals: Signals, secret: Secret) -> Comparison:
    """Match signals to planted items by the events that carry them; a signal belongs to one item or none."""
    item_of = _items_by_event(story, secret)
    events: dict[str, list[str | None]] = {}
    for row in signals.evidence.select(["signal_id", "event_id"]).to_pylist():
        events.setdefault(row["signal_id"], []).append(item_of.get(row["event_id"]))
    owner = {signal: _owner(items) for signal, items in events.items()}
    raised = signals.signals.select(["signal_id", "bucket", "status"]).to_pylist()
    outcomes = []
    for item in story.planted:
        mine = [row for row in raised if owner.get(row["signal_id"]) == item.name]
        first = min((row["bucket"] for row in mine), default=None)
        texts = None if first is None else sum(item.starts <= text.day <= first for text in item.texts)
        outcomes.append(Outcome(item, tuple(row["signal_id"] for row in mine), first, texts))
    unplanned = tuple(
        row["signal_id"]
        for row in raised
        if owner.get(row["signal_id"]) is None and row["status"] != "merged"
    )
    return Comparison(tuple(outcomes), unplanned)


def _owner(items: Iterable[str | None]) -> str | None:
    """The item that holds most of the events, if it holds enough of them."""
    counted = Counter(items)
    name, size = max(counted.items(), key=lambda pair: (pair[1], pair[0] or ""))
    return name if size >= BELONGS * counted.total() else None


def _items_by_event(story: Story, secret: Secret) -> Mapping[bytes, str]:
    """Planted item of each event id, computed from the sources' own ids as admission does."""
    found: dict[bytes, str] = {}
    for item in story.planted:
        for text in item.texts:
            identity = Identity(secret.key("event-id"), text.source)
            # An own id is identity enough: nothing else of the row counts.
            row = Parsed(occurred_at=_ANY_TIME, perimeter="", text="", own_id=text.own_id)
            found[identity.of([row])[0]] = item.name
    return found
