"""Publishing boards to a Grafana over its API: the only module that speaks to one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, TokenAuth

from connectors.errors import DashboardError
from dashboards.building import build_boards
from dashboards.macros import fill, queries_of
from dashboards.merging import differences, merge
from dashboards.provisioning import FOLDERS
from dashboards.query import POSTGRES_UID
from dashboards.rules import FOLDER, FOLDER_TITLE, GROUP, rules
from dashboards.words import LANGS, Lang

_TIMEOUT_S = 30
_ABSENT = 404
_TOLD = "Vigie"
_KEPT_ALERTS = {"X-Disable-Provenance": "true"}
"""Rules pushed so may be edited in Grafana; without it they would be locked there."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a push would do. name: of what; diff: lines, none where nothing changes."""

    name: str
    diff: Sequence[str]
    apply: Callable[[], None]


class Grafana:
    """A Grafana at a URL, with a service account's token."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DashboardError(f"--url is {url!r}; it must be like https://grafana.example:3000")
        self._place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self._api = GrafanaApi(
            TokenAuth(token),
            host=parts.hostname,
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=f"{parts.path.strip('/')}/" if parts.path.strip("/") else "",
            timeout=_TIMEOUT_S,
        )

    def changes(self, langs: Sequence[Lang] = LANGS) -> Iterator[Change]:
        """What pushing would change, in the order it must be done: folders, boards, alert rules.

        DashboardError: Grafana cannot be reached, refuses the token, or lacks Vigie's data source.
        """
        self._find_datasource()
        for lang in langs:
            yield self._folder(*FOLDERS[lang])
        yield self._folder(FOLDER, FOLDER_TITLE)
        for lang, boards in build_boards(langs).items():
            for board in boards:
                yield self._board(board, FOLDERS[lang][0])
        for rule in rules():
            yield self._rule(rule.build())

    def query_faults(self, boards: Sequence[Mapping[str, Any]]) -> list[str]:
        """Have Grafana run each query of boards over their last ninety days; what fails, one line each.

        Of a query variable the first value is taken, of others all.
        """
        faults = []
        for board in boards:
            values: dict[str, str | list[str]] = {}
            for variable in board["templating"]["list"]:
                if variable["type"] == "custom":
                    values[variable["name"]] = [
                        pair.rpartition(" : ")[2] for pair in variable["query"].split(",")
                    ]
                    continue
                frames = self._query(variable["query"], "table").get("frames", [])
                options = frames[0]["data"]["values"][-1] if frames and frames[0]["data"]["values"] else [""]
                values[variable["name"]] = options if variable.get("multi") else options[0]
            for where, form, sql in queries_of(board):
                result = self._query(fill(sql, values), "table" if form == "variable" else form)
                if result.get("error"):
                    faults.append(f"{board['uid']}: {where}: {result['error']}")
        return faults

    def rule_states(self) -> list[tuple[str, str]]:
        """Name and health of each of our alert rules, as Grafana last evaluated them."""
        with self._in_words():
            found = self._api.client.GET("/prometheus/grafana/api/v1/rules")
        return [
            (rule["name"], rule["health"])
            for group in found["data"]["groups"]
            if group["name"] == GROUP
            for rule in group["rules"]
        ]

    def _query(self, sql: str, form: str) -> dict[str, Any]:
        query = {
            "refId": "A",
            "datasource": {"uid": POSTGRES_UID},
            "rawSql": sql,
            "format": form,
            "intervalMs": 3_600_000,
            "maxDataPoints": 1_000,
        }
        with self._in_words():
            answer = self._api.client.POST(
                "/ds/query", json={"queries": [query], "from": "now-90d", "to": "now"}
            )
        result: dict[str, Any] = answer["results"]["A"]
        return result

    def _find_datasource(self) -> None:
        with self._in_words():
            found = self._get(lambda: self._api.datasource.get_datasource_by_uid(POSTGRES_UID))
        if found is None:
            raise DashboardError(
                f"{self._place}: there is no data source with the uid {POSTGRES_UID}; make one of the type "
                "PostgreSQL, for a user that vigie_reader was granted to, or mount what "
                "`vigie dashboards build` writes"
            )

    def _folder(self, uid: str, title: str) -> Change:
        with self._in_words():
            found = self._get(lambda: self._api.folder.get_folder(uid))
        diff = [] if found is not None else [f"+ folder {title}"]
        return Change(f"folder {title}", diff, lambda: self._do(self._api.folder.create_folder, title, uid))

    def _board(self, ours: dict[str, Any], folder: str) -> Change:
        with self._in_words():
            found = self._get(lambda: self._api.dashboard.get_dashboard(ours["uid"]))
        theirs = None if found is None else found["dashboard"]
        merged = merge(ours, theirs)
        diff = differences(theirs, merged)
        if found is not None and found.get("meta", {}).get("folderUid", folder) != folder:
            diff = [*diff, f"+ in folder {folder}"]
        saved = {"dashboard": merged, "folderUid": folder, "overwrite": True, "message": _TOLD}
        return Change(
            f"board {ours['uid']}", diff, lambda: self._do(self._api.dashboard.update_dashboard, saved)
        )

    def _rule(self, ours: dict[str, Any]) -> Change:
        wanted = {
            **{name: value for name, value in ours.items() if name != "isPaused"},
            "folderUID": FOLDER,
            "ruleGroup": GROUP,
            "orgID": 1,
        }
        with self._in_words():
            theirs = self._get(lambda: self._api.alertingprovisioning.get_alertrule(ours["uid"]))
        if theirs is None:
            diff = differences(None, wanted)
            return Change(
                f"rule {ours['uid']}",
                diff,
                lambda: self._do(
                    self._api.client.POST, "/v1/provisioning/alert-rules", wanted, headers=_KEPT_ALERTS
                ),
            )
        # Grafana adds defaults to what it keeps; only what we say is compared.
        kept = {name: theirs.get(name) for name in wanted}
        return Change(
            f"rule {ours['uid']}",
            differences(kept, wanted),
            lambda: self._do(
                self._api.client.PUT,
                f"/v1/provisioning/alert-rules/{ours['uid']}",
                wanted,
                headers=_KEPT_ALERTS,
            ),
        )

    def _do(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        with self._in_words():
            call(*arguments, **options)

    @staticmethod
    def _get(call: Callable[[], Any]) -> Any:
        """What Grafana has; None where it has none."""
        try:
            return call()
        except GrafanaClientError as error:
            if error.status_code == _ABSENT:
                return None
            raise

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except GrafanaClientError as error:
            if error.status_code in (401, 403):
                raise DashboardError(
                    f"{self._place}: Grafana refuses the token ({error.status_code}); give that of a service "
                    "account with the role Editor, with --token or VIGIE_GRAFANA_TOKEN"
                ) from None
            raise DashboardError(f"{self._place}: Grafana refuses: {_first(error)}") from None
        except GrafanaException as error:
            raise DashboardError(f"{self._place}: Grafana fails: {_first(error)}; try again later") from None
        except OSError as error:
            raise DashboardError(
                f"{self._place}: no Grafana answers there ({type(error).__name__}): check the address, and "
                "that it runs"
            ) from None


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
