"""The OpenAPI 3.1 document of the service, made from the pydantic models.

By hand, and not with spectree: its Flask plug-in reads the body itself and takes malformed JSON
for ``{}``, its validation errors quote the input, and its pages load scripts from a CDN. What
remains to be written once it may do none of that is an `Operation` beside each handler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serve import problems, schemas
from serve.problems import Kind, Problem

API_VERSION = "1.0.0"
JSON = "application/json"

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
_ASKING = (
    problems.MALFORMED,
    problems.TOO_LARGE,
    problems.WRONG_MEDIA_TYPE,
    problems.INVALID_FIELD,
)
"""How a body can be refused."""
_KEYED = (problems.NO_KEY, problems.FORBIDDEN, problems.TOO_MANY, problems.STORE_DOWN)
"""How a caller can be refused whose key is looked up."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How an address tells problems.

    Attributes:
        model: of the reply.
        media_type: of the reply.
        status: of the reply, for a kind of problem.
        told: the reply.
    """

    model: type[BaseModel]
    media_type: str
    status: Callable[[Kind], int]
    told: Callable[[Problem], dict[str, Any]]


PROBLEM = Shape(
    schemas.ProblemOut,
    problems.MEDIA_TYPE,
    lambda kind: kind.status,
    lambda problem: problem.to_dict("8f0c2d4e"),
)
"""As RFC 9457 says."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One address and method.

    Attributes:
        name: for generated clients, ``operationId``.
        path: as OpenAPI writes it, ``/v1/decisions/{decision_id}``.
        summary: a few words.
        reply: model of the answer; None where that is no JSON.
        example: of the answer.
        asks: model of the body; its first ``examples`` is shown.
        parameters: of the path, the query and the headers.
        refusals: further problems than those of every body, of keys and of mistakes.
        scope: that a key needs; empty where everybody may ask.
        media_type: of an answer that is no JSON.
        shape: of its problems.
    """

    method: Literal["get", "post", "delete"]
    path: str
    name: str
    summary: str
    reply: type[BaseModel] | None
    example: Any
    asks: type[BaseModel] | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    refusals: tuple[Kind, ...] = ()
    scope: str = ""
    media_type: str = JSON
    shape: Shape = PROBLEM

    def document(self) -> dict[str, Any]:
        """The operation as OpenAPI writes it."""
        plain: dict[str, Any] = {"operationId": self.name, "summary": self.summary}
        if self.parameters:
            plain["parameters"] = list(self.parameters)
        if self.asks:
            plain["requestBody"] = {
                "required": True,
                "content": _content(self.asks, _example(self.asks)),
            }
        answer = {"description": self.reply.__name__ if self.reply else self.summary}
        content = _content(self.reply, self.example, self.media_type)
        plain["responses"] = {"200": {**answer, "headers": _HEADERS, "content": content}}
        for status, kinds in self._refusals().items():
            plain["responses"][str(status)] = _refusal(status, kinds, self.shape)
        if self.scope:
            plain["security"] = [{"key": [self.scope]}]
        return plain

    def _refusals(self) -> dict[int, list[Kind]]:
        keys = _KEYED if self.scope else ()
        changes = () if self.method == "get" else (problems.CROSS_SITE,)
        asking = _ASKING if self.asks else ()
        kinds = (*asking, *keys, *changes, *self.refusals, problems.INTERNAL)
        by_status: dict[int, list[Kind]] = {}
        for kind in sorted(kinds, key=self.shape.status):
            by_status.setdefault(self.shape.status(kind), []).append(kind)
        return by_status


def parameter(
    name: str, where: Literal["path", "query", "header"], schema: dict[str, Any], told: str
) -> dict[str, Any]:
    """A parameter of an operation."""
    required = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, "schema": schema, "description": told, **required}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document as plain JSON values."""
    models: dict[type[BaseModel], None] = {PROBLEM.model: None}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        its = (operation.asks, operation.reply, operation.shape.model)
        models |= {model: None for model in its if model}
        paths.setdefault(operation.path, {})[operation.method] = operation.document()
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_SCHEMA + "{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ticket-cascade",
            "summary": "Routes support tickets to queues, on your own premises.",
            "version": API_VERSION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key of `cascade key add`, with the scope that is named",
                }
            },
        },
    }


def _content(model: type[BaseModel] | None, example: Any, media_type: str = JSON) -> dict[str, Any]:
    schema = {"$ref": _SCHEMA + model.__name__} if model else {"type": "string"}
    return {media_type: {"schema": schema, "example": example}}


def _example(model: type[BaseModel]) -> Any:
    return (model.model_config.get("json_schema_extra") or {})["examples"][0]  # type: ignore[index]


def _refusal(status: int, kinds: Sequence[Kind], shape: Shape) -> dict[str, Any]:
    """The reply for kinds of problem that share a status."""
    examples = {}
    for kind in kinds:
        fields = [{"field": "deadline_ms", "message": "should be greater than 0"}]
        named = fields if kind is problems.INVALID_FIELD else []
        example = shape.told(Problem(kind, kind.title + ".", named))
        examples[kind.type.rsplit("/", 1)[-1]] = {"value": example}
    headers = _HEADERS | (_RETRY_AFTER if status in (429, 503) else {})
    schema = {"$ref": _SCHEMA + shape.model.__name__}
    content = {shape.media_type: {"schema": schema, "examples": examples}}
    return {"description": kinds[0].title, "headers": headers, "content": content}
