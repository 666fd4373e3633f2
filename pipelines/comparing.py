"""Two runs compared signal by signal: same, only in one, earlier, later, changed; and what set them apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pipelines.runs import Run, raised_on

Verdict = Literal["same", "earlier", "later", "changed", "only_here", "only_there"]
VERDICTS: tuple[Verdict, ...] = ("same", "earlier", "later", "changed", "only_here", "only_there")
"""Of B against A: earlier and later say when B raised it; here is A, there is B."""
SHARED = 1 / 3
"""Share of the fewer events that two signals have in common at least, to be the same situation."""
_NOT_COMPARED = ("settings_version",)
_UNDER = ("organisation", "detection")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A signal of A and what it is in B; one of the two is None where the other alone has it.

    days: how many days later B raised it, negative where earlier. fields: columns that differ.
    """

    verdict: Verdict
    here: Row | None
    there: Row | None
    days: int = 0
    fields: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """One object, of each signal what names it."""
        return {
            "verdict": self.verdict,
            "days": self.days,
            "fields": list(self.fields),
            "here": _named(self.here),
            "there": _named(self.there),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """What sets two runs apart besides signals. name: of a setting, `log`, `code` or `lexicon`."""

    name: str
    here: Any
    there: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Pairs in order of day; differences of what both rest on."""

    pairs: Sequence[Pair]
    differences: Sequence[Difference]

    @property
    def cause(self) -> Difference | None:
        """What made the signals differ, where there is one thing that can have."""
        alike = all(pair.verdict == "same" for pair in self.pairs)
        return self.differences[0] if len(self.differences) == 1 and not alike else None

    @property
    def counts(self) -> dict[str, int]:
        """How many pairs of each verdict."""
        return {name: sum(pair.verdict == name for pair in self.pairs) for name in VERDICTS}


def compare_runs(here: Run, there: Run) -> Comparison:
    """Compare run B, there, with run A, here."""
    pairs = [_judged(a, b) for a, b in matched(here.signals, there.signals)]
    pairs.sort(key=_order)
    return Comparison(pairs, list(_differences(here, there)))


def matched(here: Sequence[Row], there: Sequence[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Signals of two runs that tell of the same: by id, else of one kind, one perimeter in the other, with a
    good part of the events in common; the most in common first. A signal is in one pair.
    """
    rest_there = {row["signal_id"]: row for row in there}
    rest_here = {row["signal_id"]: row for row in here}
    for key in sorted(rest_here.keys() & rest_there.keys()):
        yield rest_here.pop(key), rest_there.pop(key)
    close = []
    for a in rest_here.values():
        for b in rest_there.values():
            common = _in_common(a, b)
            if common:
                close.append((-common, a["signal_id"], b["signal_id"]))
    for _, a, b in sorted(close):
        if a in rest_here and b in rest_there:
            yield rest_here.pop(a), rest_there.pop(b)
    for row in rest_here.values():
        yield row, None
    for row in rest_there.values():
        yield None, row


def _in_common(a: Row, b: Row) -> int:
    """How many events two signals share, 0 where they are not of the same."""
    near = f"{a['perimeter']}/".startswith(f"{b['perimeter']}/") or f"{b['perimeter']}/".startswith(
        f"{a['perimeter']}/"
    )
    if a["kind"] != b["kind"] or not near:
        return 0
    ours, theirs = set(a["evidence_events"]), set(b["evidence_events"])
    common = len(ours & theirs)
    return common if common and common >= SHARED * min(len(ours), len(theirs)) else 0


def _judged(a: Row | None, b: Row | None) -> Pair:
    if a is None or b is None:
        return Pair("only_there" if a is None else "only_here", a, b)
    days = (raised_on(b) - raised_on(a)).days
    fields = tuple(name for name in sorted({*a, *b} - {*_NOT_COMPARED}) if a.get(name) != b.get(name))
    if days:
        return Pair("later" if days > 0 else "earlier", a, b, days, fields)
    return Pair("changed" if fields else "same", a, b, 0, fields)


def _differences(here: Run, there: Run) -> Iterator[Difference]:
    ours, theirs = _flat(here.settings), _flat(there.settings)
    for name in sorted({*ours, *theirs} - {"version"}):
        if ours.get(name) != theirs.get(name):
            yield Difference(name, ours.get(name), theirs.get(name))
    if here.log_head != there.log_head:
        yield Difference("log", here.log_head, there.log_head)


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, `detection.half_life_days`."""
    plain = {name: value for name, value in settings.items() if name not in _UNDER}
    under = {f"{part}.{name}": value for part in _UNDER for name, value in settings.get(part, {}).items()}
    return {**plain, **under}


def _order(pair: Pair) -> tuple[date, int, str]:
    row = pair.here or pair.there or {}
    return raised_on(row), VERDICTS.index(pair.verdict), str(row["signal_id"])


def _named(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    names = ("signal_id", "bucket", "perimeter", "kind", "label", "distinct_authors", "evidence", "status")
    return {name: row[name] for name in names}
