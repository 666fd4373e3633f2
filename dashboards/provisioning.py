"""A folder that a Grafana mounts and starts complete from: data sources, folders, boards, alert rules."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dashboards.board import Span
from dashboards.building import build_boards
from dashboards.query import POSTGRES_TYPE, POSTGRES_UID, PROMETHEUS_UID
from dashboards.rules import FOLDER_TITLE, GROUP, INTERVAL_S, rules
from dashboards.words import LANGS, Lang

FOLDERS: Mapping[Lang, tuple[str, str]] = {
    "fr": ("vigie-fr", "Vigie"),
    "en": ("vigie-en", "Vigie (English)"),
}
"""uid and title of each language's folder."""
MOUNT = "/etc/vigie/boards"
"""Where Grafana finds the boards: mount the folder `boards` there."""


def write_provisioning(
    folder: Path, *, langs: Sequence[Lang] = LANGS, span: Span | None = None
) -> list[Path]:
    """Write `boards/<lang>/*.json` and `provisioning/**.yaml` into a folder; the files, in order.

    Files of ours that are no longer made are removed; others are left alone.
    """
    content: dict[Path, str] = {}
    for lang, boards in build_boards(langs, span=span).items():
        for board in boards:
            content[Path("boards", lang, f"{board['uid']}.json")] = as_json(board)
    content[Path("provisioning", "datasources", "vigie.yaml")] = _as_yaml(datasources())
    content[Path("provisioning", "dashboards", "vigie.yaml")] = _as_yaml(providers(langs))
    content[Path("provisioning", "alerting", "vigie.yaml")] = _as_yaml(rule_groups())
    for old in folder.glob("boards/*/vigie-*.json"):
        if old.relative_to(folder) not in content:
            old.unlink()
    for file, words in content.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(words, encoding="utf-8")
    return [folder / file for file in sorted(content)]


def as_json(board: Mapping[str, Any]) -> str:
    """A board as it stands in its file."""
    return json.dumps(board, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def datasources() -> dict[str, Any]:
    """Grafana fills in the environment's variables, so that no password stands in a file."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Vigie",
                "uid": POSTGRES_UID,
                "type": POSTGRES_TYPE,
                "access": "proxy",
                "url": "$VIGIE_PG_HOST",
                "user": "$VIGIE_PG_USER",
                "isDefault": True,
                "jsonData": {
                    "database": "$VIGIE_PG_DATABASE",
                    "sslmode": "$VIGIE_PG_SSLMODE",
                    "postgresVersion": 1500,
                    "timescaledb": False,
                    "maxOpenConns": 4,
                },
                "secureJsonData": {"password": "$VIGIE_PG_PASSWORD"},
            },
            {
                "name": "Vigie Prometheus",
                "uid": PROMETHEUS_UID,
                "type": "prometheus",
                "access": "proxy",
                "url": "$VIGIE_PROMETHEUS_URL",
                "jsonData": {"httpMethod": "POST"},
            },
        ],
    }


def providers(langs: Sequence[Lang]) -> dict[str, Any]:
    """Where the boards are; what is changed in Grafana itself is kept until a board changes here."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": uid,
                "folder": title,
                "folderUid": uid,
                "type": "file",
                "allowUiUpdates": True,
                "options": {"path": f"{MOUNT}/{lang}"},
            }
            for lang, (uid, title) in FOLDERS.items()
            if lang in langs
        ],
    }


def rule_groups() -> dict[str, Any]:
    """The alert rules, in a folder of their own."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": GROUP,
                "folder": FOLDER_TITLE,
                "interval": f"{INTERVAL_S}s",
                # In files a dollar sign begins a variable of the environment; two stand for one.
                "rules": [_escaped(rule.build()) for rule in rules()],
            }
        ],
    }


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    return [_escaped(one) for one in value] if isinstance(value, list) else value


def _as_yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False, width=110)
