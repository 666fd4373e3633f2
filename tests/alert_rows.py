"""What tests of alerts share: subscriptions, signals in the store, a clock, and servers that receive.

Everyone in it is generated. Tests reach this through the fixture `alerts`.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.alerts.subscription import Sealer, Subscription
from connectors.secret import Secret

SECRET = Secret(bytes(range(32)))
SEALER = Sealer(SECRET)
NOW = datetime(2024, 3, 6, 9, tzinfo=UTC)
"""A Wednesday."""
LILLE, LENS, NORD = "enseigne/nord/lille-2", "enseigne/nord/lens", "enseigne/nord"


class Clock:
    """A wall clock that the test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


def subscription(**wishes: Any) -> Subscription:
    return Subscription.model_validate(
        {
            "subscriber": "Direction Nord",
            "to": "nord@exemple.test",
            "perimeters": (NORD,),
            "timezone": "Europe/Paris",
            "history": True,
        }
        | wishes
    )


def row(number: int = 1, **values: Any) -> dict[str, Any]:
    """A signal as the store gives it."""
    return {
        "signal_id": f"{number:032x}",
        "perimeter": LILLE,
        "bucket_at": datetime(2024, 3, 3, 23, tzinfo=UTC),
        "kind": "emergence",
        "theme": None,
        "dimension": None,
        "owning_function": None,
        "expected": 0.25,
        "evidence": 11.5,
        "distinct_authors": 7,
        "min_authors": 3,
        "status": "open",
        "retrospective": True,
        "explanation": {"part_of": None},
    } | values


def told_of(made: Any, number: int = 1, **values: Any) -> dict[str, Any]:
    """A signal to put into the store, with what explains it; explained: what more does."""
    explanation = {
        "terms": {"badge": 4.0},
        "threshold": 9.0,
        "judged_at": LILLE,
        "since": "2024-03-02",
        "part_of": values.pop("part_of", None),
        **values.pop("explained", {}),
    }
    plain = {"status": "open", "min_authors": 3, "explanation": json.dumps(explanation)}
    signal: dict[str, Any] = made.signal(number, **(plain | values))
    return signal


def fill(store: Any, made: Any, *signals: dict[str, Any], excerpt: str = "le badge est refusé") -> None:
    """Signals into the store, with two texts each."""
    proofs = [
        made.proof(int(one["signal_id"], 16), event, perimeter=one["perimeter"], excerpt=f"{excerpt} {event}")
        for one in signals
        for event in (1, 2)
    ]
    store.upsert_signals(made.signals(*signals), made.proofs(*proofs))


@dataclass
class Inbox:
    """A mail server. answers: what it says to each message's content, the last for ever after."""

    port: int = 0
    answers: list[str] = field(default_factory=lambda: ["250 taken"])
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            mail = message_from_bytes(content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return answer

    @property
    def ids(self) -> list[str]:
        """Message-IDs in order of arrival, up to the @."""
        return [str(mail["Message-ID"])[1:33] for mail in self.mails]


class _OnAFreePort(Controller):
    """Asked for port 0, the controller looks for itself at port 0: tell it where it is."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """A real SMTP server on a free port of the loopback address."""
    inbox = Inbox()
    controller = _OnAFreePort(inbox, hostname="127.0.0.1", port=0)
    controller.start()
    inbox.port = controller.port
    try:
        yield inbox
    finally:
        controller.stop()


@contextmanager
def secured(inbox: Inbox, certificate: Path, *, user: str, password: str) -> Iterator[None]:
    """A mail server that wants STARTTLS and a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def known(_: Any, __: Any, ___: Any, ____: Any, given: Any) -> AuthResult:
        right = (given.login, given.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    controller = _OnAFreePort(
        inbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        authenticator=known,
        auth_required=True,
    )
    controller.start()
    inbox.port = controller.port
    try:
        yield
    finally:
        controller.stop()


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    file.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@dataclass
class Hook:
    """An HTTP receiver. statuses: its answers, the last for ever after."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [200])
    posts: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook-token-42"

    @property
    def keys(self) -> list[str]:
        """Idempotency keys in order of arrival."""
        return [headers["Idempotency-Key"] for headers, _ in self.posts]


@contextmanager
def web_hook() -> Iterator[Hook]:
    """A real HTTP receiver on a free port of the loopback address."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0]
            if status < 300:
                hook.posts.append((dict(self.headers), json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
