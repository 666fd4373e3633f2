"""Doing what erasures decide: the writer's part. Whatever is interrupted, the next writer completes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.log import layout, merkle
from connectors.log.durable import disk_faults, make_folder, sync_folder, write_content, write_whole
from connectors.log.erasing import (
    ERASED,
    ERASURE,
    Erasure,
    blanked,
    erased_rows,
    erasure_payload,
    erasures,
    segments_of,
)
from connectors.log.files import LogFiles
from connectors.log.manifest import Manifest, Segment
from connectors.log.segment import write_texts
from connectors.log.segment_faults import sha256_of
from connectors.log.writer import LogWriter


def erase(
    log: LogWriter,
    positions: NDArray[np.int64],
    *,
    reason: str,
    asked: Mapping[str, Any],
    seals: Mapping[str, bytes],
) -> Manifest:
    """Erase the texts of some events; the manifest that decided it.

    positions: of visible events, at least one, each once. seals: files to keep beside, by name, whose hashes
    stand in the decision. Raises LogError if a text cannot be read, or the log cannot be written: what was
    decided by then is completed by `finish_erasures`.
    """
    generation, seq = log.chain.generation, log.chain.next_seq
    with disk_faults(log.path):
        folder = log.path / layout.seals_folder(generation)
        make_folder(folder)
        for name, content in seals.items():
            write_content(log.path / layout.seal_path(generation, seq, name), content)
        sync_folder(folder)
    decided = log.decide(ERASURE, erasure_payload(positions, reason=reason, asked=asked, seals=seals))
    finish_erasures(log)
    return decided


def finish_erasures(log: LogWriter) -> list[Manifest]:
    """Erase what was decided and not yet done; the manifests that say it is done. Raises as `erase`."""
    waiting = [one for one in erasures(log.chain.manifests) if not one.done]
    return [_carry_out(log, erasure) for erasure in waiting]


def _carry_out(log: LogWriter, erasure: Erasure) -> Manifest:
    files = LogFiles(str(log.path))
    rows = erased_rows(log.chain.manifests, [erasure])
    texts = []
    for segment in segments_of(log.chain, erasure):
        # Files that a compaction replaced may be gone; what was set aside is damaged, and read by nobody.
        if segment.seq in log.chain.skipped or files.is_gone(segment.generation, segment.seq):
            continue
        _blank(log, files, segment, rows[segment.seq])
        texts.append([segment.seq, sha256_of(files, layout.text_path(segment.generation, segment.seq))])
    return log.decide(ERASED, {"erasure": erasure.seq, "texts": texts})


def _blank(log: LogWriter, files: LogFiles, segment: Segment, rows: NDArray[np.int64]) -> None:
    """Write a segment's texts again without those of some rows; those gone already stay as they are."""
    path = layout.text_path(segment.generation, segment.seq)
    texts = files.read_texts(path, None).combine_chunks()
    already = texts["leaf"].is_valid().to_numpy()
    rows = rows[~already[rows]]
    if not len(rows):
        return
    leaves = merkle.leaves(texts.to_batches()[0])
    written = blanked(texts, rows, leaves).combine_chunks()
    lengths = [group.rows for group in segment.row_groups]
    with disk_faults(log.path):
        write_whole(log.path / path, partial(write_texts, texts=written, lengths=lengths))
        sync_folder((log.path / path).parent)
