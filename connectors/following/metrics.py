"""What the service tells Prometheus of itself."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.errors import LogError
from connectors.following.status import Status

_LOOPBACK = "127.0.0.1"


class IngestCollector(Collector):
    """The status as metrics, read when asked for. Times are seconds since 1970; absent before the first."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Every metric, `vigie_ingest_...`."""
        status = self._status
        accounts = dict(status.accounts)
        yield _rows("records", "Records read", {name: a.read for name, a in accounts.items()})
        yield _rows("events", "Events admitted", {name: a.events for name, a in accounts.items()})
        yield _rows(
            "duplicates", "Records that were events before", {n: a.duplicates for n, a in accounts.items()}
        )
        yield _rows_by_reason("set_aside", "Records set aside", {n: a.set_aside for n, a in accounts.items()})
        yield _rows_by_reason(
            "quarantined", "Records sent to quarantine", {n: a.quarantined for n, a in accounts.items()}
        )
        yield CounterMetricFamily(
            "vigie_ingest_commits", "Segments committed, those of accounts alone included", status.commits
        )
        yield CounterMetricFamily(
            "vigie_ingest_heartbeats", "Heartbeats of the log's clock", status.heartbeats
        )
        yield CounterMetricFamily("vigie_ingest_compactions", "Merges of closed days", status.compactions)
        yield _times("last_commit", "Wall clock of the last commit", {"": status.committed_at})
        yield _times("log_clock", "The log's clock", {"": status.clock})
        yield _times("source_last_event", "Admission of the newest event", dict(status.latest), by="source")
        yield _times(
            "source_last_occurrence", "When the newest event occurred", dict(status.occurred), by="source"
        )
        up = {name: name not in status.unreachable for name in accounts}
        yield _gauges("source_up", "Whether the place of a source is there", up)
        yield _gauges("source_waiting_files", "Files with something not whole yet", dict(status.waiting))
        yield GaugeMetricFamily("vigie_ingest_buffer_rows", "Events not yet committed", status.buffer_rows)
        yield GaugeMetricFamily("vigie_ingest_buffer_bytes", "Bytes not yet committed", status.buffer_bytes)
        yield GaugeMetricFamily(
            "vigie_ingest_blocked", "Whether the log cannot be written for now", float(status.blocked)
        )


@contextmanager
def serving(status: Status, *, port: int) -> Iterator[int]:
    """Serve the metrics on this machine alone; the port, chosen if 0. LogError if it is taken."""
    registry = CollectorRegistry()
    registry.register(IngestCollector(status))
    try:
        server, thread = start_http_server(port, addr=_LOOPBACK, registry=registry)
    except OSError as error:
        raise LogError(
            f"--metrics-port {port}: cannot listen there ({error.strerror}): choose another port"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _rows(name: str, says: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"vigie_ingest_{name}", says, labels=["source"])
    for source, count in counts.items():
        family.add_metric([source], count)
    return family


def _rows_by_reason(name: str, says: str, counts: Mapping[str, Mapping[str, int]]) -> Metric:
    family = CounterMetricFamily(f"vigie_ingest_{name}", says, labels=["source", "reason"])
    for source, reasons in counts.items():
        for reason, count in dict(reasons).items():
            family.add_metric([source, reason], count)
    return family


def _gauges(name: str, says: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"vigie_ingest_{name}", says, labels=["source"])
    for source, value in values.items():
        family.add_metric([source], value)
    return family


def _times(name: str, says: str, times: Mapping[str, datetime | None], *, by: str | None = None) -> Metric:
    family = GaugeMetricFamily(f"vigie_ingest_{name}_timestamp_seconds", says, labels=[by] if by else [])
    for label, time in times.items():
        if time is not None:
            family.add_metric([label] if by else [], time.timestamp())
    return family
