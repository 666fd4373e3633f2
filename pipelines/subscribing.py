"""Subscriptions as people write them, on the command line or in a CSV: read whole, every fault at once."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.alerts.notifier import check_url
from connectors.alerts.subscription import EMAIL, Subscription
from connectors.errors import AlertError
from connectors.perimeters import PerimeterTree
from pipelines.lexicon import Theme
from pipelines.rules import rule_of

COLUMNS = (
    "subscriber",
    "to",
    "perimeters",
    "descendants",
    "dimensions",
    "themes",
    "functions",
    "kinds",
    "min_evidence",
    "lang",
    "timezone",
    "quiet",
    "rhythm",
    "digest_at",
    "weekly_cap",
    "history",
)
"""Of the CSV; the first three are needed."""
NEEDED = COLUMNS[:3]
_LISTS = ("perimeters", "dimensions", "themes", "functions", "kinds")
_YES = {
    "yes": True,
    "true": True,
    "1": True,
    "oui": True,
    "no": False,
    "false": False,
    "0": False,
    "non": False,
}
_HIDDEN = "to"
"""It may hold a token: never quoted."""

Raw = Mapping[str, str | Sequence[str] | bool | float | int]


@dataclass(frozen=True, slots=True)
class Known:
    """What a subscription may name. defaults: values of the settings, where nothing is said."""

    tree: PerimeterTree
    themes: Collection[Theme]
    defaults: Mapping[str, Any]

    def read(self, raw: Raw) -> Subscription:
        """A subscription of raw values; what is blank is left to the defaults.

        Lists may be text with | between. quiet: `20:00-07:30`. AlertError has a line for each fault, which
        begins with the name of the value.
        """
        faults: list[str] = []
        values: dict[str, Any] = dict(self.defaults)
        for name, value in raw.items():
            if value == "" or value == ():
                continue
            values[name] = _split(value) if name in _LISTS else _plain(name, value)
        values.pop("quiet", None)
        if quiet := raw.get("quiet"):
            start, dash, end = str(quiet).partition("-")
            if dash:
                values |= {"quiet_from": start.strip(), "quiet_until": end.strip()}
            else:
                faults.append(f"quiet is {quiet!r}; must be two times of day, such as 20:00-07:30")
        faults += self._place(values)
        faults += self._name(values)
        read: Subscription | None = None
        try:
            read = Subscription.model_validate(values)
        except ValidationError as error:
            faults += _form_faults(error)
        if read is not None and read.channel != EMAIL:
            try:
                check_url(read.to)
            except AlertError as error:
                faults.append(f"to: {error}")
        if faults or read is None:
            raise AlertError("\n".join(dict.fromkeys(faults)))
        return read

    def _place(self, values: dict[str, Any]) -> Iterator[str]:
        """Turn names of perimeters into paths; a fault for each that the tree does not know."""
        found = []
        for name in values.get("perimeters", ()):
            path = self.tree.resolve(name)
            if path is None:
                yield (
                    f"perimeters has {name!r}; must be a path of the tree, or a name that fits one perimeter"
                )
            else:
                found.append(path)
        if found:
            values["perimeters"] = tuple(dict.fromkeys(found))

    def _name(self, values: Mapping[str, Any]) -> Iterator[str]:
        """A fault for each theme and function that the lexicon does not know."""
        known = {
            "themes": sorted(theme.key for theme in self.themes),
            "functions": sorted({theme.function for theme in self.themes}),
        }
        for name, allowed in known.items():
            for value in values.get(name, ()):
                if value not in allowed:
                    yield f"{name} has {value!r}; must be of {', '.join(allowed)}"


def read_csv(path: Path, known: Known) -> list[Subscription]:
    """Subscriptions of a CSV in UTF-8, `,` or `;` between its columns, which are some of COLUMNS.

    AlertError has a line for each fault of the whole file: where, what, the rule.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise AlertError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AlertError(f"{path}: is not UTF-8; save it again as UTF-8 CSV") from error
    first = content.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=";" if ";" in first else ",")
    _check_columns(path, [(name or "").strip() for name in reader.fieldnames or []])
    read, faults = list[Subscription](), list[str]()
    for row in reader:
        place = f"{path}:{reader.line_num}"
        if None in row:
            faults.append(f"{place}: has more values than the file has columns; quote what holds a separator")
            continue
        try:
            read.append(known.read({name.strip(): (value or "").strip() for name, value in row.items()}))
        except AlertError as error:
            faults += [f"{place}: {fault}" for fault in str(error).splitlines()]
    if not read and not faults:
        faults.append(f"{path}: holds no subscription")
    if faults:
        raise AlertError("\n".join(faults))
    return read


def _check_columns(path: Path, names: Sequence[str]) -> None:
    faults = [f"{path}:1: there is no column {name}; it is needed" for name in NEEDED if name not in names]
    faults += [
        f"{path}:1: column {name!r} is unknown; the columns may be {', '.join(COLUMNS)}"
        for name in names
        if name not in COLUMNS
    ]
    faults += [f"{path}:1: column {name} stands twice" for name in COLUMNS if names.count(name) > 1]
    if faults:
        raise AlertError("\n".join(faults))


def _split(value: Any) -> tuple[str, ...]:
    parts = value.split("|") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


def _plain(name: str, value: Any) -> Any:
    """yes, no, oui, non as truth values; a comma in a number as a point."""
    if isinstance(value, str) and name in ("descendants", "history"):
        return _YES.get(value.casefold(), value)
    if isinstance(value, str) and name == "min_evidence":
        return value.replace(",", ".")
    return value


def _form_faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        name = "quiet" if name.startswith("quiet") else name
        rule = rule_of(fault)
        if not name:
            yield rule
        elif name == _HIDDEN or fault["type"] == "missing" or isinstance(fault["input"], list | tuple):
            yield f"{name}: {rule}"
        else:
            yield f"{name} is {str(fault['input'])!r}; {rule}"
