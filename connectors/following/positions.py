"""How far sources were read, kept between two runs of the service: the next one need not read all again.

Only a saving: what is lost or out of date is read again, and events are known by their ids. So positions are
written when all that was taken is durable in the log, and believed only if the log still holds what it held
then, and settings and key are the same. A file's name may be a person's: in its place stands a keyed hash.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from connectors.log.chain import Chain
from connectors.log.durable import disk_faults, make_folder, sync_folder, write_content

_FORMAT = 1

Digests = npt.NDArray[np.uint64]
Places = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """One file's position. contents: hashes of the rows taken that have no id of their own.

    read, prefix_size, prefix, last, mark, taken: see connectors.following.growth.
    """

    read: Places
    taken: int
    prefix_size: int
    prefix: str
    last: str
    mark: tuple[int, int] | None
    contents: Digests


class Positions:
    """The positions kept in a folder, a file for each source.

    key: 32 bytes, for the hashes of names. fingerprint: of settings and secret; others' positions are void.
    """

    def __init__(self, folder: Path, *, key: bytes, fingerprint: str) -> None:
        self.folder = folder
        self._key = key
        self._fingerprint = fingerprint

    def name_of(self, path: Path) -> str:
        """What stands for a file's path."""
        place = str(path.absolute()).encode(errors="surrogatepass")
        return blake2b(place, key=self._key, digest_size=16).hexdigest()

    def save(self, source: str, files: Mapping[Path, Saved], chain: Chain, *, load: str) -> None:
        """Keep the positions of one source and the load they belong to. LogError if the disk refuses."""
        told: list[dict[str, Any]] = []
        contents: list[Digests] = []
        for path, saved in files.items():
            fields = {key: value for key, value in asdict(saved).items() if key != "contents"}
            told.append({"name": self.name_of(path), **fields})
            contents.append(saved.contents)
        header = {
            "format": _FORMAT,
            "fingerprint": self._fingerprint,
            "seq": chain.head.seq if chain.head else 0,
            "head": chain.head_hash,
            "load": load,
            "files": told,
        }
        buffer = BytesIO()
        np.savez(
            buffer,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            lengths=np.array([len(one) for one in contents], np.int64),
            contents=np.concatenate([np.zeros(0, np.uint64), *contents]),
        )
        with disk_faults(self.folder):
            make_folder(self.folder)
            write_content(self.folder / f"{source}.npz", buffer.getbuffer())
            sync_folder(self.folder)

    def load(self, source: str, chain: Chain) -> tuple[str | None, dict[str, Saved]]:
        """The load, and what was kept by the name of the file; nothing if void, damaged or not there."""
        try:
            with (
                (self.folder / f"{source}.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as kept,
            ):
                header = json.loads(kept["header"].tobytes())
                lengths, contents = kept["lengths"], kept["contents"]
            if header["format"] != _FORMAT or header["fingerprint"] != self._fingerprint:
                return None, {}
            if not _still_holds(chain, header["seq"], header["head"]):
                return None, {}
            parts = np.split(contents, np.cumsum(lengths)[:-1]) if len(lengths) else []
            return str(header["load"]), {
                one["name"]: Saved(
                    read=tuple(None if at is None else (at[0], at[1], at[2]) for at in one["read"]),
                    taken=one["taken"],
                    prefix_size=one["prefix_size"],
                    prefix=one["prefix"],
                    last=one["last"],
                    mark=None if one["mark"] is None else tuple(one["mark"]),
                    contents=part,
                )
                for one, part in zip(header["files"], parts, strict=True)
            }
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error):
            return None, {}


def _still_holds(chain: Chain, seq: int, head: str | None) -> bool:
    """Whether the chain goes on from this head, without a segment set aside since: its texts come again."""
    if seq > len(chain.manifests):
        return False
    link = chain.head_hash if seq == len(chain.manifests) else chain.manifests[seq].previous
    since = chain.manifests[seq:]
    return link == head and not any(m.decision and m.decision.kind == "skip" for m in since)


def fingerprint_of(parts: Sequence[bytes | str]) -> str:
    """One hash of several contents, 32 hexadecimal digits."""
    found = blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "big") + data)
    return found.hexdigest()
