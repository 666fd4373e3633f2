"""The signal store, in PostgreSQL: a projection of the log that dashboards, alerts and the desk read."""

from connectors.store.kept import KeptStore
from connectors.store.run import Run
from connectors.store.store import Store, open_store

__all__ = ["KeptStore", "Run", "Store", "open_store"]
