"""Signing in to the console, and what a cookie alone may not do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from serve.app import create_app
from serve.service import Service
from serve.sessions import LASTS, TRIES
from serve.store import Store, keys

TICKET = {"text": "VPN"}
Add = Callable[..., str]


@pytest.fixture
def add(store: Store) -> Add:
    """Makes a key with scopes and gives its token."""

    def make(*scopes: str) -> str:
        with store.write() as connection:
            return keys.add(connection, "anna", scopes or ("review", "route"))[1]

    return make


@pytest.fixture
def app(service_of: Callable[..., Service]) -> Flask:
    """A service whose callers need keys, with a page that shows what templates get."""
    app = create_app(service_of(auth="keys"))
    app.add_url_rule(
        "/shown",
        view_func=lambda: render_template_string("{{ signed_in() }}|{{ csrf_token() }}"),
    )
    return app


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A client that keeps cookies."""
    return app.test_client()


def sign_in(browser: FlaskClient, token: str, **options: Any) -> Any:
    return browser.post("/login", data={"key": token}, **options)


def shown(browser: FlaskClient) -> list[str]:
    return browser.get("/shown").text.split("|")


def csrf(browser: FlaskClient) -> dict[str, str]:
    return {"X-CSRF-Token": shown(browser)[1]}


def test_pages_lead_to_the_form_and_a_key_leads_back(browser: FlaskClient, add: Add) -> None:
    reply = browser.get("/")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/login")
    assert 'name="key" type="password"' in browser.get("/login").text
    reply = sign_in(browser, f" {add()} ")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")
    assert browser.get("/").status_code == 200
    assert shown(browser)[0] == "anna"


def test_the_cookie_is_for_this_service_alone_and_holds_no_key(
    browser: FlaskClient, add: Add
) -> None:
    token = add()
    cookie = sign_in(browser, token).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert token.split("_")[2] not in cookie
    assert "Secure" not in cookie
    secure = sign_in(browser, token, base_url="https://localhost").headers["Set-Cookie"]
    assert secure.startswith("__Host-cascade=")
    assert "; Secure" in secure


def test_a_page_can_also_be_asked_for_with_a_key(browser: FlaskClient, add: Add) -> None:
    headers, route_key = {"Authorization": f"Bearer {add('review')}"}, add("route")
    assert browser.get("/", headers=headers).status_code == 200
    assert browser.get("/shown", headers=headers).text == "|", "nobody is signed in by that"
    wrong = browser.get("/", headers={"Authorization": f"Bearer {route_key}"})
    assert wrong.status_code == 403
    assert "scope review" in wrong.json["detail"]


@pytest.mark.parametrize(
    ("scopes", "status", "told"),
    [(None, 401, "This is no key"), (("route", "metrics"), 403, "neither the scope review")],
)
def test_a_key_that_is_not_for_the_console_stays_outside(
    browser: FlaskClient, add: Add, scopes: tuple[str, ...] | None, status: int, told: str
) -> None:
    token = add(*scopes) if scopes else f"csc_{'0' * 12}_{'0' * 64}"
    reply = sign_in(browser, token)
    assert reply.status_code == status
    assert told in reply.text
    assert token not in reply.text
    assert "Set-Cookie" not in reply.headers
    assert browser.get("/").status_code == 303


def test_a_session_has_the_scopes_of_its_key(browser: FlaskClient, add: Add) -> None:
    sign_in(browser, add("review"))
    reply: Any = browser.post("/v1/route", json=TICKET, headers=csrf(browser))
    assert (reply.status_code, reply.json["type"]) == (403, "/problems/forbidden")


def test_a_session_ends_with_its_key(browser: FlaskClient, store: Store, add: Add) -> None:
    token = add()
    sign_in(browser, token)
    with store.write() as connection:
        keys.revoke(connection, token.split("_")[1])
    # Another worker, which does not know the key from before.
    other = create_app(browser.application.extensions["cascade"]).test_client()
    cookie = browser.get_cookie("cascade")
    assert cookie
    other.set_cookie("cascade", cookie.value)
    assert other.get("/").status_code == 303
    assert other.post("/v1/route", json=TICKET).status_code == 401


