"""Why a signal was raised: what was observed and expected day by day, and what would have cleared it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from connectors.civil_days import midnight
from connectors.log import EventLog
from pipelines.flow import BATCH_ROWS
from pipelines.replay import SLICE_ROWS, Engine, judged, make_plan
from pipelines.settings import Settings
from pipelines.stages.clearing import authors_to_clear
from pipelines.stages.detect import Detection
from pipelines.stages.probe import PROBED, Probe
from pipelines.stages.understand import Reader
from pipelines.stages.why_wording import Grounds, why_en, why_fr

ORDINARY = 0.95
"""Share of ordinary days under the upper end of the expected band, and over its lower end."""
MOST_EXCERPTS = 3
_ORDER = [("perimeter", "ascending"), ("feature", "ascending"), ("bucket", "ascending")]
_EPOCH = date(1970, 1, 1)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """One day of what was judged. writers: people who wrote at all. low, high: where ordinary days lie.

    evidence, threshold: natural logarithms, evidence at least 0. raised: whether that was an alert.
    """

    day: date
    observed: float
    writers: int
    expected: float
    low: float
    high: float
    evidence: float
    threshold: float
    raised: bool


@dataclass(frozen=True, slots=True)
class Why:
    """What a signal stands on. signal: its row, with dictionaries. excerpts: rows of EVIDENCE."""

    signal: Row
    grounds: Grounds
    sentence_fr: str
    sentence_en: str
    excerpts: Sequence[Row]
    days: Sequence[JudgedDay]

    def as_json(self) -> dict[str, Any]:
        """One object."""
        signal, grounds = self.signal, self.grounds
        told = [count for count in grounds.channels.values() if count is not None]
        whole = sum(told) if told and len(told) == len(grounds.channels) else None
        return {
            "signal_id": signal["signal_id"],
            "kind": grounds.kind,
            "perimeter": signal["perimeter"],
            "judged_at": signal["explanation"]["judged_at"],
            "term": grounds.term,
            "raised": grounds.raised,
            "since": grounds.since,
            "observed": grounds.observed,
            "expected": grounds.expected,
            "baseline": None
            if grounds.first_learned is None
            else {"first": grounds.first_learned, "last": grounds.since - timedelta(days=1)},
            "evidence": grounds.evidence,
            "threshold": grounds.threshold,
            "authors_to_clear": grounds.fewer,
            "distinct_authors": signal["distinct_authors"],
            "channels": {
                name: {"authors": count, "share": None if whole is None or count is None else count / whole}
                for name, count in grounds.channels.items()
            },
            "sentence_fr": self.sentence_fr,
            "sentence_en": self.sentence_en,
            "excerpts": list(self.excerpts),
            "days": [asdict(day) for day in self.days],
        }


def why(
    signal: Row, evidence: Sequence[Row], probed: Sequence[Row], settings: Settings, *, place: str
) -> Why:
    """Put together what is known. signal, evidence: as the store gives them.

    probed: PROBED of `probe_of(signal)` from its first bucket on, empty for a signal of the watch.
    place: name of the perimeter where it was judged.
    """
    told, raised = signal["explanation"], signal["bucket"]
    detection = settings.stages
    alarm = (raised - _EPOCH).days
    heard = [row["bucket"] for row in probed if row["exposure"]]
    at_alarm = next((row for row in probed if row["bucket"] == alarm), None)
    since = _EPOCH + timedelta(days=at_alarm["since"]) if at_alarm else date.fromisoformat(told["since"])
    grounds = Grounds(
        kind=signal["kind"],
        term=told.get("term") or signal["label"],
        place=place,
        since=since,
        raised=raised,
        observed=at_alarm["observed"] if at_alarm else signal["observed"],
        expected=at_alarm["expected"] if at_alarm else signal["expected"],
        first_learned=_EPOCH + timedelta(days=heard[0]) if heard else None,
        evidence=signal["evidence"],
        threshold=told["threshold"],
        fewer=authors_to_clear(probed, detection, alarm=alarm),
        channels=signal["channels"],
    )
    return Why(
        signal,
        grounds,
        why_fr(grounds, signal["sentence_fr"]),
        why_en(grounds, signal["sentence_en"]),
        most_telling(evidence, told["terms"]),
        [_judged_day(row, detection) for row in probed if row["bucket"] >= (heard[0] if heard else 0)],
    )


def probe_of(signal: Row) -> Probe | None:
    """What a signal's first alarm was about, None for a signal of the watch."""
    told = signal["explanation"]
    return Probe(told["judged_at"], int(told["feature"], 16)) if "feature" in told else None


