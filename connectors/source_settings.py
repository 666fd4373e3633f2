"""What a user may say of a source in `vigie.toml`, one model a kind of source.

The models carry the rules; `pipelines.settings` validates the whole file and turns faults into messages.
"""

import math
import re
from datetime import date, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from connectors.files import is_charset
from connectors.template import Template

_SPAN = re.compile(r"^\s*(\d+)\s*(s|min|h|d|w)\s*$")
_LONGEST_SPAN = 50 * 366 * 86400
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_span(value: object) -> object:
    """Turn `90min`, `36h`, `3d` or `2w` into a timedelta; a timedelta passes.

    >>> parse_span("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(value, timedelta):
        return value
    match = _SPAN.match(value) if isinstance(value, str) else None
    if not match:
        raise ValueError('must be text, a number and a unit of s, min, h, d or w, such as "36h" or "3d"')
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_SPAN:
        raise ValueError("must be 50 years at most")
    return timedelta(seconds=seconds)


def check_column(value: object) -> object:
    """Accept a column's name or its number, not true or false, which Python takes for numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int) or (isinstance(value, int) and value < 1):
        raise ValueError("must be a column's name, or its number from 1")
    return value


def check_columns(value: object) -> object:
    """Accept a column or a list of them."""
    for column in value if isinstance(value, list) else [value]:
        check_column(column)
    return value


def check_delimiter(value: str) -> str:
    """Accept one character that can stand between fields."""
    if len(value) != 1 or value in '"\r\n':
        raise ValueError("must be one character, such as ;")
    return value


def check_charset(value: str) -> str:
    """Accept the name of an encoding of text."""
    if not is_charset(value):
        raise ValueError("must be an encoding such as utf-8 or cp1252; without the key it is found")
    return value


def matching(pattern: str, rule: str) -> AfterValidator:
    """Accept text of a form, said in words."""
    form = re.compile(pattern)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def check_zone(name: str) -> str:
    """Accept an IANA time zone name, `Europe/Paris`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone such as Europe/Paris") from error
    return name


Span = Annotated[timedelta, BeforeValidator(parse_span)]
Zone = Annotated[str, BeforeValidator(lambda value: check_zone(value) if isinstance(value, str) else value)]
Slug = Annotated[
    str,
    matching(
        "[a-z][a-z0-9_]*", "must be lower-case letters, digits and _, a letter first, such as field_note"
    ),
]
Step = Annotated[
    str,
    matching(
        "[a-z0-9][a-z0-9-]*", "must be lower-case letters, digits and -, without accents, such as la-poste"
    ),
]
"""One step of a perimeter's path."""
Column = Annotated[str | int, BeforeValidator(check_column)]
ColumnList = Annotated[str | int | list[str | int], BeforeValidator(check_columns)]


MAIL_FIELDS = ("to", "to_local", "folder", "subject")
"""What the perimeter of a mail source may be made of."""


class Model(BaseModel):
    """Unknown keys are faults: a typing error must not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Model):
    """Dates a source can plausibly hold, both ends included; rows outside go to quarantine."""

    first: date = date(1990, 1, 1)
    last: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last is not None and self.first > self.last:
            raise ValueError(f"first is {self.first}, last is {self.last}; first must not be after last")
        return self


class CommonSource(Model):
    """Settings every kind of source has."""

    name: Slug
    path: Annotated[str, Field(min_length=1)]
    """File, folder or glob, relative to vigie.toml."""
    channel: Slug
    voice: Literal["customer", "field"] = "customer"
    perimeter: Annotated[str, Field(min_length=1)]
    """Constant path, or a template over the record's fields: `{Région}/{Magasin}`."""
    timezone: Zone | None = None
    """Zone of times written without one; the organisation's where absent."""
    grace: Span = timedelta(days=3)
    """How late a live event may arrive and still count where it happened."""
    window: Window = Window()
    encoding: Annotated[str, AfterValidator(check_charset)] | None = None
    """Found from the bytes where absent."""

    @field_validator("perimeter")
    @classmethod
    def _is_template(cls, value: str) -> str:
        Template(value)
        return value


