"""A store that stays open from one use to the next."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from connectors.errors import StoreError
from connectors.store import KeptStore, Store


@pytest.fixture
def kept(store_dsn: str, tmp_path: Path) -> Iterator[KeptStore]:
    made = KeptStore(store_dsn, data=tmp_path)
    yield made
    made.close()


def backend(store: Store) -> int:
    row = store.connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def test_uses_share_a_connection_until_it_is_closed(kept: KeptStore) -> None:
    with kept.use() as store:
        first = backend(store)
    with kept.use() as store:
        assert backend(store) == first
    kept.close()
    with kept.use() as store:
        assert backend(store) != first
    kept.close()


def test_one_whose_server_went_away_is_opened_again(kept: KeptStore, raw: psycopg.Connection) -> None:
    with kept.use() as store:
        first = backend(store)
    raw.execute("SELECT pg_terminate_backend(%s, 10000)", (first,))
    with kept.use() as store:
        assert backend(store) != first


def test_after_an_error_it_is_opened_anew(kept: KeptStore) -> None:
    with kept.use() as store:
        first = backend(store)
    with pytest.raises(ZeroDivisionError), kept.use():
        raise ZeroDivisionError
    with kept.use() as store:
        assert backend(store) != first


def test_pickled_it_is_not_open(kept: KeptStore) -> None:
    with kept.use() as store:
        first = backend(store)
        again: KeptStore = pickle.loads(pickle.dumps(kept))
    with again.use() as store:
        assert backend(store) != first
    again.close()


def test_a_server_that_cannot_be_reached_is_told_as_ever(tmp_path: Path) -> None:
    kept = KeptStore("host=127.0.0.1 port=1 dbname=x", data=tmp_path)
    with pytest.raises(StoreError, match=r"cannot open the signal store at 127\.0\.0\.1:1"), kept.use():
        pass
