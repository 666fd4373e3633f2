"""`vigie init` writes settings that load and name every setting there is; `vigie check` tries them."""

import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.perimeters import read_perimeters
from connectors.source_settings import Columns, LettersSource, MailSource, ScoreScale, TableSource, Window
from pipelines.occasions import OccasionSettings
from pipelines.settings import (
    Alerts,
    DetectionSettings,
    LogPlace,
    Organisation,
    Privacy,
    Settings,
    StorePlace,
    Understanding,
    load_settings,
)

SECTIONS: dict[str, type[BaseModel]] = {
    "organisation": Organisation,
    "privacy": Privacy,
    "log": LogPlace,
    "store": StorePlace,
    "understanding": Understanding,
    "detection": DetectionSettings,
    "alerts": Alerts,
}


@pytest.fixture
def written(tmp_path: Path, shop: ModuleType) -> Path:
    result = shop.run("init", tmp_path / "new")
    assert result.exit_code == 0, result.stderr
    return tmp_path / "new" / "vigie.toml"


@pytest.fixture
def uncommented(written: Path) -> dict[str, Any]:
    """The file with its examples and optional settings in use."""
    return tomllib.loads(re.sub(r"^#(?=\S)", "", written.read_text("utf-8"), flags=re.MULTILINE))


def fields(*models: type[BaseModel]) -> set[str]:
    return {name for model in models for name in model.model_fields}


def test_what_is_written_loads_and_has_the_defaults(written: Path) -> None:
    settings = load_settings(written)
    assert (settings.privacy, settings.log, settings.store, settings.detection, settings.alerts) == (
        Privacy(),
        LogPlace(),
        StorePlace(),
        DetectionSettings(),
        Alerts(),
    )
    tree = read_perimeters(written.parent / "perimeters.csv")
    assert tree.root == settings.organisation.root
    assert settings.source == []


def test_the_examples_are_right_and_of_each_kind(uncommented: dict[str, Any]) -> None:
    settings = Settings.model_validate(uncommented)
    assert [type(source) for source in settings.source] == [
        MailSource,
        LettersSource,
        TableSource,
        TableSource,
        TableSource,
    ]


def test_every_setting_there_is_stands_in_the_file(uncommented: dict[str, Any]) -> None:
    assert set(uncommented) == fields(Settings)
    for name, model in SECTIONS.items():
        assert set(uncommented[name]) == fields(model), name
    occasions = uncommented["occasion"]
    assert {name for occasion in occasions for name in occasion} == fields(OccasionSettings)
    sources = uncommented["source"]
    together = {name for source in sources for name in source}
    assert together == fields(MailSource, LettersSource, TableSource)
    tables = [source for source in sources if source["kind"] == "table"]
    assert {name for table in tables for name in table["columns"]} == fields(Columns)
    assert {name for table in tables for name in table.get("score", {})} == fields(ScoreScale)
    assert {name for source in sources for name in source.get("window", {})} == fields(Window)


def test_nothing_is_overwritten(written: Path, shop: ModuleType) -> None:
    written.write_text("mine", encoding="utf-8")
    result = shop.run("init", written.parent)
    assert result.exit_code == 2
    assert result.stderr.count("is there already") == 2
    assert written.read_text("utf-8") == "mine"


def test_check_warns_where_no_source_is_configured(written: Path, shop: ModuleType) -> None:
    result = shop.run("check", "--settings", written)
    assert result.exit_code == 0
    assert "warning: no [[source]] is configured yet" in result.stderr


def test_check_counts_files_tries_rows_and_writes_nothing(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path)
    with (tmp_path / "avis.csv").open(encoding="utf-8") as file:
        lines = file.readlines()
    (tmp_path / "avis.csv").write_text("".join([*lines[:4], *lines[-2:]]), encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    looks = shop.run_json("check", "--settings", settings)["sources"]
    assert looks == [
        {
            "source": "avis",
            "kind": "table",
            "files": 1,
            "rows": 5,
            "problems": {"bad_date": 1, "unknown_perimeter": 1},
        },
        {"source": "mail", "kind": "mail", "files": 1, "rows": shop.MAILS, "problems": {}},
    ]
    result = shop.run("check", "--settings", settings)
    assert "warning: avis: 1 row of 5: the perimeter is not in the tree" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_check_lists_the_faults_of_everything_named_at_once(tmp_path: Path, shop: ModuleType) -> None:
    settings = shop.write_shop(tmp_path)
    settings.write_text(
        shop.SETTINGS.replace('"perimeters.csv"', '"tree.csv"')
        .replace('"avis.csv"', '"reponses.csv"')
        .replace('"{to_local}"', '"{magasin}"')
        + '[privacy]\ndirectory = "names.txt"\n',
        encoding="utf-8",
    )
    result = shop.run("check", "--settings", settings)
    assert result.exit_code == 2
    named = ("uses magasin", "tree.csv", "names.txt", "reponses.csv")
    faults = result.stderr.splitlines()
    assert len(faults) == len(named)
    for fault, name in zip(faults, named, strict=True):
        assert fault.startswith("error: ")
        assert name in fault
