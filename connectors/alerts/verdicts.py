"""Verdicts on their way into the event log: what managers confirm and dismiss is a decision of the log."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.admission.pseudonyms import Pseudonyms
from connectors.log import About
from connectors.log.inbox import ask_verdict
from connectors.secret import Secret

JUDGEMENTS = ("confirm", "dismiss")
"""Actions that are verdicts."""


class Verdicts:
    """Asks the one writer of a log, through the log's inbox, to keep verdicts. No name enters the log."""

    def __init__(self, log: Path, secret: Secret) -> None:
        self._log = log
        self._pseudonyms = Pseudonyms(secret.key("pseudonym"))

    def ask(
        self, signal_id: str, action: str, *, actor: str, now: datetime, about: About | None = None
    ) -> None:
        """Ask for a verdict, durably, if the action is one. Raises LogError where the inbox cannot be
        written.

        about: what the signal tells of, for the verdict to teach; without it, it is kept and teaches nothing.
        The next `vigie ingest`, or the one that follows, decides it; it is in force from the next bucket on.
        """
        if action not in JUDGEMENTS:
            return
        (pseudonym,) = self._pseudonyms.of([actor])
        by = None if pseudonym is None else pseudonym.hex()
        ask_verdict(self._log, signal_id, action, by=by, now=now, about=about)


def about_of_signal(signal: Mapping[str, Any]) -> About | None:
    """What a signal of the store tells of; None where it was raised before signals named their subjects."""
    subjects = signal["explanation"].get("subjects")
    return About(signal["perimeter"], signal["kind"], tuple(subjects)) if subjects else None
