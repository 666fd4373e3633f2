"""Rows as events: CSV and TSV, workbooks, JSON and JSONL, Parquet."""

from connectors.tables.source import Table

__all__ = ["Table"]
