"""`vigie.toml`: every fault at once with its file and key; the version follows what signals depend on."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import SettingsError
from connectors.source_settings import LettersSource, MailSource, TableSource
from pipelines.settings import Settings, load_settings

GOOD = """
[organisation]
root = "enseigne"
name = "L'Enseigne"

[[source]]
name = "avis"
kind = "table"
path = "avis/*.csv"
channel = "survey"
perimeter = "{Magasin}"
columns = { text = ["Titre", "Avis"], occurred_at = "Date", score = "Note" }
score = { worst = 1, best = 5 }

[[source]]
name = "boite"
kind = "mail"
path = "~/mail"
perimeter = "siege"

[[source]]
name = "courriers"
kind = "letters"
path = "courriers"
perimeter = "{lieu}"
"""


def write(folder: Path, content: str) -> Path:
    file = folder / "vigie.toml"
    file.write_text(content, encoding="utf-8")
    return file


def faults(folder: Path, content: str) -> list[str]:
    file = write(folder, content)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


def test_a_small_file_and_what_it_leaves_out(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert [type(source) for source in settings.source] == [TableSource, MailSource, LettersSource]
    assert settings.organisation.timezone == "Europe/Paris"
    assert settings.organisation.languages == ["fr", "en"]
    assert settings.privacy.min_authors == 5
    assert settings.base == tmp_path
    assert settings.path(settings.log.path) == tmp_path / "log"
    assert settings.path("/elsewhere/log") == Path("/elsewhere/log")
    assert settings.path("~/log") == Path.home() / "log"


def test_the_stages_get_their_words_for_it(tmp_path: Path) -> None:
    content = (
        GOOD
        + """
    [privacy]
    min_authors = 7
    [detection]
    half_life_days = 30
    warm_up_days = 14
    memory_days = 21
    false_alerts_per_perimeter_per_year = 2
    """
    )
    stages = load_settings(write(tmp_path, content)).stages
    assert (stages.half_life, stages.warm_up, stages.window) == (30, 14, 21)
    assert (stages.false_alerts, stages.min_authors) == (2, 7)
    assert {field.name for field in fields(stages)} >= {"ratios", "strength", "dispersion"}


NAMED = '[organisation]\nroot = "e"\nname = "E"\n'


def test_spans_of_detection_and_quarantine_have_an_upper_bound(tmp_path: Path) -> None:
    beyond = 10**20
    content = f"[privacy]\nmin_authors = {beyond}\nquarantine_days = {beyond}\n"
    content += f"[detection]\nwarm_up_days = {beyond}\nmemory_days = {beyond}"
    assert faults(tmp_path, NAMED + content) == [
        f"privacy.min_authors is {beyond}; must be 1000 at most",
        f"privacy.quarantine_days is {beyond}; must be 3650 at most",
        f"detection.warm_up_days is {beyond}; must be 3650 at most",
        f"detection.memory_days is {beyond}; must be 3650 at most",
    ]


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ('score = "n"\n[source.score]\nworst = nan\nbest = 10', "must be finite numbers, not inf or nan"),
        ('score = "n"\n[source.score]\nworst = 0\nbest = inf', "must be finite numbers, not inf or nan"),
        ("[source.score]\nworst = 0\nbest = 10", "say in columns.score which column it is of"),
        ('score = "n"', "say the scale in [source.score]"),
    ],
)
def test_a_score_has_a_column_and_a_scale_with_ends(tmp_path: Path, columns: str, rule: str) -> None:
    source = '[[source]]\nname = "a"\nkind = "table"\npath = "."\nchannel = "c"\nperimeter = "e"\n'
    (fault,) = faults(
        tmp_path, NAMED + source + f'[source.columns]\ntext = "t"\noccurred_at = "d"\n{columns}'
    )
    assert fault.startswith("source[1]")
    assert fault.endswith(rule)


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        [organisation]
        root = "L'Enseigne"
        timezone = "Europe/Pariss"
        languages = []
        colour = "red"
        [privacy]
        min_authors = 2
        quarantine_days = 0
        [detection]
        false_alerts_per_perimeter_per_year = 0
        half_life_days = nan
        memory_days = "long"
        [stor]
        dsn = ""
        [[source]]
        name = "Avis !"
        kind = "table"
        path = ""
        channel = "survey"
        perimeter = "x"
        columns = { text = "Avis", occured_at = "Date" }
        score = { worst = 1 }
        [[source]]
        name = "boite"
        kind = "mail"
        path = "mail"
        perimeter = "x"
        grace = "3 days"
        [[source]]
        name = "autre"
        kind = "carrier_pigeon"
        [[source]]
        name = "sans"
        """,
    )
    expected = [
        ('organisation.root is "L\'Enseigne";', "must be lower-case letters, digits and -"),
        ("organisation.name:", "is missing"),
        ('organisation.timezone is "Europe/Pariss";', "must be an IANA time zone such as Europe/Paris"),
        ("organisation.languages:", "must hold 1 at least"),
        ("organisation.colour:", "no such key"),
        ("privacy.min_authors is 2;", "must be 3 at least"),
        ("privacy.quarantine_days is 0;", "must be 1 at least"),
        ("detection.false_alerts_per_perimeter_per_year is 0;", "must be more than 0"),
        ("detection.half_life_days is nan;", "must be 7 at least"),
        ('detection.memory_days is "long";', "must be a whole number"),
        ("stor:", "no such key"),
        ('source[1].name is "Avis !";', "must be lower-case letters, digits and _"),
        ('source[1].path is "";', "must not be empty"),
        ("source[1].columns.occurred_at:", "is missing"),
        ("source[1].columns.occured_at:", "no such key"),
        ("source[1].score:", "give either worst and best, or labels"),
        ('source[2].grace is "3 days";', 'such as "36h" or "3d"'),
        ("source[2].path is", "no such file or folder"),
        ('source[3].kind is "carrier_pigeon";', "'mail', 'letters', 'table'"),
        ("source[4].kind:", "is missing"),
    ]
    for start, rule in expected:
        assert any(line.startswith(start) and rule in line for line in found), (start, rule, found)
    assert len(found) == len(expected), found


