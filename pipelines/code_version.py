"""Which code judges: a hash of it, for state that belongs to it and for decisions of the log."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_JUDGING = (
    "connectors/civil_days.py",
    "connectors/events.py",
    "connectors/perimeters.py",
    "detectors",
    "pipelines/chronicle.py",
    "pipelines/flow.py",
    *(
        f"pipelines/live/{name}.py"
        for name in ("feed", "job", "machine", "messages", "shards", "state", "whole")
    ),
    "pipelines/sealing.py",
    "pipelines/snapshots",
    "pipelines/stages",
    "pipelines/steps.py",
)
"""Code that makes or reads state."""
_LIBRARIES = ("numba", "numpy", "polars", "pyarrow", "river")


@cache
def code_version() -> str:
    """Hash of the code that makes or reads state, ours and libraries'; 16 hexadecimal digits."""
    libraries = [f"{name} {version(name)}" for name in _LIBRARIES]
    found = hashlib.blake2b("\n".join(libraries).encode(), digest_size=8)
    for place in _JUDGING:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(file.relative_to(_ROOT).as_posix().encode() + b"\n" + file.read_bytes())
    return found.hexdigest()
