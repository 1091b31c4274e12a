"""Word from the help desk on where tickets belong: also on those that were settled."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from serve import examples
from serve.api import reply
from serve.body import read_json
from serve.openapi import Operation
from serve.parse import parse
from serve.problems import NOT_FOUND, Problem
from serve.review import MAX_BODY, By, DecisionId, FeedbackOut, Queue
from serve.schemas import Id
from serve.service import service
from serve.store import decisions, reviews
from serve.store import feedback as kept

feedback = Blueprint("feedback", __name__)


class FeedbackIn(BaseModel):
    """Where a ticket belongs. Which one: by the decision's id or by your own, one of them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"ticket": "4711", "queue": "Billing", "by": "anna"}]},
    )

    decision_id: DecisionId | None = None
    ticket: Annotated[Id | None, Field(description="your own id; its newest decision is meant")] = (
        None
    )
    queue: Queue
    by: By

    @model_validator(mode="after")
    def _names_one(self) -> FeedbackIn:
        if (self.decision_id is None) == (self.ticket is None):
            raise PydanticCustomError("one", "give either decision_id or ticket")
        return self


@feedback.post("/v1/feedback")
def tell() -> Response:
    """Keep where a ticket belongs; if it waits for review, nobody has to look at it any more."""
    told = parse(FeedbackIn, read_json(request, MAX_BODY))
    with service().store.write(durable=True) as connection:
        found = told.decision_id
        if told.ticket is not None:
            found = kept.newest_decision(connection, told.ticket)
        if found is None or decisions.find(connection, found) is None:
            raise Problem(NOT_FOUND, "No decision is known of it, or it was purged.")
        feedback_id = kept.add(connection, kept.API, found, told.queue, told.by)
        reviews.close(connection, found)
    return reply({"feedback_id": feedback_id})


OPERATIONS = (
    Operation(
        "post",
        "/v1/feedback",
        "feedback",
        "Say where a ticket belongs, settled or not",
        FeedbackOut,
        examples.FEEDBACK,
        asks=FeedbackIn,
        refusals=(NOT_FOUND,),
        scope="review",
    ),
)
