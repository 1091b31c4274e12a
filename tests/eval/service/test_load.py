"""Times through the real service."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.service.clients import Asked, Reply
from eval.service.load import figures, load
from eval.service.overhead import overhead
from eval.service.running import Running
from train.starter import generate

TEXTS = [f"vpn ☎ is down since this morning, {number}" for number in range(12)]


def test_each_number_of_clients_has_its_times(quick: None, linear_bundle: Path) -> None:
    texts = [*TEXTS, *TEXTS, "  "]  # the service refuses the last one
    told = load(linear_bundle, texts, (1, 3), deadline_ms=5000, workers=1)
    assert (told["tickets"], told["workers"], told["deadline_ms"]) == (25, 1, 5000)
    assert list(told["clients"]) == ["1", "3"]
    for row in told["clients"].values():
        assert 0 < row["ms_p50"] <= row["ms_p95"] <= row["ms_p99"]
        assert row["per_second"] > 0
        assert (row["errors"], row["late"]) == (1, 0)
        assert sum(its["share"] for its in row["stages"].values()) == pytest.approx(1)


def test_what_http_adds_is_told_of_tickets_that_the_first_stage_settles(
    started: Running, linear_bundle: Path
) -> None:
    texts = [its.body for its in generate(200, seed=7)]
    told = overhead(started.address, str(linear_bundle), texts, 5000.0)
    assert told["http_ms"] and told["in_process_ms"] and told["http_ms"] > told["in_process_ms"] > 0
    assert told["overhead_ms"] == pytest.approx(told["http_ms"] - told["in_process_ms"], abs=0.02)
    none = overhead(started.address, str(linear_bundle), ["  "], 5000.0)
    assert set(none.values()) == {None}


def test_only_decisions_have_times() -> None:
    replies = [
        Reply(0, 0, 10.0, 200, "linear", "linear"),
        Reply(0, 0, 30.0, 200, "human", "llm", late=True),
        Reply(0, 0, 90.0, 503),
        Reply(0, 0, 90.0, 0),
    ]
    told = figures(Asked(replies, 2.0, 0.25))
    assert (told["ms_p50"], told["per_second"], told["errors"]) == (20.0, 1.0, 2)
    assert (told["late"], told["clients_cpu"]) == (0.5, 0.25)
    assert told["without_llm"]["ms_p95"] == 10.0
    assert told["stages"]["human"] == {
        "share": 0.5,
        "ms_p50": 30.0,
        "ms_p95": 30.0,
        "ms_p99": 30.0,
    }


def test_a_service_that_answers_nobody_has_no_times() -> None:
    told = figures(Asked([Reply(0, 0, 1.0, 503)], 1.0, 0.1))
    assert (told["ms_p95"], told["errors"], told["stages"]) == (None, 1, {})