@pytest.mark.parametrize(
    ("change", "key", "rule"),
    [
        (('name = "boite"', 'name = "avis"'), "the file:", "avis stands twice"),
        (("score = { worst = 1, best = 5 }", ""), "source[1]:", "say the scale in [source.score]"),
        (("worst = 1, best = 5", "worst = 5, best = 5"), "source[1].score:", "must differ"),
        (
            ('path = "courriers"', 'path = "courriers"\npattern = "("'),
            "source[3]:",
            "not a regular expression",
        ),
    ],
)
def test_rules_over_several_keys(tmp_path: Path, change: tuple[str, str], key: str, rule: str) -> None:
    found, *others = faults(tmp_path, GOOD.replace(*change))
    assert all("there is no such file or folder" in fault for fault in others)
    assert found.startswith(key)
    assert rule in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent.toml: no such file; `vigie init DIR`"):
        load_settings(tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match=r"is a folder; name the settings file, such as .*vigie\.toml"):
        load_settings(tmp_path)
    assert "not TOML" in faults(tmp_path, "[organisation\n")[0]
    assert "not TOML" in faults(tmp_path, f"number = {'9' * 5000}")[0]
    (tmp_path / "vigie.toml").write_bytes(b'[organisation]\n\nname = "caf\xe9"')
    with pytest.raises(SettingsError, match=r"vigie\.toml:3: is not UTF-8; save it as UTF-8$"):
        load_settings(tmp_path / "vigie.toml")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    content = '[organisation]\r\nroot = "e"\r\nname = "E"\r\n'
    (tmp_path / "vigie.toml").write_bytes(content.encode("utf-8-sig"))
    assert load_settings(tmp_path / "vigie.toml").organisation.name == "E"


# --- The version -----------------------------------------------------------------------------------------


