"""The addresses of the REST interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, request

from cascade.ticket import Ticket
from serve import openapi
from serve.body import read_json
from serve.engine import Engine
from serve.schemas import BatchIn, RouteIn, parse
from serve.settings import Settings

api = Blueprint("api", __name__)

EXTENSION = "cascade"
"""Key under which an app carries its engine and its settings."""


def engine() -> Engine:
    """The engine of the app that answers this request."""
    found: Engine = current_app.extensions[EXTENSION]["engine"]
    return found


def settings() -> Settings:
    """The settings of the app that answers this request."""
    found: Settings = current_app.extensions[EXTENSION]["settings"]
    return found


@api.post("/v1/route")
def route() -> Response:
    """One ticket to one decision."""
    asked = parse(RouteIn, read_json(request, settings().max_body))
    deadline = settings().deadline_ms if asked.deadline_ms is None else asked.deadline_ms
    ticket = asked.ticket()
    [answer] = _answers([ticket], deadline, asked.explain)
    if asked.every_stage:
        answer["opinions"] = [asdict(its) for its in engine().opinions(ticket)]
    return reply(answer)


@api.post("/v1/route/batch")
def route_batch() -> Response:
    """Several tickets to as many decisions, in their order."""
    asked = parse(BatchIn, read_json(request, settings().max_batch_body))
    tickets = [ticket.ticket() for ticket in asked.tickets]
    answers = _answers(tickets, asked.deadline_ms, asked.explain)
    return reply({"bundle": engine().bundle_id, "decisions": answers})


def _answers(
    tickets: Sequence[Ticket], deadline_ms: float | None, explained: bool
) -> list[dict[str, Any]]:
    """The decisions as they go out, each with its explanation where that was asked for."""
    decisions = engine().route(tickets, deadline_ms)
    answers = [
        decision.to_dict() | {"explanation": None, "opinions": None} for decision in decisions
    ]
    if explained:
        for answer, why in zip(answers, engine().explain(tickets, decisions), strict=True):
            answer["explanation"] = why.to_dict()
    return answers


@api.get("/healthz")
def health() -> Response:
    """Alive: says nothing of the bundle's state, so that loading is not taken for death."""
    return reply({"status": "alive", "bundle": engine().bundle_id})


@api.get("/readyz")
def ready() -> Response:
    """Ready to route; 503 until the bundle is loaded and warm."""
    router = engine().router()
    return reply(
        {
            "status": "ready",
            "bundle": router.bundle_id,
            "queues": list(router.queues),
            "stages": list(router.stage_names),
            "advisers": router.advisers,
        }
    )


@api.get("/openapi.json")
def describe() -> Response:
    """The OpenAPI document of all this."""
    return reply(openapi.document())


def reply(value: Any) -> Response:
    """JSON in the order it was built; a number that JSON does not have is an error of ours."""
    return Response(json.dumps(value, allow_nan=False), mimetype="application/json")
