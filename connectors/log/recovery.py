"""What a killed writer leaves behind, and how the next one removes it."""

from pathlib import Path

from connectors.errors import LogError
from connectors.log import layout


def remove_leftovers(path: Path, *, generation: int, next_seq: int) -> None:
    """Remove files written beside, and the segment that would have come next but has no manifest.

    Only the holder of the lock may call it. A segment further ahead than that cannot be a leftover: it
    says that manifests were lost, and nothing is removed then; LogError.
    """
    # A writer killed while it opened a generation may have made the next one's folders.
    leftovers = []
    for number in (generation, generation + 1):
        manifests, segments = path / layout.manifests_folder(number), path / layout.segments_folder(number)
        for folder in filter(Path.is_dir, (manifests, segments)):
            leftovers += [file for file in folder.iterdir() if layout.BESIDE.match(file.name)]
        if segments.is_dir():
            leftovers += [file for file in segments.iterdir() if _is_ahead(file, next_seq)]
        seals = path / layout.seals_folder(number)
        if seals.is_dir():
            # Sealed for an erasure that was never decided.
            leftovers += [file for file in seals.iterdir() if int(file.name[:12]) >= next_seq]
    for file in leftovers:
        file.unlink()


def _is_ahead(file: Path, next_seq: int) -> bool:
    match = layout.SEGMENT.match(file.name)
    if match and int(match[1]) > next_seq:
        raise LogError(
            f"{file}: this segment has no manifest, and manifest {next_seq} is missing too: "
            "manifests were lost, restore them from a copy of the log"
        )
    return bool(match) and int(file.name[:12]) == next_seq
