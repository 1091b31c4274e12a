"""The review queue over REST: what no gate settled, for people to decide, the costliest first.

Who reviews is named by the request (``by``): one key may stand for a whole team.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from serve import examples
from serve.api import reply
from serve.body import read_json
from serve.openapi import Operation, parameter
from serve.parse import parse
from serve.problems import CLAIMED, INVALID_FIELD, NOT_FOUND, Problem
from serve.schemas import StoredOut
from serve.service import service
from serve.store import decisions, reviews

MAX_BODY = 16 * 1024
MAX_ITEMS = 200
UNDO_SECONDS = 60.0
"""How long people can take back what they decided."""

review = Blueprint("review", __name__)

_PRINTABLE, _INK = r"[^\x00-\x1f\x7f]", r"[^\x00-\x20\x7f]"
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=1, max_length=200, pattern=f"^{_PRINTABLE}*{_INK}{_PRINTABLE}*$"),
]
By = Annotated[Name, Field(description="who decides")]
Queue = Annotated[Name, Field(description="where it belongs, also if no bundle knows it yet")]
DecisionId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class ReviewerIn(BaseModel):
    """Somebody who reviews."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"by": "anna"}]}
    )

    by: By


class ClaimIn(ReviewerIn):
    """Somebody wants a decision to look at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "anna"}]})

    decision_id: Annotated[
        DecisionId | None, Field(description="this one; else the first that nobody holds")
    ] = None


class DecideIn(ReviewerIn):
    """Somebody knows where a ticket belongs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "anna", "queue": "Billing"}]})

    queue: Queue


class ItemOut(BaseModel):
    """A decision that waits for a person."""

    decision: StoredOut
    text: Annotated[str | None, Field(description="masked; null unless texts are kept")]
    priority: Annotated[float, Field(description="the highest comes first")]
    claimed_by: Annotated[str | None, Field(description="who holds it")]
    claimed_until: Annotated[float | None, Field(description="seconds since 1970, UTC")]


class ReviewOut(BaseModel):
    """What waits, and those that come first."""

    waiting: Annotated[int, Field(description="all of them, claimed or not")]
    items: list[ItemOut]


class ClaimOut(BaseModel):
    """The decision that is theirs for some time; null where none waits."""

    item: ItemOut | None


class FeedbackOut(BaseModel):
    """What was said is kept."""

    feedback_id: str


class ReleasedOut(BaseModel):
    """Anybody may have it again."""

    decision_id: str


@review.get("/v1/review")
def listed() -> Response:
    """What comes first of what waits."""
    limit = request.args.get("limit", "20")
    if not re.fullmatch("[0-9]{1,4}", limit, re.ASCII) or not 1 <= int(limit) <= MAX_ITEMS:
        errors = [{"field": "limit", "message": f"should be a number from 1 to {MAX_ITEMS}"}]
        raise Problem(INVALID_FIELD, "1 field is not valid.", errors)
    with service().store.read() as connection:
        found = reviews.first(connection, int(limit))
        waiting = reviews.waiting(connection)
    return reply({"waiting": waiting, "items": [asdict(item) for item in found]})


@review.post("/v1/review/claim")
def claim() -> Response:
    """Give somebody a decision that nobody else gets meanwhile."""
    asked = parse(ClaimIn, read_json(request, MAX_BODY))
    with service().store.write() as connection:
        item = reviews.claim(connection, asked.by, _hold(), asked.decision_id)
        if item is None and asked.decision_id is not None:
            raise _refusal(connection, asked.decision_id)
    return reply({"item": asdict(item) if item else None})


@review.post("/v1/review/<decision_id>/decide")
def decide(decision_id: str) -> Response:
    """Say where a ticket belongs: feedback for the next training, and the end of its wait."""
    asked = parse(DecideIn, read_json(request, MAX_BODY))
    with service().store.write(durable=True) as connection:
        feedback_id = reviews.decide(connection, _sane(decision_id), asked.by, asked.queue)
        if feedback_id is None:
            raise _refusal(connection, decision_id)
    return reply({"feedback_id": feedback_id})


@review.post("/v1/review/<decision_id>/release")
def release(decision_id: str) -> Response:
    """Give back a decision that was claimed."""
    asked = parse(ReviewerIn, read_json(request, MAX_BODY))
    with service().store.write() as connection:
        if not reviews.release(connection, _sane(decision_id), asked.by):
            raise _refusal(connection, decision_id)
    return reply({"decision_id": decision_id})


@review.post("/v1/review/<decision_id>/reopen")
def reopen(decision_id: str) -> Response:
    """Take back what one has just decided; it is claimed again."""
    asked = parse(ReviewerIn, read_json(request, MAX_BODY))
    with service().store.write(durable=True) as connection:
        theirs = reviews.reopen(connection, _sane(decision_id), asked.by, UNDO_SECONDS, _hold())
        if not theirs:
            raise _refusal(connection, decision_id)
        item = reviews.claim(connection, asked.by, _hold(), decision_id)
    return reply({"item": asdict(item) if item else None})


def _hold() -> float:
    return service().settings.claim_minutes * 60.0


def _sane(decision_id: str) -> str:
    if not decisions.is_id(decision_id):
        raise _unknown()
    return decision_id


def _refusal(connection: Connection, decision_id: str) -> Problem:
    if not reviews.exists(connection, decision_id):
        return _unknown()
    return Problem(CLAIMED, "Look at GET /v1/review for what is free.")


def _unknown() -> Problem:
    return Problem(NOT_FOUND, "No decision with this id waits for review.")


_ID = (parameter("decision_id", "path", {"type": "string"}, "from the decision"),)
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": 20}
OPERATIONS = (
    Operation(
        "get",
        "/v1/review",
        "review",
        "What waits for a person, the costliest first",
        ReviewOut,
        examples.REVIEW,
        parameters=(parameter("limit", "query", _LIMIT, "items at most"),),
        refusals=(INVALID_FIELD,),
        scope="review",
    ),
    Operation(
        "post",
        "/v1/review/claim",
        "claim",
        "Get a decision to look at; nobody else gets it meanwhile",
        ClaimOut,
        {"item": examples.ITEM},
        asks=ClaimIn,
        refusals=(NOT_FOUND, CLAIMED),
        scope="review",
    ),
    Operation(
        "post",
        "/v1/review/{decision_id}/decide",
        "decide",
        "Say where the ticket belongs",
        FeedbackOut,
        examples.FEEDBACK,
        asks=DecideIn,
        parameters=_ID,
        refusals=(NOT_FOUND, CLAIMED),
        scope="review",
    ),
    Operation(
        "post",
        "/v1/review/{decision_id}/release",
        "release",
        "Give a claimed decision back",
        ReleasedOut,
        examples.RELEASED,
        asks=ReviewerIn,
        parameters=_ID,
        refusals=(NOT_FOUND, CLAIMED),
        scope="review",
    ),
    Operation(
        "post",
        "/v1/review/{decision_id}/reopen",
        "reopen",
        f"Take back what one decided in the last {UNDO_SECONDS:.0f} s",
        ClaimOut,
        {"item": examples.ITEM},
        asks=ReviewerIn,
        parameters=_ID,
        refusals=(NOT_FOUND, CLAIMED),
        scope="review",
    ),
)
