"""Errors over HTTP: ``application/problem+json`` (RFC 9457), always in one shape.

    {"type": "/problems/invalid-field", "title": ..., "status": 422, "detail": ...,
     "request_id": ..., "errors": [{"field": "tickets[3].subject", "message": ...}]}

``errors`` is there only where fields are at fault. ``instance`` is left out on purpose: it would
be a URI that leads nowhere; ``request_id`` says which occurrence it was and finds the log line.
No problem ever holds a ticket's text or another value that the client sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem. ``type`` is part of the contract and never changes its meaning."""

    type: str
    title: str
    status: int


MALFORMED = Kind("/problems/malformed-request", "The request is malformed", 400)
NO_KEY = Kind("/problems/unauthorized", "An API key is needed", 401)
FORBIDDEN = Kind("/problems/forbidden", "This key may not do that", 403)
CROSS_SITE = Kind("/problems/cross-site", "Another site may have sent this request", 403)
NOT_FOUND = Kind("/problems/not-found", "There is nothing here", 404)
WRONG_METHOD = Kind("/problems/method-not-allowed", "This address has no such method", 405)
REUSED_KEY = Kind(
    "/problems/idempotency-key-reused", "The idempotency key came with another request", 409
)
CLAIMED = Kind("/problems/claimed", "Somebody else has it, or it is done", 409)
CHANGING = Kind("/problems/bundle-changing", "Another bundle is being put into service", 409)
TOO_LARGE = Kind("/problems/body-too-large", "The body is too large", 413)
WRONG_MEDIA_TYPE = Kind("/problems/unsupported-media-type", "The body must be JSON", 415)
MISDIRECTED = Kind("/problems/misdirected", "This service does not go by that name", 421)
INVALID_FIELD = Kind("/problems/invalid-field", "A field is not valid", 422)
REFUSED_BUNDLE = Kind("/problems/bundle-refused", "The bundle was not put into service", 422)
TOO_MANY = Kind("/problems/too-many-requests", "This key has made too many requests", 429)
INTERNAL = Kind("/problems/internal-error", "The service made a mistake", 500)
NOT_READY = Kind("/problems/not-ready", "The bundle is still being loaded", 503)
DRAINING = Kind("/problems/draining", "The service is about to end", 503)
BUSY = Kind("/problems/busy", "Too many requests are waiting", 503)
STORE_DOWN = Kind("/problems/store-unavailable", "The database cannot be used", 503)

KINDS = (
    MALFORMED,
    NO_KEY,
    FORBIDDEN,
    CROSS_SITE,
    NOT_FOUND,
    WRONG_METHOD,
    REUSED_KEY,
    CLAIMED,
    CHANGING,
    TOO_LARGE,
    WRONG_MEDIA_TYPE,
    MISDIRECTED,
    INVALID_FIELD,
    REFUSED_BUNDLE,
    TOO_MANY,
    INTERNAL,
    NOT_READY,
    DRAINING,
    BUSY,
    STORE_DOWN,
)


def kind_of(status: int) -> Kind:
    """The kind for a bare HTTP status; RFC 9457's ``about:blank`` where it has none of its own."""
    for kind in KINDS:
        if kind.status == status and status != HTTPStatus.SERVICE_UNAVAILABLE:
            return kind
    return Kind("about:blank", HTTPStatus(status).phrase, status)


class Problem(Exception):  # noqa: N818  (the RFC's word)
    """Raised anywhere below a request to answer it with an error.

    Args:
        kind: what sort of error it is.
        detail: one sentence for a person, without values that the client sent.
        errors: the fields at fault, each with ``field`` and ``message``.
        headers: further headers of the reply, such as ``Retry-After``.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def to_dict(self, request_id: str) -> dict[str, Any]:
        """The body of the reply."""
        body: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [dict(error) for error in self.errors]
        return body

    def to_json(self, request_id: str) -> str:
        """The body of the reply as ASCII JSON."""
        return json.dumps(self.to_dict(request_id))
