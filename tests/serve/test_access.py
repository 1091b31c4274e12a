"""Who may call what."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cascade.errors import InputError
from serve.access import OPEN, require_a_key
from serve.app import create_app
from serve.logs import JsonFormatter
from serve.service import Service
from serve.settings import Settings
from serve.store import Store, keys

TICKET = {"text": "VPN"}
Add = Callable[..., str]
App = Callable[..., Flask]


@pytest.fixture
def add(store: Store) -> Add:
    """Makes a key with scopes and gives its token."""

    def make(*scopes: str, expires: float | None = None) -> str:
        with store.write() as connection:
            return keys.add(connection, "a key", scopes or ("route",), expires)[1]

    return make


@pytest.fixture
def app_of(service_of: Callable[..., Service]) -> App:
    """Makes an app whose callers need keys, unless settings say otherwise."""

    def make(**settings: Any) -> Flask:
        return create_app(service_of(**{"auth": "keys", **settings}))

    return make


@pytest.fixture
def keyed(app_of: App) -> FlaskClient:
    """A client of a service whose callers need keys; make the keys before it is asked."""
    return app_of().test_client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def route(client: FlaskClient, headers: dict[str, str] | None = None, query: str = "") -> Any:
    return client.post("/v1/route" + query, json=TICKET, headers=headers)


def revoke(store: Store, token: str) -> None:
    with store.write() as connection:
        assert keys.revoke(connection, token.split("_")[1])


# --- keys ---


def test_a_key_with_the_scope_may_call_and_is_who_calls(
    keyed: FlaskClient, add: Add, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serve")
    token = add("route")
    assert route(keyed, bearer(token)).status_code == 200
    (line,) = (JsonFormatter().format(record) for record in caplog.records)
    assert f'"caller": "{token.split("_")[1]}"' in line
    assert token.split("_")[2] not in line


def test_without_a_key_one_is_asked_for(keyed: FlaskClient) -> None:
    reply = route(keyed)
    assert (reply.status_code, reply.json["type"]) == (401, "/problems/unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Bearer csc_", "Basic YTpi", "bearer\t", "{token}",
     "Bearer {token} x", "Bearer {token}x", "Bearer {TOKEN}", "Bearer \u00e9", "Token {token}"],
)  # fmt: skip
def test_a_malformed_header_is_no_key(keyed: FlaskClient, add: Add, header: str) -> None:
    token = add("route")
    sent = header.format(token=token, TOKEN=token.upper())
    reply = route(keyed, {"Authorization": sent})
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert token not in reply.text


def test_the_scheme_may_be_written_in_any_case(keyed: FlaskClient, add: Add) -> None:
    assert route(keyed, {"Authorization": f"bearer {add()}"}).status_code == 200


def test_unknown_revoked_and_expired_keys_get_the_same_answer(
    keyed: FlaskClient, store: Store, add: Add
) -> None:
    revoked = add("route")
    revoke(store, revoked)
    unknown = f"csc_{'0' * 12}_{'0' * 64}"
    replies = [
        route(keyed, bearer(token)) for token in (unknown, revoked, add(expires=time.time() - 1))
    ]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.json["detail"] for reply in replies}) == 1
    assert {reply.headers["WWW-Authenticate"] for reply in replies} == {
        'Bearer error="invalid_token"'
    }


def test_a_key_in_the_query_string_counts_for_nothing(keyed: FlaskClient, add: Add) -> None:
    token = add("route")
    for name in ("key", "api_key", "access_token", "Authorization"):
        assert route(keyed, query=f"?{name}={token}").status_code == 401


def test_a_wrong_scope_is_refused_and_the_right_one_named(keyed: FlaskClient, add: Add) -> None:
    reply = route(keyed, bearer(add("review", "metrics")))
    assert (reply.status_code, reply.json["type"]) == (403, "/problems/forbidden")
    assert "scope route" in reply.json["detail"]


def test_admin_may_do_everything(keyed: FlaskClient, add: Add) -> None:
    assert route(keyed, bearer(add("admin"))).status_code == 200


def test_a_key_is_replaced_without_a_gap(keyed: FlaskClient, store: Store, add: Add) -> None:
    old, new = add("route"), add("route")
    assert [route(keyed, bearer(token)).status_code for token in (old, new)] == [200, 200]
    revoke(store, old)
    end = time.monotonic() + 2
    while route(keyed, bearer(old)).status_code != 401:
        assert time.monotonic() < end, "revoking takes 2 seconds at most"
        time.sleep(0.02)
    assert route(keyed, bearer(new)).status_code == 200


def test_idempotency_keys_of_two_callers_do_not_meet(keyed: FlaskClient, add: Add) -> None:
    tokens = [add("route"), add("route")]
    ids = [
        route(keyed, bearer(token) | {"Idempotency-Key": "1"}).json["decision_id"]
        for token in (*tokens, tokens[0])
    ]
    assert ids[0] == ids[2] != ids[1]


# --- addresses ---


def test_every_address_needs_a_key_but_for_the_few_that_are_open(keyed: FlaskClient) -> None:
    answered = set()
    for rule in keyed.application.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            reply = keyed.open(path, method=method)
            page = not path.startswith(("/v1/", "/metrics"))
            if reply.status_code == 303 and page:
                assert reply.headers["Location"] == "/login"
            elif reply.status_code != 401 or path == "/login":
                answered.add(rule.rule)
    assert answered == {*OPEN, "/healthz", "/readyz"}


def test_whoever_has_no_key_is_told_that_it_is_ready_and_not_what_for(keyed: FlaskClient) -> None:
    rest = dict.fromkeys(("queues", "stages", "advisers"))
    told = {"status": "ready", "bundle": "fake-1", "deployment": None, **rest}
    assert keyed.get("/readyz").json == told


def test_which_methods_there_are_is_told_to_nobody_without_a_key(keyed: FlaskClient) -> None:
    assert keyed.options("/v1/route").status_code == 303


def test_an_address_that_nobody_thought_of_is_closed(app_of: App, add: Add) -> None:
    app = app_of()
    app.add_url_rule("/v1/forgotten/<int:number>", view_func=lambda number: f"secret {number}")
    route_key, admin_key, client = add("route"), add("admin"), app.test_client()
    assert client.get("/v1/forgotten/7").status_code == 303
    assert client.get("/v1/forgotten/7", headers=bearer(route_key)).status_code == 403
    assert client.get("/v1/forgotten/7", headers=bearer(admin_key)).text == "secret 7"


def test_what_does_not_exist_is_not_found_without_a_key(keyed: FlaskClient) -> None:
    assert keyed.get("/v1/nowhere").status_code == 404
    assert keyed.get("/v1/route").status_code == 405


def test_head_needs_what_get_needs(keyed: FlaskClient, add: Add) -> None:
    address = "/v1/decisions/" + "0" * 32
    assert keyed.head(address).status_code == 401
    assert keyed.head(address, headers=bearer(add("route"))).status_code == 404


# --- where nobody needs a key ---


def test_without_keys_everything_is_open(client: FlaskClient) -> None:
    assert route(client).status_code == 200
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "x"},
     {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9"},
     {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}],
)  # fmt: skip
def test_without_keys_no_other_site_may_change_anything(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    reply = route(client, headers)
    assert (reply.status_code, reply.json["type"]) == (403, "/problems/cross-site")
    assert client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}],
)
def test_without_keys_the_own_page_may(client: FlaskClient, headers: dict[str, str]) -> None:
    assert route(client, headers).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:9", "[::1]:8080"])
def test_without_keys_this_machine_is_answered_by_its_names(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.7", "["]
)
def test_without_keys_a_foreign_name_for_this_machine_is_refused(
    client: FlaskClient, host: str
) -> None:
    reply = client.get("/v1/decisions/1", headers={"Host": host})
    assert (reply.status_code, reply.json["type"]) == (421, "/problems/misdirected")
    assert host not in reply.text


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
def test_without_keys_what_a_proxy_passes_on_is_refused_and_the_setting_named(
    client: FlaskClient, app_of: App, name: str
) -> None:
    reply = client.get("/review", headers={name: "for=10.0.0.7"})
    assert (reply.status_code, reply.json["type"]) == (421, "/problems/misdirected")
    assert "CASCADE_PROXIES" in reply.json["detail"]
    chosen = app_of(auth="none", proxies=1).test_client()
    assert chosen.get("/healthz", headers={name: "for=10.0.0.7"}).status_code == 200


def test_behind_keys_any_name_will_do(keyed: FlaskClient, add: Add) -> None:
    headers = bearer(add("route")) | {"Host": "tickets.internal", "Origin": "http://x.example"}
    assert route(keyed, headers).status_code == 200


@pytest.mark.parametrize(
    ("settings", "needed"),
    [({}, False), ({"proxies": 1}, True), ({"host": "0.0.0.0"}, True),
     ({"auth": "none", "proxies": 1}, False)],
)  # fmt: skip
def test_a_service_that_a_proxy_shows_to_others_needs_keys(
    settings: dict[str, Any], needed: bool
) -> None:
    assert Settings(**settings).authenticated is needed


def test_a_service_that_needs_keys_and_has_none_does_not_start(store: Store, add: Add) -> None:
    with pytest.raises(InputError, match="cascade key add NAME --scope route"):
        require_a_key(Settings(auth="keys"), store)
    require_a_key(Settings(auth="none"), store)
    revoke(store, add())
    with pytest.raises(InputError, match="cascade key add"):
        require_a_key(Settings(auth="keys"), store)
    add()
    require_a_key(Settings(auth="keys"), store)


# --- rates ---


def test_a_key_that_asks_too_often_is_told_when_to_come_back(app_of: App, add: Add) -> None:
    client = app_of(rate=0.4, burst=3).test_client()
    eager, other = bearer(add()), bearer(add())
    replies = [route(client, eager) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert replies[-1].json["type"] == "/problems/too-many-requests"
    assert replies[-1].headers["Retry-After"] == "3"  # 2.5 s, rounded up
    assert route(client, other).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_workers_share_a_rate(service_of: Callable[..., Service], add: Add) -> None:
    parts = service_of(auth="keys", rate=0.001, burst=6)
    shared = parts.settings.model_copy(update={"workers": 3})
    fresh = Service(shared, parts.engine, parts.store, parts.intake)
    headers = bearer(add())
    workers = [create_app(fresh).test_client() for _ in range(3)]
    answers = [route(client, headers).status_code for client in workers for _ in range(5)]
    assert answers.count(200) == 6


def test_only_who_has_a_key_takes_from_its_rate(app_of: App, add: Add) -> None:
    client = app_of(rate=0.001, burst=1).test_client()
    token = add()
    for _ in range(5):
        assert route(client, bearer(f"csc_{token.split('_')[1]}_{'0' * 64}")).status_code == 401
    assert route(client, bearer(token)).status_code == 200


# --- headers, proxies, cost ---


def test_a_proxy_is_believed_only_when_it_is_expected(app_of: App) -> None:
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "tickets.example"}
    hsts = "Strict-Transport-Security"
    assert hsts not in app_of().test_client().get("/healthz", headers=told).headers
    reply = app_of(proxies=1).test_client().get("/healthz", headers=told)
    assert reply.headers[hsts] == "max-age=31536000"


def test_every_reply_keeps_browsers_careful(keyed: FlaskClient) -> None:
    for path in ("/login", "/openapi.json", "/v1/decisions/1", "/static/style.css", "/nowhere"):
        headers = keyed.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def cost(app: Flask, headers: dict[str, str]) -> float:
    """Milliseconds of looking at a request, the best of many."""
    best = float("inf")
    for _ in range(300):
        with app.test_request_context("/v1/route", method="POST", headers=headers):
            began = time.perf_counter()
            assert app.preprocess_request() is None
            best = min(best, time.perf_counter() - began)
    return best * 1000


def test_looking_at_a_key_costs_less_than_a_fifth_of_a_millisecond(app_of: App, add: Add) -> None:
    keyed = cost(app_of(rate=1e6, burst=100_000), bearer(add()))
    assert keyed - cost(app_of(auth="none"), {}) < 0.2
