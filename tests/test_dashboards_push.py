"""Pushing boards: twice the same, what users added stays, and what Grafana's OpenAPI description says of it.

Against a real Grafana where VIGIE_GRAFANA_URL and VIGIE_GRAFANA_TOKEN are set.
"""

import copy
import json
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from dashboards.building import build_boards
from dashboards.merging import differences, merge

BOARD = build_boards(["en"])["en"][0]
MINE: dict[str, Any] = {
    "id": 1000,
    "title": "Mine",
    "type": "stat",
    "gridPos": {"x": 0, "y": 2, "w": 6, "h": 4},
    "datasource": {"type": "prometheus", "uid": "other"},
    "targets": [],
}


@pytest.fixture
def grafana(grafana_double: ModuleType) -> Iterator[Any]:
    with grafana_double.running() as server:
        yield server


def push(shop: ModuleType, grafana: Any, *options: str, token: str | None = None, answer: str = "") -> Any:
    from typer.testing import CliRunner

    from pipelines.cli import app

    arguments = ["dashboards", "push", "--url", grafana.url, "--token", token or "glsa_of_a_test", *options]
    del shop
    return CliRunner().invoke(app, arguments, input=answer)


# a stand-in that is held against Grafana's description -----------------------------------------------


def test_the_description_sees_what_it_does_not_know(grafana: Any) -> None:
    if grafana.description is None:
        pytest.skip("Grafana's OpenAPI description is not beside the checkout")
    faults = grafana.description.faults
    assert faults("POST", "/folders", None, {"title": "a", "uid": "b"}) == []
    assert faults("POST", "/folders", None, {"title": 5}) == [
        "POST /folders: title: 5 is not of type 'string'"
    ]
    assert faults("GET", "/nowhere", None, None) == ["GET /nowhere is not described"]
    assert faults("GET", "/folders/x", 418, {}) == ["GET /folders/x does not answer 418"]


def test_a_first_push_makes_all_and_a_second_changes_nothing(grafana: Any, shop: ModuleType) -> None:
    first = push(shop, grafana, "--yes")
    assert first.exit_code == 0, first.output
    assert set(grafana.folders) == {"vigie-fr", "vigie-en", "vigie-rules"}
    assert len(grafana.boards) == 12
    assert set(grafana.rules) == {
        "vigie-stale-source",
        "vigie-quarantine",
        "vigie-log-clock",
        "vigie-lag",
        "vigie-checkpoints",
    }
    assert grafana.boards["vigie-watch-fr"]["meta"]["folderUid"] == "vigie-fr"
    assert grafana.boards["vigie-watch-en"]["meta"]["folderUid"] == "vigie-en"
    assert grafana.faults == []
    grafana.writes.clear()
    second = push(shop, grafana)
    assert second.exit_code == 0
    assert second.stdout == "nothing to change: 20 of 20 are as they should be\n"
    assert grafana.writes == []


def test_nothing_is_written_before_the_diff_was_agreed_to(grafana: Any, shop: ModuleType) -> None:
    refused = push(shop, grafana, "--lang", "en", answer="n\n")
    assert refused.exit_code == 1
    assert "+ folder Vigie (English)" in refused.stdout
    assert '+ "title": "Watch"' in refused.stdout
    assert grafana.writes == []
    agreed = push(shop, grafana, "--lang", "en", answer="y\n")
    assert agreed.exit_code == 0
    assert len(grafana.boards) == 6


