"""What is logged tells what happened, and nothing that a client sent."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from serve import logs
from serve.app import create_app
from serve.logs import JsonFormatter
from serve.store import Store, keys

SECRET = "hunter2 of mine"
HEADERS = {
    "Authorization": f"Basic {SECRET}",
    "Cookie": f"cascade={SECRET}; {SECRET}=1",
    "Idempotency-Key": SECRET,
    "Origin": f"https://{SECRET}",
    "Referer": f"https://{SECRET}/",
    "User-Agent": SECRET,
    "X-Forwarded-For": SECRET,
    "X-Request-Id": SECRET,
    SECRET.replace(" ", "-"): SECRET,
}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines that were logged by whomever, as they are written."""
    caplog.set_level(logging.DEBUG)
    return lambda: [JsonFormatter().format(record) for record in caplog.records]


@pytest.fixture
def token(store: Store) -> str:
    """A key that may do everything."""
    with store.write() as connection:
        return keys.add(connection, SECRET, keys.SCOPES, None)[1]


def everywhere(value: Any) -> Any:
    """The same JSON with the secret in place of every text, and under a further name."""
    if isinstance(value, dict):
        return {name: everywhere(its) for name, its in value.items()} | {SECRET: SECRET}
    if isinstance(value, list):
        return [everywhere(its) for its in value]
    return SECRET if isinstance(value, str) else value


def ask_everything(client: FlaskClient, headers: dict[str, str]) -> int:
    """Send the secret to all addresses, in each place of a request; how many were asked."""
    asked = 0
    document = client.get("/openapi.json").json or {}
    for rule in client.application.url_map.iter_rules():
        path = rule.rule.replace("<", "{").replace(">", "}").replace("path:", "")
        while "{" in path:
            path = path[: path.index("{")] + SECRET + path[path.index("}") + 1 :]
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            told = document["paths"].get(rule.rule.replace("<", "{").replace(">", "}"), {})
            body = told.get(method.lower(), {}).get("requestBody", {}).get("content", {})
            example = body.get("application/json", {}).get("example", {})
            known = {name: everywhere(its) for name, its in example.items() if name != "path"}
            for sent in (known, everywhere(example)) if example else ({"text": SECRET},):
                where = f"{path}?{SECRET}={SECRET}&limit={SECRET}"
                client.open(where, method=method, json=sent, headers=headers)
                asked += 1
            client.open(path, method=method, data=b"{" + SECRET.encode(), headers=headers)
            client.open(path, method=method, data={SECRET: SECRET}, headers=headers)
    return asked


@pytest.mark.parametrize("auth", ["none", "keys"])
@pytest.mark.usefixtures("watched")
def test_nothing_that_is_sent_to_any_address_is_logged(
    service_of: Any, token: str, lines: Any, auth: str
) -> None:
    client = create_app(service_of(auth=auth)).test_client()
    own = {"Authorization": f"Bearer {token}"} if auth == "keys" else {}
    from_here = {name: value for name, value in HEADERS.items() if name != "Origin"}
    for headers in (HEADERS, from_here | own):
        assert ask_everything(client, headers) > 20
    client.post("/v1/route", json={"text": f"explode {SECRET}"}, headers=own)
    logged = "\n".join(lines())
    assert '"status": 200' in logged
    assert '"status": 500' in logged
    assert "hunter2" not in logged
    assert token.split("_")[-1] not in logged


def test_a_line_tells_who_asked_and_what_became_of_it(client: Any, lines: Any) -> None:
    client.post("/v1/route/batch", json={"tickets": [{"text": "vpn"}] * 3})
    told = json.loads(lines()[-1])
    expected = {
        "event": "request",
        "path": "/v1/route/batch",
        "status": 200,
        "caller": "anyone",
        "tickets": 3,
        "actions": {"route": 3},
        "stages": {"encoder": 3},
        "late": 0,
        "waiting": 0,
        "bundle": "fake-1",
    }
    assert {name: told[name] for name in expected} == expected


def test_a_repeated_answer_and_a_refusal_are_told_as_such(client: Any, lines: Any) -> None:
    for text in ("vpn", "vpn", "invoice"):
        client.post("/v1/route", json={"text": text}, headers={"Idempotency-Key": "k"})
    first, second, third = (json.loads(line) for line in lines()[-3:])
    assert "repeated" not in first
    assert second["repeated"] is True
    assert third["problem"] == "/problems/idempotency-key-reused"


@pytest.mark.parametrize(("level", "written"), [("info", 2), ("warning", 1), ("error", 1)])
def test_the_level_says_which_lines_are_written(
    capsys: pytest.CaptureFixture[str], level: str, written: int
) -> None:
    root, ours = logging.getLogger(), logs.log
    before = root.handlers[:], root.level, ours.level
    try:
        logs.configure(level)
        ours.info("request")
        ours.error("the store is unavailable")
    finally:
        root.handlers[:], root.level, ours.level = before
    assert len(capsys.readouterr().err.splitlines()) == written
