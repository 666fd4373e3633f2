"""Times that people give to commands."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import typer


def instant_of(text: str, zone: str, *, option: str) -> datetime:
    """An instant in UTC: a time as ISO 8601, of `zone` where it names none; a day alone is its last moment.

    Raises BadParameter, naming the option, for anything else.

    >>> instant_of("2025-03-03", "Europe/Paris", option="--as-of").isoformat()
    '2025-03-03T22:59:59.999999+00:00'
    >>> instant_of("2025-03-03T10:00", "Europe/Paris", option="--as-of").isoformat()
    '2025-03-03T09:00:00+00:00'
    """
    try:
        if (day := _day(text)) is not None:
            after = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
            return after.astimezone(UTC) - timedelta(microseconds=1)
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{option}: {text!r} is not a time; give a day or a time, such as 2025-03-03 or 2025-03-03T18:00"
        ) from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
