"""Typed decisions, ``POST /v1/systemone``: a probability an option, as decision models answer.

Clients of that ecosystem can use a cascade where they use such a model, for the questions that the
bundle was trained for: its queues and its other labels. A question is recognised by its options;
what it is called and how it is worded changes nothing. Errors have the shape of that ecosystem,
``{"detail": ...}``, and not that of `serve.problems`.

The contract is the one that ``jevcompat spec`` lists. Nothing is stored and nothing is owed:
whoever wants a decision that is remembered, reviewed or finished later asks ``/v1/route``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from numpy.typing import NDArray
from pydantic import ValidationError

from cascade.stages.base import Heads
from cascade.ticket import Ticket
from serve.api import reply
from serve.body import read_json
from serve.openapi import JSON, Operation, Shape
from serve.parse import LONGEST_NAME, MOST_ERRORS
from serve.problems import BUSY, INVALID_FIELD, MALFORMED, NOT_FOUND, NOT_READY, Kind, Problem
from serve.service import service
from serve.systemone_schemas import (
    LATEST,
    ModelsOut,
    QuestionIn,
    RefusedOut,
    SystemOneIn,
    SystemOneOut,
    text_of,
)

systemone = Blueprint("systemone", __name__)

_ERROR_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "authentication_error",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded_error",
}


class Faults(Problem):
    """Fields at fault: 422."""

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__(INVALID_FIELD, "A field is not valid.")
        self.faults = faults


def status_of(kind: Kind) -> int:
    """Status of a kind of problem here: a body that is no JSON is a field at fault."""
    return INVALID_FIELD.status if kind is MALFORMED else kind.status


def told(problem: Problem) -> dict[str, Any]:
    """A problem as clients of this ecosystem read it."""
    if isinstance(problem, Faults):
        return {"detail": problem.faults}
    if status_of(problem.kind) == INVALID_FIELD.status:
        return {"detail": [_fault((), problem.detail, "json_invalid")]}
    kind = _ERROR_TYPES.get(HTTPStatus(problem.kind.status), "api_usage_error")
    return {"detail": {"error_type": kind, "message": problem.detail}}


def refusal(problem: Problem) -> Response:
    """The reply for a problem."""
    body, status = json.dumps(told(problem)), status_of(problem.kind)
    return Response(body, status, problem.headers, mimetype=JSON)


@systemone.post("/v1/systemone")
def answer() -> Response:
    """Questions about one ticket."""
    settings = service().settings
    asked = _parsed(read_json(request, settings.max_body))
    deadline = settings.deadline_ms if asked.deadline_ms is None else asked.deadline_ms
    ticket = Ticket(text_of(asked.state))
    with service().engine.turn(deadline) as turn:
        heads = turn.router.heads
        _refuse_other_models(asked.model, turn.router.bundle_id)
        meant = {name: head_of(name, its, heads) for name, its in asked.questions.items()}
        [decision], probabilities = turn.weigh([ticket])
    answers = {
        name: answered(its, heads[meant[name]], probabilities[meant[name]][0])
        for name, its in asked.questions.items()
    }
    return reply(
        {
            "model": turn.router.bundle_id,
            "answers": answers,
            "usage": {"input_tokens": len(ticket.text.split()), "output_tokens": 0},
            "x_stage": decision.stage,
            "x_action": decision.action,
            "x_late": decision.late,
        }
    )


@systemone.get("/v1/models")
def models() -> Response:
    """What is in service, and what it can be asked."""
    router = service().engine.router()
    questions = {name: list(classes) for name, classes in router.heads.items()}
    described = {
        router.bundle_id: "this bundle",
        LATEST: "the bundle that is in service, whichever it is",
    }
    return reply(
        {
            "models": [
                {"name": name, "description": its, "release_date": "", "x_questions": questions}
                for name, its in described.items()
            ]
        }
    )


def head_of(name: str, question: QuestionIn, heads: Heads) -> str:
    """The label that a question is about: the one that has all its options among its classes.

    Args:
        name: of the question; it says which label is meant where several have the options.

    Raises:
        Faults: no label has them all, or several have.
    """
    fitting = [head for head, classes in heads.items() if question.criteria.keys() <= set(classes)]
    if name in fitting:
        return name
    if len(fitting) == 1:
        return fitting[0]
    why = "no label of the bundle has all these options; GET /v1/models lists them"
    if fitting:
        why = f"{' and '.join(fitting)} have these options; name the question after the right one"
    raise Faults([_fault(("questions", name, "criteria"), why, "unknown_options")])


def answered(
    question: QuestionIn, classes: tuple[str, ...], probabilities: NDArray[Any]
) -> dict[str, Any]:
    """The answer, of the ``(k,)`` probabilities of a label's classes."""
    by_class = dict(zip(classes, map(float, probabilities), strict=True))
    asked = {option: by_class[option] for option in question.criteria}
    mass, n = sum(asked.values()), len(asked)
    shares = {option: p / mass if mass else 1 / n for option, p in asked.items()}
    choice = max(shares, key=lambda option: shares[option])
    return {
        "type": "choice",
        "choice": choice,
        "probabilities": shares,
        "confidence": max(0.0, (shares[choice] - 1 / n) / (1 - 1 / n)),
        "x_mass": min(1.0, mass),
    }


def _refuse_other_models(asked: str, bundle_id: str) -> None:
    if asked not in (LATEST, bundle_id):
        raise Problem(NOT_FOUND, f"There is no such model; {LATEST} is what is in service.")


def _parsed(value: Any) -> SystemOneIn:
    try:
        return SystemOneIn.model_validate(value, strict=True)
    except ValidationError as error:
        # Without the input, which pydantic's errors quote.
        faults = error.errors(include_input=False, include_context=False, include_url=False)
    raise Faults([_fault(its["loc"], its["msg"], its["type"]) for its in faults[:MOST_ERRORS]])


def _fault(place: tuple[int | str, ...], message: str, rule: str) -> dict[str, Any]:
    loc = [step if isinstance(step, int) else step[:LONGEST_NAME] for step in place]
    return {"loc": ["body", *loc], "msg": message, "type": rule}


_EXAMPLE: Mapping[str, Any] = {
    "model": "support-3f1c9a",
    "answers": {
        "team": {
            "type": "choice",
            "choice": "Network",
            "probabilities": {"Billing": 0.04, "Network": 0.96},
            "confidence": 0.92,
            "x_mass": 0.98,
        }
    },
    "usage": {"input_tokens": 6, "output_tokens": 0},
    "x_stage": "encoder",
    "x_action": "route",
    "x_late": False,
}
_QUESTIONS = {"queue": ["Billing", "Network"]}
_MODEL = {"name": LATEST, "description": "", "release_date": "", "x_questions": _QUESTIONS}
_TOLD = Shape(RefusedOut, JSON, status_of, told)
OPERATIONS = (
    Operation(
        "post",
        "/v1/systemone",
        "systemOne",
        "Typed decisions about a ticket",
        SystemOneOut,
        _EXAMPLE,
        asks=SystemOneIn,
        refusals=(NOT_FOUND, NOT_READY, BUSY),
        scope="route",
        shape=_TOLD,
    ),
    Operation(
        "get",
        "/v1/models",
        "models",
        "What can be asked at /v1/systemone",
        ModelsOut,
        {"models": [_MODEL]},
        refusals=(NOT_READY,),
        scope="route",
        shape=_TOLD,
    ),
)
