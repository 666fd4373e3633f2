"""The run that the store reflects: which replay its signals and tallies are of."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import psycopg


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: what it read, under which settings, and the digest of the signals it gave.

    log_head: hash of the last manifest read. closed_until: end of the last closed bucket. digest: of the
    canonical export of the signals. Times are aware.
    """

    log_head: str
    settings_version: str
    lexicon_version: str
    code_version: str
    closed_until: datetime
    started_at: datetime
    finished_at: datetime
    digest: str

    @property
    def run_id(self) -> str:
        """16 bytes in hexadecimal, from what determines the signals: the same replay is the same run."""
        closed_until = self.closed_until.astimezone(UTC).isoformat()
        origin = [self.log_head, self.settings_version, self.lexicon_version, self.code_version, closed_until]
        return hashlib.blake2b(json.dumps(origin).encode(), digest_size=16).hexdigest()


def make_current(connection: psycopg.Connection, run: Run) -> None:
    """Record a run as the one the store reflects, inside the caller's transaction."""
    connection.execute(
        "UPDATE vigie.run SET is_current = false WHERE is_current AND run_id <> %s", (run.run_id,)
    )
    connection.execute(_RECORD_RUN, {"run_id": run.run_id, **asdict(run)})


_RECORD_RUN = """
INSERT INTO vigie.run AS kept
VALUES (%(run_id)s, %(log_head)s, %(settings_version)s, %(lexicon_version)s, %(code_version)s,
        %(closed_until)s, %(started_at)s, %(finished_at)s, %(digest)s, true)
ON CONFLICT (run_id) DO UPDATE SET
    started_at = excluded.started_at, finished_at = excluded.finished_at, digest = excluded.digest,
    is_current = true
WHERE ROW(kept.*) IS DISTINCT FROM ROW(excluded.*)
"""
