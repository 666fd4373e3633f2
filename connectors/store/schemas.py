"""The Arrow tables that the store takes. Column names and meanings are those of its PostgreSQL tables."""

from datetime import date

import pyarrow as pa

from connectors.events import TIME

SCALE = 10_000
"""Scores and sentiments are summed as integers, in ten-thousandths: sums are then exact in any order."""

SIGNAL = pa.schema(
    [
        pa.field("signal_id", pa.string(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("bucket", pa.date32(), nullable=False),
        pa.field("bucket_at", TIME, nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("terms", pa.list_(pa.string()), nullable=False),
        pa.field("theme", pa.string()),
        pa.field("dimension", pa.string()),
        pa.field("stance", pa.string()),
        pa.field("owning_function", pa.string()),
        pa.field("tone", pa.string(), nullable=False),
        pa.field("observed", pa.float64(), nullable=False),
        pa.field("expected", pa.float64(), nullable=False),
        pa.field("evidence", pa.float64(), nullable=False),
        pa.field("channels", pa.string(), nullable=False),
        pa.field("voices", pa.string(), nullable=False),
        pa.field("distinct_authors", pa.int64(), nullable=False),
        pa.field("min_authors", pa.int64(), nullable=False),
        pa.field("first_seen", TIME, nullable=False),
        pa.field("last_seen", TIME, nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("retrospective", pa.bool_(), nullable=False),
        pa.field("mean_score", pa.float64()),
        pa.field("sentence_fr", pa.string(), nullable=False),
        pa.field("sentence_en", pa.string(), nullable=False),
        pa.field("settings_version", pa.string(), nullable=False),
        pa.field("explanation", pa.string(), nullable=False),
    ]
)
"""One row a signal. signal_id: 16 bytes in hexadecimal. bucket: the civil day, bucket_at: the instant the
bucket begins. kind: emergence, or one of the watch's. tone: complaint, praise or mixed. observed, expected:
in the unit of the kind, distinct authors for emergence; finite. evidence: natural logarithm, finite.
channels, voices: JSON object, name to distinct authors. min_authors: the minimum in force; a signal with
fewer distinct authors is refused, but for a silence of as many expected. mean_score: [0, 1]. explanation:
JSON object, everything else that explains the signal. Terms are not null."""

EVIDENCE = pa.schema(
    [
        pa.field("signal_id", pa.string(), nullable=False),
        pa.field("event_id", pa.binary(16), nullable=False),
        pa.field("occurred_at", TIME, nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("excerpt", pa.string()),
    ]
)
"""One row for each signal and event that carries it. channel, voice: empty, and perimeter: the signal's own,
where rows could be counted into groups under the minimum. excerpt: redacted text, never an author. The store
drops the excerpts of a voice, unless it is withheld, that `voices` gives no min_authors distinct authors."""

TALLY = pa.schema(
    [
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("bucket", pa.date32(), nullable=False),
        pa.field("bucket_at", TIME, nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("theme", pa.string(), nullable=False),
        pa.field("texts", pa.int64(), nullable=False),
        pa.field("authors", pa.int64(), nullable=False),
        pa.field("score_sum", pa.int64(), nullable=False),
        pa.field("scored", pa.int64(), nullable=False),
        pa.field("sentiment_sum", pa.int64(), nullable=False),
        pa.field("without_text", pa.int64(), nullable=False),
        pa.field("late", pa.int64(), nullable=False),
    ]
)
"""One row a perimeter, bucket, channel, voice and theme ('' for all texts). texts: events, without_text among
them; authors: distinct; scored: events with a score, score_sum their sum; late: moved forward by the
effective-time rule. Sums are in units of 1/SCALE."""

PERIMETER = pa.schema(
    [pa.field("path", pa.string(), nullable=False), pa.field("name", pa.string(), nullable=False)]
)
"""One row a perimeter. path: from the root, `enseigne/nord/lille-2`. name: what people call it."""

THEME = pa.schema(
    [
        pa.field(name, pa.string(), nullable=False)
        for name in ("key", "label_fr", "label_en", "dimension", "stance", "owning_function", "polarity")
    ]
)
"""One row a theme of the lexicons. polarity: complaint, praise or neutral."""

PERIODS_EPOCH = date(1970, 1, 5)
"""A Monday: periods of 7 and of 28 days begin so many days from it."""

CROWD = pa.schema(
    [
        pa.field("perimeter", pa.string(), nullable=False),
        pa.field("days", pa.int32(), nullable=False),
        pa.field("starts", pa.date32(), nullable=False),
        pa.field("voice", pa.string(), nullable=False),
        pa.field("loudest", pa.int64(), nullable=False),
    ]
)
"""One row a perimeter, period of 7 or 28 days by its first day, and voice ('' for all). loudest: on how many
days and channels, in all, its loudest authors wrote, of whom there are one fewer than the minimum."""
