"""Erased texts are gone from every file, the chain and the counts stay, and what was not decided is found."""

import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from connectors.errors import LogError
from connectors.events import FLAG_ERASED
from connectors.log import EventLog, LogWriter, forget
from connectors.log.compaction import compact
from connectors.log.erasing import erasure_payload
from tests import log_events
from tests.log_events import T0

SECRET = "texte à effacer"


def events(first: int, count: int) -> pa.Table:
    """Every fifth holds a text to be erased."""
    return log_events.events(first, count, flags=1, text=text)


def text(n: int) -> str:
    return f"{SECRET} {n}" if n % 5 == 0 else f"texte généré {n}"


def writer(path: Path) -> LogWriter:
    return LogWriter(path, now=lambda: T0)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """1: history, 20 rows. 2, 3: live, 6 rows each, merged by 5, files kept. 4: a heartbeat. 6: live."""
    with writer(tmp_path / "log") as log:
        log.append_history(events(0, 20), loaded_at=T0, note={})
        log.append_live(events(20, 6), note={})
        log.append_live(events(26, 6), note={})
        log.heartbeat(T0 + timedelta(days=9))
        assert len(compact(log, zone="UTC", say=print)) == 1
        log.append_live(events(300, 6), note={})
    return tmp_path / "log"


def everything(log: Path) -> pa.Table:
    reader = EventLog(log)
    pieces = [piece for part in reader.slices(max_rows=1000, zone="UTC") for piece in reader.pieces(part)]
    return pa.Table.from_batches([reader.read_piece(piece) for piece in pieces]).sort_by("position")


def positions_of_secrets(log: Path) -> NDArray[np.int64]:
    table = everything(log)
    chosen = [text.startswith(SECRET) for text in table["text"].to_pylist()]
    return np.asarray(table["position"])[chosen]


def erase(log: Path, positions: NDArray[np.int64], **seals: bytes) -> None:
    with writer(log) as held:
        forget.erase(held, positions, reason="demande", asked={"before": "2024"}, seals=seals)


def is_whole(log: Path) -> bool:
    return not list(EventLog(log).verify(rows=False)) and not list(EventLog(log).verify())


def texts_on_disk(log: Path) -> str:
    files = log.rglob("*.text.parquet*")
    return "\n".join(text for file in files for text in pq.read_table(file)["text"].to_pylist())


def test_erased_texts_are_gone_and_all_else_stays(log: Path) -> None:
    before, gone = everything(log), positions_of_secrets(log)
    cores = {file: file.read_bytes() for file in log.rglob("*.core.parquet")}
    assert len(gone) == 9
    erase(log, gone)
    assert SECRET not in texts_on_disk(log)
    assert is_whole(log)
    assert {file: file.read_bytes() for file in log.rglob("*.core.parquet")} == cores
    after = everything(log)
    erased = np.isin(np.asarray(after["position"]), gone)
    assert after.drop_columns(["text", "flags"]).equals(before.drop_columns(["text", "flags"]))
    assert after["text"].to_pylist() == [
        "" if was else text for text, was in zip(before["text"].to_pylist(), erased, strict=True)
    ]
    assert after["flags"].to_pylist() == [1 | FLAG_ERASED if was else 1 for was in erased]
    taken = EventLog(log).take(gone)
    assert taken["text"].to_pylist() == [""] * len(gone)


def test_the_log_says_what_was_erased_and_why(log: Path) -> None:
    gone = positions_of_secrets(log)
    erase(log, gone, cells=b"sealed")
    [erasure] = EventLog(log).erasures
    assert (erasure.reason, erasure.asked, erasure.events) == ("demande", {"before": "2024"}, len(gone))
    assert erasure.done
    assert {
        (seq << 32) + row for seq, runs in erasure.rows.items() for a, n in runs for row in range(a, a + n)
    } == {*gone.tolist()}
    assert EventLog(log).read_seal(erasure, "cells") == b"sealed"
    with pytest.raises(KeyError):
        EventLog(log).read_seal(erasure, "signals")


def test_erasing_twice_and_compacting_after_keep_the_leaves(log: Path) -> None:
    first, second = positions_of_secrets(log)[:4], positions_of_secrets(log)[4:]
    erase(log, first)
    erase(log, second)
    with writer(log) as held:
        held.append_live(events(306, 6), note={})
        [last] = [m for m in held.chain.manifests if m.rows and m.seq == held.chain.next_seq - 1]
    erase(log, np.array([(last.seq << 32) + 4]))
    with writer(log) as held:
        held.heartbeat(T0 + timedelta(days=60))
        assert len(compact(held, zone="UTC", say=pytest.fail)) == 1
        assert held.remove_replaced(keep=timedelta(0))
    assert is_whole(log)
    assert SECRET not in texts_on_disk(log)
    assert len(EventLog(log).erasures) == 3


def test_what_is_erased_without_a_decision_is_found(log: Path) -> None:
    gone = positions_of_secrets(log)
    copy = Path(shutil.copytree(log, log.with_name("copy")))
    erase(copy, gone[:1])
    name = "generation-0001/segments/000000000001.text.parquet"
    shutil.copy(copy / name, log / name)
    [found] = EventLog(log).verify(rows=False)
    assert (found.seq, found.rows) == (1, (0, 0))
    assert "no decision of the log says so" in found.problem


