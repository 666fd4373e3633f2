"""The outside world: sources, admission, the event log, the signal store."""
