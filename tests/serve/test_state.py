"""Live figures over REST."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from serve.app import create_app
from serve.service import Service
from serve.store import Store, decisions, deployments, figures, new_id
from serve.store.deployments import ACTIVE, Worker
from serve.store.tables import decisions as table


def state(client: FlaskClient) -> Any:
    reply = client.get("/v1/admin/state")
    assert reply.status_code == 200
    return reply.json


def route(client: FlaskClient) -> Any:
    return client.post("/v1/route", json={"text": "my vpn"}).json


def test_before_anything_happened_all_is_empty_and_not_an_error(client: FlaskClient) -> None:
    told = state(client)
    assert told["bundle"] == "fake-1"
    assert told["day"]["stages"] == [
        {"stage": name, "tickets": 0} for name in ("linear", "encoder", "llm", "human")
    ]
    assert (told["day"]["tickets"], told["day"]["escalated"], told["recent"]) == (0, 0, None)
    nothing = {"waiting": 0, "oldest_seconds": 0.0}
    assert told["review"] == told["pending"] == told["callbacks"] == nothing
    assert told["llm"]["backend"] == "qwen3:4b (logprobs)"


def test_it_answers_while_no_bundle_is_loaded(cold_client: FlaskClient) -> None:
    told = state(cold_client)
    assert (told["bundle"], told["llm"], told["day"]["escalated"]) == ("none", None, None)


def test_what_is_decided_is_counted_where_it_was_settled(
    client: FlaskClient, cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = cascade._decide
    for changes in ({}, {"stage": "linear"}, {"stage": "human", "action": "review"}):
        monkeypatch.setattr(
            cascade, "_decide", lambda its, how=changes: replace(settled(its), **how)
        )
        its = route(client)
    told = state(client)
    shares = {its["stage"]: its["tickets"] for its in told["day"]["stages"]}
    assert shares == {"linear": 1, "encoder": 1, "llm": 0, "human": 1}
    assert (told["day"]["tickets"], told["day"]["escalated"]) == (3, 2)
    assert told["recent"] == {"seconds": 300.0, "tickets": 3, "p50_ms": 9.8, "p95_ms": 9.8}
    assert told["review"]["waiting"] == 1
    client.post(f"/v1/review/{its['decision_id']}/decide", json={"by": "anna", "queue": "A"})
    told = state(client)
    assert (told["review"]["waiting"], told["day"]["feedback"]) == (0, 1)


def test_the_day_is_not_counted_anew_for_every_look(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    route(client)
    assert state(client)["day"]["tickets"] == 1
    route(client)
    told = state(client)
    assert (told["day"]["tickets"], told["recent"]["tickets"]) == (1, 2)
    monkeypatch.setattr("serve.state.FRESH", 0.0)
    assert state(client)["day"]["tickets"] == 2


def test_later_answers_that_are_owed_are_told(
    client: FlaskClient, cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled, late = cascade._decide, {"stage": "human", "action": "review", "late": True}
    monkeypatch.setattr(cascade, "_decide", lambda its: replace(settled(its), **late))
    route(client)
    told = state(client)
    assert (told["pending"]["waiting"], told["review"]["waiting"]) == (1, 0)
    assert 0 <= told["pending"]["oldest_seconds"] < 60


@pytest.mark.usefixtures("watched")
def test_each_worker_names_its_bundle(client: FlaskClient, service: Service) -> None:
    with service.store.write() as connection:
        path = str(service.settings.bundle.absolute())
        other = deployments.begin(connection, f"{path}-2", path)
        assert other is not None
        deployments.name(connection, other, "fake-2")
        deployments.decide(connection, other, ACTIVE)
        deployments.report(connection, Worker("f" * 32, other))
        deployments.report(connection, Worker("e" * 32, other, 7, "damaged"))
    told = {its["id"]: (its["bundle"], its["failure"]) for its in state(client)["workers"]}
    assert told.pop("f" * 32) == ("fake-2", "")
    assert told.pop("e" * 32) == ("fake-2", "damaged")
    assert len(told) == 1


Keep = Callable[..., None]


@pytest.fixture
def keep(any_store: Store) -> Keep:
    """Keeps decisions of the encoder that took some time, and are some seconds old."""

    def made(ms: float, age: float = 0.0, **other: Any) -> None:
        stages = [{"name": "linear", "ms": 0.5}, {"name": "encoder", "ms": ms - 0.5}]
        its = {"id": None, "queue": "A", "confidence": 0.9, "stage": "encoder", "labels": {}}
        its |= {"decision_id": new_id(), "bundle": "b", "action": "route", "pending": False}
        with any_store.write() as connection:
            decisions.add(connection, its | {"stages": stages}, "f")
            of = update(table).where(table.c.id == its["decision_id"])
            connection.execute(of.values(created=time.time() - age, **other))

    return made


def test_times_are_of_the_newest_answers_that_somebody_waited_for(
    any_store: Store, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 102):
        keep(float(number))
    keep(9000.0, age=120.0)
    keep(9000.0, finished=time.time())
    then = time.time() - 60.0
    with any_store.read() as connection:
        assert figures.times(connection, then) == (101, 51.0, 96.0)
        assert figures.times(connection, time.time() + 1) is None
        monkeypatch.setattr(figures, "MOST", 1)
        assert figures.times(connection, then) == (1, 101.0, 101.0)


def test_shares_are_of_the_time_that_is_asked(any_store: Store, keep: Keep) -> None:
    for age in (10.0, 20.0, 90.0):
        keep(1.0, age)
    with any_store.read() as connection:
        assert figures.by_stage(connection, time.time() - 60) == {"encoder": 2}


def test_a_service_without_an_llm_stage_has_none_to_tell_of(
    service_of: Callable[..., Service], cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(cascade), "advisers", {})
    assert state(create_app(service_of()).test_client())["llm"] is None
