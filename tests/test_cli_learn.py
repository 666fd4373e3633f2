"""`vigie learn` on the small shop: what it prints, the file it writes, and that settings then use it."""

from pathlib import Path
from types import ModuleType

import pytest

from pipelines.weights import read_weights


@pytest.fixture
def settings(tmp_path: Path, shop: ModuleType) -> Path:
    """A shop that was ingested."""
    file: Path = shop.write_shop(tmp_path / "shop")
    shop.run_json("ingest", "--settings", file)
    return file


def use(settings: Path, name: str) -> None:
    with settings.open("a", encoding="utf-8") as file:
        file.write(f'\n[understanding]\nsentiment = "{name}"\n')


def test_learn_writes_a_version_that_settings_then_use(settings: Path, shop: ModuleType) -> None:
    before = shop.run_json("check", "--settings", settings)["settings_version"]
    learned = shop.run_json("learn", "--settings", settings)
    file = settings.parent / learned["sentiment"]
    assert (learned["in_force"], learned["written"]) == (None, True)
    assert read_weights(file).file_name == file.name
    (french,) = learned["languages"]
    assert (french["language"], french["scored"]) == ("fr", shop.SURVEY_ROWS)
    assert french["texts"] == shop.EVENTS
    for reading in ("lexicon", "learned"):
        assert 0 < french[reading]["macro_f1"] <= 1
    assert 0 < french["moved"] <= shop.EVENTS
    assert learned["left"] == {}
    assert learned["changes"]

    use(settings, file.name)
    assert shop.run_json("check", "--settings", settings)["settings_version"] != before
    again = shop.run_json("learn", "--settings", settings)
    assert (again["in_force"], again["sentiment"]) == (file.name, file.name)
    assert again["languages"][0]["moved"] == 0
    assert again["changes"] == []
    plain = ("replay", "--settings", settings, "--engine", "plain", "--no-store")
    assert shop.run_json(*plain)["events"] == shop.EVENTS


def test_learn_says_in_words_what_would_change(settings: Path, shop: ModuleType) -> None:
    result = shop.run("learn", "--settings", settings, "--dry-run")
    assert result.exit_code == 0, result.stderr
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == ["fr"])
    assert row[1] == str(shop.SURVEY_ROWS)
    # Scores of the shop are from 5 to 10 of 10, so no word goes with low ones.
    assert "now read as better: " in result.stdout
    assert "now read as worse: " not in result.stdout
    assert "wrote" not in result.stderr
    assert not list(settings.parent.glob("weights-*"))

    result = shop.run("learn", "--settings", settings)
    (file,) = settings.parent.glob("weights-*")
    assert f'put sentiment = "{file.name}" under [understanding]' in result.stderr
    use(settings, file.name)
    assert "nothing would change" in shop.run("learn", "--settings", settings).stderr


def test_weights_that_are_not_there_are_a_fault_of_the_settings(settings: Path, shop: ModuleType) -> None:
    name = f"weights-{'0' * 32}.parquet"
    use(settings, name)
    for command in ("check", "learn"):
        result = shop.run(command, "--settings", settings)
        assert result.exit_code == 2
        assert f'understanding.sentiment is "{name}"; there is no such file, `vigie learn`' in result.stderr


def test_a_log_without_scores_teaches_nothing(tmp_path: Path, shop: ModuleType) -> None:
    file = shop.write_shop(tmp_path / "shop")
    file.write_text(shop.SETTINGS.replace(', score = "note"', "").replace("score = { worst", "#"), "utf-8")
    shop.run_json("ingest", "--settings", file)
    result = shop.run("learn", "--settings", file)
    assert result.exit_code == 4
    assert "200 of one language are needed to learn from" in result.stderr
