"""A query of Grafana's PostgreSQL data source, which the SDK does not have, and where it goes."""

from typing import Literal

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

POSTGRES_UID = "vigie-postgres"
PROMETHEUS_UID = "vigie-prometheus"
POSTGRES_TYPE = "grafana-postgresql-datasource"
POSTGRES = DataSourceRef(type_val=POSTGRES_TYPE, uid=POSTGRES_UID)
PROMETHEUS = DataSourceRef(type_val="prometheus", uid=PROMETHEUS_UID)

Format = Literal["table", "time_series"]


class PostgresQuery(Dataquery):
    """SQL in Grafana's own words, macros and variables included.

    format: time_series wants a column `time` and one number a series, in order of time.
    """

    def __init__(self, sql: str, format: Format = "table", ref_id: str = "A") -> None:
        self.sql = " ".join(sql.split())
        self.format = format
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """As the data source's query editor saves it."""
        return {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


class Postgres(Builder[PostgresQuery]):
    """Builder of a PostgresQuery, as panels take them."""

    def __init__(self, sql: str, format: Format = "table", ref_id: str = "A") -> None:
        self._query = PostgresQuery(sql, format, ref_id)

    def build(self) -> PostgresQuery:
        """The query."""
        return self._query
