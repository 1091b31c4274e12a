"""What every worker counts for Prometheus; `serve.scrape` tells the sums.

Each worker counts in files of its own (prometheus-client's multiprocess mode), in a folder that
the master makes and removes. The files go by the worker's slot and not by its process: who takes
a dead worker's place goes on with its counts. So nothing that was counted is lost, and there are
never more files than workers, however often they are replaced.

Labels have few values: rules and not paths, kinds and not details, never an id or a text.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cascade.decision import HUMAN
from serve.problems import KINDS, Kind

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable in which prometheus-client looks for the folder."""

REGISTRY = CollectorRegistry()
"""Every metric has a label: `share` has to come before the first count, and only metrics without
one count as soon as they are made."""


def _counter(name: str, told: str, *labels: str) -> Counter:
    return Counter(name, told, labels, registry=REGISTRY)


def _histogram(name: str, told: str, label: str, *more: str, upto: Sequence[float]) -> Histogram:
    return Histogram(name, told, (label, *more), buckets=upto, registry=REGISTRY)


REQUESTS = _histogram(
    "cascade_request_seconds",
    "Requests by address, from their head to the answer",
    "method",
    "rule",
    "status",
    upto=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10, 30),
)
TICKETS = _histogram(
    "cascade_request_tickets",
    "Tickets in a request that was decided",
    "size",
    upto=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
STAGES = _histogram(
    "cascade_stage_seconds",
    "Time that a ticket took in a stage",
    "stage",
    upto=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
REFUSALS = _counter("cascade_refused", "Requests answered with a problem", "kind")
DECISIONS = _counter(
    "cascade_decisions", "Decisions by action and the stage that settled them", "action", "stage"
)
QUEUES = _counter("cascade_queue_decisions", "Decisions by queue and action", "queue", "action")
ESCALATIONS = _counter(
    "cascade_escalations", "Tickets passed on to a further stage or to a person", "to"
)
CUT_SHORT = _counter(
    "cascade_cut_short",
    "Late answers; of these shallow: left out under load; pending: a later answer is owed",
    "how",
)
ADVICE = _counter("cascade_llm_calls", "Tickets asked of the llm stage, by outcome", "outcome")
JOBS = _counter(
    "cascade_jobs", "Later answers and callbacks that were tried, by outcome", "kind", "outcome"
)
BREAKERS = Gauge(
    "cascade_llm_breaker_open",
    "Live workers whose circuit breaker turned the last ticket for the stage away",
    ("stage",),
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
STARTS = _counter("cascade_worker_starts", "Workers started, and why", "why")
WORKERS = Gauge(
    "cascade_workers",
    "Live workers by the bundle that they serve",
    ("bundle",),
    multiprocess_mode="livesum",
    registry=REGISTRY,
)

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})

M = TypeVar("M", Counter, Gauge, Histogram)
LLM, OPEN = "llm", "open"
WHYS = ("start", "death")
HOWS = LATE, PENDING, SHALLOW = "late", "pending", "shallow"
Answer = Mapping[str, Any]
"""A decision as it goes out."""


class Advised(Protocol):
    """Who decides, perhaps with an llm stage."""

    @property
    def advisers(self) -> dict[str, dict[str, Any]]: ...


_lock = Lock()
_advised: Mapping[str, int] = {}
_served: str | None = None


@contextmanager
def shared_folder() -> Iterator[None]:
    """In the master: the folder of all workers' counts, gone when the master ends."""
    master = os.getpid()
    os.environ[FOLDER] = folder = tempfile.mkdtemp(prefix="cascade-metrics-")
    try:
        yield
    finally:
        if os.getpid() == master:  # a worker leaves through here, too
            shutil.rmtree(folder, ignore_errors=True)


def share(slot: int) -> None:
    """In a worker, before it counts anything: count where the others and the next in the slot see.

    Args:
        slot: a number that no other live worker has.
    """
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


def leave(slot: int) -> None:
    """In the master: the worker in this slot is dead; its counts stay, its gauges do not."""
    mark_process_dead(slot)  # type: ignore[no-untyped-call]


def collected() -> Iterable[Metric]:
    """All workers' metrics; in a process that shares nothing, its own."""
    if FOLDER not in os.environ:
        return REGISTRY.collect()
    # prometheus-client stumbles over the empty file of a worker that is just starting.
    files = [file.path for file in os.scandir(os.environ[FOLDER]) if _size(file)]
    told: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return told


def _size(file: os.DirEntry[str]) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # the gauges of a worker that has just died
        return 0


def requested(method: str, rule: str | None, status: int, seconds: float) -> None:
    """Count a request that was answered.

    Args:
        method: whatever the client wrote.
        rule: of the address; None where there is none.
        status: of the answer.
        seconds: that it took.
    """
    known = method if method in METHODS else "other"
    _at(REQUESTS, known, rule or "none", status).observe(seconds)


def refused(kind: Kind) -> None:
    """Count a problem that was answered."""
    _at(REFUSALS, _name(kind)).inc()


def decided(answers: Sequence[Answer], router: Advised, *, crowded: bool = False) -> None:
    """Count a request's decisions once they are stored.

    Args:
        answers: the decisions.
        router: who made them.
        crowded: load left them the first stage alone.
    """
    _at(TICKETS, "one" if len(answers) == 1 else "batch").observe(len(answers))
    _count(DECISIONS, [(its["action"], its["stage"]) for its in answers])
    _count(QUEUES, [(its["queue"], its["action"]) for its in answers])
    for how in (LATE, PENDING):
        _count(CUT_SHORT, [(how,) for its in answers if its[how]])
    _count(CUT_SHORT, [(SHALLOW,) for its in answers if its["late"] and crowded])
    worked(answers, router)


def job_done(kind: str, outcome: str) -> None:
    """Count a job in the background, done or tried in vain."""
    _at(JOBS, kind, outcome).inc()


def worked(answers: Sequence[Answer], router: Advised) -> None:
    """Count what the stages did for decisions, be it for a later answer.

    Args:
        answers: the decisions.
        router: who made them.
    """
    passed_on: list[tuple[str]] = []
    for answer in answers:
        for trace in answer["stages"]:
            _at(STAGES, trace["name"]).observe(trace["ms"] / 1000)
        passed_on += [(trace["name"],) for trace in answer["stages"][1:]]
        if answer["stage"] == HUMAN:
            passed_on.append((HUMAN,))
    _count(ESCALATIONS, passed_on)
    if (LLM,) in passed_on:
        _advice(router)


def _advice(router: Advised) -> None:
    """Count how it went in the llm stage since the last time, by the stage's own count."""
    global _advised
    with _lock:  # around the reading too, or a slower thread would bring older news
        counts = router.advisers[LLM]["counts"]
        before, _advised = _advised, counts
    if sum(counts.values()) < sum(before.values()):  # another bundle, another stage
        before = {}
    more = {outcome: count - before.get(outcome, 0) for outcome, count in counts.items()}
    for outcome, times in more.items():
        if times > 0:
            _at(ADVICE, outcome).inc(times)
    _at(BREAKERS, LLM).set(more.get(OPEN, 0) > 0)


def started(*, replaces: bool) -> None:
    """Count this worker; ``replaces``: another one has died.

    What can be named beforehand begins at 0: Prometheus sees no rise in a counter's first value.
    """
    _begin(STARTS, WHYS)
    _begin(REFUSALS, map(_name, KINDS))
    _begin(CUT_SHORT, HOWS)
    _at(STARTS, "death" if replaces else "start").inc()


def serves(bundle: str, stages: Sequence[str] = ()) -> None:
    """Tell which bundle this worker serves from now on.

    Args:
        bundle: its id.
        stages: its stages' names.
    """
    global _served
    _begin(ESCALATIONS, (*stages[1:], HUMAN))
    for stage in stages:
        _at(DECISIONS, "route", stage)
    with _lock:
        if _served is not None:
            _at(WORKERS, _served).set(0)
        _at(WORKERS, bundle).set(1)
        _served = bundle


def _begin(counter: Counter, labels: Iterable[str]) -> None:
    for label in labels:
        _at(counter, label)


def _name(kind: Kind) -> str:
    return kind.type.rsplit("/", 1)[-1]


def _count(counter: Counter, rows: Sequence[tuple[str, ...]]) -> None:
    for labels in rows:
        _at(counter, *labels).inc()


@cache
def _at(metric: M, *labels: str | int) -> M:
    """``metric.labels(...)``, at a tenth of the time."""
    return metric.labels(*labels)
