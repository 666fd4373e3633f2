"""The head of the log, signed with Ed25519: what is deposited elsewhere cannot be denied here.

An attestation is two files: `head-000000000042.json`, the statement, and the same name with `.sig`, the 64
bytes of the signature of the statement's bytes. So anyone can check it without Vigie:

    openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in head-....json -sigfile head-....sig
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from connectors.errors import AuditError, SecretError
from connectors.log.durable import make_folder, write_content
from connectors.log.layout import to_iso
from connectors.secret import create_private, read_private, refuse_inside

FORMAT = 1
PUBLIC_KEY = "public-key.pem"
_STATEMENT = "head-*.json"
_WHAT = "the signing key"


@dataclass(frozen=True, slots=True)
class Head:
    """A record of the chain that vouches for all before it.

    seq: its number. sha256: of its manifest. first_sha256: of manifest 1, which names the log. events: in the
    log by then.
    """

    seq: int
    sha256: str
    first_sha256: str
    events: int
    clock: str | None


@dataclass(frozen=True, slots=True)
class Attestation:
    """A head that was signed. file: its statement."""

    head: Head
    attested_at: str
    file: Path


def load_signing_key(
    path: Path, *, log_folder: Path | str, on_created: Callable[[str], None] | None = None
) -> Ed25519PrivateKey:
    """Read the private key (PKCS 8, PEM), making it with mode 0600 where there is none.

    Raises SecretError if it lies in the log folder, cannot be read or written, can be read by others, or is
    not an Ed25519 key.
    """
    refuse_inside(path, log_folder, what=_WHAT)
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        create_private(path, pem.decode("ascii"), what=_WHAT)
        if on_created is not None:
            on_created(
                f"created the signing key {path}: keep it out of backups of the log; whoever holds it can "
                "attest another record"
            )
    key = _parsed(read_private(path, what=_WHAT).encode(), load_pem_private_key_without_password)
    if not isinstance(key, Ed25519PrivateKey):
        raise SecretError(f"{_WHAT} {path} is damaged: it must be an Ed25519 key in PEM; restore your copy")
    return key


def load_pem_private_key_without_password(content: bytes) -> Any:
    """The private key in a PEM file that no password protects; ValueError for anything else."""
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _parsed(content: bytes, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(content)
    except ValueError:
        return None


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public half, to be given to whoever is to check (PEM)."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """A public key in PEM; AuditError if it cannot be read or is of another kind."""
    try:
        key = _parsed(path.read_bytes(), load_pem_public_key)
    except OSError as error:
        raise AuditError(f"{path}: the public key cannot be read: {error.strerror}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise AuditError(f"{path}: is not an Ed25519 public key in PEM: give the {PUBLIC_KEY} that was kept")
    return key


def attest(head: Head, key: Ed25519PrivateKey, folder: Path, *, now: datetime) -> Path:
    """Sign a head into a folder, with the public key; the statement's file. The same head again is signed
    anew. AuditError if the folder cannot be written."""
    statement = {"format": FORMAT, **asdict(head), "attested_at": to_iso(now)}
    content = json.dumps(statement, indent=2).encode() + b"\n"
    file = folder / f"head-{head.seq:012d}.json"
    try:
        make_folder(folder)
        # The signature first: a statement that is there can be checked.
        for path, what in (
            (folder / PUBLIC_KEY, public_pem(key)),
            (file.with_suffix(".sig"), key.sign(content)),
            (file, content),
        ):
            write_content(path, what)
    except OSError as error:
        raise AuditError(f"{folder}: the attestation cannot be written: {error.strerror}") from error
    return file


def read_attestations(places: Sequence[Path], key: Ed25519PublicKey) -> list[Attestation]:
    """Every attestation in some folders or files, by number.

    AuditError, naming the file, if there is none, if one cannot be read, or if its signature is not of this
    key.
    """
    found = [_read(file, key) for file in _statements(places)]
    return sorted(found, key=lambda one: (one.head.seq, one.attested_at))


def _statements(places: Sequence[Path]) -> Iterable[Path]:
    for place in places:
        files = sorted(place.glob(_STATEMENT)) if place.is_dir() else [place]
        if not files:
            raise AuditError(f"{place}: holds no attestation ({_STATEMENT}); `vigie audit attest` makes one")
        yield from files


def _read(file: Path, key: Ed25519PublicKey) -> Attestation:
    signature = file.with_suffix(".sig")
    try:
        content, signed = file.read_bytes(), signature.read_bytes()
    except OSError as error:
        raise AuditError(f"{error.filename}: cannot be read: {error.strerror}") from error
    try:
        key.verify(signed, content)
    except InvalidSignature:
        raise AuditError(
            f"{file}: its signature does not fit: the statement was altered, or was signed with another key "
            "than the one given"
        ) from None
    try:
        stated = json.loads(content)
        if stated["format"] != FORMAT:
            raise AuditError(f"{file}: format {stated['format']}, this version reads format {FORMAT}")
        names = ("seq", "sha256", "first_sha256", "events", "clock")
        return Attestation(Head(**{name: stated[name] for name in names}), stated["attested_at"], file)
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError(f"{file}: is not an attestation of a log's head") from error
