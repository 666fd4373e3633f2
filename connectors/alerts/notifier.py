"""Chats, text messages, webhooks: whatever Apprise has a URL for."""

import logging
from typing import Any

from connectors.alerts.envelope import Envelope, UndeliveredError
from connectors.errors import AlertError

_TALKATIVE = ("apprise", "urllib3.connectionpool")
"""Loggers of URLs, tokens and all."""
_IDEMPOTENCY = "Idempotency-Key"


class Notifier:
    """Sends the brief form of a message to an Apprise URL.

    Webhooks (json, xml and form, with or without TLS) also get the message's id in the header
    Idempotency-Key, and the facts as fields of their own.
    """

    def send(self, to: str, envelope: Envelope) -> None:
        """Send; returns once the service has taken it. Raises UndeliveredError."""
        service = _service(to)
        if service is None:
            raise UndeliveredError("the subscription's Apprise URL is not understood", permanent=True)
        if hasattr(service, "headers") and hasattr(service, "payload_extras"):
            service.headers[_IDEMPOTENCY] = envelope.message_id
            service.payload_extras.update({"id": envelope.message_id, **envelope.facts})
        try:
            taken = service.notify(body=envelope.brief, title=envelope.subject)
        except Exception as error:
            # Plugins raise what they like, and it may quote the URL.
            raise UndeliveredError(
                f"{_scheme(to)}: the service failed: {type(error).__name__}", permanent=False
            ) from None
        if not taken:
            raise UndeliveredError(f"{_scheme(to)}: the service did not take the message", permanent=False)


def check_url(url: str) -> None:
    """Raise AlertError, without the URL, unless Apprise understands it."""
    if _service(url) is None:
        raise AlertError(
            f"{_scheme(url)}://...: Apprise does not understand this URL; see its page of notification "
            "services for the form of each"
        )


def _service(url: str) -> Any:
    """Apprise's service of a URL; None where it understands none."""
    # Apprise takes a second to import, and most subscriptions are to e-mail.
    import apprise

    for name in _TALKATIVE:
        logging.getLogger(name).disabled = True
    return apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(app_id="Vigie"))


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()
