"""Every fault of `vigie.toml` in one message, in plain words: what, where, the rule."""

import datetime as dt
import math
import tomllib
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from connectors.alerts.subscription import Subscription
from connectors.errors import SettingsError
from pipelines.lexicon_files import ThemeRow, _SentimentFile
from pipelines.rules import RULES, rule_of
from pipelines.settings import Settings, load_settings

WHOLE = tomllib.loads("""
occasion = [{ name = "o", dates = [2020-01-01, { first = 2020-02-01, last = 2020-02-02 }] }]
[organisation]
root = "e"
name = "E"
tree = "tree.csv"
timezone = "Europe/Paris"
languages = ["fr"]
country = "FR"
subdivisions = ["57"]
school_holidays = false
[privacy]
key_file = "key"
directory = "names"
min_authors = 5
quarantine = "q"
quarantine_days = 30
weekly_depth = 1
[log]
path = "log"
[follow]
poll = "5s"
settle = "3s"
patience = "1min"
tick = "15min"
segment_rows = 50000
[store]
dsn = ""
folder = "store"
[understanding]
sentiment = "weights-00000000000000000000000000000000.parquet"
[detection]
false_alerts_per_perimeter_per_year = 0.25
half_life_days = 60.0
warm_up_days = 28
memory_days = 28
early_look_minutes = 15
lexicon = "mots"
[alerts]
url = "https://vigie.exemple.test"
sender = "vigie@exemple.test"
smtp_host = "mail"
smtp_port = 25
smtp_security = "none"
smtp_user = "u"
smtp_password_file = "p"
mailbox = "m"
weekly_cap = 5
link_days = 60
[audit]
key_file = "k.pem"
folder = "heads"
[[source]]
name = "a"
kind = "table"
path = "*.csv"
channel = "survey"
voice = "customer"
perimeter = "{x}"
timezone = "UTC"
grace = "3d"
window = { first = 2020-01-01, last = 2030-01-01 }
encoding = "utf-8"
columns = { text = ["t", 3], occurred_at = "d", id = "i", score = 2, author = "a", agent = "b" }
score = { worst = 1, best = 5, unanswered = ["N/A"] }
header_rows = 1
delimiter = ";"
decimal_comma = true
day_first = true
sheet = "s"
rows = "r"
[[source]]
name = "b"
kind = "table"
path = "*.csv"
channel = "survey"
perimeter = "x"
columns = { occurred_at = ["d", "e"], score = 2 }
score = { labels = { bien = 1.0 } }
[[source]]
name = "c"
kind = "mail"
path = "m"
perimeter = "x"
subject = true
[[source]]
name = "d"
kind = "letters"
path = "l"
perimeter = "x"
pattern = "x"
""")
"""Every setting there is."""
THEME = {
    "label_fr": "a",
    "label_en": "b",
    "dimension": "trust",
    "stance": "none",
    "function": "f",
    "polarity": "neutral",
}
SENTIMENT = {
    "entries": [{"weight": 1, "endings": "", "words": "x"}],
    "negators": [{"reach": 3, "words": "x"}],
    "intensifiers": [{"step": 1, "reach": 2, "words": "x"}],
}
SUBSCRIPTION = {
    "subscriber": "s",
    "to": "s@exemple.test",
    "perimeters": ["a"],
    "descendants": True,
    "dimensions": ["trust"],
    "themes": ["t"],
    "functions": ["f"],
    "kinds": ["silence"],
    "min_evidence": 1.0,
    "lang": "fr",
    "timezone": "UTC",
    "quiet_from": "20:00",
    "quiet_until": "07:00",
    "rhythm": "daily",
    "digest_at": "08:00",
    "weekly_cap": 5,
    "history": False,
}
VALUES: list[Any] = [
    *("", "x", "3", "3 d", "a b", "Été", "{", "{y}", "||", "inf", "2020-13-01", "2020-01-01T03:00:00"),
    *("9" * 5000, "9" * 30 + "w"),
    *(-1, 0, 3, 10**30, 1.5, -2.5, math.nan, math.inf, -math.inf, True, False),
    *(dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 3), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.time(3)),  # noqa: DTZ001
    *([], ["x"], [1.5], [True], [[]], [{}], {}, {"x": 1}, {"kind": "mail"}, [{"kind": "mail"}]),
]
"""Of every kind that TOML has, and beyond every bound."""


