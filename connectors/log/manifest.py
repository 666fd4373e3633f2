"""A manifest: one record of the log's chain, as a typed value and as bytes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from connectors.errors import LogError
from connectors.log.layout import FORMAT, from_iso, to_iso

Kind = Literal["history", "live", "heartbeat", "decision", "generation", "compaction"]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group of a segment, the same rows in both files.

    first_us, last_us: lowest and highest effective time, microseconds since 1970 UTC.
    text_bytes: length of the group's texts in UTF-8.
    """

    rows: int
    first_us: int
    last_us: int
    text_bytes: int


@dataclass(frozen=True, slots=True)
class Segment:
    """What a manifest says of its two Parquet files: all that planning a read needs.

    hours: pairs (hours since 1970 UTC, rows whose effective time falls in that hour), ascending.
    core_sha256, text_root: lower-case hexadecimal. rows_sha256: of what the core says, however it is
    encoded; text_sha256: of the text file as it was written; both None in the first logs. replaces: pairs
    (number, rows) of the segments whose rows these are, in order; empty for a segment that was appended.
    """

    generation: int
    seq: int
    live: bool
    rows: int
    core_sha256: str
    text_root: str
    first_effective: datetime
    last_effective: datetime
    max_grace_s: int
    hours: tuple[tuple[int, int], ...]
    row_groups: tuple[RowGroup, ...]
    rows_sha256: str | None = None
    text_sha256: str | None = None
    replaces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """A bulk load: when it truly took place, and which of its sorted runs (from 1) this is."""

    loaded_at: datetime
    run: int
    runs: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Something decided that affects detection: settings, tree, lexicon, verdict, erasure, ...

    effective: in force for buckets that begin then or after; for all of them where None.
    """

    kind: str
    payload: Mapping[str, Any]
    effective: datetime | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One record of the chain. `previous`: SHA-256 of the bytes of the manifest before, None for the first.

    clock: the log's clock once this record is committed. written_at: wall clock when it was written.
    carries: in the first manifest of a generation, the segments it takes over, by sequence number.
    """

    seq: int
    generation: int
    kind: Kind
    previous: str | None
    clock: datetime | None
    written_at: datetime
    segment: Segment | None = None
    load: Load | None = None
    decision: Decision | None = None
    carries: tuple[int, ...] | None = None
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Events this record adds; none where it holds those of others."""
        return self.segment.rows if self.segment and not self.segment.replaces else 0


def digest(content: bytes) -> str:
    """How a manifest is named by the next one: SHA-256 of its bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def to_bytes(manifest: Manifest) -> bytes:
    """The file's content: UTF-8 JSON on one line. ValueError if the note or payload is not plain JSON."""
    segment, load, decision = manifest.segment, manifest.load, manifest.decision
    content = {
        "format": FORMAT,
        "seq": manifest.seq,
        "generation": manifest.generation,
        "kind": manifest.kind,
        "previous": manifest.previous,
        "clock": to_iso(manifest.clock) if manifest.clock else None,
        "written_at": to_iso(manifest.written_at),
        "rows": manifest.rows,
        "segment": _segment_json(segment) if segment else None,
        "load": {"loaded_at": to_iso(load.loaded_at), "run": load.run, "runs": load.runs} if load else None,
        "decision": _decision_json(decision) if decision else None,
        "carries": list(manifest.carries) if manifest.carries is not None else None,
        "replaces": [list(pair) for pair in segment.replaces] if segment and segment.replaces else None,
        "note": dict(manifest.note),
    }
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"a note or decision must be plain JSON without NaN: {error}") from error


def from_bytes(content: bytes, *, name: str) -> Manifest:
    """Parse a manifest; LogError names the file and the fault."""
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            raise LogError(
                f"{name}: format {found['format']}, this version reads format {FORMAT}: "
                "use the version of Vigie that wrote the log"
            )
        return _parse(found)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise LogError(
            f"{name}: not a manifest: {_fault_of(error)}: restore this file from a copy of the log"
        ) from error


def _fault_of(error: Exception) -> str:
    """What a damaged manifest lacks or gets wrong, in words."""
    match error:
        case KeyError():
            return f"it lacks `{error.args[0]}`"
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "it is not JSON"
        case ValueError():
            return str(error)
    return "a value in it is not of the kind that belongs there"


def _parse(found: dict[str, Any]) -> Manifest:
    kind: Kind = found["kind"]
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(get_args(Kind))}")
    load, decision, carries = found["load"], found["decision"], found["carries"]
    manifest = Manifest(
        seq=int(found["seq"]),
        generation=int(found["generation"]),
        kind=kind,
        previous=found["previous"],
        clock=from_iso(found["clock"]) if found["clock"] else None,
        written_at=from_iso(found["written_at"]),
        segment=_parse_segment(found) if found["segment"] else None,
        load=Load(from_iso(load["loaded_at"]), int(load["run"]), int(load["runs"])) if load else None,
        decision=_parse_decision(decision, clock=found["clock"]) if decision else None,
        carries=tuple(map(int, carries)) if carries is not None else None,
        note=dict(found["note"]),
    )
    if found["rows"] != manifest.rows:
        raise ValueError(f"rows is {found['rows']}, its row groups add up to {manifest.rows}")
    if (kind == "compaction") != bool(manifest.segment and manifest.segment.replaces):
        raise ValueError("`replaces` belongs in a compaction, and only there")
    if manifest.segment and kind == "compaction":
        replaced = sum(rows for _, rows in manifest.segment.replaces)
        if manifest.segment.rows != replaced:
            raise ValueError(f"it holds {manifest.segment.rows} rows, the segments it replaces {replaced}")
    return manifest


def _segment_json(segment: Segment) -> dict[str, Any]:
    return {
        "core_sha256": segment.core_sha256,
        "rows_sha256": segment.rows_sha256,
        "text_root": segment.text_root,
        "text_sha256": segment.text_sha256,
        "first_effective": to_iso(segment.first_effective),
        "last_effective": to_iso(segment.last_effective),
        "max_grace_s": segment.max_grace_s,
        "hours": segment.hours,
        "row_groups": [[g.rows, g.first_us, g.last_us, g.text_bytes] for g in segment.row_groups],
    }


def _decision_json(decision: Decision) -> dict[str, Any]:
    effective = to_iso(decision.effective) if decision.effective else None
    return {"kind": decision.kind, "payload": dict(decision.payload), "effective": effective}


def _parse_decision(decision: dict[str, Any], *, clock: str | None) -> Decision:
    # The first logs did not tell it: a decision was in force from the log's clock on.
    effective = decision.get("effective", clock)
    return Decision(
        str(decision["kind"]), dict(decision["payload"]), from_iso(effective) if effective else None
    )


def _parse_segment(found: dict[str, Any]) -> Segment:
    segment = found["segment"]
    groups = tuple(RowGroup(*map(int, group)) for group in segment["row_groups"])
    return Segment(
        generation=int(found["generation"]),
        seq=int(found["seq"]),
        live=found["kind"] in ("live", "compaction"),
        rows=sum(group.rows for group in groups),
        core_sha256=str(segment["core_sha256"]),
        text_root=str(segment["text_root"]),
        first_effective=from_iso(segment["first_effective"]),
        last_effective=from_iso(segment["last_effective"]),
        max_grace_s=int(segment["max_grace_s"]),
        hours=tuple((int(hour), int(rows)) for hour, rows in segment["hours"]),
        row_groups=groups,
        rows_sha256=segment.get("rows_sha256"),
        text_sha256=segment.get("text_sha256"),
        replaces=tuple((int(seq), int(rows)) for seq, rows in found.get("replaces") or ()),
    )
