"""Users' mistakes and the world's accidents: one clear line each, the kind's exit code, nothing lost."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer

from connectors import errors
from connectors.log import EventLog, LogWriter
from pipelines.cli.reporting import reported, show_tracebacks
from pipelines.workspace import Workspace

NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, shop: ModuleType) -> Path:
    path: Path = shop.write_shop(tmp_path)
    return path


@pytest.fixture
def ingested(settings: Path, shop: ModuleType) -> Path:
    assert shop.run("ingest", "--settings", settings).exit_code == 0
    return settings


def one_error(result: Any, exit_code: int, *said: str) -> None:
    """The command ended with this code and one line that says all this."""
    assert result.exit_code == exit_code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    for words in said:
        assert words in lines[0]
    assert "Traceback" not in result.output


def test_a_missing_settings_file(tmp_path: Path, shop: ModuleType) -> None:
    missing = tmp_path / "vigie.toml"
    for command in (["ingest"], ["replay"], ["signals"], ["quarantine", "list"], ["log", "verify"]):
        one_error(shop.run(*command, "--settings", missing), 2, str(missing), "vigie init")


def test_wrong_settings_are_all_listed(settings: Path, shop: ModuleType) -> None:
    wrong = shop.SETTINGS.replace("warm_up_days", "warmup_days").replace('root = "mag"', 'root = "Mag !"')
    settings.write_text(wrong.replace('"{to_local}"', '"{to_local"'), encoding="utf-8")
    result = shop.run("ingest", "--settings", settings)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert all(line.startswith(f"error: {settings}: ") for line in lines)
    keys = [line.removeprefix(f"error: {settings}: ").split()[0].rstrip(":") for line in lines]
    assert keys == ["organisation.root", "detection.warmup_days", "source[2].perimeter"]


def test_a_missing_source(settings: Path, shop: ModuleType) -> None:
    (settings.parent / "mail.mbox").unlink()
    one_error(shop.run("ingest", "--settings", settings), 3, "mail.mbox: no such file or folder", "path")


def test_missing_sources_are_all_named_before_any_is_read(settings: Path, shop: ModuleType) -> None:
    text = settings.read_text("utf-8").replace('"avis.csv"', '"*/avis.csv"')
    settings.write_text(text.replace('"mail.mbox"', '"boites"'), encoding="utf-8")
    result = shop.run("ingest", "--settings", settings)
    assert result.exit_code == 3
    first, second = result.stderr.splitlines()
    assert "source avis: " in first
    assert "*/avis.csv: no such file or folder" in first
    assert "source mail: " in second
    assert not (settings.parent / "log").exists()


def test_what_is_in_the_log_needs_its_source_no_more(ingested: Path, shop: ModuleType) -> None:
    (ingested.parent / "mail.mbox").unlink()
    assert shop.run_json("log", "show", "--settings", ingested)
    replayed = shop.run("replay", "--settings", ingested, "--engine", "plain", "--no-store", "--json")
    assert replayed.exit_code == 0


def test_no_source(settings: Path, shop: ModuleType) -> None:
    settings.write_text(shop.SETTINGS.split("[[source]]")[0], encoding="utf-8")
    one_error(shop.run("ingest", "--settings", settings), 2, "no [[source]] is configured")


def test_a_replay_without_log(settings: Path, shop: ModuleType) -> None:
    one_error(
        shop.run("replay", "--settings", settings, "--engine", "plain", "--no-store"), 4, "no event log"
    )


def test_a_corrupted_segment(ingested: Path, shop: ModuleType) -> None:
    text = max((ingested.parent / "log").rglob("*.text.parquet"), key=lambda path: path.stat().st_size)
    group = pq.ParquetFile(text).metadata.row_group(0)
    (column,) = (i for i in range(group.num_columns) if group.column(i).path_in_schema == "text")
    pages = group.column(column)
    content = bytearray(text.read_bytes())
    content[pages.data_page_offset + pages.total_compressed_size // 2] ^= 0xFF
    text.write_bytes(content)
    one_error(
        shop.run("replay", "--settings", ingested, "--engine", "plain", "--no-store"), 4, text.name, "damaged"
    )
    one_error(shop.run("log", "verify", "--settings", ingested), 4, text.name)
    result = shop.run("log", "verify", "--settings", ingested, "--json")
    assert result.exit_code == 4
    assert text.name in result.stdout


def test_an_unreachable_database_is_told_before_the_work(ingested: Path, shop: ModuleType) -> None:
    dsn = "postgresql://vigie:hush@127.0.0.1:1/signals"
    ingested.write_text(shop.SETTINGS + f'[store]\ndsn = "{dsn}"\n', encoding="utf-8")
    for command in (["replay", "--engine", "plain"], ["signals"]):
        result = shop.run(*command, "--settings", ingested)
        one_error(result, 5, "127.0.0.1:1", "cannot open the signal store")
        assert "hush" not in result.output


def test_a_second_writer(ingested: Path, shop: ModuleType) -> None:
    with LogWriter(ingested.parent / "log", now=lambda: NOW):
        one_error(shop.run("ingest", "--settings", ingested), 4, "is being written by process", "one writer")


def full(*_: object, **__: object) -> None:
    """Stands for any write to a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_ingesting(
    settings: Path, shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.log.writer.write_whole", full)
    one_error(shop.run("ingest", "--settings", settings), 4, "the disk is full: free some space")
    monkeypatch.undo()
    assert shop.run("ingest", "--settings", settings).exit_code == 0
    assert EventLog(settings.parent / "log").rows == shop.EVENTS


def test_a_full_disk_while_replaying(
    ingested: Path, shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.replay.pq.write_table", full)
    result = shop.run("replay", "--settings", ingested, "--engine", "plain", "--no-store")
    one_error(result, 1, "the disk is full", "TMPDIR")


def test_an_export_to_a_folder_that_is_not_there(ingested: Path, shop: ModuleType) -> None:
    result = shop.run("replay", "--settings", ingested, "--export", ingested.parent / "no" / "s.jsonl")
    assert result.exit_code == 2
    assert "--export" in result.stderr


def test_unknown_ids(ingested: Path, shop: ModuleType) -> None:
    one_error(shop.run("quarantine", "show", "zz", "--settings", ingested), 7, "none begins with 'zz'")
    one_error(shop.run("quarantine", "retry", "zz", "--settings", ingested), 7, "none begins with 'zz'")
    one_error(shop.run("signals", "show", "zz", "--settings", ingested), 5, "no signal store yet")


def test_an_unknown_perimeter(ingested: Path, shop: ModuleType) -> None:
    result = shop.run("signals", "--perimeter", "Bordeaux", "--settings", ingested)
    one_error(result, 2, "--perimeter is 'Bordeaux'")


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingets"],
        ["replay", "--workers", "0"],
        ["replay", "--workers", "2", "--engine", "plain"],
        ["signals", "--since", "yesterday"],
        ["signals", "show"],
    ],
)
def test_usage(arguments: list[str], settings: Path, shop: ModuleType) -> None:
    options = [] if arguments == ["ingets"] else ["--settings", settings]
    result = shop.run(*arguments, *options)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return reported(command)


