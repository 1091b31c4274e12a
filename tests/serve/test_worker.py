"""What a deadline cut short is finished in the background, once, whatever happens meanwhile."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cascade.clean import clean
from cascade.decision import Decision
from cascade.llm.base import NoAnswer
from cascade.llm.client import Server
from cascade.router import Cascade
from cascade.ticket import Ticket
from serve import worker
from serve.engine import Engine
from serve.finish import AT_SERVER, ATTEMPTS, FINISHED, GIVEN_UP, Finish
from serve.intake import Intake, Wishes
from serve.service import Service
from serve.settings import Settings
from serve.store import Store, decisions, jobs
from serve.store.tables import decisions as decisions_table
from serve.store.tables import jobs as jobs_table
from serve.store.tables import reviews
from serve.worker import LOST, RETRIED, Background, pause
from train.starter import generate

DOWN = f"{AT_SERVER} is down or cut the connection"
Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def wait_for() -> Wait:
    """Waits until something holds."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10.0
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.005)

    return wait


@dataclass
class Slow:
    """A cascade whose further stages need longer than a deadline.

    Attributes:
        later: gives the answer of those, or raises.
    """

    fake: Any
    later: Callable[[Decision], Decision] = lambda decision: decision
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fake, name)

    def route(self, tickets: list[Ticket], *, deadline_ms: float | None = None) -> list[Decision]:
        decided = [self.fake._decide(ticket) for ticket in tickets]
        if deadline_ms is None:
            self.asked += [ticket.text for ticket in tickets]
            return [self.later(decision) for decision in decided]
        shallow = {"queue": "Billing", "confidence": 0.6, "stage": "human"}
        return [replace(its, **shallow, action="review", late=True) for its in decided]


@dataclass
class House:
    """A service and its worker, whose jobs are done step by step."""

    cascade: Slow
    service: Service
    outcomes: Counter[str] = field(default_factory=Counter)
    tidied: Event = field(default_factory=Event)

    def finish(self) -> Finish:
        return Finish(self.service.engine, self.service.store, self.service.intake.owed)

    def background(self, lease: float = 15.0, first_pause: float = 5.0) -> Background:
        def count(kind: str, outcome: str) -> None:
            self.outcomes[outcome] += 1

        with patch.multiple(worker, LEASE=lease, FIRST_PAUSE=first_pause):
            return Background(self.service.store, self.finish(), count=count, daily=self.tidied.set)

    def owe(self, text: str = "vpn") -> str:
        """A ticket that came with too short a deadline; its decision's id."""
        [answer], _ = self.service.intake.route([Ticket(text, "4711")], Wishes(1.0))
        assert answer["pending"]
        return str(answer["decision_id"])

    def stored(self, decision_id: str) -> dict[str, Any]:
        with self.service.store.read() as connection:
            found = decisions.find(connection, decision_id)
        assert found
        return found

    def rows(self, table: Any) -> list[Any]:
        with self.service.store.read() as connection:
            return list(connection.execute(select(table)))


@pytest.fixture
def slow(cascade: Any) -> Slow:
    """The fake, with further stages that take too long."""
    return Slow(cascade)


@pytest.fixture
def house(slow: Slow, store: Store) -> House:
    """A house with SQLite."""
    return house_with(slow, store)


@pytest.fixture
def any_house(slow: Slow, any_store: Store) -> House:
    """A house, once with each kind of database."""
    return house_with(slow, any_store)


def house_with(slow: Slow, store: Store) -> House:
    settings = Settings(workers=1)
    engine = Engine(settings.threads, settings.waiting, settings.shallow_from)
    engine.serve(slow)
    return House(slow, Service(settings, engine, store, Intake(settings, engine, store)))


def for_people(reason: str) -> Callable[[Decision], Decision]:
    return lambda its: replace(its, action="review", stage="human", reason=reason)


