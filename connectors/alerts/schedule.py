"""When a message may leave: quiet hours, and the times of digests, in the subscriber's own time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.alerts.subscription import Subscription

MONDAY = 0
_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


def leaves_at(subscription: Subscription, now: datetime) -> datetime:
    """`now`, or the end of the quiet hours that it falls in. Aware, UTC.

    >>> from datetime import time
    >>> monday = datetime(2024, 3, 4, 21, tzinfo=UTC)
    >>> leaves_at(Subscription(subscriber="x", to="x@exemple.test", perimeters=("a",), timezone="UTC",
    ...     quiet_from=time(20), quiet_until=time(7, 30)), monday)
    datetime.datetime(2024, 3, 5, 7, 30, tzinfo=datetime.timezone.utc)
    """
    start, end = subscription.quiet_from, subscription.quiet_until
    if start is None or end is None:
        return now.astimezone(UTC)
    zone = ZoneInfo(subscription.timezone)
    local = now.astimezone(zone)
    clock = local.time()
    over_midnight = start > end
    quiet = clock >= start or clock < end if over_midnight else start <= clock < end
    if not quiet:
        return now.astimezone(UTC)
    day = local.date() + _DAY if over_midnight and clock >= start else local.date()
    return datetime.combine(day, end, zone).astimezone(UTC)


def last_digest_time(subscription: Subscription, now: datetime) -> datetime:
    """The latest time of a digest that is not after `now`: every day, or on Mondays. Aware, UTC.

    An immediate subscription has weekly digests, of what was held back.
    """
    zone = ZoneInfo(subscription.timezone)
    local = now.astimezone(zone)
    daily = subscription.rhythm == "daily"
    day = local.date() if daily else local.date() - timedelta(days=(local.weekday() - MONDAY) % 7)
    at = datetime.combine(day, subscription.digest_at, zone).astimezone(UTC)
    if at > now:
        at = datetime.combine(day - (_DAY if daily else _WEEK), subscription.digest_at, zone).astimezone(UTC)
    return at
