"""A reply goes out when what it says is remembered."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from cascade.decision import Decision
from cascade.llm.client import BadStatus
from cascade.ticket import Ticket
from serve.app import create_app
from serve.intake import Intake, Once, Wishes
from serve.problems import BUSY, REUSED_KEY, Kind, Problem
from serve.service import Service
from serve.store import Store
from serve.store import decisions as queries
from serve.store.tables import decisions, jobs, replies, reviews, texts

TICKET = {"id": "4711", "text": "my vpn, and my iban DE89 3704 0044 0532 0130 00"}
KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def unsure(cascade: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes the fake leave every ticket to people; in time or too late."""

    def make(late: bool) -> None:
        settled: Callable[[Ticket], Decision] = cascade._decide
        changes: dict[str, Any] = {"action": "review", "stage": "human", "late": late}
        monkeypatch.setattr(cascade, "_decide", lambda its: replace(settled(its), **changes))

    return make


def rows(store: Store, table: Any) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(table)))


def test_a_decision_is_found_by_its_id(client: FlaskClient) -> None:
    said: Any = client.post("/v1/route", json=TICKET).json
    found: Any = client.get(f"/v1/decisions/{said['decision_id']}").json
    assert found["finished"] is None
    assert found["created"] > 1.7e9
    for name in ("id", "queue", "confidence", "stages", "labels", "decision_id", "pending"):
        assert found[name] == said[name]
    assert client.get("/v1/decisions/" + "0" * 32).status_code == 404


def test_each_ticket_of_a_batch_is_a_decision(client: FlaskClient, store: Store) -> None:
    said: Any = client.post("/v1/route/batch", json={"tickets": [TICKET, TICKET]}).json
    ids = {its["decision_id"] for its in said["decisions"]}
    assert ids == {row.id for row in rows(store, decisions)}
    assert len(ids) == 2


def test_no_word_of_the_customers_is_kept_unless_the_operator_says_so(
    service_of: Callable[..., Service], store: Store
) -> None:
    client = create_app(service_of()).test_client()
    client.post("/v1/route", json=TICKET | {"explain": True, "every_stage": True}, headers=KEY)
    assert rows(store, texts) == rows(store, jobs) == []
    store.close()
    files = Path(str(store.url.database)).parent.glob("service.sqlite*")
    assert not any(b"vpn" in file.read_bytes() for file in files)


def test_a_kept_text_is_masked(service_of: Callable[..., Service], store: Store) -> None:
    create_app(service_of(keep_text_days=30)).test_client().post("/v1/route", json=TICKET)
    (row,) = rows(store, texts)
    assert row.text == "my vpn, and my iban <iban>"


def test_who_is_unsure_asks_people(
    client: FlaskClient, store: Store, unsure: Callable[[bool], None]
) -> None:
    client.post("/v1/route", json=TICKET)
    assert rows(store, reviews) == []
    unsure(False)
    said: Any = client.post("/v1/route", json=TICKET).json
    assert (said["action"], said["late"], said["pending"]) == ("review", False, False)
    assert [row.decision for row in rows(store, reviews)] == [said["decision_id"]]


def test_what_came_too_late_is_finished_later_and_not_by_people_yet(
    client: FlaskClient, store: Store, unsure: Callable[[bool], None]
) -> None:
    unsure(True)
    said: Any = client.post("/v1/route", json=TICKET).json
    assert (said["action"], said["late"], said["pending"]) == ("review", True, True)
    assert rows(store, reviews) == []
    (job,) = rows(store, jobs)
    assert (job.kind, job.decision, job.attempts) == ("finish", said["decision_id"], 0)
    assert job.payload.startswith("my vpn")


@pytest.mark.parametrize(
    ("reason", "pending"),
    [
        ("as many calls as may be are at the LLM server already", True),
        ("the LLM server is down or cut the connection", True),
        (str(BadStatus(429)), True),
        (str(BadStatus(503)), True),
        (str(BadStatus(401)), False),
        ("the LLM server's reply is not an answer", False),
        ("no stage is sure enough", False),
    ],
)
def test_load_on_the_language_model_gives_no_ticket_to_people_for_good(
    service: Service, cascade: Any, monkeypatch: pytest.MonkeyPatch, reason: str, pending: bool
) -> None:
    settled = cascade._decide
    changes = {"action": "review", "stage": "human", "reason": reason}
    monkeypatch.setattr(cascade, "_decide", lambda its: replace(settled(its), **changes))
    [answer], _ = service.intake.route([Ticket("vpn")], Wishes())
    assert (answer["late"], answer["pending"]) == (False, pending)
    assert bool(rows(service.store, reviews)) != pending


