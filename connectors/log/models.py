"""What decisions name by the hash of its content, lexicons and learned weights, kept beside the chain.

`LOG/models/NAME`, where NAME holds the hash. A file there is written before the decision that names it, and
never changed.
"""

from pathlib import Path

from connectors.log.durable import disk_faults, make_folder, sync_folder, write_content
from connectors.log.files import LogFiles
from connectors.log.layout import MODELS


def keep_model(log: Path, name: str, content: bytes) -> None:
    """Keep a model in the log of a folder; one of its name that is there is the same and stays.

    Raises LogError where the folder cannot be written.
    """
    folder = log / MODELS
    if (folder / name).exists():
        return
    with disk_faults(log):
        make_folder(folder)
        write_content(folder / name, content)
        sync_folder(folder)


def read_model(location: str, name: str) -> bytes | None:
    """The content of a model that the log at a location keeps; None if it keeps none of that name.

    Raises LogError where it cannot be read. Whether it is what its name says is for the reader to check.
    """
    files, path = LogFiles(location), f"{MODELS}/{name}"
    return files.read(path) if files.holds(path) else None
