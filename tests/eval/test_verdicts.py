"""What approaches say becomes rows, stages and promises of the record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cascade.decision import Decision, StageTrace
from cascade.gate import Gates
from eval.labelled import Labelled
from eval.prices import Prices
from eval.verdicts import Verdicts, by_stage, calls, llm_rows, promises, routed, row

QUEUES = ("access", "billing")
PRICES = Prices("EUR", 3.6, 3.6, 0.0, 0.0, 1.0, 2.0, 4.0)
"""A second of a core or of a GPU costs 0.001, a look 2, a wrong queue 4."""
TIMES = {"ms_p50": 1.0, "ms_p95": 2.0, "ms_p99": 3.0, "cpu_ms": 5.0, "per_second": 9.0}


def labelled(*y: int) -> Labelled:
    return Labelled("held.csv", ["x"] * len(y), np.asarray(y), QUEUES, list(range(2, len(y) + 2)))


def said(*guess: int, settled: list[bool] | None = None) -> Verdicts:
    sure = np.full(len(guess), 0.9, dtype=np.float32)
    acted = None if settled is None else np.asarray(settled)
    return Verdicts("cascade", "cascade", np.asarray(guess), sure, acted, TIMES)


def decision(queue: str, stage: str, *asked: str) -> Decision:
    traces = tuple(StageTrace(name, queue, 0.9, 4.0) for name in asked)
    action = "review" if stage == "human" else "route"
    return Decision("1", queue, 0.9, stage, action, (), {}, traces, "b-1", "")  # type: ignore[arg-type]


def test_a_row_has_quality_times_and_cost() -> None:
    verdicts = said(0, 1, 0, 1, settled=[True, True, True, False])
    made = row(verdicts, labelled(0, 1, 1, 1), PRICES)
    assert made["accuracy"] == 0.75 and made["settled"] == 0.75
    assert made["settled_macro_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert made["ms_p95"] == 2.0 and made["cpu_ms"] == 5.0
    assert made["cost"]["people"] == 500.0, "a quarter of 1,000 tickets, 2 each"
    assert made["cost"]["misroutes"] == 1000.0, "another quarter, 4 each"
    assert made["cost"]["machine"] == pytest.approx(0.005), "5 ms of a core each"


def test_no_answer_counts_as_a_wrong_one() -> None:
    made = row(said(-1, 1), labelled(0, 1), PRICES)
    assert made["accuracy"] == 0.5
    assert "settled" not in made


def test_stages_tell_what_reached_them_and_what_they_settled() -> None:
    decisions = [
        decision("access", "linear", "linear"),
        decision("billing", "encoder", "linear", "encoder"),
        decision("billing", "encoder", "linear", "encoder"),
        decision("access", "human", "linear", "encoder"),
    ]
    linear, encoder, human = by_stage(
        decisions, np.asarray([True, True, False, False]), ("linear", "encoder")
    )
    assert (linear["reached"], linear["settled"], linear["right"]) == (1.0, 0.25, 1.0)
    assert (encoder["reached"], encoder["settled"], encoder["right"]) == (0.75, 0.5, 0.5)
    assert (human["reached"], human["settled"], human["right"]) == (0.25, None, 0.0)
    assert encoder["ms_p50"] == 4.0
    assert calls(decisions, "encoder") == (0.75, 0.004)
    assert calls(decisions, "llm") == (0.0, 0.0)
    assert routed(decisions, QUEUES).guess.tolist() == [0, 1, 1, 0]


def plan(target: float, **queues: float) -> Gates:
    asked: dict[str, Any] = {"target": target, "confidence": 0.9, "queues": queues, "per": "all"}
    return Gates((), {"promise": asked})


def test_a_promise_is_held_against_what_was_settled() -> None:
    y = [0] * 100
    verdicts = said(*[0] * 96, *[1] * 4, settled=[True] * 100)
    (its,) = promises(plan(0.95), verdicts, labelled(*y))
    assert (its["observed"], its["tickets"], its["kept"]) == (0.96, 100, True)
    (close,) = promises(plan(0.98), verdicts, labelled(*y))
    assert close["kept"], "96 of 100 may be chance where 98 % was promised"
    (broken,) = promises(plan(0.999), verdicts, labelled(*y))
    assert not broken["kept"]


def test_queues_with_a_promise_of_their_own_stand_apart() -> None:
    verdicts = said(0, 0, 1, 1, settled=[True, True, True, False])
    others, own = promises(plan(0.9, billing=0.99), verdicts, labelled(0, 0, 1, 1))
    assert (others["tickets"], others["what"]) == (2, "settled tickets right")
    assert (own["tickets"], own["promised"], own["what"]) == (1, 0.99, "billing right")


def test_nothing_settled_breaks_no_promise_and_says_so() -> None:
    (its,) = promises(plan(0.9), said(0, settled=[False]), labelled(0))
    assert its["observed"] is None and its["kept"]


def test_a_server_is_paid_by_the_gpu_and_a_reader_by_the_core() -> None:
    shot = {"macro_f1": 0.5, "accuracy": 0.5, "cpu_ms": 10.0, "ms_mean": 100.0, "ms_p95": 120.0}
    asked = {"tickets": 3, "backend": "m", "shots": {"8-shot": shot}}
    (served,) = llm_rows(asked, PRICES, served=True)
    (own,) = llm_rows(asked, PRICES, served=False)
    assert served["cost"]["llm"] == pytest.approx(0.1) and served["cost"]["machine"] == 0
    assert own["cost"]["machine"] == pytest.approx(0.01) and own["cost"]["llm"] == 0
