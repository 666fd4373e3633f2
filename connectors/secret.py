"""The secret key: what makes pseudonyms and event ids unguessable, and quarantine unreadable.

One file holds 32 random bytes in hexadecimal. It never lies in the log folder, so that whoever is given
the log is not given the key. Each use has a key of its own, derived from it.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from connectors.errors import SecretError

KEY_BYTES = 32
_WHAT = "the secret key"

Use = Literal[
    "positions",
    "pseudonym",
    "event-id",
    "quarantine",
    "quarantine-id",
    "fingerprint",
    "destination",
    "address",
    "link",
    "snapshots",
]


class Secret:
    """The secret key, giving a separate 32-byte key for each use.

    >>> secret = Secret(bytes(32))
    >>> secret.key("pseudonym") == secret.key("event-id")
    False
    >>> secret
    Secret(fingerprint='...')
    """

    __slots__ = ("_key", "fingerprint")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key has {len(key)} bytes; it must have {KEY_BYTES}")
        self._key = key
        self.fingerprint = self.key("fingerprint")[:8].hex()
        """16 hexadecimal characters that tell keys apart and give nothing away; safe to store and print."""

    def key(self, use: Use) -> bytes:
        """The 32-byte key of one use; knowing it gives neither the secret nor the key of another use."""
        return blake2b(key=self._key, person=use.encode(), digest_size=KEY_BYTES).digest()

    def check_fingerprint(self, recorded: str | None, *, where: str) -> None:
        """Raise SecretError unless this is the key whose fingerprint was recorded (None: nothing yet)."""
        if recorded is not None and recorded != self.fingerprint:
            raise SecretError(
                f"{where} was written with another secret key (fingerprint {recorded}, this key is "
                f"{self.fingerprint}): the same text would count twice; "
                "restore the key file it was written with"
            )

    def __repr__(self) -> str:
        return "Secret(fingerprint='...')"


def load_secret(
    path: Path, *, log_folder: Path | str, on_created: Callable[[str], None] | None = None
) -> Secret:
    """Read the key file, creating it with mode 0600 where there is none.

    log_folder: where the log lives, a local path or a URL. on_created: receives one line for the user when
    a key was created. Raises SecretError if the key lies in the log folder, cannot be read or written, can
    be read by others, or is not 64 hexadecimal characters.
    """
    refuse_inside(path, log_folder, what=_WHAT)
    if not path.exists():
        create_private(path, secrets.token_hex(KEY_BYTES) + "\n", what=_WHAT)
        if on_created is not None:
            on_created(
                f"created the secret key {path}: keep a copy in a safe place; without it, texts already "
                "loaded are not recognised and quarantine cannot be read"
            )
    return _read(path)


def refuse_inside(path: Path, log_folder: Path | str, *, what: str) -> None:
    """Raise SecretError if a key, called `what` in messages, lies in the log folder."""
    if "://" in str(log_folder):
        return
    if path.resolve().is_relative_to(Path(log_folder).resolve()):
        raise SecretError(
            f"{what} {path} is inside the log folder {log_folder}: whoever is given the log would "
            "have the key; put it elsewhere"
        )


def create_private(path: Path, content: str, *, what: str) -> None:
    """Publish a whole key file or none: written beside, synced, then linked if no other process was first.

    Its mode is 0600. Raises SecretError if it cannot be created.
    """
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(beside)
        beside.unlink()
    except OSError as error:
        raise SecretError(f"{what} {path} cannot be created: {error.strerror}") from error


def read_private(path: Path, *, what: str) -> str:
    """A key file's content, empty where it is not ASCII.

    Raises SecretError if it cannot be read, or can be read by others than its owner.
    """
    try:
        mode = path.stat().st_mode
        content = path.read_text(encoding="ascii")
    except OSError as error:
        raise SecretError(f"{what} {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        content = ""
    if mode & 0o077:
        raise SecretError(
            f"{what} {path} has mode {mode & 0o777:04o}: only its owner may read it; run chmod 600 {path}"
        )
    return content


def _read(path: Path) -> Secret:
    try:
        return Secret(bytes.fromhex(read_private(path, what=_WHAT).strip()))
    except ValueError:
        raise SecretError(
            f"the secret key {path} is damaged: it must hold {KEY_BYTES * 2} hexadecimal characters; "
            "restore it from your copy"
        ) from None
