"""What was said around last Easter is expected around this one: replayed on every engine, explained, audited.

Everything in the log is generated. For four days around Easter 2010 and 2011, twenty days apart in the year,
Lille speaks of chocolate. At Lens, where a bell is heard of now and then, three people speak of it at Easter
2010, and very many in 2011. At Easter 2011 there is a leak too, of which nobody spoke before.
"""

import csv
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.flink import FlinkEngine
from pipelines.settings import load_settings
from pipelines.workspace import Workspace

FIRST, DAYS, A_DAY = date(2010, 2, 1), 455, 5
EASTERS = (date(2010, 4, 4), date(2011, 4, 24))
SETTINGS = """\
[organisation]
root = "mag"
name = "Mag"
timezone = "UTC"
languages = ["fr"]
[[source]]
name = "avis"
kind = "table"
path = "avis.csv"
channel = "survey"
perimeter = "nord/{magasin}"
columns = { id = "id", occurred_at = "date", text = "avis", author = "client" }
"""
OCCASION = '[[occasion]]\nname = "Pâques"\ndates = [2010-04-04, 2011-04-24]\n'


def texts() -> Iterator[tuple[date, str, str]]:
    """Day, store and text of each answer."""
    chance = random.Random(7)
    vocabulary = ["".join(chance.choices(["ba", "ri", "mo", "té", "lun", "ca"], k=3)) for _ in range(60)]

    def some() -> str:
        return " ".join(chance.choices(vocabulary, k=4))

    def about(word: str) -> str:
        """A text about it, of words that no other says: they would be found with it, or it be a copy."""
        return " ".join([word, *("".join(chance.choices("aeioulmnrt", k=12)) for _ in range(4))])

    for offset in range(DAYS):
        day = FIRST + timedelta(offset)
        for _ in range(A_DAY):
            yield day, chance.choice(["lille", "lens"]), some()
        if offset % 12 == 0:
            yield day, "lens", about("grelot")
        for year, easter in enumerate(EASTERS):
            if -2 <= (day - easter).days <= 1:
                yield from ((day, "lille", about("chocolat")) for _ in range((20, 8)[year]))
                bells = 60 if year else day <= easter
                yield from ((day, "lens", about("grelot")) for _ in range(bells))
                yield from ((day, "lille", about("fuite")) for _ in range(6 * year))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shop: ModuleType) -> Path:
    """A workspace without a store, whose log was ingested before Easter was among the settings."""
    made = tmp_path_factory.mktemp("easter")
    with (made / "avis.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "date", "magasin", "avis", "client"))
        for number, (day, store, text) in enumerate(texts()):
            writer.writerow((number, f"{day} 10:00", store, text, f"cliente {number}"))
    (made / "without.toml").write_text(SETTINGS, encoding="utf-8")
    (made / "with.toml").write_text(SETTINGS + OCCASION, encoding="utf-8")
    shop.run_json("ingest", "--settings", made / "without.toml")
    return made


def replayed(folder: Path, shop: ModuleType, settings: str, engine: str = "plain") -> Any:
    return shop.run_json("replay", "--no-store", "--settings", folder / settings, "--engine", engine)


@pytest.fixture(scope="module")
def expected(folder: Path, shop: ModuleType) -> Any:
    return replayed(folder, shop, "with.toml")


def of_2011(told: Any) -> dict[str, Any]:
    """The signals of Easter 2011 by what they are about."""
    found = {}
    for signal in told["signals"]:
        if signal["kind"] == "emergence" and signal["bucket"] >= "2011-04-01":
            for word in ("chocolat", "grelot", "fuite"):
                if word in signal["label"]:
                    assert word not in found
                    found[word] = signal
    return found


def test_what_returns_is_no_news_and_what_is_new_or_far_more_is(
    folder: Path, shop: ModuleType, expected: Any
) -> None:
    without = of_2011(replayed(folder, shop, "without.toml"))
    assert set(without) == {"chocolat", "grelot", "fuite"}
    found = of_2011(expected)
    assert set(found) == {"grelot", "fuite"}
    assert found["fuite"]["bucket"] == without["fuite"]["bucket"]
    assert found["grelot"]["expected"] > without["grelot"]["expected"]


@pytest.mark.slow
def test_beam_expects_the_same(folder: Path, shop: ModuleType, expected: Any) -> None:
    assert replayed(folder, shop, "with.toml", "beam")["digest"] == expected["digest"]


@pytest.mark.slow
def test_flink_expects_the_same(folder: Path, expected: Any, tmp_path: Path) -> None:
    workspace = Workspace(load_settings(folder / "with.toml"), say=lambda _: None)
    engine = FlinkEngine(parallelism=2)
    found = engine.replay(workspace.open_log(), workspace.settings, workspace.telling(), work=tmp_path)
    assert found.digest == expected["digest"]


def test_the_explanation_names_the_occasion(folder: Path, shop: ModuleType, expected: Any) -> None:
    signal = of_2011(expected)["grelot"]
    asked = (signal["signal_id"], "--settings", folder / "with.toml")
    told = shop.run_json("explain", *asked)
    assert told["occasion"] == {"name": "Pâques", "day": "2010-04-04"}
    assert "autour de « Pâques », le 4 avril 2010." in told["sentence_fr"]
    assert "It takes account of what was said around “Pâques”, 4 April 2010." in told["sentence_en"]
    # Of what nobody said a year before, no occasion is told.
    leak = of_2011(expected)["fuite"]["signal_id"]
    told = shop.run_json("explain", leak, "--settings", folder / "with.toml")
    assert told["occasion"] is None
    assert "Pâques" not in told["sentence_fr"]


def test_the_derivation_names_the_occasion_beside_the_factor(
    folder: Path, shop: ModuleType, expected: Any
) -> None:
    asked = ("audit", "why", of_2011(expected)["grelot"]["signal_id"], "--settings", folder / "with.toml")
    told = shop.run(*asked, "--lang", "fr")
    assert told.exit_code == 0, told.stderr
    [line] = [line for line in told.stdout.splitlines() if line.startswith("facteur de saison")]
    assert line.endswith("d'après « Pâques » du 2010-04-04")
    as_json = shop.run_json(*asked)
    assert as_json["occasion"]["name"] == "Pâques"
    assert as_json["derivation"]["season"] > 1
