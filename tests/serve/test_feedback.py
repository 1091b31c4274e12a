"""Word from the help desk over REST."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from serve.store import Store
from serve.store.tables import feedback

TICKET = {"id": "4711", "text": "my vpn"}
TOLD = {"queue": "Billing", "by": "anna"}


def route(client: FlaskClient) -> str:
    said: Any = client.post("/v1/route", json=TICKET).json
    return str(said["decision_id"])


def tell(client: FlaskClient, **body: Any) -> tuple[int, Any]:
    reply = client.post("/v1/feedback", json=TOLD | body)
    return reply.status_code, reply.json


def rows(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(feedback).order_by(feedback.c.created)))


def test_a_settled_ticket_is_corrected_by_its_decision(client: FlaskClient, store: Store) -> None:
    its = route(client)
    status, said = tell(client, decision_id=its)
    (row,) = rows(store)
    assert (status, said) == (200, {"feedback_id": row.id})
    assert (row.decision, row.ticket, row.queue, row.source, row.by) == (
        its, "4711", "Billing", "api", "anna",
    )  # fmt: skip


def test_by_its_own_id_the_newest_decision_is_meant(client: FlaskClient, store: Store) -> None:
    route(client)
    second = route(client)
    assert tell(client, ticket="4711")[0] == 200
    assert [row.decision for row in rows(store)] == [second]


def test_any_queue_may_be_named_as_one_may_be_new_tomorrow(
    client: FlaskClient, store: Store
) -> None:
    route(client)
    tell(client, ticket="4711", queue=" Löschen & Sonstiges 🗑 ")
    assert [row.queue for row in rows(store)] == ["Löschen & Sonstiges 🗑"]


def test_who_waits_for_review_waits_no_more(
    client: FlaskClient, cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = cascade._decide
    changes = {"action": "review", "stage": "human"}
    monkeypatch.setattr(cascade, "_decide", lambda its: replace(settled(its), **changes))
    its = route(client)
    assert client.get("/v1/review").json["waiting"] == 1  # type: ignore[index]
    tell(client, decision_id=its)
    assert client.get("/v1/review").json["waiting"] == 0  # type: ignore[index]
    late = client.post(f"/v1/review/{its}/decide", json=TOLD)
    assert late.status_code == 409


@pytest.mark.parametrize("names", [{"ticket": "0815"}, {"decision_id": "0" * 32}])
def test_of_what_nothing_is_known_nothing_is_kept(
    client: FlaskClient, store: Store, names: dict[str, str]
) -> None:
    status, problem = tell(client, **names)
    assert (status, problem["type"], rows(store)) == (404, "/problems/not-found", [])


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "$"),
        ({"ticket": "1", "decision_id": "0" * 32}, "$"),
        ({"ticket": ""}, "ticket"),
        ({"ticket": "1", "queue": ""}, "queue"),
        ({"ticket": "1", "by": "\t"}, "by"),
        ({"ticket": "1", "text": "no text is asked for"}, "text"),
    ],
)
def test_a_field_at_fault_is_named(client: FlaskClient, body: Any, at: str) -> None:
    status, problem = tell(client, **body)
    assert (status, problem["errors"][0]["field"]) == (422, at)
