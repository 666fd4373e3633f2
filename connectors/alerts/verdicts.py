"""Verdicts on their way into the event log: what managers confirm and dismiss is a decision of the log."""

from datetime import datetime
from pathlib import Path

from connectors.admission.pseudonyms import Pseudonyms
from connectors.log.inbox import ask_verdict
from connectors.secret import Secret

JUDGEMENTS = ("confirm", "dismiss")
"""Actions that are verdicts."""


class Verdicts:
    """Asks the one writer of a log, through the log's inbox, to keep verdicts. No name enters the log."""

    def __init__(self, log: Path, secret: Secret) -> None:
        self._log = log
        self._pseudonyms = Pseudonyms(secret.key("pseudonym"))

    def ask(self, signal_id: str, action: str, *, actor: str, now: datetime) -> None:
        """Ask for a verdict, durably, if the action is one. Raises LogError where the inbox cannot be
        written.

        The next `vigie ingest`, or the one that follows, decides it; it is in force from the next bucket on.
        """
        if action not in JUDGEMENTS:
            return
        (pseudonym,) = self._pseudonyms.of([actor])
        ask_verdict(self._log, signal_id, action, by=None if pseudonym is None else pseudonym.hex(), now=now)
