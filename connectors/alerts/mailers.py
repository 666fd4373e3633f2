"""E-mail: to a server by SMTP, or into a folder of .eml files for trying things out."""

import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.generator import BytesGenerator
from pathlib import Path
from typing import Literal

from connectors.alerts.envelope import MAIL, Envelope, UndeliveredError, as_mail
from connectors.log.durable import make_folder, sync_folder, write_whole
from connectors.perimeters import slugify

_TIMEOUT_S = 30
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail goes. security: `starttls` and `tls` check the server's certificate."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


class SmtpMailer:
    """Sends each message over a connection of its own."""

    def __init__(self, server: SmtpServer, *, sender: str, now: Clock) -> None:
        self._server = server
        self._sender = sender
        self._now = now

    def send(self, to: str, envelope: Envelope) -> None:
        """Send; returns once the server has taken it. Raises UndeliveredError."""
        mail = as_mail(envelope, sender=self._sender, to=to, at=self._now())
        try:
            server = self._connect()
            try:
                server.send_message(mail, to_addrs=[to])
            finally:
                # The message is taken or refused by now: how the talk ends says nothing of it.
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise UndeliveredError(
                f"the mail server refused the recipient ({code})", permanent=_lasts(code)
            ) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            code = error.smtp_code
            raise UndeliveredError(
                f"the mail server refused the message ({code})", permanent=_lasts(code)
            ) from None
        except smtplib.SMTPAuthenticationError:
            raise UndeliveredError(
                "the mail server refused the user or the password", permanent=False
            ) from None
        except smtplib.SMTPResponseException as error:
            raise UndeliveredError(f"the mail server answered {error.smtp_code}", permanent=False) from None
        except (smtplib.SMTPException, OSError) as error:
            place = f"{self._server.host}:{self._server.port}"
            raise UndeliveredError(
                f"no talk with the mail server at {place}: {type(error).__name__}", permanent=False
            ) from None

    def _connect(self) -> smtplib.SMTP:
        at, secured = self._server, ssl.create_default_context
        if at.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(at.host, at.port, timeout=_TIMEOUT_S, context=secured())
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=_TIMEOUT_S)
        try:
            if at.security == "starttls":
                server.starttls(context=secured())
            if at.user:
                server.login(at.user, at.password)
        except BaseException:
            server.close()
            raise
        return server


class Mailbox:
    """Writes each message as an .eml file of a folder: whole, and under the same name if written again."""

    def __init__(self, folder: Path, *, sender: str, now: Clock) -> None:
        self._folder = folder
        self._sender = sender
        self._now = now

    def send(self, to: str, envelope: Envelope) -> None:
        """Write; returns once it is on the disk. Raises UndeliveredError."""
        mail = as_mail(envelope, sender=self._sender, to=to, at=self._now())
        try:
            make_folder(self._folder)
            name = f"{slugify(to)}-{envelope.message_id[:12]}.eml"
            write_whole(self._folder / name, lambda file: BytesGenerator(file, policy=MAIL).flatten(mail))
            sync_folder(self._folder)
        except OSError as error:
            raise UndeliveredError(
                f"the mailbox {self._folder} cannot be written: {error.strerror}", permanent=False
            ) from None


def _lasts(code: int) -> bool:
    """Whether an SMTP code says that trying again cannot help."""
    return 500 <= code < 600
