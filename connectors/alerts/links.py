"""The links in messages: signed, expiring, each good for one subscriber and one signal.

A link is a bearer's: whoever has it sees and does what its subscriber may with that signal, until it expires
or the subscription ends.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from connectors.errors import VigieError
from connectors.secret import Secret

_DAY_S = 24 * 3600
UNSUBSCRIBE_DAYS = 3 * 366
"""Links to unsubscribe outlive the others: who opens an old message must still be able to."""


class LinkError(VigieError):
    """A link is not one of ours, or no longer good. expired: whether it was."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("the link has expired" if expired else "the link is not valid")
        self.expired = expired


class Links:
    """Makes links and reads their tokens.

    base: where `vigie serve` is reached from, without a slash at its end. days: how long a link is good.
    """

    def __init__(self, secret: Secret, *, base: str, days: int, now: Callable[[], datetime]) -> None:
        self._base = base.rstrip("/")
        self._days = days
        key = secret.key("link")

        class Signer(TimestampSigner):
            """Stamps with the clock that was given."""

            def get_timestamp(self) -> int:
                return int(now().timestamp())

        self._signals = URLSafeTimedSerializer(key, salt="vigie.signal", signer=Signer)
        self._endings = URLSafeTimedSerializer(key, salt="vigie.unsubscribe", signer=Signer)

    def signal(self, subscription_id: str, signal_id: str) -> str:
        """Address of a signal's page, for one subscriber."""
        return f"{self._base}/s/{self._signals.dumps([subscription_id, signal_id])}"

    def unsubscribe(self, subscription_id: str) -> str:
        """Address that ends a subscription."""
        return f"{self._base}/u/{self._endings.dumps(subscription_id)}"

    def read_signal(self, token: str) -> tuple[str, str]:
        """The subscription and the signal of a page's token. Raises LinkError."""
        content = self._read(self._signals, token, self._days)
        return str(content[0]), str(content[1])

    def read_unsubscribe(self, token: str) -> str:
        """The subscription that a token ends. Raises LinkError."""
        return str(self._read(self._endings, token, UNSUBSCRIBE_DAYS))

    def _read(self, serializer: URLSafeTimedSerializer, token: str, days: int) -> Any:
        try:
            return serializer.loads(token, max_age=days * _DAY_S)
        except SignatureExpired:
            raise LinkError(expired=True) from None
        except BadData:
            raise LinkError(expired=False) from None
