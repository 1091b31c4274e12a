"""Requests wait for their turn, and no longer than their deadline."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from cascade.ticket import Ticket
from serve.engine import Engine
from serve.problems import BUSY, NOT_READY, Problem

SLOW, QUICK = Ticket("sleep"), Ticket("a")


@pytest.fixture
def engine(cascade: Any) -> Engine:
    """An engine with one turn and a waiting room for one."""
    engine = Engine(lambda: cascade, threads=1, waiting=1)
    engine.load()
    return engine


@pytest.fixture
def busy(engine: Engine) -> Any:
    """Somebody else routes for a second."""
    other = threading.Thread(target=engine.route, args=([SLOW], None))
    other.start()
    time.sleep(0.1)
    yield
    other.join()


def test_before_the_bundle_is_loaded_nothing_is_routed(cascade: Any) -> None:
    with pytest.raises(Problem) as caught:
        Engine(lambda: cascade, 1, 1).route([QUICK], None)
    assert caught.value.kind is NOT_READY


@pytest.mark.usefixtures("busy")
def test_waiting_counts_against_the_deadline(engine: Engine, cascade: Any) -> None:
    engine.route([QUICK], 5000.0)
    assert 3500 < cascade.deadlines[-1] < 4500


@pytest.mark.usefixtures("busy")
def test_no_request_waits_beyond_its_deadline(engine: Engine) -> None:
    began = time.monotonic()
    with pytest.raises(Problem) as caught:
        engine.route([QUICK], 200.0)
    assert caught.value.kind is BUSY
    assert 0.15 < time.monotonic() - began < 0.6


def test_an_error_while_routing_gives_the_turn_back(engine: Engine) -> None:
    for _ in range(3):
        with pytest.raises(RuntimeError):
            engine.route([Ticket("explode")], None)
    assert len(engine.route([QUICK], None)) == 1
