"""Occasions: days that return under a name and not at a date, such as Easter, school holidays or sales."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

AROUND = 7
"""Buckets before an occasion's first day and after its last that belong to it."""
REACH = 420
"""Buckets back to which an earlier occasion counts: a year, 35 days that Easter may move, and some."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """First and last bucket of an occasion, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The bucket of before that a bucket is like: the same place around an earlier occasion of one name.

    began: first bucket of that occasion. apart: buckets between the bucket and its own occasion, 0 within.
    """

    bucket: int
    name: str
    began: int
    apart: int


@dataclass(frozen=True, slots=True)
class Occasions:
    """What returns. named: each name, once, with its spans in order, none of which overlap.

    Examples
    --------
    >>> easter = Occasions((("Easter", (Span(100, 100), Span(450, 450))),))
    >>> [(one.bucket, one.name, one.began, one.apart) for one in easter.before(447)]
    [(97, 'Easter', 100, 3)]
    >>> easter.before(442), easter.before(100)
    ([], [])
    """

    named: tuple[tuple[str, tuple[Span, ...]], ...] = ()

    def __post_init__(self) -> None:
        for name, spans in self.named:
            apart = all(before.last < after.first for before, after in pairwise(spans))
            if not apart or any(span.last < span.first for span in spans):
                raise ValueError(f"spans of {name!r} must be in order and must not overlap")

    def before(self, bucket: int) -> list[Counterpart]:
        """What a bucket is like, the nearest of the occasions around it first, of equals the latest ones."""
        found = [one for name, spans in self.named for one in _before(bucket, name, spans)]
        return sorted(found, key=lambda one: (one.apart, -one.bucket, one.name))

    def named_like(self, bucket: int, counterpart: int) -> Counterpart | None:
        """The nearest occasion by which a bucket is like `counterpart`, None if there is none."""
        return next((one for one in self.before(bucket) if one.bucket == counterpart), None)


NO_OCCASIONS = Occasions()


def _before(bucket: int, name: str, spans: tuple[Span, ...]) -> Iterator[Counterpart]:
    start = bisect_left(spans, bucket - AROUND, key=lambda span: span.last)
    end = bisect_right(spans, bucket + AROUND, key=lambda span: span.first)
    oldest = bisect_left(spans, bucket - REACH, key=lambda span: span.last + AROUND)
    for place in range(start, end):
        now = spans[place]
        apart = max(now.first - bucket, bucket - now.last, 0)
        for earlier in spans[oldest:place]:
            yield Counterpart(_like(bucket, now, earlier), name, earlier.first, apart)


def _like(bucket: int, now: Span, earlier: Span) -> int:
    """As far from the nearer end of one occasion as the bucket is from that of the other, on the same side.

    One of another length has no counterpart of some days: those of its end stand for them.
    """
    if bucket - now.first <= now.last - bucket:
        return min(earlier.first + bucket - now.first, earlier.last)
    return max(earlier.last + bucket - now.last, earlier.first)