def test_another_worker_takes_the_cookie(browser: FlaskClient, add: Add) -> None:
    sign_in(browser, add())
    other = create_app(browser.application.extensions["cascade"]).test_client()
    cookie = browser.get_cookie("cascade")
    assert cookie
    other.set_cookie("cascade", cookie.value)
    assert other.get("/").status_code == 200


def test_a_session_ends_after_twelve_hours_whatever_is_done(
    browser: FlaskClient, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(hours=12) == LASTS
    sign_in(browser, add())
    cookie = browser.get_cookie("cascade")
    assert cookie
    assert cookie.max_age or cookie.expires
    assert "Set-Cookie" not in browser.get("/").headers, "using it does not make it last longer"
    monkeypatch.setitem(
        browser.application.config, "PERMANENT_SESSION_LIFETIME", timedelta(0) - LASTS
    )
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("value", ["", "x", "eyJrZXkiOiIxIn0.aaaa.bbbb"])
def test_a_made_up_cookie_is_nobody(browser: FlaskClient, value: str) -> None:
    browser.set_cookie("cascade", value)
    assert browser.get("/").status_code == 303


def test_a_change_needs_the_sessions_token_too(browser: FlaskClient, add: Add) -> None:
    sign_in(browser, add())
    token = csrf(browser)
    assert browser.post("/v1/route", json=TICKET, headers=token).status_code == 200
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": "é"}):
        reply: Any = browser.post("/v1/route", json=TICKET, headers=wrong)
        assert (reply.status_code, reply.json["type"]) == (403, "/problems/cross-site")
    assert browser.get("/v1/decisions/1").status_code == 404, "looking needs none"
    elsewhere = token | {"Sec-Fetch-Site": "cross-site"}
    assert browser.post("/v1/route", json=TICKET, headers=elsewhere).status_code == 403


def test_the_token_of_one_session_is_of_no_use_in_another(app: Flask, add: Add) -> None:
    anna, bert, token = app.test_client(), app.test_client(), add()
    sign_in(anna, token)
    sign_in(bert, token)
    assert bert.post("/v1/route", json=TICKET, headers=csrf(anna)).status_code == 403


def test_signing_out_needs_the_token_and_ends_the_session(browser: FlaskClient, add: Add) -> None:
    sign_in(browser, add())
    assert browser.post("/logout").status_code == 403
    assert browser.get("/logout").status_code == 405
    token = shown(browser)[1]
    reply = browser.post("/logout", data={"csrf_token": token})
    assert (reply.status_code, reply.headers["Location"]) == (303, "/login")
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)
def test_no_other_site_can_sign_somebody_in(
    browser: FlaskClient, add: Add, headers: dict[str, str]
) -> None:
    reply = sign_in(browser, add(), headers=headers)
    assert (reply.status_code, reply.json["type"]) == (403, "/problems/cross-site")
    assert "Set-Cookie" not in reply.headers


def test_tries_to_sign_in_are_counted_by_address(browser: FlaskClient, add: Add) -> None:
    token = add()
    for _ in range(TRIES):
        assert sign_in(browser, "guess").status_code == 401
    reply = sign_in(browser, token)
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) <= 10
    assert "Too many tries" in reply.text
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert sign_in(browser, token, environ_overrides=elsewhere).status_code == 303


def test_a_form_that_is_too_large_is_refused(browser: FlaskClient) -> None:
    assert sign_in(browser, "x" * 20_000).status_code == 413
    assert browser.post("/login", json={"key": "x"}).status_code == 401


def test_where_nobody_needs_a_key_nobody_signs_in(client: FlaskClient) -> None:
    reply = client.get("/login")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/")


def test_the_form_works_without_a_mouse_or_eyes_and_loads_nothing_from_elsewhere(
    browser: FlaskClient,
) -> None:
    reply = sign_in(browser, "guess")
    html = reply.text
    assert '<html lang="en">' in html
    assert re.findall(r'<label for="([^"]+)"', html) == re.findall(r'<input id="([^"]+)"', html)
    assert 'role="alert"' in html
    assert "<script" not in html
    assert re.findall(r"<style|\bstyle=|\son\w+=", html) == []
    assert "form-action 'self'" in reply.headers["Content-Security-Policy"]
