"""The OpenAPI 3.1 document of the service, made from the pydantic models.

By hand, and not with spectree: its Flask plug-in reads the body itself and takes malformed JSON
for ``{}``, its validation errors quote the input, and its pages load scripts from a CDN. What
remains to be written once it may do none of that is this table.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serve import problems, schemas

API_VERSION = "1.0.0"

_SCHEMA = "#/components/schemas/"
_HEADERS = {
    "Cascade-Bundle": {
        "description": "id of the bundle, percent-encoded; `none` while it is loaded",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {
        "description": "the request's own id if it had a sane one, else a new one",
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}

_DECISION: dict[str, Any] = {
    "id": "4711",
    "queue": "Network",
    "confidence": 0.94,
    "stage": "encoder",
    "action": "route",
    "alternatives": [{"queue": "Hardware", "confidence": 0.03}],
    "labels": {"urgency": {"value": "high", "confidence": 0.81}},
    "stages": [
        {"name": "linear", "queue": "Hardware", "confidence": 0.71, "ms": 0.3},
        {"name": "encoder", "queue": "Network", "confidence": 0.94, "ms": 9.8},
    ],
    "bundle": "3f1c9a",
    "reason": "",
    "explanation": None,
    "opinions": None,
}
_EXPLANATION: dict[str, Any] = {
    "queue": "Network",
    "against": "Hardware",
    "words": [{"text": "VPN", "weight": 2.1}, {"text": "laptop", "weight": -0.4}],
    "neighbours": [
        {"row": 17, "queue": "Network", "similarity": 0.31, "excerpt": "VPN drops at noon"}
    ],
    "gates": [
        {
            "stage": "linear",
            "queue": "Hardware",
            "confidence": 0.71,
            "threshold": 0.92,
            "margin": -0.21,
            "text": "linear: 71.0 % for Hardware, 21.0 points under the 92.0 % at which it settles",
        },
        {
            "stage": "encoder",
            "queue": "Network",
            "confidence": 0.94,
            "threshold": 0.9,
            "margin": 0.04,
            "text": "encoder: 94.0 % for Network, 4.0 points over the 90.0 % at which it settles",
        },
    ],
}
_READY = {
    "status": "ready",
    "bundle": "3f1c9a",
    "queues": ["Hardware", "Network"],
    "stages": ["linear", "encoder", "neighbours", "llm"],
    "advisers": {
        "llm": {
            "backend": "qwen3:4b (logprobs)",
            "fitted": True,
            "counts": {"answered": 311, "late": 4},
        }
    },
}


def _content(model: type[BaseModel], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMA + model.__name__}, "example": example}}


def _reply(description: str, model: type[BaseModel], example: Any) -> dict[str, Any]:
    return {"description": description, "headers": _HEADERS, "content": _content(model, example)}


def _refusal(*kinds: problems.Kind) -> dict[str, Any]:
    """The reply for kinds of problem that share a status."""
    examples = {}
    for kind in kinds:
        fields = [{"field": "deadline_ms", "message": "should be greater than 0"}]
        named = fields if kind is problems.INVALID_FIELD else []
        example = problems.Problem(kind, kind.title + ".", named).to_dict("8f0c2d4e")
        examples[kind.type.rsplit("/", 1)[-1]] = {"value": example}
    headers = _HEADERS | (_RETRY_AFTER if kinds[0].status == 503 else {})
    schema = {"$ref": _SCHEMA + schemas.ProblemOut.__name__}
    content = {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}}
    return {"description": kinds[0].title, "headers": headers, "content": content}


def _post(name: str, summary: str, asks: type[BaseModel], reply: dict[str, Any]) -> dict[str, Any]:
    example = (asks.model_config.get("json_schema_extra") or {})["examples"][0]  # type: ignore[index]
    refused = (
        problems.MALFORMED,
        problems.TOO_LARGE,
        problems.WRONG_MEDIA_TYPE,
        problems.INVALID_FIELD,
        problems.INTERNAL,
    )
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": _content(asks, example)},
            "responses": {
                "200": reply,
                **{str(kind.status): _refusal(kind) for kind in refused},
                "503": _refusal(problems.NOT_READY, problems.BUSY),
            },
        }
    }


def _get(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


@cache
def document() -> dict[str, Any]:
    """The document as plain JSON values."""
    models = (
        schemas.RouteIn,
        schemas.BatchIn,
        schemas.DecisionOut,
        schemas.BatchOut,
        schemas.HealthOut,
        schemas.ReadyOut,
        schemas.ProblemOut,
    )
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_SCHEMA + "{model}"
    )
    explained = _DECISION | {"explanation": _EXPLANATION}
    decision = _reply("The decision", schemas.DecisionOut, explained)
    batch = {"bundle": _DECISION["bundle"], "decisions": [_DECISION]}
    alive = {"status": "alive", "bundle": _DECISION["bundle"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ticket-cascade",
            "summary": "Routes support tickets to queues, on your own premises.",
            "version": API_VERSION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/route": _post("route", "Route one ticket", schemas.RouteIn, decision),
            "/v1/route/batch": _post(
                "routeBatch",
                f"Route up to {schemas.MAX_TICKETS} tickets",
                schemas.BatchIn,
                _reply("The decisions, in order", schemas.BatchOut, batch),
            ),
            "/healthz": _get(
                "health", "Alive?", {"200": _reply("Alive", schemas.HealthOut, alive)}
            ),
            "/readyz": _get(
                "ready",
                "Bundle loaded and warm?",
                {
                    "200": _reply("Ready", schemas.ReadyOut, _READY),
                    "503": _refusal(problems.NOT_READY),
                },
            ),
        },
        "components": {"schemas": definitions["$defs"]},
    }
