"""The recommendation follows from the figures, and speaks of nothing that was not measured."""

from __future__ import annotations

from typing import Any

from eval.recommend import recommend


def row(name: str, kind: str, f1: float, cpu_ms: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "macro_f1": f1,
        "macro_f1_95": [f1 - 0.01, f1 + 0.01],
        "cpu_ms": cpu_ms,
        "ms_p95": 40.0,
        **more,
    }


def record(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"rows": list(rows), "data": {"tickets": 4_000}, **more}


CASCADE = row("cascade", "cascade", 0.874, 2.0, settled=0.8)
ENCODER = row("encoder alone", "stage", 0.876, 10.0)
LINEAR = row("linear alone", "stage", 0.85, 0.2)


def test_the_cheapest_of_those_that_are_good_enough_is_deployed() -> None:
    first, second, *_ = recommend(record(LINEAR, ENCODER, CASCADE))
    assert first.startswith("Deploy the cascade") and "5.0 times as much" in first
    assert "meets the budget of 150 ms" in second
    first, how, third, *_ = recommend(record({**LINEAR, "macro_f1": 0.873}, ENCODER, CASCADE))
    assert first.startswith("Deploy “linear alone”")
    assert "cascade train --minutes 0" in how and "meets the budget" in third
    first, *_ = recommend(record(LINEAR, CASCADE))
    assert "nothing measured here is better" in first


def test_what_lies_within_the_interval_of_the_best_may_be_as_good() -> None:
    wide = {**ENCODER, "macro_f1_95": [0.84, 0.9]}
    first, *_ = recommend(record(LINEAR, wide, {**CASCADE, "cpu_ms": 30.0}))
    assert first.startswith("Deploy “linear alone”")
    assert "cannot be told from it on so few tickets" in first


def test_a_budget_that_is_missed_is_said() -> None:
    assert "misses the budget" in recommend(record({**CASCADE, "ms_p95": 151.0}))[1]


def test_a_baseline_that_is_as_good_is_not_passed_over() -> None:
    rival = row("majority class", "baseline", 0.872, 0.1)
    assert any("Look twice" in its for its in recommend(record(CASCADE, rival)))
    rival = row("keyword rules", "baseline", 0.6, 0.1)
    assert any("27.4 points behind" in its for its in recommend(record(CASCADE, rival)))


def test_a_broken_promise_is_called_one() -> None:
    promise = {
        "what": "settled tickets right",
        "promised": 0.95,
        "tickets": 3000,
        "observed": 0.9,
        "observed_95": [0.89, 0.91],
        "kept": False,
    }
    told = "\n".join(recommend(record(CASCADE, promises=[promise])))
    assert "was missed: 90.0 % (89.0" in told
    kept = promise | {"observed": 0.96}
    assert "was kept" in "\n".join(recommend(record(CASCADE, promises=[kept])))
    close = promise | {"observed": 0.949, "kept": True}
    assert "within the error" in "\n".join(recommend(record(CASCADE, promises=[close])))


def test_in_context_learning_gets_its_due() -> None:
    shot = {"macro_f1": 0.9, "ms_p95": 900.0}
    asked = {
        "tickets": 300,
        "backend": "big",
        "shots": {"8-shot": shot},
        "cascade": {"macro_f1": 0.87},
    }
    told = "\n".join(recommend(record(CASCADE, in_context=asked)))
    assert "3.0 points worse than in-context learning" in told
    assert "a queue that opens tomorrow" in told
    told = "\n".join(recommend(record(CASCADE, in_context=asked, label_curve={"crossing": 8})))
    assert "below about 8 labels a queue" in told
    told = "\n".join(recommend(record(CASCADE, in_context=asked, label_curve={"crossing": 1})))
    assert "from the first label" in told and "right choice" not in told


def test_what_changes_when_asked_again_is_named() -> None:
    approaches = {"cascade": {"queue_changed": 0.0}, "llm few-shot": {"queue_changed": 0.034}}
    told = recommend(record(CASCADE, stability={"tickets": 500, "approaches": approaches}))
    assert any("gave the same answer each time" in its for its in told)
    assert "“llm few-shot” changed 3.4 % of its answers." in told