def test_what_a_user_added_stays_and_what_was_changed_of_ours_comes_back(
    grafana: Any, shop: ModuleType
) -> None:
    push(shop, grafana, "--yes")
    kept = grafana.boards["vigie-watch-en"]["dashboard"]
    kept["panels"].append(copy.deepcopy(MINE))
    kept["panels"][0]["title"] = "Renamed"
    kept["templating"]["list"].append({"name": "shift", "type": "textbox", "query": ""})
    kept["links"].append({"title": "Our wiki", "type": "link", "url": "https://wiki.example"})
    kept["tags"].append("ours")
    result = push(shop, grafana, "--yes")
    assert result.exit_code == 0
    assert "pushed board vigie-watch-en" in result.stdout
    assert '-   "title": "Renamed"' in result.stdout
    after = grafana.boards["vigie-watch-en"]["dashboard"]
    assert after["panels"][0]["title"] == "Open"
    (mine,) = (panel for panel in after["panels"] if panel["id"] == 1000)
    # Its place was ours: it goes below.
    lowest = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in BOARD["panels"])
    assert mine == {**MINE, "gridPos": {**MINE["gridPos"], "y": lowest}}
    assert [variable["name"] for variable in after["templating"]["list"]][-1] == "shift"
    assert after["links"][-1]["title"] == "Our wiki"
    assert after["tags"][-1] == "ours"
    assert push(shop, grafana).stdout == "nothing to change: 20 of 20 are as they should be\n"


def test_a_rule_changed_in_grafana_comes_back(grafana: Any, shop: ModuleType) -> None:
    push(shop, grafana, "--yes")
    grafana.rules["vigie-lag"]["for"] = "3h"
    assert push(shop, grafana, "--yes").exit_code == 0
    assert grafana.rules["vigie-lag"]["for"] == "10m"
    assert grafana.faults == []


def test_errors_are_one_line_without_the_token(grafana: Any, shop: ModuleType) -> None:
    wrong = push(shop, grafana, token="glsa_wrong")
    grafana.broken = True
    broken = push(shop, grafana)
    grafana.broken = False
    grafana.datasources.clear()
    missing = push(shop, grafana)
    for result, words in (
        (wrong, "Grafana refuses the token (401)"),
        (broken, "Grafana fails: Server Error 500: database is locked"),
        (missing, "there is no data source with the uid vigie-postgres"),
    ):
        assert result.exit_code == 10
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert "glsa" not in result.output


def test_an_address_that_is_none_and_one_where_nobody_answers(grafana: Any, shop: ModuleType) -> None:
    grafana.url = "grafana.example"
    assert "it must be like https://grafana.example:3000" in push(shop, grafana).stderr
    grafana.url = "http://127.0.0.1:9"
    nobody = push(shop, grafana)
    assert nobody.exit_code == 10
    assert "no Grafana answers there" in nobody.stderr


# merging -----------------------------------------------------------------------------------------------


def test_a_new_board_is_ours_as_it_is() -> None:
    assert merge(BOARD, None) == BOARD
    assert differences(None, BOARD)[:2] == ["--- in Grafana", "+++ after the push"]


def test_grafanas_own_numbers_are_kept_and_are_no_difference() -> None:
    theirs = {**copy.deepcopy(BOARD), "id": 7, "version": 12}
    merged = merge(BOARD, theirs)
    assert (merged["id"], merged["version"]) == (7, 12)
    assert differences(theirs, merged) == []
    assert differences({**theirs, "version": 11}, merged) == []


def test_an_added_panel_keeps_a_free_place() -> None:
    theirs = copy.deepcopy(BOARD)
    free = {"x": 3, "y": 500, "w": 5, "h": 5}
    theirs["panels"].append({**MINE, "gridPos": free})
    assert merge(BOARD, theirs)["panels"][-1]["gridPos"] == free
    assert json.dumps(merge(BOARD, merge(BOARD, theirs))) == json.dumps(merge(BOARD, theirs))


# a real Grafana ----------------------------------------------------------------------------------------


@pytest.mark.skipif(
    "VIGIE_GRAFANA_URL" not in os.environ, reason="VIGIE_GRAFANA_URL is not set: no real Grafana"
)
def test_a_real_grafana_takes_the_boards_runs_their_queries_and_knows_the_rules() -> None:
    from dashboards.grafana import Grafana

    grafana = Grafana(os.environ["VIGIE_GRAFANA_URL"], os.environ["VIGIE_GRAFANA_TOKEN"])
    for change in list(grafana.changes()):
        if change.diff:
            change.apply()
    assert [change.name for change in grafana.changes() if change.diff] == []
    assert grafana.query_faults(build_boards()["en"]) == []
    assert {state for _, state in grafana.rule_states()} <= {"ok", "nodata", "unknown"}
