"""What a live job tells Prometheus of itself, on this machine alone."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.errors import SettingsError, VigieError
from connectors.log import EventLog
from connectors.store import open_store
from pipelines.live.opening import LiveFolder, checkpoints

_LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class LiveStatus:
    """How a job is, as the one who watches it sees it. run: number of this start, 0 before."""

    running: bool = False
    restarts: int = 0
    run: int = 0


class LiveCollector(Collector):
    """The status as metrics, read when asked for; absent where there is nothing yet. Times since 1970."""

    def __init__(
        self, status: LiveStatus, log: EventLog, folder: LiveFolder, *, dsn: str | None, data: Path
    ) -> None:
        self._status = status
        self._log = EventLog(log.location)
        self._folder = folder
        self._dsn = dsn
        self._data = data

    def collect(self) -> Iterable[Metric]:
        """Every metric, `vigie_live_...`."""
        yield GaugeMetricFamily("vigie_live_running", "Whether the job runs", float(self._status.running))
        yield CounterMetricFamily("vigie_live_restarts", "Restarts after a failure", self._status.restarts)
        yield from self._checkpoint()
        yield from self._lag()

    def _checkpoint(self) -> Iterator[Metric]:
        found = checkpoints(self._folder.run(self._status.run))
        if not found:
            return
        last = found[-1]
        yield GaugeMetricFamily(
            "vigie_live_checkpoint_timestamp_seconds",
            "When the last checkpoint was complete",
            (last / "_metadata").stat().st_mtime,
        )
        size = sum(file.stat().st_size for file in last.rglob("*") if file.is_file())
        yield GaugeMetricFamily("vigie_live_checkpoint_bytes", "Size of the last checkpoint", size)

    def _lag(self) -> Iterator[Metric]:
        try:
            self._log.refresh()
            with open_store(self._dsn, data=self._data) as store:
                run = store.run()
        except VigieError:
            return
        if self._log.clock is not None:
            yield GaugeMetricFamily(
                "vigie_live_log_clock_timestamp_seconds", "The log's clock", self._log.clock.timestamp()
            )
        closable = self._log.settled_until()
        if run is not None and closable is not None:
            yield GaugeMetricFamily(
                "vigie_live_closed_until_timestamp_seconds",
                "Events before this instant are in the stored signals",
                run.closed_until.timestamp(),
            )
            yield GaugeMetricFamily(
                "vigie_live_close_delay_seconds",
                "How far the stored signals are behind what the log's clock has settled; up to a day is "
                "the open day",
                (closable - run.closed_until).total_seconds(),
            )


@contextmanager
def serving(collector: LiveCollector, *, port: int) -> Iterator[int]:
    """Serve the metrics; the port, chosen if 0. SettingsError if it is taken."""
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(port, addr=_LOOPBACK, registry=registry)
    except OSError as error:
        raise SettingsError(
            f"--metrics-port {port}: cannot listen there ({error.strerror}): choose another port"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
