"""`vigie audit`: what is whole is said to be, and what was touched in log, notes, tail or store is found."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from connectors.quarantine import kept_in
from connectors.store import Store


class Audited(NamedTuple):
    """A shop whose log was replayed into the store. folder: of its settings."""

    folder: Path
    settings: Path


@pytest.fixture(scope="module")
def original(
    shop: ModuleType, store_dsn: str, opened_store: Store, raw: psycopg.Connection
) -> Iterator[Path]:
    assert opened_store.connection
    folder = Path(tempfile.mkdtemp(prefix="vigie-audit-"))
    settings = shop.write_shop(folder)
    with settings.open("a", encoding="utf-8") as file:
        file.write(f"\n[store]\ndsn = {json.dumps(store_dsn)}\n")
    forget_heads(raw)
    shop.run_json("ingest", "--settings", settings)
    shop.run_json("replay", "--settings", settings, "--engine", "plain")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def audited(original: Path, tmp_path: Path) -> Audited:
    """A copy to tamper with; the store is the original's."""
    folder = Path(shutil.copytree(original, tmp_path / "copy"))
    return Audited(folder, folder / "vigie.toml")


def forget_heads(raw: psycopg.Connection) -> None:
    raw.execute("ALTER TABLE vigie.log_head DISABLE TRIGGER log_head_append_only")
    raw.execute("TRUNCATE vigie.log_head")
    raw.execute("ALTER TABLE vigie.log_head ENABLE TRIGGER log_head_append_only")


def verified(shop: ModuleType, audited: Audited, *options: str | Path, code: int = 0) -> dict[str, Any]:
    """What `verify --json` prints, ending with this code."""
    result = shop.run("audit", "verify", "--settings", audited.settings, "--json", *options)
    assert result.exit_code == code, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["whole"] == (code == 0) == (not found["faults"])
    return found


def manifests(audited: Audited) -> list[Path]:
    return sorted((audited.folder / "log").glob("generation-*/manifests/*.json"))


