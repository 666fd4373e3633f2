"""The boards as JSON: their structure, Grafana's schemas, a golden file, both languages, the files."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.errors import DashboardError
from dashboards.board import BOARDS, Span
from dashboards.building import build_boards
from dashboards.checking import schema_faults, structure_faults
from dashboards.provisioning import as_json, write_provisioning
from dashboards.rules import rules
from dashboards.words import LANGS

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT.parent / "shared" / "grafana" / "jsonschema"
GOLDEN = Path(__file__).with_name("golden") / "vigie-reality-gap-en.json"
BUILT = build_boards()
ALL = [board for boards in BUILT.values() for board in boards]
FRENCH = re.compile(r"[éèêàùçœîôÉÀ]")


def ids(board: Any) -> str:
    return str(board["uid"])


@pytest.mark.parametrize("board", ALL, ids=ids)
def test_every_board_is_well_made(board: dict[str, Any]) -> None:
    assert structure_faults(board) == []


@pytest.mark.parametrize("board", ALL, ids=ids)
def test_grafanas_own_schemas_take_every_board(board: dict[str, Any]) -> None:
    if not SCHEMAS.is_dir():
        pytest.skip("Grafana's JSON schemas are not beside the checkout")
    assert schema_faults(board, SCHEMAS) == []


def test_the_schemas_see_a_fault() -> None:
    if not SCHEMAS.is_dir():
        pytest.skip("Grafana's JSON schemas are not beside the checkout")
    board = copy.deepcopy(ALL[0])
    board["panels"][0]["options"]["colorMode"] = "loud"
    board["panels"][1]["gridPos"]["w"] = "wide"
    faults = schema_faults(board, SCHEMAS)
    assert any("'loud' is not one of" in fault for fault in faults)
    assert any("'wide' is not of type 'integer'" in fault for fault in faults)


def test_a_folder_without_schemas_is_told(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="holds no JSON schema of dashboard"):
        schema_faults(ALL[0], tmp_path)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda board: board["panels"][0].update(id=2), "they must differ"),
        (lambda board: board["panels"][-1].update(id=50), "the highest being 999"),
        (lambda board: board["panels"][1]["gridPos"].update(x=1), "lie on each other"),
        (lambda board: board["panels"][0]["gridPos"].update(w=30), "does not fit the grid"),
        (lambda board: board["panels"][0]["gridPos"].update(h=5), "columns of one height"),
        (lambda board: board["panels"].reverse(), "in which a phone shows them"),
        (lambda board: board["panels"][0].update(description=""), "no description"),
        (lambda board: board["panels"][0]["fieldConfig"]["defaults"].pop("unit"), "no unit"),
        (lambda board: board["templating"]["list"].pop(), "no variables of the board"),
        (lambda board: board["links"][0].update(url="/d/elsewhere"), "which is no board"),
    ],
)
def test_faults_are_seen(spoil: Any, fault: str) -> None:
    board = copy.deepcopy(ALL[0])
    spoil(board)
    assert any(fault in found for found in structure_faults(board))


def test_one_board_is_as_it_was_looked_at() -> None:
    """After a wanted change: `vigie dashboards build`, look at it, and copy the file here."""
    (board,) = (board for board in BUILT["en"] if board["uid"] == GOLDEN.stem)
    assert as_json(board) == GOLDEN.read_text("utf-8")


def test_both_languages_show_the_same() -> None:
    for french, english in zip(BUILT["fr"], BUILT["en"], strict=True):
        assert [(panel["type"], panel["gridPos"], panel["id"]) for panel in french["panels"]] == [
            (panel["type"], panel["gridPos"], panel["id"]) for panel in english["panels"]
        ]
        assert not FRENCH.search(json.dumps(english, ensure_ascii=False))
        assert french["uid"].removesuffix("-fr") == english["uid"].removesuffix("-en")


def test_every_board_leads_to_the_five_others_of_its_language() -> None:
    for lang in LANGS:
        for board in BUILT[lang]:
            linked = {link["url"] for link in board["links"]}
            assert linked == {f"/d/vigie-{name}-{lang}" for name in BOARDS} - {f"/d/{board['uid']}"}
            assert all(link["includeVars"] and link["keepTime"] for link in board["links"])


def test_what_a_mounted_grafana_starts_from(tmp_path: Path) -> None:
    stale = tmp_path / "boards" / "fr" / "vigie-old-fr.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    other = stale.with_name("other.json")
    other.write_text("{}")
    files = write_provisioning(tmp_path, span=Span("2025-01-01", "2025-12-31"))
    assert not stale.exists()
    assert other.exists()
    boards = [json.loads(file.read_text("utf-8")) for file in files if file.suffix == ".json"]
    assert len({board["uid"] for board in boards}) == len(boards) == 12
    assert {(board["time"]["from"], board["time"]["to"]) for board in boards} == {
        ("2025-01-01", "2025-12-31")
    }
    sources, providers, alerting = (
        yaml.safe_load((tmp_path / "provisioning" / kind / "vigie.yaml").read_text("utf-8"))
        for kind in ("datasources", "dashboards", "alerting")
    )
    known = {source["uid"] for source in sources["datasources"]}
    asked = {
        panel["datasource"]["uid"] for board in boards for panel in board["panels"] if "datasource" in panel
    }
    assert asked == known
    assert "password: $VIGIE_PG_PASSWORD" in (tmp_path / "provisioning/datasources/vigie.yaml").read_text()
    assert [provider["options"]["path"] for provider in providers["providers"]] == [
        "/etc/vigie/boards/fr",
        "/etc/vigie/boards/en",
    ]
    (group,) = alerting["groups"]
    assert [rule["uid"] for rule in group["rules"]] == [rule.uid for rule in rules()]
    # A dollar sign that is Grafana's own, not the environment's, is doubled.
    assert "{{ $$labels.source }}" in group["rules"][0]["annotations"]["summary"]
    again = write_provisioning(tmp_path, span=Span("2025-01-01", "2025-12-31"))
    assert again == files


@pytest.mark.parametrize("rule", [rule.build() for rule in rules()], ids=lambda rule: str(rule["uid"]))
def test_a_rule_reduces_a_query_and_compares_it(rule: dict[str, Any]) -> None:
    query, reduced, compared = rule["data"]
    assert query["datasourceUid"] in ("vigie-postgres", "vigie-prometheus")
    assert (reduced["model"]["type"], reduced["model"]["expression"]) == ("reduce", query["refId"])
    assert (compared["model"]["type"], compared["model"]["expression"]) == ("threshold", reduced["refId"])
    assert rule["condition"] == compared["refId"]
    assert " / " in rule["annotations"]["summary"]
    (panel,) = (
        panel
        for board in BUILT["fr"]
        for panel in board["panels"]
        if board["uid"] == rule["annotations"]["__dashboardUid__"]
        and str(panel["id"]) == rule["annotations"]["__panelId__"]
    )
    assert panel["datasource"]["uid"] == query["datasourceUid"]


def test_the_demo_ends_with_boards_opened_on_its_story(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines.cli.demo import write_boards

    write_boards(tmp_path / "grafana")
    board = json.loads((tmp_path / "grafana" / "boards" / "fr" / "vigie-watch-fr.json").read_text("utf-8"))
    # Twelve weeks of story up to Sunday 29 March 2026, and the twelve before.
    assert board["time"] == {"from": "2025-10-13T00:00:00Z", "to": "2026-03-29T23:59:59Z"}
    said = capsys.readouterr().out
    assert "http://127.0.0.1:3000/d/vigie-watch-fr" in said
    assert f"VIGIE_BOARDS={tmp_path / 'grafana'} docker compose up" in said
