"""look: early looks at the root and in a division. Scored as at a close, and nothing is learned.

A day that goes on has not heard all who will write: a look counts at least those who usually do. So what
holds at a look holds at the close too, unless more people write of other things than usual.
"""

from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.emergence import EmergenceScores
from detectors.emergence_tree import EmergenceTree, Heard
from pipelines.stages.arrivals import Arrivals, OpenDays, Sighted
from pipelines.stages.detect import Detection, RootState
from pipelines.stages.division import Division
from pipelines.stages.finds import Candidates, SupportRows
from pipelines.stages.looks import (
    EARLY_CANDIDATE,
    EARLY_SUPPORT,
    LOOK_ASKED,
    LOOK_VIEW,
    Early,
    LookClock,
    RootLooked,
    so_far,
)
from pipelines.stages.teaching import EMERGENCE, Teaching
from pipelines.stages.topics import topic_of


def exposures(
    so_far: NDArray[np.int64], usual: NDArray[np.float64], days: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Authors that a look counts in open days: those who wrote, and no fewer than usually write in a day on
    which anybody does.

    >>> exposures(np.array([3, 30]), np.array([7.5, 7.5]), np.array([2, 2])).tolist()
    [16, 30]
    """
    return np.maximum(so_far, np.ceil(usual).astype(np.int64) * days)


class RootLooks:
    """The looks at the root in a turn. tally: LOOK_TALLY of all divisions, as `add_looks` gives it."""

    def __init__(
        self,
        tally: pa.Table,
        clock: LookClock,
        state: RootState,
        root: str,
        detection: Detection,
        teaching: Teaching,
    ) -> None:
        self._columns = tuple(tally[name].to_numpy() for name in tally.column_names)
        self._groups = np.unique(self._columns[0]).tolist()
        self._clock = clock
        self._state = state
        self._root = root
        self._detection = detection
        self._teaching = teaching
        self._views = [LOOK_VIEW.empty_table()]
        self._asked = [LOOK_ASKED.empty_table()]
        self._candidates = [EARLY_CANDIDATE.empty_table()]

    def before(self, bucket: int) -> None:
        """Take the looks that come before a bucket closes."""
        while self._groups and self._groups[0] < bucket:
            self._look(self._groups.pop(0))

    def finish(self) -> tuple[RootLooked, Early]:
        """Take those that are left; gives what divisions are told, and what was found."""
        while self._groups:
            self._look(self._groups.pop(0))
        looked = RootLooked(
            pa.concat_tables(self._views).combine_chunks(), pa.concat_tables(self._asked).combine_chunks()
        )
        return looked, Early(pa.concat_tables(self._candidates), EARLY_SUPPORT.empty_table())

    def _look(self, closed: int) -> None:
        closes, ticks, features, authors = self._columns
        here = slice(*np.searchsorted(closes, [closed, closed + 1]).tolist())
        looks = list(so_far(ticks[here], features[here], authors[here]))
        days = self._clock.days(np.array([look[0] for look in looks], np.int64))
        for day in np.unique(days).tolist():
            mine = [look for look, its in zip(looks, days.tolist(), strict=True) if its == day]
            # All that is said in open days: topics are told from that, too.
            heard = np.unique(features[here][(ticks[here] <= mine[-1][0]) & (features[here] > 0)])
            rates = self._state.estimator.rates(heard, bucket=day)
            season = self._state.season.factor(heard, rates, bucket=day)
            size = heard.size
            columns = [np.full(size, closed, np.int32), np.full(size, day, np.int32), heard, rates, season]
            self._views.append(pa.table(columns, schema=LOOK_VIEW))
            for tick, found, counts, wrote in mine:
                places = np.searchsorted(heard, found)
                self._test(closed, tick, day, found, counts, wrote, season[places])

    def _test(
        self,
        closed: int,
        tick: int,
        day: int,
        features: NDArray[np.uint64],
        counts: NDArray[np.int64],
        wrote: int,
        season: NDArray[np.float64],
    ) -> None:
        estimator, detection = self._state.estimator, self._detection
        usual = np.array([estimator.usual_exposure])
        exposure = int(exposures(np.array([wrote]), usual, np.array([day - closed]))[0])
        scores = estimator.score_many(features, counts, exposure=exposure, bucket=day, season=season)
        threshold = detection.thresholds(estimator.tails, np.array([estimator.tests_per_bucket]))
        bars = detection.bars(features, np.repeat(threshold, features.size))
        weights = self._teaching.at(day)
        bars = weights.bars(self._root, features, bars, heard=features, apart=detection.urgent)
        flagged = np.flatnonzero(detection.alarms(scores, counts, bars))
        if not flagged.size:
            return
        since = _since(scores, closed, day, detection)
        found = Candidates(detection)
        found.add(
            day,
            self._root,
            features,
            _begun(scores, since),
            _marks(flagged, features.size),
            bars,
            estimator.buckets,
        )
        self._candidates.append(_at(found.table(), EARLY_CANDIDATE, closed, tick))
        size = flagged.size
        columns = [
            np.full(size, closed, np.int32),
            np.full(size, tick, np.int64),
            features[flagged],
            since[flagged],
        ]
        self._asked.append(pa.table(columns, schema=LOOK_ASKED))


class DivisionLooks:
    """The looks at a division in a turn. looked: what the root tells of them."""

    def __init__(
        self,
        division: Division,
        arrivals: Arrivals,
        looked: RootLooked,
        clock: LookClock,
        tree: EmergenceTree,
        root: str,
        detection: Detection,
        teaching: Teaching,
    ) -> None:
        self._open = arrivals.looked(division, window=detection.window)
        self._next = next(self._open, None)
        self._name = division.name
        self._view = {name: looked.view[name].to_numpy() for name in looked.view.column_names}
        self._asked = looked.asked.to_pylist()
        self._clock = clock
        self._tree = tree
        self._root = root
        self._detection = detection
        self._teaching = teaching
        self._found: list[Early] = []

    def before(self, bucket: int) -> None:
        """Take the looks that come before a bucket closes."""
        while self._next is not None and self._next.group.closed < bucket:
            self._look(self._next)
            self._next = next(self._open, None)

    def finish(self) -> Early:
        """Take those that are left; gives what was found."""
        while self._next is not None:
            self._look(self._next)
            self._next = next(self._open, None)
        return Early.all_of(self._found)

    def _look(self, open_days: OpenDays) -> None:
        group = open_days.group
        if self._name != self._root:
            sighted, days = open_days.sighted(), self._clock.days(group.ticks)
            for day in np.unique(days[sighted.looks]).tolist():
                self._test(open_days, _of_day(sighted, days, day), day)
        ticks = {int(tick): look for look, tick in enumerate(group.ticks.tolist())}
        for row in self._asked:
            if row["closed"] == group.closed:
                # What the root asks for at a look of its own is what the last look here before it saw.
                self._answer(open_days, ticks, row["tick"], row["feature"], row["since"])

    def _answer(
        self, open_days: OpenDays, ticks: dict[int, int], tick: int, feature: int, since: int
    ) -> None:
        look = ticks.get(tick, int(np.searchsorted(open_days.group.ticks, tick, side="right")) - 1)
        self._support(open_days, look, tick, self._root, 0, 0, feature, since)

    def _test(self, open_days: OpenDays, sighted: Sighted, day: int) -> None:
        detection, tree, group = self._detection, self._tree, open_days.group
        nodes = open_days.division.nodes
        heard = Heard(
            [nodes[node][0] for node in sighted.nodes.tolist()],
            sighted.starts,
            sighted.exposures,
            sighted.features,
            sighted.authors,
            sighted.above,
        )
        paths = list(dict.fromkeys(heard.perimeters))
        place = {path: at for at, path in enumerate(paths)}
        which = np.array([place[path] for path in heard.perimeters], np.int64)
        usual = tree.usual_exposures(paths)[which]
        open_for = np.full(which.size, day - group.closed, np.int64)
        heard = Heard(
            heard.perimeters,
            heard.starts,
            exposures(heard.exposures, usual, open_for),
            heard.features,
            heard.counts,
            heard.above,
        )
        rates, season = self._told(group.closed, day, heard.features[heard.above < 0])
        scores = tree.score_many(heard, bucket=day, prior=rates, season=season)
        thresholds = detection.thresholds(tree.tails(paths), tree.tests_per_bucket(paths))[which]
        bars = detection.bars(heard.features, np.repeat(thresholds, heard.sizes))
        self._weigh(day, heard, bars)
        flagged = np.flatnonzero(detection.alarms(scores, heard.counts, bars))
        if not flagged.size:
            return
        since = _since(scores, group.closed, day, detection)
        marked, begun = _marks(flagged, heard.features.size), _begun(scores, since)
        for at in np.unique(heard.owners(flagged)).tolist():
            part, path = heard.span(at), heard.perimeters[at]
            look, node, depth = (int(column[at]) for column in (sighted.looks, sighted.nodes, sighted.depths))
            found = Candidates(detection)
            found.add(
                day,
                path,
                heard.features[part],
                begun.part(part),
                marked[part],
                bars[part],
                tree.buckets(path),
                partial(open_days.texts, look, node, depth),
            )
            tick = int(group.ticks[look])
            self._found.append(
                Early(_at(found.table(), EARLY_CANDIDATE, group.closed, tick), EARLY_SUPPORT.empty_table())
            )
            for entry in (np.flatnonzero(marked[part]) + part.start).tolist():
                self._support(
                    open_days, look, tick, path, node, depth, int(heard.features[entry]), int(since[entry])
                )

    def _told(
        self, closed: int, day: int, features: NDArray[np.uint64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The root's rates and seasons of features; it knows all that its divisions know."""
        view = self._view
        here = np.flatnonzero((view["closed"] == closed) & (view["bucket"] == day))
        rows = here[np.searchsorted(view["feature"][here], features)]
        return view["rate"][rows], view["season"][rows]

    def _weigh(self, day: int, heard: Heard, bars: NDArray[np.float64]) -> None:
        """Change the thresholds of perimeters that were taught, or lie in such."""
        weights = self._teaching.at(day)
        if weights.concerns(EMERGENCE):
            for at, path in enumerate(heard.perimeters):
                part = heard.span(at)
                features = heard.features[part]
                apart = self._detection.urgent
                bars[part] = weights.bars(path, features, bars[part], heard=features, apart=apart)

    def _support(
        self,
        open_days: OpenDays,
        look: int,
        tick: int,
        perimeter: str,
        node: int,
        depth: int,
        feature: int,
        since: int,
    ) -> None:
        day = int(self._clock.days(np.array([tick], np.int64))[0])
        rows = open_days.supporters(look, since, node=node, depth=depth, feature=feature)
        support = SupportRows(open_days.division)
        support.take(day, perimeter, feature, rows, partial(self._topic, open_days, look, day, rows))
        table = _at(support.table(), EARLY_SUPPORT, open_days.group.closed, tick)
        self._found.append(Early(EARLY_CANDIDATE.empty_table(), table))

    def _topic(
        self, open_days: OpenDays, look: int, day: int, rows: NDArray[np.int64], said: NDArray[np.uint64]
    ) -> NDArray[np.uint64]:
        """The topic of a candidate, of what its events of open days say: a look knows the rates of that."""
        division = open_days.division
        lately = rows[rows >= open_days.first]
        heard = np.unique(division.features_of(lately[division.rows.writes[lately]])[1])

        def rates_of(features: NDArray[np.uint64]) -> NDArray[np.float64]:
            rates, known = np.full(features.size, np.nan), np.isin(features, heard)
            rates[known], _ = self._told(open_days.group.closed, day, features[known])
            return rates

        span = open_days.span(look, day - self._detection.window + 1)
        return topic_of(division, rates_of, rows, span, said)


def _of_day(sighted: Sighted, days: NDArray[np.int32], day: int) -> Sighted:
    """What the looks of one day see: they follow one another."""
    here = np.flatnonzero(days[sighted.looks] == day)
    first, last = int(here[0]), int(here[-1]) + 1
    begin, end = int(sighted.starts[first]), int(sighted.starts[last])
    above = sighted.above[begin:end]
    return Sighted(
        sighted.looks[first:last],
        sighted.nodes[first:last],
        sighted.depths[first:last],
        sighted.starts[first : last + 1] - begin,
        sighted.exposures[first:last],
        sighted.features[begin:end],
        sighted.authors[begin:end],
        np.where(above < 0, above, above - begin),
    )


def _since(scores: EmergenceScores, closed: int, day: int, detection: Detection) -> NDArray[np.int32]:
    """First bucket of each episode: one that begins with a look begins with the first open bucket."""
    begun = np.where(scores.since == day, closed + 1, scores.since)
    return np.maximum(begun, day - detection.window + 1).astype(np.int32)


def _begun(scores: EmergenceScores, since: NDArray[np.int32]) -> EmergenceScores:
    """The scores as of episodes that began then."""
    begun = np.where(scores.since < since, scores.since, since).astype(np.int32)
    return EmergenceScores(
        log_e=scores.log_e,
        evidence=scores.evidence,
        rate=scores.rate,
        since=begun,
        observed=scores.observed,
        expected=scores.expected,
        known=scores.known,
        followed=scores.followed,
    )


def _marks(places: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    marks = np.zeros(size, np.bool_)
    marks[places] = True
    return marks


def _at(table: pa.Table, schema: pa.Schema, closed: int, tick: int) -> pa.Table:
    """A table with the moment of a look."""
    size = table.num_rows
    moment = [pa.array(np.full(size, closed, np.int32)), pa.array(np.full(size, tick, np.int64))]
    return pa.table([*table.columns, *moment], schema=schema)