class MailSource(CommonSource):
    """Mailboxes: mbox files, maildirs, folders of .eml, zips of them.

    Fields a perimeter template may use: MAIL_FIELDS; `to_local` is what stands before the @.
    """

    kind: Literal["mail"]
    channel: Slug = "email"
    subject: bool = True
    """Whether the subject belongs to the text."""

    @field_validator("perimeter")
    @classmethod
    def _uses_known_fields(cls, value: str) -> str:
        unknown = sorted(set(Template(value).fields) - set(MAIL_FIELDS))
        if unknown:
            raise ValueError(f"uses {', '.join(unknown)}; a mail source knows {', '.join(MAIL_FIELDS)}")
        return value


class LettersSource(CommonSource):
    """Letters: .txt, .docx and text .pdf in a folder.

    Metadata comes from a sidecar (`letter.pdf.json`, `.toml`, or one `metadata.csv` in the folder) or from
    the file name by `pattern`, a regular expression with named groups among date, perimeter fields,
    author and id. Fields a perimeter template may use: every sidecar key and every group of the pattern.
    """

    kind: Literal["letters"]
    channel: Slug = "letter"
    pattern: str | None = None

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is not a regular expression: {error}") from error
        return self


class Columns(Model):
    """Where each field of an event stands in a table: a column's name, or its number from 1.

    In JSON a dotted path reaches inside (`answers.0.text`).
    """

    text: ColumnList = []
    occurred_at: ColumnList
    """Several columns: the first that is filled."""
    id: Column | None = None
    score: Column | None = None
    author: Column | None = None
    agent: Column | None = None


class ScoreScale(Model):
    """How a source's score becomes [0, 1]: linear between `worst` and `best`, or one value a label.

    `worst` may be above `best` (1 = excellent, 6 = poor). Labels are compared without case or accents.
    """

    worst: float | None = None
    best: float | None = None
    labels: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    unanswered: list[str] = []
    """What stands for no answer (`N/A`), beside a blank cell; compared as labels are."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        linear = self.worst is not None and self.best is not None
        if linear == bool(self.labels) or (self.worst is None) != (self.best is None):
            raise ValueError("give either worst and best, or labels")
        if linear and self.worst == self.best:
            raise ValueError("worst and best must differ")
        if not all(math.isfinite(end) for end in (self.worst, self.best) if end is not None):
            raise ValueError("worst and best must be finite numbers, not inf or nan")
        return self


class TableSource(CommonSource):
    """Rows: CSV, TSV, XLSX, JSON, JSONL, Parquet. Fields of a perimeter template: the column names."""

    kind: Literal["table"]
    columns: Columns
    score: ScoreScale | None = None
    header_rows: Annotated[int, Field(ge=0, le=10)] = 1
    """0: no header, columns are numbers. 3: Qualtrics (names, questions, import ids)."""
    delimiter: Annotated[str, AfterValidator(check_delimiter)] | None = None
    """Found from the content where absent."""
    decimal_comma: bool = False
    day_first: bool = True
    """How 03/04/2024 reads where the whole file cannot tell."""
    sheet: str | None = None
    """XLSX: the sheet's name; the first where absent."""
    rows: str | None = None
    """JSON: dotted path to the list of rows; found where absent."""

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if not self.columns.text and self.columns.score is None:
            raise ValueError("columns needs text or score: an event is one or the other")
        if self.columns.score is not None and self.score is None:
            raise ValueError("columns.score is given: say the scale in [source.score]")
        if self.score is not None and self.columns.score is None:
            raise ValueError("[source.score] is given: say in columns.score which column it is of")
        return self


SourceSettings = Annotated[MailSource | LettersSource | TableSource, Field(discriminator="kind")]
