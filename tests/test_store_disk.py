"""A full disk under the embedded store: one line that names the folder, and nothing stored is lost."""

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import Accounting
from connectors.errors import StoreError
from connectors.store import Store, embedded, open_store

NOW = datetime(2025, 6, 1, tzinfo=UTC)
SIZE = "96m"
"""Room for a store, and little more."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under pytest's folder: as root the server is another account."""
    made = Path(tempfile.mkdtemp(prefix="vigie-disk-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A tiny disk of its own."""
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a disk can be mounted by root only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    file = disk / "ballast"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with contextlib.suppress(OSError):
        while os.write(descriptor, bytes(4096)):
            pass
    os.close(descriptor)
    return file


def told(error: StoreError, data: Path) -> None:
    """One line, with the folder and what to do."""
    assert str(error) == (
        f"the disk is full: the signal store in {data / 'postgres'} cannot be written; free some space there "
        "and run the same command again, what was stored before stays"
    )


def write(store: Store, *loads: int) -> None:
    accounts = {f"{number:05d}{'x' * 1000}": Accounting(1, 1) for number in range(100)}
    for load in loads:
        store.record_ingest(f"{load:012d}", NOW, accounts)


def fill_and_write(disk: Path) -> None:
    with open_store(None, data=disk) as store:
        fill(disk)
        write(store, *range(2, 200))


def test_a_store_that_has_no_room_to_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "initdb: error: could not write file: No space left on device\ninitdb: removing contents\n"
    monkeypatch.setattr(embedded, "_run", lambda *_, **__: (1, said))
    with pytest.raises(StoreError) as caught, open_store(None, data=folder):
        pass
    told(caught.value, folder)
    assert not list((folder / "postgres").glob("init-*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_our_own_files_have_no_room(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_text", fails)
    with pytest.raises(StoreError) as caught, open_store(None, data=folder):
        pass
    told(caught.value, folder)


def test_another_failure_is_told_as_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        embedded, "_run", lambda *_, **__: (1, "initdb: error: bad locale\ninitdb: removing contents\n")
    )
    with pytest.raises(StoreError, match="error: bad locale") as caught, open_store(None, data=folder):
        pass
    assert str(caught.value).startswith(f"cannot make a database in {folder / 'postgres'}: ")


def test_a_full_disk_before_the_store_is_made(disk: Path) -> None:
    ballast = fill(disk)
    os.truncate(ballast, ballast.stat().st_size - (8 << 20))
    with pytest.raises(StoreError) as caught, open_store(None, data=disk):
        pass
    told(caught.value, disk)
    ballast.unlink()
    with open_store(None, data=disk) as store:
        assert store.ingests() == []


def test_a_disk_that_fills_while_the_store_is_written(disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_store(None, data=disk) as store:
        write(store, 1)
    with pytest.raises(StoreError) as caught:
        fill_and_write(disk)
    told(caught.value, disk)
    assert caplog.records == []
    (disk / "ballast").unlink()
    with open_store(None, data=disk) as store:
        loads = sorted({row["load_id"] for row in store.ingests()})
        assert loads[0] == f"{1:012d}"
        assert len(store.ingests()) == 100 * len(loads)


def test_a_server_that_has_no_room_to_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(None, data=folder):
        pass

    def fails(*_: object, **__: object) -> bool:
        log = folder / "postgres" / "server.log"
        log.write_text('FATAL:  could not write to file "pg_wal/xlogtemp.7": No space left on device\n')
        return False

    with monkeypatch.context() as patch:
        patch.setattr(embedded.EmbeddedPostgres, "_pg_ctl", fails)
        with pytest.raises(StoreError) as caught, open_store(None, data=folder):
            pass
    told(caught.value, folder)
    with open_store(None, data=folder) as store:
        assert store.ingests() == []


def test_an_error_on_a_disk_with_room_stays_what_it_is(folder: Path) -> None:
    with pytest.raises(StoreError, match="another matter"), open_store(None, data=folder):
        raise StoreError("another matter")
