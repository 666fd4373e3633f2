"""Errors that a user can act on.

VigieError
├── SettingsError        vigie.toml is wrong (exit 2)
├── SourceError          a source cannot be read at all (exit 3)
├── LogError             the event log cannot be read or written (exit 4)
│   └── LogBusyError     another writer holds it
├── StoreError           the signal store cannot be reached or used (exit 5)
├── SecretError          the secret key is missing or does not fit (exit 6)
├── QuarantineError      quarantine cannot be read or written (exit 7)
├── AlertError           a subscription is wrong or unknown, or alerts cannot be sent (exit 9)
├── DashboardError       Grafana cannot be reached, or a board is not as it must be (exit 10)
└── AuditError           the record is not what an audit is to hold it against (exit 11)

Each message says what is wrong, where, the rule, and what to do. The command line prints the message
on one line and exits with the class's `exit_code`; it never shows a traceback for these.
"""


class VigieError(Exception):
    """Base of every error meant for the user."""

    exit_code = 1


class SettingsError(VigieError):
    """The settings file is missing or wrong; the message lists every fault, one a line."""

    exit_code = 2


class SourceError(VigieError):
    """A configured source cannot be read at all (a bad row goes to quarantine instead)."""

    exit_code = 3


class LogError(VigieError):
    """The event log is absent, damaged or cannot be written."""

    exit_code = 4


class LogBusyError(LogError):
    """Another process is writing to the same log."""


class StoreError(VigieError):
    """The signal store cannot be reached or holds something unexpected."""

    exit_code = 5


class SecretError(VigieError):
    """The secret key is missing, unreadable or not the one the log was written with."""

    exit_code = 6


class QuarantineError(VigieError):
    """Quarantine cannot be read or written, or does not hold what was asked."""

    exit_code = 7


class AlertError(VigieError):
    """A subscription is wrong or unknown, or alerts cannot be sent at all; one line a fault."""

    exit_code = 9


class DashboardError(VigieError):
    """Grafana cannot be reached or refuses, or a board fails its checks."""

    exit_code = 10


class AuditError(VigieError):
    """What an audit is to hold the record against cannot be read, or is not what it says."""

    exit_code = 11
