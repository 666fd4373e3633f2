"""The command line. Its modules import at their top what `--help` needs; the rest takes seconds."""

from pipelines.cli.app import app, main

__all__ = ["app", "main"]
