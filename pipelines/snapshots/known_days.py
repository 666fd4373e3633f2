"""Days by a hash of all that detection of them, and of every day before, read of the log."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from connectors.civil_days import civil_days
from connectors.log import EventLog
from connectors.log.erasing import Erasure
from connectors.log.layout import to_us
from pipelines.stages.teaching import Teaching

_BEFORE_ALL = -(1 << 31)
"""Day of what may have touched any day."""


@dataclass(frozen=True, slots=True)
class KnownDays:
    """Days up to the last one judged. changes: days (since 1970) on which something new was read, ascending,
    with the hash, 32 hexadecimal digits, of that and of all before.

    Two logs, or one log at two times, whose hash of a day is the same were judged alike up to that day.
    """

    changes: Sequence[tuple[int, str]]
    last: int

    @classmethod
    def of(
        cls, log: EventLog, teaching: Teaching, erasures: Iterable[Erasure], *, zone: str, last: int
    ) -> "KnownDays":
        """Those of a log. teaching: what its verdicts teach. erasures: of texts that cannot be read any more.

        Merges change nothing; a segment counts for the day of its first event, since every day after that may
        hold more of it.
        """
        read: defaultdict[int, list[str]] = defaultdict(list)
        segments = list(log.appended())
        starts = np.array([to_us(segment.first_effective) for segment, _ in segments], np.int64)
        for (segment, sha256), day in zip(segments, civil_days(starts, zone).tolist(), strict=True):
            read[day].append(f"segment {segment.seq:012d} {sha256}")
        for verdict in teaching.verdicts:
            read[verdict.bucket].append(f"verdict {verdict}")
        for erasure in erasures:
            read[erasure.asked.get("earliest_bucket", _BEFORE_ALL)].append(
                f"erasure {erasure.seq:012d} {erasure.done}"
            )
        changes, before = [], ""
        for day in sorted(read):
            if day <= last:
                content = "\n".join([before, str(day), *sorted(read[day])])
                before = blake2b(content.encode(), digest_size=16).hexdigest()
                changes.append((day, before))
        return cls(changes, last)

    def at(self, day: int) -> str:
        """The hash of a day, empty before the first."""
        place = bisect_right(self.changes, day, key=lambda change: change[0])
        return self.changes[place - 1][1] if place else ""

    def alike(self, other: "KnownDays") -> int | None:
        """The last day up to which both were judged alike, None where there is none."""
        until = min(self.last, other.last)
        days = sorted({day for day, _ in (*self.changes, *other.changes)})
        differing = next((day for day in days if day <= until and self.at(day) != other.at(day)), until + 1)
        return differing - 1 if days and differing > days[0] else None
