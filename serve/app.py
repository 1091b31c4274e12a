"""The Flask app: the addresses, and what holds for every reply.

Every reply names the bundle (``Cascade-Bundle``) and the request (``X-Request-Id``), may load
nothing from elsewhere (a strict content security policy), and leaves one log line. Every error
is a `serve.problems.Problem`; `serve.systemone` alone tells it in another shape.
"""

from __future__ import annotations

import re
import time
import uuid

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from serve import (
    api,
    console,
    deploy,
    feedback,
    metrics,
    openapi,
    review,
    scrape,
    state,
    systemone,
)
from serve.access import Access
from serve.api import reply
from serve.logs import describe, log
from serve.problems import INTERNAL, MEDIA_TYPE, STORE_DOWN, Problem, kind_of
from serve.service import EXTENSION, Service, service
from serve.store import DOWN, code_of

OPERATIONS = (
    *api.OPERATIONS,
    *deploy.OPERATIONS,
    *feedback.OPERATIONS,
    *review.OPERATIONS,
    *scrape.OPERATIONS,
    *state.OPERATIONS,
    *systemone.OPERATIONS,
)
"""What the document describes."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it browsers send forms of our own with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app(parts: Service) -> Flask:
    """The WSGI app around the parts of the service; its engine may still be loading."""
    app = Flask(__name__)
    app.url_map.merge_slashes = False  # an odd address is a 404, not a redirect
    app.extensions[EXTENSION] = parts
    app.register_blueprint(api.api)
    app.register_blueprint(console.console)
    app.register_blueprint(deploy.deploy)
    app.register_blueprint(feedback.feedback)
    app.register_blueprint(review.review)
    app.register_blueprint(scrape.scrape)
    app.register_blueprint(state.state)
    app.register_blueprint(systemone.systemone)
    app.add_url_rule("/openapi.json", view_func=described)
    app.before_request(_begin)
    Access(parts.settings, parts.store, OPERATIONS).guard(app)
    app.after_request(_finish)
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(HTTPException, _answer_http)
    for kind in DOWN:
        app.register_error_handler(kind, _answer_store_down)
    app.register_error_handler(Exception, _answer_unforeseen)
    return app


def described() -> Response:
    """The OpenAPI document of the REST interface."""
    return reply(openapi.document(OPERATIONS))


def request_id(given: str | None) -> str:
    """The id that the request brought, if it can go into a log line as it is, else a new one."""
    return given if given and _SANE_ID.fullmatch(given) else uuid.uuid4().hex


def _begin() -> None:
    g.began = time.perf_counter()
    g.request_id = request_id(request.headers.get("X-Request-Id"))
    g.told = {}


def _finish(response: Response) -> Response:
    for name, value in (_HEADERS | service().engine.header).items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers["X-Request-Id"] = g.request_id
    # The rule and not the path: a path is the client's, and may hold anything.
    rule = request.url_rule.rule if request.url_rule else None
    seconds = time.perf_counter() - g.began
    metrics.requested(request.method, rule, response.status_code, seconds)
    fields = {
        "method": request.method,
        "path": rule,
        "status": response.status_code,
        "ms": round(seconds * 1000, 2),
        "request_id": g.request_id,
        "caller": g.caller,
        "waiting": service().engine.turns.waiting,
        "bundle": service().engine.bundle_id,
        **g.told,
    }
    log.info("request", extra={"fields": fields})
    return response


def _answer(problem: Problem) -> Response:
    metrics.refused(problem.kind)
    g.told["problem"] = problem.kind.type
    if request.blueprint == systemone.systemone.name:
        return systemone.refusal(problem)
    body = problem.to_json(g.request_id)
    return Response(body, problem.kind.status, problem.headers, mimetype=MEDIA_TYPE)


def _answer_http(error: HTTPException) -> Response:
    """Flask's and Werkzeug's own errors (no such address, no such method) in our shape."""
    status = error.code or INTERNAL.status
    # Their descriptions are fixed texts, yet some quote a header: ours say what is needed.
    kind = kind_of(status)
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return _answer(Problem(kind, kind.title + ".", headers=headers))


def _answer_store_down(error: Exception) -> Response:
    """No decision goes out that is not stored: whoever asked has to ask again."""
    fields = {"request_id": g.request_id, "code": code_of(error), **describe(error)}
    log.error("the store is unavailable", extra={"fields": fields})
    detail = "Ask again in a moment; under an idempotency key nothing is done twice."
    return _answer(Problem(STORE_DOWN, detail, headers={"Retry-After": "1"}))


def _answer_unforeseen(error: Exception) -> Response:
    fields = {"request_id": g.request_id, **describe(error)}
    log.error("unforeseen error", extra={"fields": fields})
    return _answer(Problem(INTERNAL, "It was logged under this request's id."))