def places(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if above:
        yield above
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, inside in items:
        yield from places(inside, (*above, key))


def changed(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The content with another value in a place; without the place where the value is None."""
    new = copy(content)
    if len(place) > 1:
        new[place[0]] = changed(new[place[0]], place[1:], value)
    elif value is None:
        del new[place[0]]
    else:
        new[place[0]] = value
    return new


@pytest.fixture(scope="module")
def met() -> set[str]:
    """The types of error that wrong values of every kind bring, each checked to be told in plain words."""
    found = set()
    shapes: list[tuple[type[BaseModel], Any]] = [
        (Settings, WHOLE),
        (ThemeRow, THEME),
        (_SentimentFile, SENTIMENT),
        (Subscription, SUBSCRIPTION),
    ]
    for shape, content in shapes:
        adapter = TypeAdapter(shape)
        adapter.validate_python(content)
        for place in places(content):
            for value in (None, *VALUES):
                try:
                    adapter.validate_python(changed(content, place, value))
                except ValidationError as error:
                    for fault in error.errors():
                        found.add(fault["type"])
                        # Our own words stand in a value_error.
                        plain = rule_of(fault) if fault["type"] != "value_error" else ""
                        assert not any(raw in plain for raw in ("Input", "should", "valid", "{")), fault
    return found


def test_every_error_that_a_value_can_bring_has_a_rule_in_plain_words(met: set[str]) -> None:
    assert set(WHOLE) == set(Settings.model_fields)
    assert set(SUBSCRIPTION) == set(Subscription.model_fields)
    assert met == set(RULES)
    assert met <= set(get_args(ErrorType))


def test_an_error_that_no_rule_tells_is_told_as_pydantic_does() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(bytes).validate_python(3)
    assert [rule_of(fault) for fault in caught.value.errors()] == ["Input should be a valid bytes"]


EVERY_FAULT = """
[organisation]
root = "mag"
tree = "arbre.csv"
languages = ["fr", "xx", "en", "yy"]
[privacy]
min_authors = 2
directory = "noms.txt"
[detection]
lexicon = "mots"
[[source]]
name = "avis"
kind = "table"
path = "avis/*.csv"
channel = "survey"
perimeter = "x"
columns = { text = "Avis", occurred_at = "Date" }
[[source]]
name = "boite"
kind = "mail"
path = "boite.mbox"
perimeter = "{magasin}"
"""


def test_any_command_lists_every_fault_in_one_message(tmp_path: Path, shop: ModuleType) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text(EVERY_FAULT, encoding="utf-8")
    expected = [
        f"error: {file}: {fault}"
        for fault in (
            "organisation.name: is missing; add it",
            "privacy.min_authors is 2; must be 3 at least",
            'source[2].perimeter is "{magasin}"; uses magasin; a mail source knows to, to_local, folder, '
            "subject",
            f'organisation.tree is "arbre.csv"; there is no such file; correct the path, which starts from '
            f"{tmp_path}",
            f'privacy.directory is "noms.txt"; there is no such file; correct the path, which starts from '
            f"{tmp_path}",
            f'detection.lexicon is "mots"; there is no such folder; correct the path, which starts from '
            f"{tmp_path}",
            'organisation.languages[2] is "xx"; there is no lexicon of this language; leave it out, or add '
            "one in detection.lexicon",
            'organisation.languages[4] is "yy"; there is no lexicon of this language; leave it out, or add '
            "one in detection.lexicon",
            f'source[1].path is "avis/*.csv"; there is no such file or folder; correct the path, which '
            f"starts from {tmp_path}",
            f'source[2].path is "boite.mbox"; there is no such file or folder; correct the path, which '
            f"starts from {tmp_path}",
        )
    ]
    commands = [["check"], ["ingest"], ["replay"], ["signals"], ["signals", "show", "a"], ["log", "show"]]
    commands += [["log", "verify"], *(["quarantine", name] for name in ("list", "retry", "purge"))]
    for command in commands:
        result = shop.run(*command, "--settings", file)
        assert result.exit_code == 2
        assert result.stderr.splitlines() == expected


def found(folder: Path, content: str) -> list[str]:
    file = folder / "vigie.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]


GOOD = '[organisation]\nroot = "e"\nname = "E"\n'


def test_what_is_named_alone_is_a_fault_too(tmp_path: Path) -> None:
    (fault,) = found(tmp_path, GOOD + 'tree = "."')
    assert fault.startswith('organisation.tree is "."; there is no such file')


def test_weights_are_named_as_they_are_written_and_are_there(tmp_path: Path) -> None:
    (fault, missing) = found(tmp_path, GOOD + '[understanding]\nsentiment = "weights.parquet"')
    assert fault.startswith('understanding.sentiment is "weights.parquet"; must be a file that `vigie learn`')
    (again,) = found(tmp_path, GOOD + f'[understanding]\nsentiment = "w/weights-{"0" * 32}.parquet"')
    assert "there is no such file" in missing
    assert "there is no such file" in again


def test_a_language_may_have_its_lexicon_in_the_users_folder(tmp_path: Path) -> None:
    content = GOOD + 'languages = ["fr", "zz"]\n[detection]\nlexicon = "mots"'
    assert len(found(tmp_path, content)) == 2
    (tmp_path / "mots" / "zz").mkdir(parents=True)
    assert load_settings(tmp_path / "vigie.toml").organisation.languages == ["fr", "zz"]


def test_sources_that_are_gone_are_a_fault_only_beside_others(tmp_path: Path) -> None:
    source = '\n[[source]]\nname = "a"\nkind = "mail"\npath = "gone"\nperimeter = "x"\n'
    (tmp_path / "vigie.toml").write_text(GOOD + source, encoding="utf-8")
    assert load_settings(tmp_path / "vigie.toml").source[0].path == "gone"
    assert len(found(tmp_path, GOOD + 'tree = "t.csv"' + source)) == 2


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("", "[source]\nname = 'a'", "source: must be a list, in brackets"),
        ("source = [3]\n", "", "source[1] is 3; must be keys and their values"),
        ("", "[[source]]\nname = 'a'", "source[1].kind: is missing; say 'mail', 'letters' or 'table'"),
        ("", "[[source]]\nkind = 3", "source[1].kind is 3; must be one of 'mail', 'letters', 'table'"),
        ("log = 'log'\n", "", 'log is "log"; must be keys and their values'),
    ],
)
def test_tables_of_the_wrong_shape(tmp_path: Path, before: str, after: str, fault: str) -> None:
    (line,) = found(tmp_path, before + GOOD + after)
    assert line.startswith(fault)
