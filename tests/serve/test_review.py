"""The review queue over REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cascade.decision import Decision
from cascade.ticket import Ticket
from serve.app import create_app
from serve.service import Service

TICKET = {"id": "4711", "text": "my vpn, says anna@example.org"}
NOBODY = "0" * 32


@pytest.fixture(autouse=True)
def unsure(cascade: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake leaves tickets to people, as sure as their text says, 0.9 if it says nothing."""
    settled: Callable[[Ticket], Decision] = cascade._decide

    def decide(ticket: Ticket) -> Decision:
        sure = float(ticket.text) if ticket.text.startswith("0.") else 0.9
        plain = settled(ticket)
        return replace(plain, action="review", stage="human", confidence=sure, reason="unsure")

    monkeypatch.setattr(cascade, "_decide", decide)


@pytest.fixture
def ask(client: FlaskClient) -> Callable[..., tuple[int, Any]]:
    """Asks the review API: a path behind /v1/review and a body, if any."""

    def asked(path: str = "", **body: Any) -> tuple[int, Any]:
        address = f"/v1/review{path}"
        reply = client.post(address, json=body) if body else client.get(address)
        return reply.status_code, reply.json

    return asked


def route(client: FlaskClient, **ticket: Any) -> str:
    said: Any = client.post("/v1/route", json=ticket or TICKET).json
    return str(said["decision_id"])


def test_an_empty_queue_is_no_error(ask: Any) -> None:
    assert ask() == (200, {"waiting": 0, "items": []})
    assert ask("/claim", by="anna") == (200, {"item": None})


def test_what_waits_is_listed_the_least_sure_first(client: FlaskClient, ask: Any) -> None:
    ids = {sure: route(client, text=sure) for sure in ("0.8", "0.3", "0.6")}
    status, found = ask("?limit=2")
    assert (status, found["waiting"]) == (200, 3)
    assert [its["decision"]["decision_id"] for its in found["items"]] == [ids["0.3"], ids["0.6"]]
    (first, _) = found["items"]
    assert (first["decision"]["action"], first["decision"]["reason"]) == ("review", "unsure")
    assert (first["text"], first["claimed_by"], first["claimed_until"]) == (None, None, None)


def test_dear_errors_come_first_where_the_bundle_knows_what_they_cost(
    cascade: Any, client: FlaskClient, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = route(client, text="0.3")
    costs = {"costs": {"error": {"Network": 1.0, "Billing": 10.0}}}
    monkeypatch.setattr(cascade, "gates", replace(cascade.gates, plan=costs))
    cheaper = route(client, text="0.3")
    order = [its["decision"]["decision_id"] for its in ask()[1]["items"]]
    assert order == [cheap, cheaper]
    assert ask()[1]["items"][1]["priority"] == pytest.approx(2 + 0.7 * 0.1)


def test_the_text_is_shown_where_it_is_kept(service_of: Callable[..., Service]) -> None:
    client = create_app(service_of(keep_text_days=1)).test_client()
    route(client)
    found: Any = client.get("/v1/review").json
    assert found["items"][0]["text"] == "my vpn, says <email>"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1e2", "٣"])
def test_a_limit_that_is_none_is_named(ask: Any, limit: str) -> None:
    status, problem = ask(f"?limit={limit}")
    assert (status, problem["errors"][0]["field"]) == (422, "limit")


def test_from_claim_to_decision(client: FlaskClient, ask: Any) -> None:
    its = route(client)
    status, claimed = ask("/claim", by="anna")
    assert (status, claimed["item"]["decision"]["decision_id"]) == (200, its)
    assert claimed["item"]["claimed_by"] == "anna"
    for path, other in (("/claim", {"decision_id": its}), (f"/{its}/decide", {"queue": "A"})):
        status, problem = ask(path, by="bert", **other)
        assert (status, problem["type"]) == (409, "/problems/claimed")
    status, told = ask(f"/{its}/decide", by=" anna ", queue="Billing")
    assert (status, list(told)) == (200, ["feedback_id"])
    assert ask(f"/{its}/decide", by="anna", queue="Billing")[0] == 409
    assert ask()[1]["waiting"] == 0


def test_what_is_given_back_is_free_again(client: FlaskClient, ask: Any) -> None:
    its = route(client)
    ask("/claim", by="anna", decision_id=its)
    assert ask(f"/{its}/release", by="bert")[0] == 409
    assert ask(f"/{its}/release", by="anna") == (200, {"decision_id": its})
    assert ask("/claim", by="bert")[1]["item"]["claimed_by"] == "bert"


def test_what_one_has_just_decided_can_be_taken_back(client: FlaskClient, ask: Any) -> None:
    its = route(client)
    assert ask(f"/{its}/reopen", by="anna")[0] == 409
    ask(f"/{its}/decide", by="anna", queue="Billing")
    assert ask(f"/{its}/reopen", by="bert")[0] == 409
    status, again = ask(f"/{its}/reopen", by="anna")
    assert (status, again["item"]["claimed_by"]) == (200, "anna")
    assert ask(f"/{its}/decide", by="anna", queue="Network")[0] == 200


@pytest.mark.parametrize("its", [NOBODY, "x", "a%00b", NOBODY.upper() + "A"])
def test_what_does_not_wait_is_not_found(ask: Any, its: str) -> None:
    for path, body in (("decide", {"queue": "A"}), ("release", {}), ("reopen", {})):
        status, problem = ask(f"/{its}/{path}", by="anna", **body)
        assert (status, problem["type"]) == (404, "/problems/not-found")
    assert ask("/claim", by="anna", decision_id=NOBODY)[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/claim", {"x": 1}, ["by", "x"]),
        ("/claim", {"by": " "}, ["by"]),
        ("/claim", {"by": "a\nb"}, ["by"]),
        ("/claim", {"by": "a" * 201}, ["by"]),
        ("/claim", {"by": "anna", "decision_id": "4711"}, ["decision_id"]),
        (f"/{NOBODY}/decide", {"by": "anna"}, ["queue"]),
        (f"/{NOBODY}/decide", {"by": "anna", "queue": "\u00a0"}, ["queue"]),
        (f"/{NOBODY}/decide", {"by": "anna", "queue": "q" * 201}, ["queue"]),
        (f"/{NOBODY}/decide", {"by": "anna", "queue": 7}, ["queue"]),
        (f"/{NOBODY}/release", {"by": None}, ["by"]),
    ],
)
def test_a_field_at_fault_is_named(ask: Any, path: str, body: Any, at: list[str]) -> None:
    status, problem = ask(path, **body)
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == at
