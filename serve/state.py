"""``GET /v1/admin/state``: live figures for the console, over all workers."""

from __future__ import annotations

import time
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from flask import Blueprint, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from cascade.decision import HUMAN
from serve import examples, metrics
from serve.api import reply
from serve.engine import Serving
from serve.openapi import Operation
from serve.purge import DAY
from serve.service import service
from serve.store import Store, deployments, feedback, figures, jobs
from serve.store.backlog import REVIEW, backlog

state = Blueprint("state", __name__)

RECENT = 300.0
"""Seconds that count as of late."""
FRESH = 10.0
"""Seconds after which the decisions of a day are counted again: all of them are read for it, and
every open page asks each two seconds."""
NO_BUNDLE = "none"
"""What an engine calls its bundle before there is one."""


class StageShareOut(BaseModel):
    """A stage, and how many tickets it settled; `human` is those that were left to people."""

    stage: str
    tickets: int


class DayOut(BaseModel):
    """The last 24 hours."""

    tickets: int
    stages: Annotated[list[StageShareOut], Field(description="in the order they are asked")]
    escalated: Annotated[
        int | None, Field(description="not settled by the first stage; null while none is loaded")
    ]
    feedback: Annotated[int, Field(description="corrections and decisions by people")]


class RecentOut(BaseModel):
    """The last minutes; the times are those of the stages."""

    seconds: float
    tickets: Annotated[int, Field(description=f"looked at, {figures.MOST} at most")]
    p50_ms: float
    p95_ms: float


class BacklogOut(BaseModel):
    """How much waits, and for how long the oldest of it."""

    waiting: int
    oldest_seconds: float


class LLMOut(BaseModel):
    """Who answers in the llm stage, and how that went in all workers since the start."""

    backend: str
    fitted: bool
    counts: Annotated[dict[str, int], Field(description="answered, and why others were not")]


class WorkerOut(BaseModel):
    """A live worker."""

    id: str
    bundle: Annotated[str | None, Field(description="null: of the settings, as it was then")]
    failure: Annotated[str, Field(description="why it could not prepare the bundle wanted last")]


class StateOut(BaseModel):
    """Live figures."""

    bundle: Annotated[str, Field(description="`none` until one is loaded")]
    day: DayOut
    recent: Annotated[RecentOut | None, Field(description="null where nothing was decided")]
    review: BacklogOut
    pending: Annotated[BacklogOut, Field(description="later answers that are owed")]
    callbacks: Annotated[BacklogOut, Field(description="that are still to be delivered")]
    llm: Annotated[LLMOut | None, Field(description="null where the bundle has no llm stage")]
    workers: list[WorkerOut]


@state.get("/v1/admin/state")
def live() -> Response:
    """How the service is doing; also while no bundle is loaded yet."""
    engine, now = service().engine, time.time()
    serving = engine.serving() if engine.bundle_id != NO_BUNDLE else None
    with service().store.read() as connection:
        told = {
            "bundle": engine.bundle_id,
            "day": _day(connection, serving, now),
            "recent": _recent(connection, now),
            **_waiting(connection),
            "llm": _llm(serving),
            "workers": _workers(connection, serving),
        }
    return reply(told)


def _day(connection: Connection, serving: Serving | None, now: float) -> dict[str, Any]:
    counts = _counted(connection, now)
    order = [*(serving.router.stage_names if serving else ()), HUMAN]
    stages = [*order, *sorted(set(counts) - set(order))]  # also those of a bundle before this one
    tickets = sum(counts.values())
    return {
        "tickets": tickets,
        "stages": [{"stage": name, "tickets": counts.get(name, 0)} for name in stages],
        "escalated": tickets - counts.get(stages[0], 0) if serving else None,
        "feedback": feedback.since(connection, now - DAY),
    }


def _counted(connection: Connection, now: float) -> dict[str, int]:
    """How many decisions each stage settled in the last day, as of a few seconds ago."""
    when, counts = _counts.get(service().store, (0.0, {}))
    if now - when >= FRESH:
        counts = figures.by_stage(connection, now - DAY)
        _counts[service().store] = (now, counts)
    return counts


_counts: WeakKeyDictionary[Store, tuple[float, dict[str, int]]] = WeakKeyDictionary()


def _recent(connection: Connection, now: float) -> dict[str, Any] | None:
    times = figures.times(connection, now - RECENT)
    if times is None:
        return None
    p50, p95 = round(times.p50, 2), round(times.p95, 2)
    return {"seconds": RECENT, "tickets": times.tickets, "p50_ms": p50, "p95_ms": p95}


def _waiting(connection: Connection) -> dict[str, Any]:
    found = backlog(connection)
    names = {"review": REVIEW, "pending": jobs.FINISH, "callbacks": jobs.CALLBACK}
    return {
        name: {"waiting": found[kind].waiting, "oldest_seconds": round(found[kind].age, 1)}
        for name, kind in names.items()
    }


def _llm(serving: Serving | None) -> dict[str, Any] | None:
    adviser = serving.router.advisers.get(metrics.LLM) if serving else None
    if adviser is None:
        return None
    counts = {
        sample.labels["outcome"]: int(sample.value)
        for metric in metrics.collected()
        for sample in metric.samples
        if sample.name == "cascade_llm_calls_total"
    }
    return {"backend": adviser["backend"], "fitted": adviser["fitted"], "counts": counts}


def _workers(connection: Connection, serving: Serving | None) -> list[dict[str, Any]]:
    told = []
    for worker in deployments.alive(connection):
        bundle: str | None = None
        if serving and worker.deployment == serving.deployment:
            bundle = serving.router.bundle_id
        elif worker.deployment:
            bundle = deployments.find(connection, worker.deployment).bundle
        told.append({"id": worker.id, "bundle": bundle, "failure": worker.failure})
    return told


OPERATIONS = (
    Operation(
        "get",
        "/v1/admin/state",
        "state",
        "Live figures of all workers",
        StateOut,
        examples.STATE,
        scope="review",
    ),
)