def test_a_text_that_came_back_is_found(log: Path) -> None:
    name = "generation-0001/segments/000000000001.text.parquet"
    before = (log / name).read_bytes()
    erase(log, positions_of_secrets(log))
    (log / name).write_bytes(before)
    [found] = EventLog(log).verify(rows=False)
    assert (found.seq, found.rows) == (1, (0, 0))
    assert "its text was to be erased, and is there" in found.problem


def test_a_leaf_that_was_altered_is_found(log: Path) -> None:
    erase(log, positions_of_secrets(log))
    file = log / "generation-0001/segments/000000000001.text.parquet"
    table = pq.read_table(file)
    leaves = [leaf and bytes(32) for leaf in table["leaf"].to_pylist()]
    pq.write_table(table.set_column(3, table.schema.field("leaf"), pa.array(leaves, pa.binary(32))), file)
    [found] = EventLog(log).verify(rows=False)
    assert "the Merkle root of its rows is not the one" in found.problem


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"other")])
def test_a_sealed_file_that_was_touched_is_found(log: Path, damage: object) -> None:
    erase(log, positions_of_secrets(log), cells=b"sealed")
    [erasure] = EventLog(log).erasures
    assert callable(damage)
    damage(log / erasure.seal("cells"))
    [found] = EventLog(log).verify(rows=False)
    assert found.file == str(log / erasure.seal("cells"))
    with pytest.raises(LogError):
        EventLog(log).read_seal(erasure, "cells")


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("kept", [True, False], ids=["renamed", "not renamed"])
@pytest.mark.parametrize("step", range(8))
def test_whatever_is_interrupted_the_next_writer_completes(
    log: Path, monkeypatch: pytest.MonkeyPatch, step: int, kept: bool
) -> None:
    """Ended at each file that is renamed into place, before or after it is."""
    gone = positions_of_secrets(log)
    steps = 0
    replace = Path.replace

    def ends(self: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps == step + 1:
            if kept:
                replace(self, target)
            # What is dead tidies up nothing.
            monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
            raise KilledError
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", ends)
    killed = False
    try:
        erase(log, gone, cells=b"sealed")
    except KilledError:
        killed = True
    monkeypatch.undo()
    assert killed == (steps == step + 1)
    with writer(log) as held:
        forget.finish_erasures(held)
        if not EventLog(log).erasures:
            forget.erase(held, gone, reason="demande", asked={}, seals={"cells": b"sealed"})
        assert forget.finish_erasures(held) == []
    assert is_whole(log)
    assert SECRET not in texts_on_disk(log)
    assert not list(log.rglob("*.tmp"))


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from connectors.log import LogWriter, forget

path, step, *positions = sys.argv[1:]
left, replace = int(step), Path.replace

def killed(self, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = killed
with LogWriter(Path(path), now=lambda: datetime.now(UTC)) as log:
    gone = np.array(positions, np.int64)
    forget.erase(log, gone, reason="demande", asked={}, seals={"cells": b"sealed"})
"""


def test_a_process_killed_while_it_erases_leaves_what_the_next_completes(log: Path) -> None:
    """Killed before the decision, before the first and the last text file, and before it is told."""
    gone = positions_of_secrets(log)
    for step in (1, 2, 4, 5):
        copy = Path(shutil.copytree(log, log.with_name(f"killed-{step}")))
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(copy), str(step), *map(str, gone.tolist())],
            check=False,
            cwd=Path(__file__).parents[1],
        )
        assert done.returncode == -signal.SIGKILL, step
        decided = bool(EventLog(copy).erasures)
        assert decided == (step > 1)
        with writer(copy) as held:
            assert len(forget.finish_erasures(held)) == decided
            if not decided:
                forget.erase(held, gone, reason="demande", asked={}, seals={"cells": b"sealed"})
        assert is_whole(copy)
        assert SECRET not in texts_on_disk(copy)


def test_an_erasure_that_is_not_completed_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "finish_erasures", lambda _: [])
    erase(log, positions_of_secrets(log))
    [found] = EventLog(log).verify(rows=False)
    assert "the erasure it decides is not completed" in found.problem
    monkeypatch.undo()
    with writer(log) as held:
        assert len(forget.finish_erasures(held)) == 1
    assert is_whole(log)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.tuples(st.integers(1, 3), st.integers(0, 40)), min_size=1))
def test_the_decision_names_exactly_the_positions(chosen: set[tuple[int, int]]) -> None:
    positions = np.array([(seq << 32) + row for seq, row in chosen], dtype=np.int64)
    payload = erasure_payload(positions, reason="", asked={}, seals={})
    told = [
        (seq, row) for seq, runs in payload["rows"] for first, n in runs for row in range(first, first + n)
    ]
    assert told == sorted(chosen)
    # As few runs as there can be: no two of one segment touch.
    for _, runs in payload["rows"]:
        assert all(first + n < after for (first, n), (after, _) in pairwise(runs))
