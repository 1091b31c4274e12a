"""Clients: every ticket is asked, at its time, and how each one ended is told."""

from __future__ import annotations

import pytest

from eval.child import call
from eval.service.clients import WARM, Asked, closed_loop, open_loop, requests

TEXTS = [f"ticket {number}" for number in range(40)]


@pytest.mark.parametrize("clients", [1, 2, 5])
def test_together_they_ask_for_each_ticket_once(fake: str, asked: list[str], clients: int) -> None:
    told = Asked.read(closed_loop(fake, requests(TEXTS, None), clients))
    warm = clients * -(-WARM // clients)
    assert sorted(asked[warm:]) == sorted(TEXTS)
    assert len(told.replies) == 40 and min(reply.ms for reply in told.replies) > 0
    assert told.seconds > 0 and 0 < told.cpu < clients


def test_they_ask_again_and_again_for_as_long_as_is_wanted(fake: str, asked: list[str]) -> None:
    told = Asked.read(closed_loop(fake, requests(TEXTS[:3], None), 2, seconds=0.3))
    assert told.seconds >= 0.3
    warm = 2 * 3
    assert len(told.replies) == len(asked) - warm > 3
    assert set(asked) == set(TEXTS[:3])


def test_it_is_told_how_each_ended(fake: str) -> None:
    texts = ["fine", "late", "busy", "hang up", "fine"]
    told = Asked.read(closed_loop(fake, requests(texts, None), 1))
    assert [reply.status for reply in told.replies] == [200, 200, 503, 0, 200]
    assert [reply.stage for reply in told.replies] == ["linear", "human", "", "", "linear"]
    assert [reply.deepest for reply in told.replies] == ["linear", "linear", "", "", "linear"]
    assert [reply.late for reply in told.replies] == [False, True, False, False, False]
    assert [reply.pending for reply in told.replies] == [False, True, False, False, False]
    assert told.replies[1].decision_id
    assert told.reconnected == 1, "a connection that is dropped is not passed over"


def test_requests_come_when_they_come(fake: str) -> None:
    """Whether or not there is a client: what waits for one is counted as waiting."""
    told = Asked.read(open_loop(fake, requests(TEXTS, None), 4, rate=200, seconds=0.5))
    dues = [reply.due for reply in told.replies]
    assert len(dues) == 100 and dues == sorted(dues)
    assert 0.2 < dues[-1] < 1.2
    assert all(reply.ms > reply.lag >= 0 for reply in told.replies)
    again = Asked.read(open_loop(fake, requests(TEXTS, None), 4, rate=200, seconds=0.5))
    assert [reply.due for reply in again.replies] == dues, "the same seed, the same times"


def test_they_may_run_in_a_process_of_their_own(fake: str) -> None:
    told = Asked.read(call(closed_loop, address=fake, bodies=requests(TEXTS, None), clients=2))
    assert [reply.status for reply in told.replies] == [200] * 40


def test_a_request_names_a_deadline_where_one_is_wanted() -> None:
    assert requests(["☎"], None) == ['{"text": "\\u260e"}']
    assert requests(["a"], 40.0) == ['{"text": "a", "deadline_ms": 40.0}']
