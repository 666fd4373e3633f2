"""The accounting of a load, as people read it: what became of every row, and why."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.cli.output import notice, plural, print_table, warn

if TYPE_CHECKING:
    from connectors.contract import Accounting
    from connectors.sources import OpenedSource

SET_ASIDE = {
    "auto_reply": "automatic replies",
    "bounce": "returned or undelivered mail",
    "newsletter": "newsletters and mailings",
    "empty": "no text",
    "empty_file": "nothing in the file",
    "blank": "neither text nor score",
}
"""Why sources set well-formed rows aside, in words."""

_COLUMNS = ("read", "events", "duplicates", "set_aside", "quarantined")


def reasons_of(opened: "OpenedSource") -> dict[str, str]:
    """Every reason for which a source's rows may go to quarantine, in words."""
    from connectors.admission import REASONS

    return {**REASONS, **opened.source.reasons}


def in_words(reason: str, words: Mapping[str, str]) -> str:
    """A reason with its words.

    >>> in_words("bad_date", {"bad_date": "the date is not one"})
    'the date is not one (bad_date)'
    """
    said = words.get(reason)
    return f"{said} ({reason})" if said else reason.replace("_", " ")


def accounts_json(accounts: Mapping[str, "Accounting"]) -> dict[str, Any]:
    """One object: the account of each source, and their total."""
    sources = {name: account.as_json() for name, account in accounts.items()}
    total = {name: sum(account[name] for account in sources.values()) for name in _COLUMNS}
    return {"sources": sources, "total": total}


def print_accounts(accounts: Mapping[str, "Accounting"], reasons: Mapping[str, Mapping[str, str]]) -> None:
    """A table with a row a source, then why rows were set aside or quarantined. reasons: words by source."""
    plain = accounts_json(accounts)
    rows = list(plain["sources"].items())
    if len(rows) > 1:
        rows.append(("total", plain["total"]))
    print_table(
        {"source": "left", **{name.replace("_", " "): "right" for name in _COLUMNS}},
        [(name, *(f"{account[column]:,}" for column in _COLUMNS)) for name, account in rows],
    )
    for name, account in accounts.items():
        for reason, count in sorted(account.set_aside.items()):
            notice(f"{name}: {plural(count, 'row')} set aside: {in_words(reason, SET_ASIDE)}")
        for reason, count in sorted(account.quarantined.items()):
            notice(f"{name}: {plural(count, 'row')} quarantined: {in_words(reason, reasons.get(name, {}))}")
    if plain["total"]["quarantined"]:
        rows_kept = plural(plain["total"]["quarantined"], "row")
        warn(f"{rows_kept} in quarantine: `vigie quarantine list` shows why, nothing is lost")