def code_of(error: BaseException) -> int:
    with pytest.raises(typer.Exit) as ended:
        raising(error)()
    return ended.value.exit_code


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.VigieError)
    ],
)
def test_each_kind_of_error_has_its_code_and_a_line_a_fault(
    kind: type[errors.VigieError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(kind("one fault\nanother")) == kind.exit_code
    assert capsys.readouterr().err == "error: one fault\nerror: another\n"


def test_an_interruption_says_that_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.startswith("interrupted: what was committed stays")


def test_a_closed_pipe_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    assert code_of(BrokenPipeError(errno.EPIPE, "Broken pipe")) == 1
    assert capfd.readouterr().err == ""


def test_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(PermissionError(errno.EACCES, "Permission denied", "out/vigie.toml")) == 1
    assert capsys.readouterr().err == "error: out/vigie.toml: Permission denied\n"


def test_control_characters_of_a_message_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code_of(errors.SourceError("a\x1b[2Jb")) == 3
    assert capsys.readouterr().err == "error: a\ufffd[2Jb\n"


@pytest.mark.parametrize("shown", [False, True])
def test_an_unexpected_error_asks_to_be_reported_and_quotes_no_text(
    shown: bool, settings: Path, shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("Madame Untel, 06 12 34 56 78")

    monkeypatch.setattr(Workspace, "ingest", fails)
    result = shop.run(*(["--verbose"] if shown else []), "ingest", "--settings", settings)
    assert result.exit_code == 1
    assert "error: unexpected ValueError" in result.stderr
    assert "please report it" in result.stderr
    assert ("Traceback" in result.stderr) is shown
    assert ("Madame Untel" in result.stderr) is shown


def test_the_environment_can_ask_for_tracebacks(
    settings: Path, shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "ingest", lambda *_, **__: 1 / 0)
    result = shop.run("ingest", "--settings", settings, VIGIE_TRACEBACK="1")
    assert "Traceback" in result.stderr
    show_tracebacks(False)
