"""Signing in to the console: for 12 hours a signed cookie stands for an API key.

The cookie holds the key's id and not the key, and is of no use once the key is revoked. As a
browser sends it along whoever asks, a request that changes something and comes with the cookie
needs the session's token as well, and must not come from another site (OWASP, "Cross-Site Request
Forgery Prevention": synchronizer token, Fetch Metadata, Origin).
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets as randomness
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, redirect, render_template, request
from flask import session as cookie
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from serve.limits import Limiter
from serve.problems import CROSS_SITE, MALFORMED, TOO_LARGE, Problem
from serve.store.keys import Key, KeyRing

LASTS = timedelta(hours=12)
CONSOLE = "review"
"""The scope that a key needs for the console."""
TOKEN_HEADER, TOKEN_FIELD = "X-CSRF-Token", "csrf_token"
LOGIN, LOGOUT = "/login", "/logout"

TRIES, TRIES_A_SECOND = 10, 0.1
"""How often an address may try to sign in: ten times at once, then every ten seconds."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_FORM = "application/x-www-form-urlencoded"
_LARGEST_FORM = 16 * 1024
_NO_KEY = "This is no key, or it has expired or was revoked."
_WRONG_SCOPE = f"This key has neither the scope {CONSOLE} nor admin."


def csrf_token() -> str:
    """The token of the session, for templates; empty where there is none, and none is needed."""
    return str(cookie.get("csrf", ""))


def signed_in() -> str:
    """The name of the key that is signed in; empty where nobody is."""
    return str(cookie["name"]) if cookie.get("key") == g.caller else ""


def refuse_cross_site() -> None:
    """Refuse a request that changes something and that another site had a browser send.

    Programs that are no browsers send neither header, and pass.

    Raises:
        Problem: 403.
    """
    if request.method in _SAFE:
        return
    # Only browsers send it, no script can set it, and no proxy on the way changes what it says.
    from_where = request.headers.get("Sec-Fetch-Site")
    if from_where is None:
        origin = request.headers.get("Origin")
        trusted = origin is None or urlsplit(origin).netloc == request.host
    else:
        trusted = from_where in ("same-origin", "none")
    if not trusted:
        raise Problem(CROSS_SITE, "Only the service's own pages may do that in a browser.")


def refuse_forged() -> None:
    """Refuse a request that changes something in a session without the session's token.

    Raises:
        Problem: 403, or 400 and 413 for a form that cannot be read.
    """
    refuse_cross_site()
    if request.method in _SAFE:
        return
    given = request.headers.get(TOKEN_HEADER) or _field(TOKEN_FIELD)
    token = csrf_token()
    if not token or not hmac.compare_digest(token.encode(), given.encode()):
        raise Problem(CROSS_SITE, f"Send the session's token as {TOKEN_HEADER}; reload the page.")


class Sessions:
    """Signs in, signs out, and knows whose session a request belongs to.

    Args:
        keys: of which one is needed.
        secret: gives what the cookies are signed with; the same in every worker.
        needed: whether anybody has to sign in at all.
    """

    def __init__(self, keys: KeyRing, secret: Callable[[], bytes], needed: bool) -> None:
        self._keys, self._secret, self._needed = keys, secret, needed
        self._tries = Limiter(TRIES_A_SECOND, TRIES)

    def serve(self, app: Flask) -> None:
        """Give an app its cookies, its pages to sign in and out, and what templates need."""
        app.session_interface = Cookies(self._secret)
        app.config.update(
            SESSION_COOKIE_SAMESITE="Strict",
            PERMANENT_SESSION_LIFETIME=LASTS,
            SESSION_REFRESH_EACH_REQUEST=False,  # 12 hours after signing in, whatever was done
        )
        app.add_url_rule(LOGIN, view_func=self.login, methods=["GET", "POST"])
        app.add_url_rule(LOGOUT, view_func=self.logout, methods=["POST"])
        app.add_template_global(csrf_token)
        app.add_template_global(signed_in)

    def key(self) -> Key | None:
        """The key that the request's cookie stands for, while it is valid."""
        key_id = cookie.get("key")
        return self._keys.find(key_id) if key_id else None

    def login(self) -> AnyResponse:
        """The form to sign in with a key, and what it leads to."""
        if not self._needed:
            return _to("/")
        if request.method != "POST":
            return _form()
        refuse_cross_site()  # else another site could sign somebody in as somebody else
        wait = self._tries.wait(request.remote_addr or "")
        if wait:
            seconds = math.ceil(wait)
            refusal = _form(f"Too many tries. Wait {seconds} s.", HTTPStatus.TOO_MANY_REQUESTS)
            refusal.headers["Retry-After"] = str(seconds)
            return refusal
        key = self._keys.check(_field("key").strip())
        if key is None:
            return _form(_NO_KEY, HTTPStatus.UNAUTHORIZED)
        if not key.allows(CONSOLE):
            return _form(_WRONG_SCOPE, HTTPStatus.FORBIDDEN)
        cookie.clear()
        cookie.update(key=key.id, name=key.name, csrf=randomness.token_urlsafe(32))
        cookie.permanent = True
        return _to("/")

    def logout(self) -> AnyResponse:
        """Forget the session in this browser."""
        cookie.clear()
        return _to(LOGIN)


class Cookies(SecureCookieSessionInterface):
    """Flask's signed cookies. A request without one reads and signs nothing.

    Args:
        secret: gives what they are signed with.
    """

    digest_method = staticmethod(hashlib.sha256)

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret

    def get_cookie_name(self, app: Flask) -> str:
        """Under TLS one that browsers take from this very host only, and only over TLS."""
        return "__Host-cascade" if request.is_secure else "cascade"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the browser may send it over TLS only."""
        return request.is_secure

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Signs and checks, with the secret that all workers share."""
        app.secret_key = self._secret()
        return super().get_signing_serializer(app)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """What the request's cookie holds."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


def _form(fault: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(render_template("login.html", fault=fault), status)


def _to(address: str) -> AnyResponse:
    return redirect(address, HTTPStatus.SEE_OTHER)


def _field(name: str) -> str:
    """A field of the form that was sent; empty if there is none."""
    if request.mimetype != _FORM:
        return ""
    request.max_content_length = _LARGEST_FORM
    try:
        return request.form.get(name, "")
    except RequestEntityTooLarge:
        raise Problem(TOO_LARGE, f"A form may hold at most {_LARGEST_FORM} bytes.") from None
    except ClientDisconnected:
        raise Problem(MALFORMED, "The form ended early.") from None