def step(house: House, times: int = 1) -> None:
    """Do what is due, with retries at once."""
    background = house.background(first_pause=0.0)
    for _ in range(times):
        assert background.step(house.finish())


def test_the_later_answer_takes_the_place_of_the_first(any_house: House) -> None:
    decision_id = any_house.owe("my vpn is down")
    assert any_house.stored(decision_id)["queue"] == "Billing"
    step(any_house)
    found = any_house.stored(decision_id)
    assert (found["id"], found["queue"], found["action"]) == ("4711", "Network", "route")
    assert (found["pending"], found["late"]) == (False, False)
    assert found["finished"] >= found["created"]
    assert any_house.cascade.asked == ["my vpn is down"]
    assert any_house.rows(jobs_table) == []
    assert any_house.rows(reviews) == []
    assert not any_house.background().step(any_house.finish())
    assert any_house.outcomes == {FINISHED: 1}


def test_what_no_stage_settles_later_either_is_for_people(any_house: House) -> None:
    any_house.cascade.later = for_people("no stage is sure enough")
    decision_id = any_house.owe()
    assert any_house.rows(reviews) == []
    step(any_house)
    assert [row.decision for row in any_house.rows(reviews)] == [decision_id]
    assert any_house.stored(decision_id)["reason"] == "no stage is sure enough"


def test_the_answer_names_the_bundle_that_gave_it(house: House) -> None:
    house.cascade.later = lambda its: replace(its, bundle="fake-2")
    decision_id = house.owe()
    step(house)
    assert house.stored(decision_id)["bundle"] == "fake-2"
    assert [row.bundle for row in house.rows(decisions_table)] == ["fake-2"]


def test_a_cleaned_ticket_is_answered_as_the_raw_one(linear_bundle: Path) -> None:
    raw = [Ticket.of((its.subject, its.body)) for its in generate(100, seed=11)]
    cleaned = [Ticket(clean(ticket.text)) for ticket in raw]
    assert [clean(ticket.text) for ticket in cleaned] == [ticket.text for ticket in cleaned]
    cascade = Cascade.load(linear_bundle)
    plain = [[said(its) for its in cascade.route(tickets)] for tickets in (raw, cleaned)]
    assert plain[0] == plain[1]


def said(decision: Decision) -> dict[str, Any]:
    traces = tuple(replace(trace, ms=0.0) for trace in decision.stages)
    return replace(decision, stages=traces).to_dict()


# --- who else is at it ---


def test_whoever_lost_the_lease_stores_nothing(any_house: House) -> None:
    decision_id = any_house.owe()
    quick = any_house.background()
    answers = iter(["Quick", "Slow"])

    def other_is_faster(its: Decision) -> Decision:
        any_house.cascade.later = lambda its: replace(its, queue=next(answers))
        assert quick.step(any_house.finish())
        return replace(its, queue=next(answers))

    any_house.cascade.later = other_is_faster
    any_house.background(lease=0.0).step(any_house.finish())
    assert any_house.stored(decision_id)["queue"] == "Quick"
    assert any_house.outcomes == {FINISHED: 1, LOST: 1}


def test_nor_does_it_while_another_is_at_it(any_house: House) -> None:
    decision_id = any_house.owe()

    def other_claims(its: Decision) -> Decision:
        with any_house.service.store.write() as connection:
            assert jobs.claim(connection, jobs.FINISH, 60.0)
        return its

    any_house.cascade.later = other_claims
    any_house.background(lease=0.0).step(any_house.finish())
    assert any_house.stored(decision_id)["pending"]
    assert len(any_house.rows(jobs_table)) == 1
    assert any_house.outcomes == {LOST: 1}