def relink(audited: Audited, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Alter a manifest and make every later link fit again, as a forger would."""
    files = manifests(audited)
    for file in files[number - 1 :]:
        content = json.loads(file.read_bytes())
        if content["seq"] == number:
            change(content)
        else:
            before = files[content["seq"] - 2].read_bytes()
            content["previous"] = hashlib.sha256(before).hexdigest()
        file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def test_a_whole_record_is_whole_and_nothing_is_changed(shop: ModuleType, audited: Audited) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        files = [file for file in audited.folder.rglob("*") if file.is_file()]
        return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    before = state()
    found = verified(shop, audited, "--signals", "--rows")
    assert state() == before
    assert found["records"] == len(manifests(audited))
    assert found["events"] == shop.EVENTS
    told = found["accounting"]
    assert (told["events"], told["quarantined"], told["untold"]) == (shop.EVENTS, len(shop.BAD_ROWS), 0)
    assert found["attested"] == {"until": found["records"], "by": ["the signal store"]}
    assert found["evidence"] >= shop.A_PLANTED_DAY
    assert found["signals_compared"] >= 1


def test_it_says_so_in_words(shop: ModuleType, audited: Audited) -> None:
    result = shop.run("audit", "verify", "--settings", audited.settings)
    assert result.exit_code == 0
    whole, accounting, tail, store = result.stdout.splitlines()
    assert whole.endswith(f"records, {shop.EVENTS} events")
    assert accounting.endswith(f"= {shop.EVENTS} events + 0 duplicates + 0 set aside + 2 quarantined")
    assert tail == f"tail: attested up to record {len(manifests(audited))} by the signal store"
    assert store.startswith("store: as its replay left it")


def test_without_a_head_kept_elsewhere_the_tail_is_not_attested(shop: ModuleType, audited: Audited) -> None:
    manifests(audited)[-1].unlink()
    for file in (audited.folder / "log").glob(f"generation-*/segments/{manifests(audited)[-1].stem}*"):
        assert file.exists()
    gone = len(manifests(audited)) + 1
    for file in (audited.folder / "log").glob(f"generation-*/segments/{gone:012d}.*"):
        file.unlink()
    assert verified(shop, audited, "--no-store")["attested"] is None
    result = shop.run("audit", "verify", "--settings", audited.settings, "--no-store")
    assert "tail not attested" in result.stderr
    found = verified(shop, audited, code=4)
    tail, *others = found["faults"]
    assert tail["area"] == "tail"
    assert "its tail was cut" in tail["problem"]
    assert tail["seq"] == gone
    # What the store was replayed from went with it.
    assert {one["area"] for one in others} <= {"store"}


def test_a_log_that_was_rewritten_is_not_the_one_attested(shop: ModuleType, audited: Audited) -> None:
    attested = shop.run_json("audit", "attest", "--settings", audited.settings)
    relink(audited, 2, lambda content: content.update(written_at="2025-01-01T00:00:00.000000Z"))
    found = verified(shop, audited, "--no-store", code=4)
    [fault] = found["faults"]
    assert (fault["area"], fault["seq"]) == ("tail", attested["seq"])
    assert "rewritten somewhere in manifests 1 to" in fault["problem"]
    assert {one["area"] for one in verified(shop, audited, code=4)["faults"]} == {"tail", "store"}


def test_an_attestation_is_checked_without_vigie(shop: ModuleType, audited: Audited) -> None:
    told = shop.run_json("audit", "attest", "--settings", audited.settings, "--to", audited.folder / "kept")
    statement = Path(told["file"])
    key = load_pem_public_key((statement.parent / "public-key.pem").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(statement.with_suffix(".sig").read_bytes(), statement.read_bytes())
    head = manifests(audited)[-1]
    assert told["sha256"] == hashlib.sha256(head.read_bytes()).hexdigest()
    assert told["events"] == shop.EVENTS
    private = audited.folder / "secret/vigie-audit.pem"
    assert private.stat().st_mode & 0o777 == 0o600


def test_attestations_of_the_settings_folder_are_looked_at(shop: ModuleType, audited: Audited) -> None:
    told = shop.run_json("audit", "attest", "--settings", audited.settings)
    found = verified(shop, audited, "--no-store")
    assert found["attested"] == {"until": told["seq"], "by": [told["file"]]}


def test_an_altered_statement_and_another_key_are_refused(shop: ModuleType, audited: Audited) -> None:
    kept, other = audited.folder / "kept", audited.folder / "other"
    told = shop.run_json("audit", "attest", "--settings", audited.settings, "--to", kept)
    shutil.move(audited.folder / "secret/vigie-audit.pem", audited.folder / "secret/old.pem")
    shop.run_json("audit", "attest", "--settings", audited.settings, "--to", other)

    def refused(*options: str | Path) -> str:
        result = shop.run("audit", "verify", "--settings", audited.settings, "--no-store", *options)
        assert result.exit_code == 11
        [line] = [line for line in result.stderr.splitlines() if line.startswith("error")]
        return str(line)

    assert "its signature does not fit" in refused(
        "--against", kept, "--public-key", other / "public-key.pem"
    )
    assert "no attestation" in refused(
        "--against", audited.folder / "secret", "--public-key", kept / "public-key.pem"
    )
    assert "cannot be read" in refused(
        "--against", kept / "head-9.json", "--public-key", kept / "public-key.pem"
    )
    assert "is not an Ed25519 public key" in refused("--against", kept, "--public-key", audited.settings)
    statement = Path(told["file"])
    statement.write_text(statement.read_text().replace('"events": ', '"events": 1'))
    assert "its signature does not fit" in refused("--against", statement)


def test_the_signing_key_may_not_lie_in_the_log(shop: ModuleType, audited: Audited) -> None:
    with audited.settings.open("a", encoding="utf-8") as file:
        file.write('\n[audit]\nkey_file = "log/audit.pem"\n')
    result = shop.run("audit", "attest", "--settings", audited.settings)
    assert result.exit_code == 6
    assert "is inside the log folder" in result.stderr
    assert not (audited.folder / "log/audit.pem").exists()


def noted(audited: Audited) -> int:
    """Number of the first manifest that accounts for a load."""
    return next(
        seq
        for seq, file in enumerate(manifests(audited), 1)
        if "accounting" in json.loads(file.read_bytes())["note"]
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda told: told.update(read=told["read"] + 1), "does not close"),
        (lambda told: told.update(read=told["read"] - 1, events=told["events"] - 1), "events, the load has"),
        (lambda told: told.update(quarantined=7), "is not the sum of its reasons"),
        (lambda told: told.pop("read"), "cannot be read"),
    ],
)
def test_accounting_that_does_not_hold_is_found(
    shop: ModuleType, audited: Audited, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    seq = noted(audited)
    relink(audited, seq, lambda content: change(content["note"]["accounting"]))
    [fault] = verified(shop, audited, "--no-store", code=4)["faults"]
    assert (fault["area"], fault["seq"]) == ("accounting", seq)
    assert problem in fault["problem"]


def test_more_in_quarantine_than_the_log_tells_of_is_found(shop: ModuleType, audited: Audited) -> None:
    folder = audited.folder / "quarantine"
    [file] = folder.glob("*.jsonl")
    assert sum(kept_in(folder).values()) == len(shop.BAD_ROWS)
    file.write_bytes(file.read_bytes() * 2)
    faults = verified(shop, audited, "--no-store", code=4)["faults"]
    assert len(faults) == len(kept_in(folder))
    assert all("it holds 2 entries of source avis for" in fault["problem"] for fault in faults)


@pytest.mark.parametrize(
    ("change", "undo", "field"),
    [
        (
            "UPDATE vigie.signal SET observed = observed + 1",
            "UPDATE vigie.signal SET observed = observed - 1",
            "observed",
        ),
        (
            "UPDATE vigie.signal SET label = label || '!'",
            "UPDATE vigie.signal SET label = rtrim(label, '!')",
            "label",
        ),
    ],
)
def test_a_signal_that_was_changed_in_the_store_is_found(
    shop: ModuleType, audited: Audited, raw: psycopg.Connection, change: str, undo: str, field: str
) -> None:
    raw.execute(change.encode())
    try:
        [fault] = verified(shop, audited, code=5)["faults"]
        assert "their digest differs" in fault["problem"]
        _, *told = verified(shop, audited, "--signals", code=5)["faults"]
    finally:
        raw.execute(undo.encode())
    assert all(one["problem"].endswith(f"is not what the log gives: {field} differ") for one in told)
    assert told
    assert verified(shop, audited, "--signals")["whole"]


def test_an_excerpt_that_was_changed_is_found_by_replaying(
    shop: ModuleType, audited: Audited, raw: psycopg.Connection
) -> None:
    raw.execute("UPDATE vigie.signal_evidence SET excerpt = excerpt || '!'")
    try:
        assert verified(shop, audited)["whole"]
        told = verified(shop, audited, "--signals", code=5)["faults"]
    finally:
        raw.execute("UPDATE vigie.signal_evidence SET excerpt = rtrim(excerpt, '!')")
    assert all("evidence differ" in one["problem"] for one in told)
    assert told


def test_evidence_that_is_not_in_the_log_is_found(
    shop: ModuleType, audited: Audited, raw: psycopg.Connection
) -> None:
    raw.execute(
        "INSERT INTO vigie.signal_evidence SELECT signal_id, %s, first_seen, '', '', perimeter, NULL"
        " FROM vigie.signal LIMIT 1",
        (bytes(16),),
    )
    try:
        faults = verified(shop, audited, code=5)["faults"]
    finally:
        raw.execute("DELETE FROM vigie.signal_evidence WHERE event_id = %s", (bytes(16),))
    assert [one["problem"].split(": ")[-1] for one in faults[1:]] == [
        f"its evidence {'00' * 16} is not in the log"
    ]


def test_a_signal_that_was_removed_or_added_is_told(
    shop: ModuleType, audited: Audited, raw: psycopg.Connection
) -> None:
    row = raw.execute("SELECT signal_id FROM vigie.signal ORDER BY signal_id LIMIT 1").fetchone()
    assert row is not None
    raw.execute("ALTER TABLE vigie.signal_evidence DROP CONSTRAINT signal_evidence_signal_id_fkey")
    other = "f" * 32
    for table in ("signal", "signal_evidence"):
        raw.execute(f"UPDATE vigie.{table} SET signal_id = %s WHERE signal_id = %s".encode(), (other, row[0]))
    try:
        _, *told = verified(shop, audited, "--signals", code=5)["faults"]
    finally:
        for table in ("signal", "signal_evidence"):
            raw.execute(
                f"UPDATE vigie.{table} SET signal_id = %s WHERE signal_id = %s".encode(), (row[0], other)
            )
        raw.execute(
            "ALTER TABLE vigie.signal_evidence"
            " ADD FOREIGN KEY (signal_id) REFERENCES vigie.signal ON DELETE CASCADE"
        )
    assert {one["problem"] for one in told} == {
        f"signal {row[0]} is missing: the log gives it",
        f"signal {other} was added: the log does not give it",
    }


@pytest.mark.usefixtures("original")
def test_kept_heads_are_added_and_never_changed(raw: psycopg.Connection) -> None:
    for statement in (
        "DELETE FROM vigie.log_head",
        "UPDATE vigie.log_head SET seq = 1",
        "TRUNCATE vigie.log_head",
    ):
        with pytest.raises(psycopg.Error, match="are added, never changed"):
            raw.execute(statement.encode())


def test_what_is_no_log_and_half_a_log_are_told_in_a_line(shop: ModuleType, audited: Audited) -> None:
    def told(code: int = 4) -> list[str]:
        result = shop.run("audit", "verify", "--settings", audited.settings, "--no-store")
        assert result.exit_code == code
        return [line for line in result.stderr.splitlines() if line.startswith("error")]

    log = audited.folder / "log"
    segments = log / "generation-0001/segments"
    files = sorted(segments.iterdir())
    files[0].unlink()
    [line] = told()
    assert line.startswith(f"error: log: {files[0]}: cannot be read")
    shutil.rmtree(log / "generation-0001/manifests")
    assert all("no manifest names this segment" in line for line in told())
    shutil.rmtree(log)
    [line] = told()
    assert "there is no event log here" in line
    log.mkdir()
    (log / "notes.txt").write_text("nothing of ours")
    [line] = told()
    assert "there is no event log here" in line


def test_a_log_of_another_format_is_told_in_a_line(shop: ModuleType, audited: Audited) -> None:
    first = manifests(audited)[0]
    first.write_text(first.read_text("utf-8").replace('"format":1', '"format":0'), "utf-8")
    found = verified(shop, audited, "--no-store", code=4)
    assert "format 0, this version reads format 1" in found["faults"][0]["problem"]
    assert len(found["faults"]) == 1
