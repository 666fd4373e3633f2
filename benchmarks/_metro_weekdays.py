"""Whether what is raised was only usual for its weekday: what a weekday in the expected could clear."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from scipy.stats import binom

WEEKS = 26
"""Weeks before an alert that say what is usual."""
APART = 14
"""Days before an alert that do not count: they may belong to what is told."""
KNOWN = 5
"""Messages in those weeks from which a term's weekdays are looked at."""
RARE = 0.01
"""Chance below which a term counts as one of its weekday."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class OfWeekdays:
    """looked_at: signals whose strongest term was known. typical: those whose term was said on the alert's
    weekday more than chance explains, of which `by_chance` are expected.
    """

    looked_at: int
    typical: int

    @property
    def by_chance(self) -> float:
        """How many would be typical if no word had its weekday."""
        return RARE * self.looked_at


class Calendar:
    """Which messages hold which words, on which day. messages: with `created_at` and `text`."""

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self._days = [date.fromisoformat(str(one["created_at"])[:10]) for one in messages]
        self._written = Counter(self._days)
        self._saying = defaultdict[str, set[int]](set)
        for number, one in enumerate(messages):
            for word in _WORD.findall((one["text"] or "").lower()):
                self._saying[word].add(number)

    def chance(self, term: str, day: date) -> float | None:
        """How likely a term is said as often on the weekday of `day` as it was, were all weekdays alike.

        By the weeks before, in shares of what is written; None of a term that was hardly said.
        """
        words = _WORD.findall(term.lower())
        saying = set.intersection(*(self._saying[word] for word in words)) if words else set()
        said = Counter(self._days[number] for number in saying)
        before = [day - timedelta(days=back) for back in range(APART, APART + 7 * WEEKS)]
        same = [one for one in before if one.weekday() == day.weekday()]
        total, share = sum(said[one] for one in before), self._share(same, before)
        if total < KNOWN or share is None:
            return None
        return float(binom.sf(sum(said[one] for one in same) - 1, total, share))

    def _share(self, same: Sequence[date], before: Sequence[date]) -> float | None:
        written = sum(self._written[one] for one in before)
        return sum(self._written[one] for one in same) / written if written else None


def of_weekdays(calendar: Calendar, raised: Sequence[tuple[date, str]]) -> OfWeekdays:
    """How many signals are of their weekday. raised: day and strongest term of each."""
    chances = [calendar.chance(term, day) for day, term in raised]
    known = [chance for chance in chances if chance is not None]
    return OfWeekdays(len(known), sum(chance < RARE for chance in known))
