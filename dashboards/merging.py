"""What becomes of a board that Grafana holds already: ours is renewed, what users added stays."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from dashboards.board import FIRST_OF_OTHERS

_GRAFANAS = ("id", "version", "schemaVersion", "iteration", "gnetId", "fiscalYearStartMonth", "graphTooltip")
"""What Grafana numbers, or sets where we do not."""


def merge(ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Our board with what users added to theirs: panels, variables, annotations, links and tags.

    Added panels keep their place, or go below ours where that is taken. theirs: None where there is none yet.
    """
    merged = json.loads(json.dumps(ours))
    if theirs is None:
        return dict(merged)
    for name in _GRAFANAS:
        if name in theirs and (name not in ours or name in ("id", "version")):
            merged[name] = theirs[name]
    added = [panel for panel in theirs.get("panels", []) if panel.get("id", 0) >= FIRST_OF_OTHERS]
    merged["panels"] += _beside(added, merged["panels"])
    for section in ("templating", "annotations"):
        kept = merged.setdefault(section, {}).setdefault("list", [])
        kept += _unknown(theirs.get(section, {}).get("list", []), kept, "name")
    merged["links"] = merged.get("links", []) + _unknown(
        theirs.get("links", []), merged.get("links", []), "title"
    )
    merged["tags"] = merged.get("tags", []) + [
        tag for tag in theirs.get("tags", []) if tag not in merged.get("tags", [])
    ]
    return dict(merged)


def differences(theirs: Mapping[str, Any] | None, merged: Mapping[str, Any]) -> list[str]:
    """What would change in Grafana, as lines of a diff; none where nothing would."""
    before, after = ([] if board is None else _lines(board) for board in (theirs, merged))
    return list(difflib.unified_diff(before, after, "in Grafana", "after the push", lineterm="", n=2))


def _lines(board: Mapping[str, Any]) -> list[str]:
    plain = {key: value for key, value in board.items() if key not in ("id", "version")}
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True).splitlines()


def _unknown(theirs: list[dict[str, Any]], ours: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    known = {one.get(key) for one in ours}
    return [one for one in theirs if one.get(key) not in known]


def _beside(added: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    placed = [panel["gridPos"] for panel in ours]
    moved = []
    for panel in added:
        place = dict(panel.get("gridPos") or {"x": 0, "y": 0, "w": 12, "h": 8})
        if any(overlap(place, other) for other in placed):
            place["y"] = max(other["y"] + other["h"] for other in placed)
        placed.append(place)
        moved.append({**panel, "gridPos": place})
    return moved


def overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether two places of the grid share a cell."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "w"), ("y", "h"))
    )
