"""The decisions that affect detection, and what was in force at a bucket.

Each has an effective time, the log's clock when it was taken unless it says a later one, and is in force
for every bucket that begins then or after: it takes effect at the next bucket.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from connectors.log.layout import EPOCH, from_iso, to_iso
from connectors.log.manifest import Decision, Manifest

SETTINGS = "settings"
"""What signals depend on besides the events: settings, perimeter tree, versions of lexicon and model."""
SKIP = "skip"
"""A damaged segment is set aside: nobody reads its rows any more."""
VERDICT = "verdict"
"""What a manager made of a signal."""

Judgement = Literal["confirm", "dismiss"]

MOST_SUBJECTS = 32
"""Subjects that a verdict is about, at most."""
_LONGEST = 400

_HEX_32 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class About:
    """What a judged signal was about, as the store told of it: enough to know the like of it again.

    perimeter: its owner. subjects: keys that the detection of its kind gives, no texts.
    """

    perimeter: str
    kind: str
    subjects: tuple[str, ...]

    def payload(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"perimeter": self.perimeter, "kind": self.kind, "subjects": list(self.subjects)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A manager's judgement of a signal. by: pseudonym, 32 hexadecimal digits; None where not kept.

    about: None in logs that were written before verdicts taught. judged_at: when the manager judged; None
    where that was not kept either.
    """

    signal_id: str
    judgement: Judgement
    effective: datetime | None
    by: str | None = None
    about: About | None = None
    judged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """What was in force at a bucket.

    settings: payload of the decision, None before the first. verdicts: the last one of each signal, by its
    id. skipped: segments set aside by then, by number, with the reason.
    """

    settings: Mapping[str, Any] | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    skipped: Mapping[int, str] = field(default_factory=dict)


def verdict_payload(
    signal_id: str,
    judgement: str,
    by: str | None,
    about: About | None = None,
    judged_at: datetime | None = None,
) -> dict[str, Any]:
    """The payload of a verdict; arguments as in `Verdict`. Raises ValueError where one has another form."""
    if not _HEX_32.fullmatch(signal_id):
        raise ValueError(f"signal_id is {signal_id!r}; it must be 32 hexadecimal digits")
    if judgement not in get_args(Judgement):
        raise ValueError(f"judgement is {judgement!r}; it must be one of {', '.join(get_args(Judgement))}")
    if by is not None and not _HEX_32.fullmatch(by):
        raise ValueError("by must be a pseudonym of 32 hexadecimal digits: no name enters the log")
    payload: dict[str, Any] = {"signal_id": signal_id, "judgement": judgement, "by": by}
    if about is not None:
        _check_about(about)
        payload["about"] = about.payload()
    if judged_at is not None:
        payload["judged_at"] = to_iso(judged_at)
    return payload


def verdict_of(decision: Decision) -> Verdict | None:
    """The verdict that a decision is; None for decisions of another kind."""
    if decision.kind != VERDICT:
        return None
    payload = decision.payload
    judged_at = payload.get("judged_at")
    return Verdict(
        payload["signal_id"],
        payload["judgement"],
        decision.effective,
        payload.get("by"),
        about_of(payload.get("about")),
        None if judged_at is None else from_iso(judged_at),
    )


def about_of(payload: Mapping[str, Any] | None) -> About | None:
    """What `About.payload` gave; None of None."""
    if payload is None:
        return None
    return About(payload["perimeter"], payload["kind"], tuple(payload["subjects"]))


def _check_about(about: About) -> None:
    words: Sequence[object] = (about.perimeter, about.kind, *about.subjects)
    if not all(isinstance(word, str) and 0 < len(word) <= _LONGEST for word in words):
        raise ValueError(
            f"about must name a perimeter, a kind and subjects of 1 to {_LONGEST} characters each"
        )
    if len(about.subjects) > MOST_SUBJECTS:
        raise ValueError(f"about has {len(about.subjects)} subjects; it must have {MOST_SUBJECTS} at most")


def skip_payload(seq: int, reason: str) -> dict[str, Any]:
    """The payload of a decision that sets a segment aside. reason: what is wrong with its files."""
    return {"seq": seq, "reason": reason}


def skipped_by(decision: Decision) -> tuple[int, str] | None:
    """Number and reason of the segment a decision sets aside; None for decisions of another kind."""
    if decision.kind != SKIP:
        return None
    return int(decision.payload["seq"]), str(decision.payload["reason"])


def in_force(decisions: Iterable[Manifest], start: datetime) -> InForce:
    """What was in force for a bucket that begins at `start`, aware.

    decisions: in the order of the chain. Of two with the same effective time the later one counts.
    """
    settings: Mapping[str, Any] | None = None
    verdicts: dict[str, Verdict] = {}
    skipped: dict[int, str] = {}
    taken = [m.decision for m in decisions if m.decision is not None]
    early = [decision for decision in taken if decision.effective is None or decision.effective <= start]
    for decision in sorted(early, key=lambda decision: decision.effective or EPOCH):
        payload = decision.payload
        if decision.kind == SETTINGS:
            settings = payload
        elif verdict := verdict_of(decision):
            verdicts[verdict.signal_id] = verdict
        elif skip := skipped_by(decision):
            skipped[skip[0]] = skip[1]
    return InForce(settings, verdicts, skipped)