def settings(**sections: dict[str, Any]) -> Settings:
    base = {"organisation": {"root": "e", "name": "E"}}
    merged = {name: {**base.get(name, {}), **sections.get(name, {})} for name in {*base, *sections}}
    return Settings.model_validate(merged)


VERSION = settings().version("lexicon-1")

RELEVANT: list[tuple[str, str, Any]] = [
    ("organisation", "root", "f"),
    ("organisation", "timezone", "Europe/London"),
    ("organisation", "languages", ["en", "fr"]),
    ("organisation", "languages", ["fr"]),
    ("organisation", "country", "FR"),
    ("privacy", "min_authors", 6),
    ("detection", "false_alerts_per_perimeter_per_year", 0.5),
    ("detection", "half_life_days", 61),
    ("detection", "warm_up_days", 27),
    ("detection", "memory_days", 29),
    ("detection", "early_look_minutes", 15),
]
IRRELEVANT: list[tuple[str, str, Any]] = [
    ("organisation", "name", "F"),
    ("organisation", "tree", "arbre.csv"),
    # These count where there is a country: see test_settings_occasions.py.
    ("organisation", "subdivisions", []),
    ("organisation", "school_holidays", False),
    ("privacy", "key_file", "k"),
    ("privacy", "directory", "noms.txt"),
    ("privacy", "quarantine", "q"),
    ("privacy", "quarantine_days", 3),
    ("privacy", "weekly_depth", 2),
    ("log", "path", "journal"),
    ("store", "dsn", "postgresql://localhost/vigie"),
    ("store", "folder", "base"),
    ("detection", "lexicon", "mots"),
]
"""Where the lexicon is does not count; what is in it does, as its own version."""


@pytest.mark.parametrize(("section", "key", "value"), RELEVANT)
def test_the_version_changes_with_what_signals_depend_on(section: str, key: str, value: Any) -> None:
    assert settings(**{section: {key: value}}).version("lexicon-1") != VERSION


@pytest.mark.parametrize(("section", "key", "value"), IRRELEVANT)
def test_the_version_stays_with_the_rest(section: str, key: str, value: Any) -> None:
    assert settings(**{section: {key: value}}).version("lexicon-1") == VERSION


def test_every_setting_is_known_to_count_or_not() -> None:
    model = settings()
    every = {
        (section, key)
        for section in ("organisation", "privacy", "log", "store", "detection")
        for key in type(getattr(model, section)).model_fields
    }
    assert every == {(section, key) for section, key, _ in (*RELEVANT, *IRRELEVANT)}


def test_the_version_is_of_the_lexicon_too_and_of_values_not_their_spelling() -> None:
    assert settings().version("lexicon-2") != VERSION
    assert settings(detection={"half_life_days": 60.0, "warm_up_days": 28}).version("lexicon-1") == VERSION
    assert len({settings(detection={"half_life_days": days}).version("l") for days in (7, 8, math.inf)}) == 3
    assert len(VERSION) == 32


def test_sources_do_not_count(tmp_path: Path) -> None:
    whole = load_settings(write(tmp_path, GOOD))
    bare = load_settings(write(tmp_path, GOOD.split("[[source]]")[0]))
    assert whole.version("l") == bare.version("l")


def test_the_version_is_of_the_trees_names_too() -> None:
    assert settings().version("lexicon-1", {"e/a": "A"}) != settings().version("lexicon-1", {"e/a": "B"})
    assert settings().version("lexicon-1", {}) == VERSION


def test_a_name_that_stands_twice_is_listed_with_the_other_faults(tmp_path: Path) -> None:
    file = tmp_path / "vigie.toml"
    source = '[[source]]\nname = "avis"\nkind = "mail"\npath = "mail"\n'
    file.write_text('[organisation]\nroot = "E"\nname = "e"\n' + source + source, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    faults = str(caught.value).splitlines()
    assert [line for line in faults if "organisation.root" in line]
    assert [line for line in faults if "avis stands twice" in line]
