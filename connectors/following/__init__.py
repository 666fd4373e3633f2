"""Following sources: what is new in their files becomes live segments of the log, as it comes."""

from connectors.following.follower import Clock, Follower, Limits
from connectors.following.growth import Waits
from connectors.following.positions import Positions, fingerprint_of
from connectors.following.status import Status
from connectors.following.waking import Waker, stopped_by_signals
from connectors.following.watching import watching

__all__ = [
    "Clock",
    "Follower",
    "Limits",
    "Positions",
    "Status",
    "Waits",
    "Waker",
    "fingerprint_of",
    "stopped_by_signals",
    "watching",
]
