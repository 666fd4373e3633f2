"""A subscription: who is told of which signals, when, and by which way."""

import re
from collections.abc import Mapping
from datetime import time
from hashlib import blake2b
from typing import Annotated, Any, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from pydantic import BeforeValidator, Field, model_validator

from connectors.alerts.envelope import UndeliveredError, recipient
from connectors.errors import AlertError
from connectors.secret import Secret
from connectors.source_settings import Model, Zone, matching

EMAIL = "email"

KINDS = (
    "emergence",
    "score_drift",
    "mood_drift",
    "mismatch",
    "answers_without_text",
    "silence",
    "blind_spot",
    "unusual_day",
)
DIMENSIONS = ("conformity", "accessibility", "solicitude", "trust")

Kind = Literal[
    "emergence",
    "score_drift",
    "mood_drift",
    "mismatch",
    "answers_without_text",
    "silence",
    "blind_spot",
    "unusual_day",
]
Dimension = Literal["conformity", "accessibility", "solicitude", "trust"]
Rhythm = Literal["immediate", "daily", "weekly"]

_ADDRESS = re.compile(r"[^@\s<>(),;:\"\[\]\\]+@[A-Za-z0-9.-]+")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://\S+", re.IGNORECASE)
_TO = "must be an e-mail address, or an Apprise URL such as msteams://, slack:// or jsons://"
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def check_destination(value: object) -> object:
    """Accept an e-mail address or a URL; what is refused is not quoted, it may hold a token."""
    if not isinstance(value, str) or not (_ADDRESS.fullmatch(value) or _URL.fullmatch(value)):
        raise ValueError(_TO)
    if not _URL.fullmatch(value):
        try:
            recipient(value)
        except UndeliveredError:
            raise ValueError(_TO) from None
    return value


def check_time(value: object) -> object:
    """Accept a time of day such as 7:30; a time passes."""
    if isinstance(value, str) and (found := _TIME.fullmatch(value.strip())):
        return time(int(found[1]), int(found[2]))
    if isinstance(value, time) and value.tzinfo is None:
        return value
    raise ValueError("must be a time of day, such as 07:30")


TimeOfDay = Annotated[time, BeforeValidator(check_time)]
Line = Annotated[str, matching(r"\S(.{0,198}\S)?", "must be one line of text, of 200 characters at most")]


class Subscription(Model):
    """What a subscriber asks for. Where a filter is empty, nothing is filtered by it.

    dimensions, themes: a signal of one of either fits. quiet_from, quiet_until: local times between which
    nothing is sent, over midnight where the first is later. digest_at: local time of digests, on Mondays
    where they are weekly. weekly_cap: most alerts in seven days; what is over it waits for a digest.
    history: signals that were raised from history too.
    """

    subscriber: Line
    to: Annotated[str, BeforeValidator(check_destination)] = Field(repr=False)
    perimeters: Annotated[tuple[Line, ...], Field(min_length=1)]
    descendants: bool = True
    dimensions: tuple[Dimension, ...] = ()
    themes: tuple[Line, ...] = ()
    functions: tuple[Line, ...] = ()
    kinds: tuple[Kind, ...] = ()
    min_evidence: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    lang: Literal["fr", "en"] = "fr"
    timezone: Zone = "Europe/Paris"
    quiet_from: TimeOfDay | None = None
    quiet_until: TimeOfDay | None = None
    rhythm: Rhythm = "immediate"
    digest_at: TimeOfDay = time(8)
    weekly_cap: Annotated[int, Field(ge=1, le=1000)] = 5
    history: bool = False

    @model_validator(mode="after")
    def _quiet_has_two_ends(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet hours need both ends, such as 20:00-07:30")
        if self.quiet_from is not None and self.quiet_from == self.quiet_until:
            raise ValueError("quiet hours must not last all day: end the subscription instead")
        return self

    @property
    def channel(self) -> str:
        """`email`, or the scheme of the Apprise URL."""
        found = _URL.fullmatch(self.to)
        return found[1].lower() if found else EMAIL

    @property
    def shown_to(self) -> str:
        """The destination as lists show it: of a URL no more than the scheme, for it may hold a token."""
        return self.to if self.channel == EMAIL else f"{self.channel}://..."

    def watches(self, perimeter: str) -> bool:
        """Whether a perimeter is one of those subscribed to, or inside one where these count."""
        return any(
            perimeter == one or (self.descendants and perimeter.startswith(f"{one}/"))
            for one in self.perimeters
        )

    def wants(self, signal: Mapping[str, Any]) -> bool:
        """Whether a signal, a row of the store, passes every filter but those of time."""
        about = not (self.dimensions or self.themes) or (
            signal["dimension"] in self.dimensions or signal["theme"] in self.themes
        )
        return (
            self.watches(signal["perimeter"])
            and about
            and (not self.functions or signal["owning_function"] in self.functions)
            and (not self.kinds or signal["kind"] in self.kinds)
            and signal["evidence"] >= self.min_evidence
            and (self.history or not signal["retrospective"])
        )


class Sealer:
    """Seals destinations, and gives what identifies them without giving them away."""

    def __init__(self, secret: Secret) -> None:
        self._key = secret.key("address")
        self._cipher = AESSIV(secret.key("destination"))

    def seal(self, destination: str) -> bytes:
        """Encrypted; the same destination seals to the same bytes: storing it again changes nothing."""
        return self._cipher.encrypt(destination.encode(), None)

    def open(self, sealed: bytes) -> str:
        """The destination. Raises AlertError where another key sealed it."""
        try:
            return self._cipher.decrypt(sealed, None).decode()
        except InvalidTag:
            raise AlertError(
                "the destination of a subscription was sealed with another secret key: restore the key file"
            ) from None

    def address_id(self, destination: str) -> str:
        """16 hexadecimal characters; e-mail addresses that differ in case alone are one."""
        return self._hash("address", _folded(destination))

    def subscription_id(self, subscription: Subscription) -> str:
        """16 hexadecimal characters, from who, where to and which perimeters; the rest may change."""
        parts = [subscription.subscriber, _folded(subscription.to), *sorted(subscription.perimeters)]
        return self._hash("subscription", "\n".join(parts))

    def _hash(self, use: str, content: str) -> str:
        return blake2b(content.encode(), key=self._key, person=use.encode(), digest_size=8).hexdigest()


def _folded(destination: str) -> str:
    return destination.casefold() if _ADDRESS.fullmatch(destination) else destination
