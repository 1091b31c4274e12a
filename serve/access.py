"""Who may call what: looked at once, before every request.

An address says which scope it needs in its `Operation`. One without an operation is a page of the
console, but for the few that are `OPEN`; so an address that was forgotten is closed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import urlsplit

from flask import Flask, g, redirect, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from cascade.errors import InputError
from serve import sessions
from serve.limits import Limiter
from serve.openapi import Operation
from serve.problems import FORBIDDEN, MISDIRECTED, NO_KEY, TOO_MANY, Problem
from serve.sessions import LOGIN, Sessions
from serve.settings import LOOPBACK, Settings
from serve.store import Store
from serve.store.keys import Key, KeyRing, valid

ANYONE = "anyone"
"""Who calls where nobody needs a key."""
TOLD_BY_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
OPEN = frozenset({"/openapi.json", "/static/<path:filename>", LOGIN})
"""Addresses without an operation that everybody may read."""

_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Access:
    """Lets requests in, or not. ``g.caller`` is who calls: a key's id, or `ANYONE`.

    Args:
        settings: what the operator set.
        store: holds the keys and the secret of the sessions.
        operations: of all addresses that are no pages.
    """

    def __init__(self, settings: Settings, store: Store, operations: Iterable[Operation]) -> None:
        self._keyed, self._proxies = settings.authenticated, settings.proxies
        # A name that is not this machine's own leads here if somebody else's name server says so
        # (DNS rebinding): then their page in a browser here could read what no key protects.
        self._local = not self._keyed and settings.host in LOOPBACK and not self._proxies
        self._scopes = {(its.method.upper(), its.path): its.scope for its in operations}
        self._keys = KeyRing(store)
        self._sessions = Sessions(self._keys, lambda: store.secret("session"), self._keyed)
        share = settings.workers
        self._limiter = (
            Limiter(settings.rate / share, max(1.0, settings.burst / share))
            if settings.rate
            else None
        )

    def guard(self, app: Flask) -> None:
        """Look at every request of an app, and give it the pages to sign in and out."""
        self._sessions.serve(app)
        app.before_request(self._look)
        if hops := self._proxies:
            fixed = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)
            app.wsgi_app = fixed  # type: ignore[method-assign]

    def _look(self) -> Response | None:
        g.caller = ANYONE
        if self._local:
            _refuse_other_names()
            _refuse_proxies()
        rule = request.url_rule
        if rule is None:  # there is no such address or method, and that is no secret
            return None
        scope = self._scope(rule)
        if not self._keyed:
            sessions.refuse_cross_site()
        elif scope != "":
            key = self._key()
            if key is None and scope is None:
                return redirect(LOGIN, 303)
            if key is None:
                raise Problem(NO_KEY, "Send Authorization: Bearer KEY.", headers=_CHALLENGE)
            g.caller = key.id
            _refuse_wrong_scope(key, scope or sessions.CONSOLE)
        if scope:
            self._limit()
        return None

    def _scope(self, rule: Rule) -> str | None:
        """The scope that is needed: empty for none; None for a page of the console."""
        method = "GET" if request.method == "HEAD" else request.method
        scope = self._scopes.get((method, _path(rule.rule)))
        return "" if scope is None and rule.rule in OPEN else scope

    def _key(self) -> Key | None:
        """The key that the request came with, in its header or as a session.

        Raises:
            Problem: 401, what the header holds is no valid key; 403, another site sent it.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if key := self._keys.check(token.strip()):
                return key
            told = "This is no key, or it has expired or was revoked."
            raise Problem(NO_KEY, told, headers=_INVALID)
        key = self._sessions.key()
        if key:
            sessions.refuse_forged()
        return key

    def _limit(self) -> None:
        wait = self._limiter.wait(g.caller) if self._limiter else 0.0
        if wait:
            again = {"Retry-After": str(math.ceil(wait))}
            raise Problem(TOO_MANY, "Ask again when Retry-After is over.", headers=again)


def require_a_key(settings: Settings, store: Store) -> None:
    """Refuse to start a service that nobody could call.

    Raises:
        InputError: callers need a key, and there is none.
    """
    if not settings.authenticated:
        return
    with store.read() as connection:
        if not valid(connection):
            told = "no API key is valid, and callers need one: cascade key add NAME --scope route"
            raise InputError(f"{store}: {told}")


def _refuse_wrong_scope(key: Key, scope: str) -> None:
    if not key.allows(scope):
        raise Problem(FORBIDDEN, f"This needs a key with the scope {scope}.")


def _refuse_other_names() -> None:
    try:
        name = urlsplit(f"//{request.host}").hostname
    except ValueError:
        name = None
    if name not in LOOPBACK:
        told = "Without keys only names of this machine are answered, such as localhost."
        raise Problem(MISDIRECTED, told)


def _refuse_proxies() -> None:
    """Refuse what a proxy passes on: it may come from anywhere, by any name."""
    if any(name in request.headers for name in TOLD_BY_PROXIES):
        told = "Behind a proxy callers need keys: set CASCADE_PROXIES to how many there are."
        raise Problem(MISDIRECTED, told)


@cache
def _path(rule: str) -> str:
    """Werkzeug's ``/v1/decisions/<decision_id>`` as OpenAPI writes it."""
    return re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule)
