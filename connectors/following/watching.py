"""Being told of changes by the file system, so that a look at the sources need not wait for its turn.

It only saves waiting: where the file system does not tell (network folders, no watches left), the regular
looks find the same.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import watchfiles

_DEBOUNCE_MS = 200
_STEP_MS = 20
_CHECK_MS = 500
"""How long the watching thread takes at most to see that it is to end."""


@contextmanager
def watching(
    places: Iterable[tuple[Path, bool]],
    *,
    ours: Sequence[Path],
    changed: Callable[[], None],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Call `changed`, from another thread, after something changed in one of the folders.

    places: folders, and whether those below count too; ones that are not there are left out. ours: folders
    written by ourselves, whose changes are no news. say: told once if the file system cannot be watched.
    """
    ended = threading.Event()
    own = [str(path.absolute()) for path in ours]

    def is_news(_: watchfiles.Change, path: str) -> bool:
        return not any(path == folder or path.startswith(folder + "/") for folder in own)

    def watch(folders: Sequence[Path], *, recursive: bool) -> None:
        try:
            for _ in watchfiles.watch(
                *folders,
                watch_filter=is_news,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=ended,
                rust_timeout=_CHECK_MS,
                raise_interrupt=False,
                recursive=recursive,
                ignore_permission_denied=True,
            ):
                changed()
        except (OSError, RuntimeError) as error:
            say(f"changes are found by looking only: the file system cannot be watched ({error})")

    listed = list(places)
    threads = []
    for recursive in (False, True):
        folders = sorted({path for path, deep in listed if deep is recursive and path.is_dir()})
        if folders:
            thread = threading.Thread(
                target=watch, args=(folders,), kwargs={"recursive": recursive}, name="watching", daemon=True
            )
            threads.append(thread)
            thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
