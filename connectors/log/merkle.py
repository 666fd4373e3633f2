"""The Merkle tree over salted text rows (RFC 6962, section 2.1, with SHA-256).

A leaf commits to one text without revealing it: its salt is random and goes with the text. So an erased
text leaves its leaf behind, and the root still verifies.
"""

import hashlib
from collections.abc import Sequence

import pyarrow as pa

from connectors.events import LEAF
from connectors.log.arrow_bytes import fixed_rows, string_rows

_LEAF, _NODE = b"\x00", b"\x01"


def leaves(texts: pa.RecordBatch) -> list[bytes]:
    """SHA-256(0x00 || salt || event_id || UTF-8 text) of each row of a TEXT batch, in order.

    Of TEXT_READ, where a text was erased: the leaf that stands for it.
    """
    salts, ids, rows = fixed_rows(texts["salt"]), fixed_rows(texts["event_id"]), string_rows(texts["text"])
    sha256 = hashlib.sha256
    hashes = [
        sha256(b"".join((_LEAF, salt, event_id, text))).digest()
        for salt, event_id, text in zip(salts, ids, rows, strict=True)
    ]
    if LEAF.name in texts.schema.names and texts[LEAF.name].null_count < texts.num_rows:
        kept = texts[LEAF.name].to_pylist()
        hashes = [leaf or found for leaf, found in zip(kept, hashes, strict=True)]
    return hashes


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root of the tree: pairs are hashed as SHA-256(0x01 || left || right), a lone last node moves up.

    This is RFC 6962's tree, built level by level. ValueError without leaves.

    >>> root([bytes(32)]) == bytes(32)
    True
    """
    if not leaf_hashes:
        raise ValueError("a Merkle tree needs at least one leaf")
    level = list(leaf_hashes)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(_NODE + left + right).digest() for left, right in pairs]
        level = above + level[len(level) & ~1 :]
    return level[0]