def test_the_lease_is_renewed_while_the_work_goes_on(house: House, wait_for: Wait) -> None:
    house.owe()
    came, go = Event(), Event()

    def wait(its: Decision) -> Decision:
        came.set()
        assert go.wait(10.0)
        return its

    house.cascade.later = wait
    background = house.background(lease=0.3)
    background.start()
    assert came.wait(10.0)
    [before] = house.rows(jobs_table)
    wait_for(lambda: house.rows(jobs_table)[0].due > before.due + 0.3)  # beyond the first lease
    assert not house.background().step(house.finish())
    go.set()
    wait_for(lambda: house.outcomes == {FINISHED: 1})
    background.stop()


def test_a_decision_that_is_gone_needs_no_answer(house: House) -> None:
    house.owe()

    def forget(its: Decision) -> Decision:
        with house.service.store.write() as connection:
            connection.execute(decisions_table.delete())
        return its

    house.cascade.later = forget
    step(house)
    assert house.outcomes == {LOST: 1}


# --- what can go wrong ---


def test_nobody_waits_for_ever(any_house: House, caplog: pytest.LogCaptureFixture) -> None:
    def fail(its: Decision) -> Decision:
        raise RuntimeError("it said: my vpn is down")

    any_house.cascade.later = fail
    decision_id = any_house.owe("my vpn is down")
    step(any_house, ATTEMPTS)
    found = any_house.stored(decision_id)
    assert (found["queue"], found["action"], found["pending"]) == ("Billing", "review", False)
    assert [row.decision for row in any_house.rows(reviews)] == [decision_id]
    assert any_house.outcomes == {RETRIED: ATTEMPTS - 1, GIVEN_UP: 1}
    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "RuntimeError" in logged
    assert "my vpn" not in logged


def test_a_ticket_that_kills_processes_is_not_asked_again(house: House) -> None:
    decision_id = house.owe()
    for _ in range(ATTEMPTS):
        with house.service.store.write() as connection:
            assert jobs.claim(connection, jobs.FINISH, 0.0)
    step(house)
    assert house.cascade.asked == []
    assert [row.decision for row in house.rows(reviews)] == [decision_id]


def test_a_language_model_that_is_down_is_asked_again(house: House) -> None:
    house.cascade.later = for_people(DOWN)
    decision_id = house.owe()
    step(house, ATTEMPTS - 1)
    assert house.stored(decision_id)["pending"]
    assert house.rows(reviews) == []
    house.cascade.later = lambda its: its
    step(house)
    assert house.stored(decision_id)["action"] == "route"
    assert house.outcomes == {RETRIED: ATTEMPTS - 1, FINISHED: 1}


def test_people_get_what_the_language_model_gave_no_answer_to(house: House) -> None:
    house.cascade.later = for_people(DOWN)
    decision_id = house.owe()
    step(house, ATTEMPTS)
    found = house.stored(decision_id)
    assert (found["reason"], found["queue"]) == (DOWN, "Network")  # of the deepest stage that ran
    assert [row.decision for row in house.rows(reviews)] == [decision_id]


def test_reasons_that_lie_with_the_server_name_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/v1")
    kinds = set()
    for _ in range(6):
        with pytest.raises(NoAnswer) as caught:
            server.get("models", time.monotonic() + 5.0)
        assert AT_SERVER in caught.value.reason
        kinds.add(caught.value.kind)
    assert kinds == {"failed", "open"}
    server.close()


def test_before_the_bundle_is_there_nothing_is_counted(store: Store, slow: Slow) -> None:
    house = house_with(slow, store)
    decision_id = house.owe()
    house.service.engine._serving = None
    assert not house.background().step(house.finish())
    assert house.outcomes == {}
    [row] = house.rows(jobs_table)
    assert (row.decision, row.attempts, row.holder) == (decision_id, 0, None)


def test_pauses_grow_and_differ() -> None:
    drawn = [[pause(attempt, 5.0) for _ in range(50)] for attempt in (1, 2, 3, 40)]
    for pauses, longest in zip(drawn, (5.0, 10.0, 20.0, 3600.0), strict=True):
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


# --- threads ---


