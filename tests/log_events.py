"""Generated events, one an hour, as the log takes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from connectors.events import EVENT

T0 = datetime(2024, 3, 1, tzinfo=UTC)


def events(first: int, count: int, **values: Any) -> pa.Table:
    """Events (EVENT) by consecutive numbers, which their ids are.

    values: of columns that are to be other than usual; a function gives the value of each number.
    """
    listed = [
        {
            "event_id": n.to_bytes(16),
            "occurred_at": T0 + timedelta(hours=n),
            "admitted_at": T0 + timedelta(hours=n),
            "grace_s": 0,
            "source": "enquete",
            "channel": "survey",
            "voice": "customer",
            "perimeter": "enseigne/nord",
            "language": "fr",
            "flags": 0,
            "text": f"texte généré {n}",
            **{name: value(n) if callable(value) else value for name, value in values.items()},
        }
        for n in range(first, first + count)
    ]
    return pa.Table.from_pylist(listed, schema=EVENT)
