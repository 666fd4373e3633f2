"""Keyed pseudonyms of authors and agents: the same person gives the same 16 bytes, which tell nothing."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from connectors.admission.names import fold

PSEUDONYM_BYTES = 16
_CACHE_LIMIT = 200_000
_TELLING = re.compile(r"[\d\s]")
_DISPLAY_NAME = re.compile(r"^(?P<name>[^<>]*)<(?P<address>[^<>\s]+@[^<>\s]+)>\s*$")


def normalise_identity(identity: str) -> str:
    """One spelling for one person: the address of a display form, lower case, single blanks.

    >>> normalise_identity("  Jean  DUPONT <Jean.Dupont@Example.org> ")
    'jean.dupont@example.org'
    >>> normalise_identity("Agent   12 ")
    'agent 12'
    """
    match = _DISPLAY_NAME.match(identity)
    return " ".join((match["address"] if match else identity).casefold().split())


@lru_cache(maxsize=1 << 16)
def telling_name(identity: str) -> str | None:
    """What in a text would name this person, folded; None if nothing would for sure.

    An address is found by its form. Otherwise only what can be little else than an identifier counts: with
    a digit or of several words; an author called `client` must not take a common word out of a text.

    >>> telling_name('"Jean Dupont" <jd@example.org>'), telling_name("CLI-4821"), telling_name("client")
    ('jean dupont', 'cli-4821', None)
    """
    match = _DISPLAY_NAME.match(identity)
    name = (match["name"] if match else identity).strip(" \t\"'")
    least = 6 if name.isdecimal() else 5
    if "@" in name or len(name) < least or not _TELLING.search(name):
        return None
    return fold(unicodedata.normalize("NFC", name))


class Pseudonyms:
    """Pseudonyms under one key, remembered, for persons come back. key: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, bytes | None] = {}

    def of(self, identities: Sequence[str | None]) -> list[bytes | None]:
        """16 bytes for each identity; None for None and for blanks."""
        if len(self._known) > _CACHE_LIMIT:
            self._known.clear()
        known = self._known
        for identity in identities:
            if identity is not None and identity not in known:
                known[identity] = self._compute(identity)
        return [None if identity is None else known[identity] for identity in identities]

    def _compute(self, identity: str) -> bytes | None:
        normal = normalise_identity(identity)
        if not normal:
            return None
        data = normal.encode("utf-8", "surrogatepass")
        return blake2b(data, key=self._key, digest_size=PSEUDONYM_BYTES).digest()
