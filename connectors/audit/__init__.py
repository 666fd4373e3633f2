"""Holding the record to account: the log's accounting, its head kept elsewhere, and the store against it."""
