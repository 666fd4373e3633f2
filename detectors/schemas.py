"""What detection reads and writes, as Arrow schemas."""

import pyarrow as pa

FEATURE_TALLY = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("authors", pa.int64(), nullable=False),
    ]
)
"""Distinct authors of a division who mention a feature in a bucket; feature 0 counts all who wrote.
Divisions share no author by definition, so tallies of divisions add up."""

ROOT_VIEW = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("rate", pa.float64(), nullable=False),
        pa.field("season", pa.float64(), nullable=False),
        pa.field("occasion_day", pa.int32()),
        pa.field("asked_since", pa.int32()),
        pa.field("flagged", pa.bool_(), nullable=False),
    ]
)
"""What the root tells divisions of each feature in a bucket: its rate before the bucket, the season's factor,
the day around an earlier occasion that the factor comes from, if it does (`SeasonMemory.recall`), and,
where the root flags or follows it, the first bucket from which it asks for support, and whether it flags."""

CANDIDATE = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("evidence", pa.float64(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("expected", pa.float64(), nullable=False),
        pa.field("since", pa.int32(), nullable=False),
        pa.field("history", pa.int32(), nullable=False),
        pa.field("texts", pa.int64(), nullable=False),
        pa.field("told", pa.float64(), nullable=False),
    ]
)
"""A feature whose sequential evidence (natural log) reached the threshold of its perimeter's budget.
expected: authors since the episode began, as far back as the window; history: buckets learned before; texts:
all that came in since then, 0 where that is not known; told: what may be told of the evidence."""

SUPPORT = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("feature", pa.uint64(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("event_bucket", pa.int32(), nullable=False),
        pa.field("event_perimeter", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("person", pa.uint64(), nullable=False),
        pa.field("score_e4", pa.int32()),
        pa.field("sentiment", pa.int16(), nullable=False),
        pa.field("themes", pa.list_(pa.uint64()), nullable=False),
        pa.field("topic", pa.list_(pa.uint64()), nullable=False),
    ]
)
"""The events that carry a candidate (bucket, perimeter, feature), one a distinct author. topic: what an event
says that few texts say, but at least half of those of its division that carry the candidate."""
