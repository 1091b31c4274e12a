"""The REST contract."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator import validate as validate_openapi

from serve import problems
from serve.logs import JsonFormatter

TICKET = {"subject": "VPN", "body": "It drops."}
PAGES = {"/", "/review", "/live", "/login", "/logout", "/openapi.json", "/static/<path:filename>"}
"""Addresses that are no part of the REST interface."""


def matches(document: dict[str, Any], name: str, value: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return bool(Draft202012Validator(schema).is_valid(value))


def fields(reply: Any) -> list[str]:
    return [error["field"] for error in reply.json["errors"]]


def test_a_ticket_becomes_a_decision(client: Any, cascade: Any) -> None:
    reply = client.post("/v1/route", json={**TICKET, "id": "4711"})
    assert reply.status_code == 200
    assert reply.json["id"] == "4711"
    assert reply.json["queue"] == "Network"
    assert reply.json["bundle"] == "fake-1"
    assert list(reply.json) == [
        "id",
        "queue",
        "confidence",
        "stage",
        "action",
        "alternatives",
        "labels",
        "stages",
        "bundle",
        "reason",
        "late",
        "decision_id",
        "pending",
        "explanation",
        "opinions",
    ]
    assert reply.json["explanation"] is None


@pytest.mark.parametrize("ticket", [{"subject": "a"}, {"body": "a"}, {"text": "a"}, TICKET])
def test_any_one_part_of_a_ticket_is_enough(client: Any, ticket: dict[str, str]) -> None:
    assert client.post("/v1/route", json=ticket).status_code == 200


def test_one_ticket_has_a_deadline_by_default_and_a_batch_has_none(
    client: Any, cascade: Any
) -> None:
    client.post("/v1/route", json=TICKET)
    client.post("/v1/route", json={**TICKET, "deadline_ms": 40})
    client.post("/v1/route/batch", json={"tickets": [TICKET]})
    assert cascade.deadlines == [150, 40, None]


def test_a_batch_keeps_its_order(client: Any) -> None:
    tickets = [{"text": "a", "id": str(i)} for i in range(256)]
    reply = client.post("/v1/route/batch", json={"tickets": tickets})
    assert reply.json["bundle"] == "fake-1"
    assert [decision["id"] for decision in reply.json["decisions"]] == [str(i) for i in range(256)]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, ["$"]),
        ([], ["$"]),
        ({"subject": " ", "body": "\n"}, ["$"]),
        ({"text": "a", "subject": "b"}, ["text"]),
        ({"text": 7}, ["text"]),
        ({"text": "a", "id": 7}, ["id"]),
        ({"text": "a", "id": ""}, ["id"]),
        ({"text": "a", "id": "a\nb"}, ["id"]),
        ({"text": "a", "id": "\ud800"}, ["id"]),
        ({"text": "a", "deadline_ms": 0}, ["deadline_ms"]),
        ({"text": "a", "deadline_ms": 60_001}, ["deadline_ms"]),
        ({"text": "a", "deadline_ms": "40"}, ["deadline_ms"]),
        ({"text": "a", "deadline_ms": True}, ["deadline_ms"]),
        ({"text": "a", "deadline_ms": 10**400}, ["deadline_ms"]),
        ({"text": "a", "explain": "yes"}, ["explain"]),
        ({"text": "a", "explain": 1}, ["explain"]),
        ({"text": "a", "every_stage": 1}, ["every_stage"]),
        ({"text": "a", "priority": 1, "x": 2}, ["priority", "x"]),
        ({"text": "a", "\ud800": 1}, ["$"]),
    ],
)
def test_a_field_at_fault_is_named(client: Any, body: Any, at: list[str]) -> None:
    reply = client.post("/v1/route", json=body)
    assert reply.status_code == 422
    assert fields(reply) == at


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, ["tickets"]),
        ({"tickets": []}, ["tickets"]),
        ({"tickets": [{"text": "a"}] * 257}, ["tickets"]),
        ({"tickets": [{"text": "a"}, {"subject": ""}]}, ["tickets[1]"]),
        ({"tickets": [TICKET, TICKET, TICKET, {"text": "a", "deadline_ms": 1}]},
         ["tickets[3].deadline_ms"]),
        ({"tickets": [TICKET], "deadline_ms": -1}, ["deadline_ms"]),
        ({"tickets": [TICKET], "explain": None}, ["explain"]),
        ({"tickets": [{"text": "a", "explain": True}]}, ["tickets[0].explain"]),
        ({"tickets": 7, "explain": True}, ["tickets"]),
    ],
)  # fmt: skip
def test_a_field_at_fault_in_a_batch_is_named(client: Any, body: Any, at: list[str]) -> None:
    reply = client.post("/v1/route/batch", json=body)
    assert reply.status_code == 422
    assert fields(reply) == at


def test_a_decision_is_explained_when_asked(client: Any) -> None:
    why = client.post("/v1/route", json={"text": "VPN invoice", "explain": True}).json[
        "explanation"
    ]
    assert (why["queue"], why["against"]) == ("Network", "Billing")
    assert [word["text"] for word in why["words"]] == ["VPN", "invoice"]
    assert [near["queue"] for near in why["neighbours"]] == ["Billing", "Network"]
    assert why["gates"][0]["text"] == (
        "linear: 60.0 % for Billing, 20.0 points under the 80.0 % at which it settles"
    )


def test_each_stage_says_what_it_thinks_alone_when_asked(client: Any) -> None:
    asked = {"text": "VPN invoice", "every_stage": True}
    reply = client.post("/v1/route", json=asked).json
    assert [its["stage"] for its in reply["opinions"]]
    assert reply["opinions"][0]["queue"] in ("Billing", "Network")
    assert client.post("/v1/route", json={"text": "VPN"}).json["opinions"] is None


def test_each_of_a_few_tickets_is_explained_and_no_more(client: Any) -> None:
    tickets = [{"text": "vpn"}, {"text": "invoice"}] * 16
    reply = client.post("/v1/route/batch", json={"tickets": tickets, "explain": True})
    told = [decision["explanation"]["words"] for decision in reply.json["decisions"]]
    assert [words[0]["text"] for words in told] == ["vpn", "invoice"] * 16
    reply = client.post("/v1/route/batch", json={"tickets": [*tickets, TICKET], "explain": True})
    assert reply.status_code == 422
    assert fields(reply) == ["explain"]
    assert "at most 32 tickets" in reply.text
    plain = client.post("/v1/route/batch", json={"tickets": [*tickets, TICKET]}).json
    assert {decision["explanation"] for decision in plain["decisions"]} == {None}


def test_an_explanation_holds_the_customers_words_and_the_log_does_not(
    client: Any, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = client.post("/v1/route", json={"text": secret, "explain": True})
    assert "hunter2" in str(reply.json["explanation"]["words"])
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert lines
    assert "hunter2" not in str(lines)


def test_half_a_surrogate_pair_and_nul_do_not_stop_a_ticket(client: Any) -> None:
    body = rb'{"text": "cut in an emoji \ud83d", "subject": null, "body": null}'
    reply = client.post("/v1/route", data=body, content_type="application/json")
    assert reply.status_code == 200
    assert client.post("/v1/route", json={"text": "a\0b"}).status_code == 200


def test_health_needs_no_bundle_and_readiness_does(client: Any, cold_client: Any) -> None:
    assert cold_client.get("/healthz").json == {"status": "alive", "bundle": "none"}
    for reply in (cold_client.get("/readyz"), cold_client.post("/v1/route", json=TICKET)):
        assert reply.status_code == 503
        assert reply.headers["Retry-After"] == "1"
        assert reply.headers["Cascade-Bundle"] == "none"
        assert reply.json["type"] == "/problems/not-ready"
    assert client.get("/readyz").json == {
        "status": "ready",
        "bundle": "fake-1",
        "deployment": None,
        "queues": ["Billing", "Network"],
        "stages": ["linear", "encoder", "llm"],
        "advisers": {
            "llm": {"backend": "qwen3:4b (logprobs)", "fitted": True, "counts": {"answered": 7}}
        },
    }


def test_openapi_is_valid_and_tells_the_truth(client: Any) -> None:
    document = client.get("/openapi.json").json
    validate_openapi(document, cls=OpenAPIV31SpecValidator)
    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    paths = {re.sub(r"<(\w+)>", r"{\1}", rule) for rule in rules}
    assert set(document["paths"]) == paths - PAGES

    def matching(name: str, value: Any) -> None:
        assert matches(document, name, value), name

    matching("DecisionOut", client.post("/v1/route", json=TICKET).json)
    asked = {"text": "vpn invoice", "explain": True}
    matching("DecisionOut", client.post("/v1/route", json=asked).json)
    matching("BatchOut", client.post("/v1/route/batch", json={"tickets": [TICKET]}).json)
    matching("HealthOut", client.get("/healthz").json)
    matching("ReadyOut", client.get("/readyz").json)
    matching("ProblemOut", client.get("/nowhere").json)


@pytest.mark.usefixtures("watched")
def test_openapi_examples_fit_their_schemas_and_are_answered(client: Any) -> None:
    document = client.get("/openapi.json").json
    seen = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation:
                example = operation["requestBody"]["content"]["application/json"]["example"]
                # Who holds a placeholder for an id is told that there is none.
                expected = 404 if "{" in path else 200
                assert client.open(path, method=method, json=example).status_code == expected
            for reply in operation["responses"].values():
                for kind, content in reply["content"].items():
                    if not kind.endswith("json"):
                        continue
                    name = content["schema"]["$ref"].rsplit("/", 1)[-1]
                    values = [e["value"] for e in content.get("examples", {}).values()]
                    for value in values or [content["example"]]:
                        assert matches(document, name, value)
                        seen += 1
    assert seen > 10


def test_every_kind_of_problem_has_its_own_type() -> None:
    types = [kind.type for kind in problems.KINDS]
    assert len(set(types)) == len(types)


def test_the_document_is_plain_json(client: Any) -> None:
    assert json.loads(client.get("/openapi.json").data)["openapi"] == "3.1.0"