def most_telling(evidence: Sequence[Row], terms: Mapping[str, float]) -> list[Row]:
    """The excerpts that hold the most of a signal's terms by weight, the shortest first among equals.

    terms: evidence of each. In order of time; what an excerpt repeats of another counts for nothing.
    """
    # Of equal excerpts the first stands.
    left = {item["excerpt"].casefold(): item for item in reversed(evidence) if item["excerpt"] is not None}

    def weight(text: str) -> tuple[float, int, str]:
        return -sum(value for term, value in terms.items() if term.casefold() in text), len(text), text

    chosen = sorted(left, key=weight)[:MOST_EXCERPTS]
    return sorted((left[text] for text in chosen), key=lambda item: (item["occurred_at"], item["excerpt"]))


def last_day_of(signal: Row, zone: str) -> int:
    """The bucket in which a signal was last seen."""
    seen: datetime = signal["last_seen"]
    raised: date = signal["bucket"]
    return (max(seen.astimezone(ZoneInfo(zone)).date(), raised) - _EPOCH).days


def probe_log(
    log: EventLog,
    settings: Settings,
    reader: Reader,
    engine: Engine,
    probes: Sequence[Probe],
    *,
    work: Path,
    until: int | None = None,
    slice_rows: int = SLICE_ROWS,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[int, int], None] | None = None,
) -> pa.Table:
    """PROBED of the log's closed buckets, in order of (perimeter, feature, bucket).

    until: last bucket looked at. work, progress and errors as in `replay`.
    """
    plan, _ = make_plan(log, settings, reader, work=work, batch_rows=batch_rows, probes=probes, until=until)
    after = midnight(_EPOCH + timedelta(days=plan.last_bucket + 1), reader.zone)
    slices = [part for part in log.slices(max_rows=slice_rows, zone=reader.zone) if part.start < after]
    shards = judged(slices, plan, engine, progress)
    return pa.concat_tables([PROBED.empty_table(), *(shard.found.probed for shard in shards)]).sort_by(_ORDER)


def _judged_day(row: Row, detection: Detection) -> JudgedDay:
    expected = row["rate"] * row["exposure"]
    low, high = band(expected, detection.dispersion)
    return JudgedDay(
        day=_EPOCH + timedelta(days=row["bucket"]),
        observed=row["authors"],
        writers=row["exposure"],
        expected=expected,
        low=low,
        high=high,
        evidence=max(0.0, row["evidence"]),
        threshold=row["threshold"],
        raised=row["flagged"],
    )


def band(mean: float, dispersion: float) -> tuple[int, int]:
    """Where nine ordinary days in ten lie: quantiles of a negative binomial of that mean and size.

    >>> band(0.0, 1.0), band(0.01, 1.0), band(10.0, 1e6)
    ((0, 0), (0, 0), (5, 15))
    """
    if mean <= 0:
        return 0, 0
    share = mean / (mean + dispersion)
    chance = math.exp(dispersion * math.log1p(-share))
    below, count, low = chance, 0, None
    while True:
        if low is None and below >= 1 - ORDINARY:
            low = count
        if below >= ORDINARY and low is not None:
            return low, count
        chance *= share * (dispersion + count) / (count + 1)
        if chance <= 0 and count > mean:
            return low or 0, count
        count += 1
        below += chance
