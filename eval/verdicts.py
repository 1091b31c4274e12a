"""What an approach says of labelled tickets, and its row in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from cascade.decision import HUMAN, Decision
from cascade.gate import Gates
from eval.approach import Approach, guesses
from eval.labelled import Labelled
from eval.latency import in_process
from eval.prices import Prices, per_1000
from train.measures import macro_f1, quality, queue_numbers, times

CASCADE = "cascade"
TIMES = ("ms_p50", "ms_p95", "ms_p99", "cpu_ms", "per_second")


@dataclass
class Verdicts:
    """What an approach says of ``n`` tickets.

    Attributes:
        name: for people.
        kind: of `eval.report.record.Row`.
        guess: ``(n,)`` queues, -1 where there is no answer.
        confidence: ``(n,)`` of it.
        settled: ``(n,)`` what is acted on; None where no gate decides that.
        times: of some tickets, from `eval.latency.in_process`; empty where none were taken.
    """

    name: str
    kind: str
    guess: NDArray[np.int64]
    confidence: NDArray[np.float32]
    settled: NDArray[np.bool_] | None = None
    times: Mapping[str, Any] = field(default_factory=dict)

    @property
    def acted_on(self) -> NDArray[np.bool_]:
        """``(n,)`` what no person looks at first; all of it where no gate decides that."""
        return np.ones(len(self.guess), dtype=np.bool_) if self.settled is None else self.settled

    def right(self, labelled: Labelled) -> NDArray[np.bool_]:
        """``(n,)`` whether the queue is the right one."""
        return np.asarray(self.guess == labelled.y)


def said_by(approach: Approach, kind: str, labelled: Labelled, some: Labelled) -> Verdicts:
    """What an approach says of all tickets, in one call, and how long some of them take."""
    answers = approach.predict(labelled.texts)
    spent = in_process(approach.predict, some.texts)
    return Verdicts(approach.name, kind, guesses(answers), answers.max(axis=1), times=spent)


def routed(
    decisions: Sequence[Decision], queues: Sequence[str], spent: Mapping[str, Any] | None = None
) -> Verdicts:
    """What a cascade decided, and the times that it took, where they were measured."""
    return Verdicts(
        CASCADE,
        "cascade",
        queue_numbers(decisions, queues),
        np.asarray([decision.confidence for decision in decisions], dtype=np.float32),
        np.asarray([decision.action == "route" for decision in decisions], dtype=np.bool_),
        spent or {},
    )


def row(
    said: Verdicts,
    labelled: Labelled,
    prices: Prices,
    llm: tuple[float, float] = (0.0, 0.0),
) -> dict[str, Any]:
    """One row of the table (`eval.report.record.Row`).

    Args:
        llm: calls of a language-model server a ticket, and the seconds of a call.
    """
    y, k = labelled.y, len(labelled.queues)
    made = {
        "name": said.name,
        "kind": said.kind,
        **quality(y, said.guess, k),
        **{name: said.times.get(name) for name in TIMES},
    }
    review = 0.0
    if said.settled is not None:
        review = float(1 - said.settled.mean())
        made["settled"] = round(1 - review, 4)
        made["settled_macro_f1"] = (
            round(macro_f1(y[said.settled], said.guess[said.settled], k), 4)
            if said.settled.any()
            else None
        )
    wrong = float((said.acted_on & ~said.right(labelled)).mean())
    made["cost"] = per_1000(prices, float(said.times.get("cpu_ms") or 0.0), review, wrong, *llm)
    return made


def by_stage(
    decisions: Sequence[Decision], right: NDArray[np.bool_], names: Sequence[str]
) -> list[dict[str, Any]]:
    """What reaches each stage, what it settles of all, and how much of that is right."""
    n = len(decisions)
    settled_by = np.asarray([decision.stage for decision in decisions])
    spent: dict[str, list[float]] = {name: [] for name in names}
    for decision in decisions:
        for trace in decision.stages:
            spent[trace.name].append(trace.ms)
    rows = []
    for name in (*names, HUMAN):
        its = settled_by == name
        reached = its.mean() if name == HUMAN else len(spent[name]) / n
        ms = times(np.asarray(spent[name])) if spent.get(name) else {}
        rows.append(
            {
                "stage": name,
                "reached": round(float(reached), 4),
                "settled": None if name == HUMAN else round(float(its.mean()), 4),
                "right": round(float(right[its].mean()), 4) if its.any() else None,
                **ms,
            }
        )
    return rows


def promises(gates: Gates, said: Verdicts, labelled: Labelled) -> list[dict[str, Any]]:
    """What the gates promise, and what came of it on these tickets (`eval.report.record.Promise`).

    Promises about single queues stand beside the one about the others together.
    """
    asked = gates.plan.get("promise")
    if not asked or said.settled is None:
        return []
    queues = dict(asked["queues"])
    named = np.asarray([queue in queues for queue in labelled.queues])
    groups = [(f"{queue} right", t, labelled.queues.index(queue)) for queue, t in queues.items()]
    others = said.settled & ~named[said.guess]
    out = [_kept("settled tickets right", asked["target"], others, said, labelled)]
    for what, target, queue in groups:
        its = said.settled & (said.guess == queue)
        out.append(_kept(what, target, its, said, labelled))
    return [{**its, "confidence": asked["confidence"]} for its in out]


def _kept(
    what: str, target: float, its: NDArray[np.bool_], said: Verdicts, labelled: Labelled
) -> dict[str, Any]:
    n, right = int(its.sum()), int(said.right(labelled)[its].sum())
    made: dict[str, Any] = {"what": what, "promised": target, "tickets": n}
    if not n:
        return {**made, "observed": None, "observed_95": None, "kept": True}
    ends = binomtest(right, n).proportion_ci(0.95)
    return {
        **made,
        "observed": round(right / n, 4),
        "observed_95": [round(float(ends.low), 4), round(float(ends.high), 4)],
        # Fewer right ones than promised may be chance; here the whole interval lies below it.
        "kept": bool(ends.high >= target),
    }


def calls(decisions: Sequence[Decision], stage: str) -> tuple[float, float]:
    """Calls of a stage a ticket, and the mean seconds of a call."""
    ms = [trace.ms for decision in decisions for trace in decision.stages if trace.name == stage]
    return len(ms) / len(decisions), sum(ms) / 1000 / len(ms) if ms else 0.0


def llm_rows(asked: Mapping[str, Any], prices: Prices, *, served: bool) -> list[dict[str, Any]]:
    """Rows of the language model on every ticket, from `eval.in_context.in_context`.

    Args:
        served: a server answers, which is paid by the GPU's hour; else it is in the process.
    """
    rows = []
    for name, its in asked["shots"].items():
        spent = (0.0, (1.0, its["ms_mean"] / 1000)) if served else (its["cpu_ms"], (0.0, 0.0))
        cpu_ms, llm = spent
        rows.append(
            {
                "name": f"LLM on every ticket, {name}",
                "kind": "llm",
                **{key: its.get(key) for key in ("macro_f1", "macro_f1_95", "accuracy", *TIMES)},
                "cost": per_1000(prices, cpu_ms, 0.0, 1 - its["accuracy"], *llm),
                "note": f"{asked['backend']}, on {asked['tickets']:,} tickets",
            }
        )
    return rows
