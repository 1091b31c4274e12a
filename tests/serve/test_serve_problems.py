"""One shape of error, whatever is sent; and no ticket text in it, nor in the log."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.app import create_app
from serve.logs import JsonFormatter

JSON = "application/json"
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


def assert_problem(reply: Any, status: int) -> None:
    """The shape, pinned."""
    assert reply.status_code == status
    assert reply.mimetype == "application/problem+json"
    assert list(reply.json)[:5] == ["type", "title", "status", "detail", "request_id"]
    assert set(reply.json) - {"errors"} == {"type", "title", "status", "detail", "request_id"}
    assert reply.json["status"] == status
    assert reply.json["type"].startswith("/problems/")
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]
    for error in reply.json.get("errors", []):
        assert set(error) == {"field", "message"}
    assert ("errors" in reply.json) == (status == 422)
    assert reply.headers["Cascade-Bundle"] == "fake-1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}}",
        b'{"text": "a", "text": "b"}',
        b'{"text": "a", "deadline_ms": NaN}',
        b'{"text": "a", "deadline_ms": -Infinity}',
        b'{"text": "a", "deadline_ms": ' + b"9" * 5000 + b"}",
        b'{"text": "\x00"}',
        b'{"text": "\xff"}',
        b'{"text": "\xed\xa0\x80"}',
        b"[" * 5000,
        b'{"a":' * 1900,
        '{"text": "a"}'.encode("utf-16"),
        '{"text": "a"}'.encode("utf-32"),
    ],
)
def test_what_is_not_plain_json_is_malformed(client: Any, body: bytes) -> None:
    assert_problem(client.post("/v1/route", data=body, content_type=JSON), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", None])
def test_only_json_is_read(client: Any, kind: str | None) -> None:
    assert_problem(client.post("/v1/route", data=b'{"text": "a"}', content_type=kind), 415)


def test_a_charset_parameter_and_a_byte_order_mark_are_let_pass(client: Any) -> None:
    body = b'\xef\xbb\xbf{"text": "a"}'
    reply = client.post("/v1/route", data=body, content_type="application/json; charset=utf-8")
    assert reply.status_code == 200


def test_a_body_over_the_limit_is_refused(client: Any) -> None:
    large = json.dumps({"text": "a" * 10_000}).encode()
    assert_problem(client.post("/v1/route", data=large, content_type=JSON), 413)
    batch = json.dumps({"tickets": [{"text": "a" * 10_000}]}).encode()
    assert client.post("/v1/route/batch", data=batch, content_type=JSON).status_code == 200
    assert_problem(client.post("/v1/route/batch", data=b" " * 100_001, content_type=JSON), 413)


@pytest.mark.parametrize("path", ["/nowhere", "/v1/route/", "/v1//route", "/v1/route/4711"])
def test_an_unknown_address_is_not_found(client: Any, path: str) -> None:
    assert_problem(client.post(path, json={}), 404)


def test_a_wrong_method_names_the_right_ones(client: Any) -> None:
    reply = client.get("/v1/route")
    assert_problem(reply, 405)
    assert set(reply.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_mistake_of_ours_is_logged_without_the_text(
    client: Any, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serve")
    reply = client.post("/v1/route", json={"text": f"explode {secret}"})
    assert_problem(reply, 500)
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert lines[0]["error"] == "RuntimeError"
    assert lines[0]["request_id"] == reply.json["request_id"]
    assert lines[0]["at"]
    assert secret not in reply.text + str(lines)


def test_no_value_of_a_field_is_given_back(client: Any, secret: str) -> None:
    for body in ({"text": [secret]}, {"text": "a", "deadline_ms": secret}, {"subject": {secret: 1}},
                 {"text": "a", "id": secret * 20}, [secret], secret):  # fmt: skip
        reply = client.post("/v1/route", json=body)
        assert_problem(reply, 422)
        assert secret not in reply.text


def test_many_faults_are_counted_but_not_all_listed(client: Any) -> None:
    reply = client.post("/v1/route", json={"text": "a", **{f"x{i}": 1 for i in range(500)}})
    assert_problem(reply, 422)
    assert len(reply.json["errors"]) == 20
    assert reply.json["detail"] == "500 fields are not valid."


def test_a_sane_request_id_is_given_back_and_another_is_replaced(client: Any) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "a-1"}).headers["X-Request-Id"] == "a-1"
    for bad in ("", "a b", "x" * 129, "é", '"}'):
        made = client.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert made != bad
        assert len(made) == 32


def test_a_request_leaves_one_line_of_json(
    client: Any, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serve")
    client.post("/v1/route?" + "q=" + secret, json={"text": secret, "id": "4711"})
    client.get("/" + secret)
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/v1/route", 200),
        ("GET", None, 404),
    ]
    assert lines[0]["bundle"] == "fake-1"
    assert lines[0]["ms"] >= 0
    assert secret.split()[-1] not in str(lines)


def test_a_crowd_is_told_to_come_back(service_of: Any) -> None:
    parts = service_of(threads=1, waiting=0)
    client: Any = create_app(parts).test_client()
    with parts.engine.turn(None):
        reply: Any = client.post("/v1/route", json={"text": "a"})
        assert client.get("/healthz").status_code == 200
    assert_problem(reply, 503)
    assert reply.json["type"] == "/problems/busy"
    assert reply.headers["Retry-After"] == "1"
    assert client.post("/v1/route", json={"text": "a"}).status_code == 200


def test_the_name_of_a_bundle_cannot_break_a_reply(client: Any, cascade: Any) -> None:
    cascade.bundle_id = "Grüße\r\nSet-Cookie: x=1"
    reply = client.post("/v1/route", json={"text": "a"})
    assert reply.status_code == 200
    assert reply.json["bundle"] == cascade.bundle_id
    assert unquote(reply.headers["Cascade-Bundle"]) == cascade.bundle_id
    assert "Set-Cookie" not in reply.headers


def assert_answered(reply: Any) -> None:
    if reply.status_code == 200:
        assert reply.json["bundle"] == "fake-1"
    else:
        assert 400 <= reply.status_code < 500
        assert_problem(reply, reply.status_code)


@shared
@given(st.binary(max_size=300))
def test_any_bytes_get_a_right_answer_or_a_clear_refusal(client: Any, body: bytes) -> None:
    assert_answered(client.post("/v1/route", data=body, content_type=JSON))


any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            any_text | st.sampled_from(["text", "body", "tickets"]), inner, max_size=4
        )
    ),
)
# Objects that have the right fields, with whatever in them.
near_misses = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("subject", "body", "text", "id", "deadline_ms", "tickets"), any_json),
)


@shared
@given(any_json | near_misses, st.sampled_from(["/v1/route", "/v1/route/batch"]))
def test_any_json_gets_a_right_answer_or_a_clear_refusal(
    client: Any, value: Any, path: str
) -> None:
    assert_answered(client.post(path, data=json.dumps(value).encode(), content_type=JSON))
