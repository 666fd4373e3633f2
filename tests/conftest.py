"""Fixtures that several tests share."""

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import psycopg

    from connectors.store import Store


# The same cases in every run: one that fails, fails again.
settings.register_profile("vigie", derandomize=True)
settings.load_profile("vigie")


def _load(name: str) -> ModuleType:
    """A helper beside this file; tests are not a package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location(f"_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def canaries() -> ModuleType:
    """tests/canaries.py: planted personal data, and `assert_no_canary(folder)`."""
    return _load("canaries")


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """tests/reference.py: what the stages should find, written slowly and plainly."""
    return _load("reference")


@pytest.fixture(scope="session")
def shop() -> ModuleType:
    """tests/shop.py: a small fictional shop's workspace, and `run` for the command line."""
    return _load("shop")


@pytest.fixture(scope="session")
def follow_time() -> ModuleType:
    """tests/follow_time.py: a service that follows sources in made-up time."""
    return _load("follow_time")


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    """tests/table_rows.py: workbooks written by hand, and sources of tables read whole."""
    return _load("table_rows")


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """tests/store_rows.py: rows for the signal store."""
    return _load("store_rows")


@pytest.fixture(scope="session")
def alerts() -> ModuleType:
    """tests/alert_rows.py: subscriptions, signals to tell of, servers that receive."""
    return _load("alert_rows")


@pytest.fixture(scope="session")
def published_events() -> ModuleType:
    """tests/published_events.py: generated events, their tallies and crowds."""
    return _load("published_events")


@pytest.fixture(scope="session")
def grafana_double() -> ModuleType:
    """tests/grafana_double.py: a stand-in for Grafana's API."""
    return _load("grafana_double")


@pytest.fixture(scope="session")
def store_dsn() -> Iterator[str]:
    """A server with a signal store. Not under pytest's folder: as root the server is another account."""
    from connectors.store.embedded import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="vigie-store-"))
    with EmbeddedPostgres(folder / "postgres") as dsn:
        yield dsn
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def opened_store(store_dsn: str) -> "Iterator[Store]":
    from connectors.store import open_store

    with open_store(store_dsn, data=Path("unused")) as store:
        yield store


@pytest.fixture(scope="session")
def raw(store_dsn: str) -> "Iterator[psycopg.Connection]":
    """A second connection to the store, to look at the tables as another program would."""
    from connectors.store.connection import connect

    with connect(store_dsn) as connection:
        yield connection


@pytest.fixture
def store(opened_store: "Store", raw: "psycopg.Connection") -> "Store":
    """The store, empty."""
    raw.execute("ALTER TABLE vigie.actions DISABLE TRIGGER actions_append_only")
    raw.execute("ALTER TABLE vigie.log_head DISABLE TRIGGER log_head_append_only")
    raw.execute(
        "TRUNCATE vigie.run, vigie.perimeter, vigie.signal, vigie.signal_evidence, vigie.tally, vigie.ingest,"
        " vigie.open_tally, vigie.signal_picture, vigie.signal_day, vigie.alert, vigie.outbox, vigie.actions,"
        " vigie.subscription, vigie.log_head"
    )
    raw.execute("ALTER TABLE vigie.log_head ENABLE TRIGGER log_head_append_only")
    raw.execute("ALTER TABLE vigie.actions ENABLE TRIGGER actions_append_only")
    return opened_store
