"""What was found, bucket after bucket, and the signals it makes: the end of the flow, after all shards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

import pyarrow as pa

from connectors.civil_days import midnight
from connectors.log import EventLog, Slice
from pipelines.flow import Rules, Shard
from pipelines.stages.carriers import Carriers
from pipelines.stages.corroborate import Corroboration, corroborate
from pipelines.stages.episodes import Episodes, follow
from pipelines.stages.explain import Signals, Telling, explain
from pipelines.stages.finding import Finding
from pipelines.stages.finds import Found
from pipelines.stages.teaching import NOTHING_TAUGHT, Teaching
from pipelines.stages.tell import tell
from pipelines.stages.understand import Reader
from pipelines.stages.watch import Watch, watch


@dataclass(slots=True)
class Chronicle:
    """Stories and episodes so far, and what the watch has learned."""

    watched: Watch
    stories: Corroboration = field(default_factory=Corroboration)
    episodes: Episodes = field(default_factory=Episodes)

    @classmethod
    def new(cls, rules: Rules) -> "Chronicle":
        """One that has seen nothing."""
        return cls(Watch.new(rules.root, rules.detection))

    def take_in(
        self,
        shard: Shard,
        rules: Rules,
        themes: Mapping[int, str],
        *,
        last: int | None = None,
        sealed: Sequence[tuple[str, int]] = (),
    ) -> None:
        """Take in what was found in some buckets, all later than those before.

        themes: key of each theme, by id. last: bucket to go on to, complete though nothing came.
        sealed: owner and bucket of birth of stories whose texts are erased.
        """
        self.take_over(shard.found, self._watch(shard, rules, themes, last=last), rules, sealed=sealed)

    def take_over(
        self,
        found: Found,
        findings: Sequence[Finding],
        rules: Rules,
        *,
        sealed: Sequence[tuple[str, int]] = (),
    ) -> None:
        """Take in what was found in some buckets and what the watch found in them; arguments as above."""
        corroborate([found], self.stories, rules.detection, rules.teaching)
        decided = (story for story in self.stories.stories if not story.undecided)
        births = [*sealed, *((story.owner, story.born.bucket) for story in decided)]
        follow(findings, self.episodes, births, window=rules.detection.window)

    def look(self, shard: Shard, rules: Rules) -> None:
        """Take in what looks found since the last close, if that is all there is."""
        corroborate([shard.found], self.stories, rules.detection, rules.teaching)

    def _watch(
        self, shard: Shard, rules: Rules, themes: Mapping[int, str], *, last: int | None
    ) -> list[Finding]:
        """What the watch finds in some buckets; it has then learned them."""
        cells, detection = shard.cells, rules.detection
        return watch(cells, self.watched, detection, themes, last=last, teaching=rules.teaching)

    def tell(
        self,
        log: EventLog,
        carriers: Carriers,
        *,
        last_bucket: int,
        teaching: Teaching = NOTHING_TAUGHT,
    ) -> Signals:
        """The signals, with the texts that carry them. last_bucket: the last one taken in."""
        telling = carriers.telling
        live_from, told, weights = live_from_of(log), self.stories.stories, teaching.at(last_bucket + 1)
        signals = explain(
            told, log.take, telling, last_bucket=last_bucket, live_from=live_from, weights=weights
        )
        others = tell(
            self.episodes.all,
            [story for story in told if not story.undecided],
            carriers,
            last_bucket=last_bucket,
            live_from=live_from,
            weights=weights,
        )
        return signals.and_those(others)


def carriers_in(log: EventLog, telling: Telling) -> Carriers:
    """Finds the events that carry episodes in the closed buckets of a log."""
    return Carriers(partial(_events_of, log, telling.reader), log.take, telling)


def theme_names(telling: Telling) -> dict[int, str]:
    """Key of each theme, by id."""
    return {feature: theme.key for feature, theme in telling.themes.items()}


def live_from_of(log: EventLog) -> datetime | None:
    """When the live part of a log begins, None where there is none."""
    admitted = [
        m.segment.first_effective for m in log.manifests() if m.segment is not None and m.segment.live
    ]
    return min(admitted, default=None)


def _events_of(log: EventLog, reader: Reader, first: int, last: int) -> Iterator[pa.RecordBatch]:
    """Events of the buckets first..last, with texts and positions, where their perimeters stand today."""
    start, end = (midnight(date(1970, 1, 1) + timedelta(days=day), reader.zone) for day in (first, last + 1))
    for piece in log.pieces(Slice(start, end, rows=0)):
        events = log.read_piece(piece)
        place = events.schema.get_field_index("perimeter")
        yield events.set_column(place, events.schema.field(place), reader.places(events["perimeter"]))
