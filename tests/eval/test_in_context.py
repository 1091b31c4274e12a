"""In-context learning as a baseline, measured on a bundle with a real llm stage."""

from __future__ import annotations

import numpy as np
import pytest

from cascade.errors import InputError
from cascade.examples import Pool
from cascade.gate import Gate, Gates, Join
from cascade.llm.base import Answer, NoAnswer, Question
from cascade.router import Cascade
from cascade.stages.llm import LLMStage
from cascade.stages.neighbours import NeighboursStage, Vote
from eval.in_context import in_context
from eval.labelled import Labelled

HEADS = {"queue": ("Billing", "Network")}
TEXTS = ["the invoice is wrong", "vpn is down", "refund the invoice", "no wifi, no vpn"]
HELD = Labelled("held.csv", TEXTS, np.asarray([0, 1, 0, 1]), HEADS["queue"], [2, 3, 4, 5])


class Knowing:
    """Reads the queue off the examples; without any it has no answer."""

    name = "knowing"

    def ask(self, question: Question, deadline: float) -> Answer:
        if not question.examples:
            raise NoAnswer("unsure", "no examples")
        best = question.examples[-1].queue
        return Answer(tuple(float(queue == best) for queue in question.candidates))


def cascade(*names: str) -> Cascade:
    pool = Pool(HEADS, ["invoice refund", "vpn wifi down"], {"queue": np.asarray([0, 1])})
    stages = {
        "neighbours": NeighboursStage(pool, Vote(2, 1.0, 1.0, 1.0)),
        "llm": LLMStage(Knowing(), pool, {}),
    }
    gates = [
        Gate.even(name, {"queue": Join((1.0,) * number)}, 0.9, len(HEADS["queue"]))
        for number, name in enumerate(names, start=1)
    ]
    return Cascade([stages[name] for name in names], Gates(tuple(gates)), HEADS)


def test_with_examples_it_knows_and_without_it_does_not() -> None:
    figures = in_context(cascade("neighbours", "llm"), HELD, 4, quiet=True)
    assert figures["backend"] == "knowing"
    assert figures["shots"]["8-shot"]["accuracy"] == 1
    assert figures["shots"]["8-shot"]["answered"] == 1
    assert figures["shots"]["zero-shot"]["accuracy"] == 0
    assert figures["shots"]["zero-shot"]["answered"] == 0
    assert figures["neighbours"]["accuracy"] == 1
    assert figures["cascade"]["accuracy"] == 1


def test_only_so_many_tickets_are_asked_about() -> None:
    assert in_context(cascade("neighbours", "llm"), HELD, 2, quiet=True)["tickets"] == 2


def test_a_bundle_without_an_llm_stage_has_nobody_to_ask() -> None:
    with pytest.raises(InputError, match="no llm stage"):
        in_context(cascade("neighbours"), HELD, 2, quiet=True)