def test_where_nothing_is_finished_later_people_get_it_at_once(
    service_of: Callable[..., Service], store: Store, unsure: Callable[[bool], None]
) -> None:
    unsure(True)
    client = create_app(service_of(finish_later=False)).test_client()
    said: Any = client.post("/v1/route", json=TICKET).json
    assert (said["late"], said["pending"]) == (True, False)
    assert (len(rows(store, reviews)), rows(store, jobs)) == (1, [])


# --- idempotency keys ---


def test_the_same_key_and_body_give_the_same_answer(client: FlaskClient, store: Store) -> None:
    first = client.post("/v1/route", json=TICKET, headers=KEY)
    again = client.post("/v1/route", json=TICKET, headers=KEY)
    assert again.data == first.data
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(rows(store, decisions)) == 1
    other = client.post("/v1/route", json=TICKET, headers={"Idempotency-Key": "k-2"})
    assert other.json != first.json


def test_a_key_is_for_one_body_and_one_address(client: FlaskClient) -> None:
    client.post("/v1/route", json=TICKET, headers=KEY)
    for path, body in (("/v1/route", {"text": "b"}), ("/v1/route/batch", {"tickets": [TICKET]})):
        reply: Any = client.post(path, json=body, headers=KEY)
        assert reply.status_code == 409
        assert reply.json["type"] == REUSED_KEY.type


def test_a_repeated_answer_has_no_explanation(client: FlaskClient) -> None:
    asked = TICKET | {"text": "vpn invoice", "explain": True}
    assert client.post("/v1/route", json=asked, headers=KEY).json["explanation"]  # type: ignore[index]
    assert client.post("/v1/route", json=asked, headers=KEY).json["explanation"] is None  # type: ignore[index]


@pytest.mark.parametrize("key", ["", " ", "two words", "ü", "x" * 201])
def test_a_key_that_is_none_is_named(client: FlaskClient, key: str) -> None:
    reply: Any = client.post("/v1/route", json=TICKET, headers={"Idempotency-Key": key})
    assert reply.status_code == 422
    assert reply.json["errors"][0]["field"] == "Idempotency-Key"


def test_at_the_same_moment_one_answer_is_kept_and_all_get_it(
    service: Service, any_store: Store
) -> None:
    intake = Intake(service.settings, service.engine, any_store)
    once = Once("anyone", "k", b"body")
    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda _: intake.route([Ticket("vpn")], Wishes(), once), range(16)))
    assert len({answers[0]["decision_id"] for answers, _ in said}) == 1
    assert [repeated for _, repeated in said].count(False) == 1
    assert len(rows(any_store, decisions)) == len(rows(any_store, replies)) == 1


def test_two_callers_may_use_the_same_key(service: Service) -> None:
    one, two = (Once(caller, "k", b"body") for caller in ("anna", "bert"))
    [first], _ = service.intake.route([Ticket("vpn")], Wishes(), one)
    [other], repeated = service.intake.route([Ticket("vpn")], Wishes(), two)
    assert (first["decision_id"] != other["decision_id"], repeated) == (True, False)


def test_an_error_while_routing_leaves_no_answer_behind(service: Service) -> None:
    once = Once("anyone", "k", b"body")
    with pytest.raises(RuntimeError):
        service.intake.route([Ticket("explode")], Wishes(), once)
    assert rows(service.store, replies) == rows(service.store, decisions) == []
    assert service.intake.route([Ticket("vpn")], Wishes(), once)[1] is False


def test_storing_is_part_of_the_turn(
    service_of: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a crowd would wait for the database, where nobody counts it and nothing is shed."""
    service = service_of(threads=1, waiting=0)
    told: list[Kind] = []
    add = queries.add

    def watched(*args: Any) -> None:
        with pytest.raises(Problem) as refused, service.engine.turn(150.0):
            pass
        told.append(refused.value.kind)
        add(*args)

    monkeypatch.setattr(queries, "add", watched)
    service.intake.route([Ticket("VPN")], Wishes())
    assert told == [BUSY]
