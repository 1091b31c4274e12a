"""The addresses of the REST interface that help desks call."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g, request

from serve import examples, logs
from serve.body import parse_json, read_body
from serve.engine import named
from serve.intake import Once, Wishes
from serve.openapi import Operation, parameter
from serve.parse import parse
from serve.problems import BUSY, DRAINING, NOT_FOUND, NOT_READY, REUSED_KEY, STORE_DOWN, Problem
from serve.schemas import (
    MAX_TICKETS,
    BatchIn,
    BatchOut,
    DecisionOut,
    HealthOut,
    IdempotencyKey,
    ReadyOut,
    RouteIn,
    StoredOut,
)
from serve.service import service
from serve.store import decisions

api = Blueprint("api", __name__)

REPLAYED = "Idempotency-Replayed"
"""Header of a reply that repeats an earlier one."""


@api.post("/v1/route")
def route() -> Response:
    """One ticket to one decision."""
    settings = service().settings
    body = read_body(request, settings.max_body)
    asked = parse(RouteIn, parse_json(body))
    deadline = settings.deadline_ms if asked.deadline_ms is None else asked.deadline_ms
    wishes = Wishes(deadline, asked.explain, asked.every_stage)
    answers, repeated = service().intake.route([asked.ticket()], wishes, _once(body))
    g.told |= logs.decided(answers)
    return _answered(answers[0], repeated)


@api.post("/v1/route/batch")
def route_batch() -> Response:
    """Several tickets to as many decisions, in their order."""
    body = read_body(request, service().settings.max_batch_body)
    asked = parse(BatchIn, parse_json(body))
    tickets = [ticket.ticket() for ticket in asked.tickets]
    wishes = Wishes(asked.deadline_ms, asked.explain)
    answers, repeated = service().intake.route(tickets, wishes, _once(body))
    g.told |= logs.decided(answers)
    return _answered({"bundle": answers[0]["bundle"], "decisions": answers}, repeated)


def _once(body: bytes) -> Once | None:
    """The idempotency key that the request brought; the same body elsewhere is another request."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    key = parse(IdempotencyKey, {"Idempotency-Key": given}).key
    return Once(g.caller, key, request.path.encode() + b"\n" + body)


def _answered(answer: dict[str, Any], repeated: bool) -> Response:
    sent = reply(answer)
    # The one that answered, and not the one that may have taken its place meanwhile.
    sent.headers.update(named(answer["bundle"]))
    if repeated:
        g.told["repeated"] = True
        sent.headers[REPLAYED] = "true"
    return sent


@api.get("/v1/decisions/<decision_id>")
def decision(decision_id: str) -> Response:
    """A decision as it is now: a pending one may have got its later answer."""
    with service().store.read() as connection:
        found = decisions.find(connection, decision_id)
    if found is None:
        raise Problem(NOT_FOUND, "No decision has this id, or it was purged.")
    return reply(found)


@api.get("/healthz")
def health() -> Response:
    """Alive: says nothing of the bundle's state, so that loading is not taken for death."""
    return reply({"status": "alive", "bundle": service().engine.bundle_id})


@api.get("/readyz")
def ready() -> Response:
    """Ready to route; 503 until the bundle is loaded and warm, and while the store is away."""
    serving = service().engine.serving()
    router = serving.router
    if service().engine.draining:
        raise Problem(DRAINING, "Ask another one.", headers={"Retry-After": "1"})
    service().store.ping()
    open_to_all = not service().settings.authenticated  # else who has no key is told no more
    return reply(
        {
            "status": "ready",
            "bundle": router.bundle_id,
            "deployment": serving.deployment,
            "queues": list(router.queues) if open_to_all else None,
            "stages": list(router.stage_names) if open_to_all else None,
            "advisers": router.advisers if open_to_all else None,
        }
    )


def reply(value: Any) -> Response:
    """JSON in the order it was built; a number that JSON does not have is an error of ours."""
    return Response(json.dumps(value, allow_nan=False), mimetype="application/json")


_ONCE = (
    parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "minLength": 1, "maxLength": 200},
        "the same key with the same body gets the answer of the first time",
    ),
)
OPERATIONS = (
    Operation(
        "post",
        "/v1/route",
        "route",
        "Route one ticket",
        DecisionOut,
        examples.EXPLAINED,
        asks=RouteIn,
        parameters=_ONCE,
        refusals=(REUSED_KEY, NOT_READY, BUSY),
        scope="route",
    ),
    Operation(
        "post",
        "/v1/route/batch",
        "routeBatch",
        f"Route up to {MAX_TICKETS} tickets",
        BatchOut,
        examples.BATCH,
        asks=BatchIn,
        parameters=_ONCE,
        refusals=(REUSED_KEY, NOT_READY, BUSY),
        scope="route",
    ),
    Operation(
        "get",
        "/v1/decisions/{decision_id}",
        "decision",
        "A decision as it is now",
        StoredOut,
        examples.STORED,
        parameters=(parameter("decision_id", "path", {"type": "string"}, "from the decision"),),
        refusals=(NOT_FOUND,),
        scope="route",
    ),
    Operation("get", "/healthz", "health", "Alive?", HealthOut, examples.ALIVE),
    Operation(
        "get",
        "/readyz",
        "ready",
        "Bundle loaded and warm?",
        ReadyOut,
        examples.READY,
        refusals=(NOT_READY, DRAINING, STORE_DOWN),
    ),
)
