"""Grafana's alert rules for the pipeline's own health: they tell whoever runs Vigie, not managers."""

import json
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery

from dashboards.board import uid
from dashboards.boards.pipeline import LAG
from dashboards.query import POSTGRES_UID, PROMETHEUS_UID, PostgresQuery

FOLDER = "vigie-rules"
FOLDER_TITLE = "Vigie · alertes / alerts"
GROUP = "vigie-pipeline"
INTERVAL_S = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a query, above which value and for how long it must be, what it says in both languages."""

    name: str
    title: str
    query: Dataquery
    datasource: str
    above: float
    holds: str
    severity: str
    fr: str
    en: str
    no_data: str = "OK"

    @property
    def uid(self) -> str:
        """The same for ever."""
        return f"vigie-{self.name}"

    def build(self) -> dict[str, Any]:
        """As Grafana's provisioning takes it: the query, its last value by series, the threshold."""
        return {
            "uid": self.uid,
            "title": self.title,
            "condition": "C",
            "data": [
                self._step("A", self.datasource, json.loads(JSONEncoder().encode(self.query))),
                self._step("B", "__expr__", {"type": "reduce", "expression": "A", "reducer": "last"}),
                self._step(
                    "C",
                    "__expr__",
                    {
                        "type": "threshold",
                        "expression": "B",
                        "conditions": [{"evaluator": {"type": "gt", "params": [self.above]}}],
                    },
                ),
            ],
            "noDataState": self.no_data,
            "execErrState": "Error",
            "for": self.holds,
            "annotations": {
                "summary": f"{self.fr} / {self.en}",
                "__dashboardUid__": uid("pipeline", "fr"),
                "__panelId__": "3" if self.datasource == POSTGRES_UID else "1",
            },
            "labels": {"service": "vigie", "severity": self.severity},
            "isPaused": False,
        }

    def _step(self, ref_id: str, datasource: str, model: dict[str, Any]) -> dict[str, Any]:
        return {
            "refId": ref_id,
            "datasourceUid": datasource,
            "relativeTimeRange": {"from": 600, "to": 0},
            "model": {**model, "refId": ref_id},
        }


def rules() -> list[Rule]:
    """A source that grows stale, rows that cannot be read, a lag that grows, checkpoints that fail."""
    return [
        Rule(
            "stale-source",
            "Source muette / stale source",
            PostgresQuery(
                "SELECT source, extract(epoch FROM now() - loaded_at) / 3600 AS hours "
                "FROM vigie_boards.source"
            ),
            POSTGRES_UID,
            above=26,
            holds="10m",
            severity="warning",
            fr="La source {{ $labels.source }} n'a rien chargé depuis {{ $values.B }} heures",
            en="source {{ $labels.source }} has loaded nothing for {{ $values.B }} hours",
            no_data="NoData",
        ),
        Rule(
            "quarantine",
            "Quarantaine / quarantine",
            PostgresQuery(
                """
                SELECT source, sum(quarantined)::float8 / nullif(sum(read), 0)::float8 AS share
                FROM vigie_boards.load WHERE loaded_at > now() - interval '7 days' GROUP BY source
                """
            ),
            POSTGRES_UID,
            above=0.05,
            holds="10m",
            severity="warning",
            fr="Plus de 5 % des lignes de {{ $labels.source }} sont en quarantaine",
            en="more than 5% of the rows of {{ $labels.source }} are in quarantine",
        ),
        Rule(
            "log-clock",
            "Journal en retard / log behind",
            _metric("time() - vigie_ingest_log_clock_timestamp_seconds"),
            PROMETHEUS_UID,
            above=900,
            holds="10m",
            severity="critical",
            fr="L'horloge du journal a {{ $values.B }} secondes de retard : rien ne s'y ajoute",
            en="the log's clock is {{ $values.B }} seconds behind: nothing is added to it",
        ),
        Rule(
            "lag",
            "Retard / lag",
            _metric(LAG),
            PROMETHEUS_UID,
            above=900,
            holds="10m",
            severity="critical",
            fr="La détection a {{ $values.B }} secondes de retard",
            en="detection is {{ $values.B }} seconds behind",
        ),
        Rule(
            "checkpoints",
            "Points de reprise manqués / failed checkpoints",
            _metric("sum(increase(flink_jobmanager_job_numberOfFailedCheckpoints[30m]))"),
            PROMETHEUS_UID,
            above=0,
            holds="5m",
            severity="critical",
            fr="Des points de reprise ont manqué dans la demi-heure",
            en="checkpoints failed within half an hour",
        ),
    ]


def _metric(expression: str) -> Dataquery:
    return PrometheusQuery().expr(expression).instant().ref_id("A").build()
