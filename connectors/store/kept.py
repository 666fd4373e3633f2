"""A store that stays open from one use to the next, for what writes every second."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from connectors.errors import StoreError
from connectors.store.store import Store, open_store


class KeptStore:
    """Opens a store when it is first used, and again where its server has gone; arguments as `open_store`.

    For one thread. Pickled, it is one that is not open yet.
    """

    def __init__(self, dsn: str | None, *, data: Path) -> None:
        self._dsn = dsn
        self._data = data
        self._open = ExitStack()
        self._store: Store | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _closed, (self._dsn, self._data)

    @contextmanager
    def use(self) -> Iterator[Store]:
        """The store, for a while. StoreError as `open_store`. After any error it is opened anew."""
        if self._store is None or not self._answers(self._store):
            self.close()
            self._store = self._open.enter_context(open_store(self._dsn, data=self._data))
        try:
            yield self._store
        except BaseException as error:
            self._store = None
            # Those who leave with an error are told more of it: that the disk is full.
            self._open.__exit__(type(error), error, error.__traceback__)
            raise

    def close(self) -> None:
        """Leave the store; it is opened again when it is used."""
        self._store = None
        self._open.close()

    @staticmethod
    def _answers(store: Store) -> bool:
        try:
            with store.transaction() as connection:
                connection.execute("SELECT")
        except StoreError:
            return False
        return True


def _closed(dsn: str | None, data: Path) -> KeptStore:
    return KeptStore(dsn, data=data)