@pytest.fixture
def started(house: House) -> Iterator[Background]:
    """The worker of a house, at work."""
    background = house.background()
    background.start()
    yield background
    background.stop()


@pytest.mark.usefixtures("started")
def test_a_late_ticket_wakes_the_worker(
    house: House, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.owe()
    wait_for(lambda: house.outcomes[FINISHED] == 1)
    monkeypatch.setattr(worker, "POLL", 3600.0)
    house.owe()  # perhaps while it still waits for a second
    wait_for(lambda: house.outcomes[FINISHED] == 2)
    house.owe()
    wait_for(lambda: house.outcomes[FINISHED] == 3)


def test_a_worker_rests_when_there_is_nothing_to_do(
    house: House, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    any_due = jobs.any_due
    monkeypatch.setattr(jobs, "any_due", lambda *its: (looks.append(1), any_due(*its))[1])
    monkeypatch.setattr(worker, "POLL", 3600.0)
    background = house.background()
    background.start()
    house.owe()
    wait_for(lambda: house.outcomes == {FINISHED: 1})
    assert not Event().wait(0.2)
    assert 2 <= len(looks) <= 5
    background.stop()


@pytest.mark.usefixtures("started")
def test_what_another_process_left_is_found(
    house: House, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL", 0.01)
    house.service.intake.owed = Event()  # as another process has its own
    house.owe()
    wait_for(lambda: house.outcomes[FINISHED] == 1)


def test_the_threads_outlive_a_database_that_is_gone(
    house: House, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL", 0.01)
    failures = []

    def gone(*_: Any) -> bool:
        failures.append(1)
        raise OperationalError("SELECT", {}, Exception("the server went away"))

    background = house.background()
    with monkeypatch.context() as broken:
        broken.setattr(jobs, "any_due", gone)
        background.start()
        house.owe()
        wait_for(lambda: len(failures) > 2)
    wait_for(lambda: house.outcomes[FINISHED] == 1)
    background.stop()


def test_what_is_old_is_forgotten_without_being_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HOUR", 0.01)
    failures = iter([OperationalError("", None, Exception())])

    def tidy() -> None:
        for failure in failures:
            raise failure
        house.tidied.set()

    finish = house.finish()
    background = Background(house.service.store, finish, count=lambda *_: None, daily=tidy)
    background.start()
    assert house.tidied.wait(10.0), "a failure does not end it for a day"
    background.stop()


def test_what_is_not_done_at_the_end_is_put_back(house: House, wait_for: Wait) -> None:
    came, go = Event(), Event()

    def wait(its: Decision) -> Decision:
        came.set()
        go.wait(10.0)
        return its

    house.cascade.later = wait
    decision_id = house.owe()
    ending = house.background()
    ending.start()
    assert came.wait(10.0)
    ending.stop(seconds=0.05)
    [row] = house.rows(jobs_table)
    assert (row.attempts, row.holder, row.due <= time.time()) == (0, None, True)
    house.cascade.later = lambda its: replace(its, queue="Other")
    step(house)  # another process
    go.set()
    wait_for(lambda: house.outcomes == {FINISHED: 1, LOST: 1})
    assert house.stored(decision_id)["queue"] == "Other"


def test_live_requests_go_first(house: House, wait_for: Wait) -> None:
    house.owe()
    turns = house.service.engine.turns
    background = house.background()
    with ExitStack() as taken, ThreadPoolExecutor() as threads:
        for _ in range(house.service.settings.threads):
            taken.enter_context(turns.take(10.0))
        live = threads.submit(house.service.intake.route, [Ticket("a")], Wishes())
        wait_for(lambda: turns.waiting == 1)
        background.start()
        wait_for(lambda: house.rows(jobs_table)[0].holder is not None)
        assert house.cascade.asked == []  # it has the job, and lets the one who waits go first
        taken.close()
        live.result()
    wait_for(lambda: house.outcomes == {FINISHED: 1})
    background.stop()
