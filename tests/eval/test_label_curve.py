"""The label curve: the same draws for everybody, and where training begins to pay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cascade.errors import InputError
from cascade.llm.base import Answer, NoAnswer, Question
from cascade.llm.settings import LLMSettings
from eval import label_curve as module
from eval.label_curve import crossing, draw, label_curve, main, read_both, read_sizes
from eval.labelled import Labelled
from eval.learners import CASCADE, IN_CONTEXT, LINEAR, PAIRS, PLAIN, VOTE, Learners, Means
from train.few import FEW

QUEUES = ("access", "billing", "printer")
WORDS = {
    "access": ("password", "login", "account", "locked", "token"),
    "billing": ("invoice", "refund", "payment", "charge", "euro"),
    "printer": ("toner", "paper", "jam", "tray", "ink"),
}


def tickets(a_queue: int, seed: int = 0) -> Labelled:
    """Tickets of three queues, each of some of its words and of noise."""
    random = np.random.default_rng(seed)
    y = np.repeat(np.arange(3), a_queue)
    texts = [
        " ".join(
            [*random.choice(WORDS[QUEUES[k]], 3), *(f"n{n}" for n in random.integers(90, size=3))]
        )
        for k in y
    ]
    return Labelled("t.csv", texts, y, QUEUES, list(range(len(y))))


class FirstNamed:
    """Says the queue of the most similar example, and nothing of tickets with ``toner``."""

    name = "first named"

    def ask(self, question: Question, deadline: float) -> Answer:
        if "toner" in question.ticket:
            raise NoAnswer("failed", "no toner")
        said = question.examples[-1].queue if question.examples else question.candidates[0]
        return Answer(tuple(float(queue == said) for queue in question.candidates))


@pytest.fixture
def means(encoder_folder: Callable[[str], Path]) -> Means:
    """A tiny encoder of random weights, and next to no minutes."""
    return Means(0.02, FirstNamed(), LLMSettings(), 32, str(encoder_folder("bert")))


# --- draws ---


@given(st.integers(1, 12), st.integers(0, 5))
def test_a_draw_has_so_many_of_each_queue_or_all_that_there_are(size: int, seed: int) -> None:
    some = draw(tickets(8), size, seed)
    assert np.bincount(some.y).tolist() == [min(size, 8)] * 3
    assert some.lines == sorted(some.lines)


@given(st.integers(1, 7), st.integers(0, 5))
def test_a_larger_draw_of_a_seed_holds_the_smaller_ones(size: int, seed: int) -> None:
    all_of_them = tickets(8)
    small, large = draw(all_of_them, size, seed), draw(all_of_them, size + 1, seed)
    assert set(small.lines) < set(large.lines)


def test_other_seeds_draw_others_and_all_is_all() -> None:
    many = tickets(50)
    assert draw(many, 5, 0).lines == draw(many, 5, 0).lines != draw(many, 5, 1).lines
    assert draw(many, None, 3) is many


# --- the crossing ---


def points(**at: tuple[float, float]) -> list[dict[str, Any]]:
    """Points from ``_1=(least, most)``; ``_all`` is all labels."""
    sizes = {name: None if name == "_all" else int(name[1:]) for name in at}
    return [{"size": sizes[n], "least": least, "most": most} for n, (least, most) in at.items()]


def test_training_pays_from_where_its_worst_draw_beats_the_best_in_context() -> None:
    asked = points(_1=(0.5, 0.6), _8=(0.6, 0.7), _64=(0.6, 0.7), _all=(0.7, 0.7))
    trained = points(_8=(0.71, 0.8), _64=(0.8, 0.9), _all=(0.9, 0.9))
    pairs = points(_1=(0.5, 0.9), _8=(0.1, 0.2))
    assert crossing({IN_CONTEXT: asked, CASCADE: trained, PAIRS: pairs}) == 8
    pairs = points(_1=(0.61, 0.9))
    assert crossing({IN_CONTEXT: asked, CASCADE: trained, PAIRS: pairs}) == 1


def test_a_lead_within_the_spread_or_lost_again_is_none() -> None:
    asked = points(_8=(0.6, 0.7), _16=(0.6, 0.7), _all=(0.7, 0.7))
    even = points(_8=(0.9, 0.9), _16=(0.7, 0.9), _all=(0.9, 0.9))
    assert crossing({IN_CONTEXT: asked, CASCADE: even}) is None, "with all labels only"
    worse = points(_8=(0.9, 0.9), _16=(0.9, 0.9), _all=(0.6, 0.6))
    assert crossing({IN_CONTEXT: asked, CASCADE: worse}) is None
    assert crossing({}) is None


# --- who learns ---


def test_everybody_learns_and_answers(means: Means) -> None:
    test = tickets(6, seed=9)
    learners = Learners(tickets(12), test, means, 0)
    for name, learn in learners.all().items():
        approach = learn()
        assert approach.name == name
        said = approach.predict(test.texts)
        assert said.shape == (18, 3)
        assert (said >= 0).all()
    assert list(learners.all()) == [LINEAR, VOTE, IN_CONTEXT, PAIRS, PLAIN, CASCADE]


def test_few_words_are_learned_from_few_tickets(means: Means) -> None:
    test = tickets(20, seed=9)
    learners = Learners(tickets(12), test, means, 0)
    for learn in (learners.fit_linear, learners.fit_vote):
        assert (learn().predict(test.texts).argmax(axis=1) == test.y).mean() > 0.8


def test_whoever_is_asked_in_context_may_have_no_answer(means: Means) -> None:
    test = tickets(20, seed=9)
    said = Learners(tickets(12), test, means, 0).fit_in_context().predict(test.texts)
    silent = np.asarray(["toner" in text for text in test.texts])
    assert silent.any()
    assert (said.any(axis=1) == ~silent).all()
    assert (said.argmax(axis=1) == test.y)[~silent].mean() > 0.8


def test_one_label_a_queue_is_enough_to_begin_with(means: Means) -> None:
    learners = Learners(tickets(1), tickets(5, seed=9), means, 0)
    for learn in (learners.fit_linear, learners.fit_in_context, learners.fit_pairs):
        assert learn().predict(["locked account"]).shape == (1, 3)


# --- the curve ---


class Knows:
    """Is right on as many tickets as it was given labels, in tenths."""

    def __init__(self, drawn: Labelled, test: Labelled, means: Means, seed: int) -> None:
        self.drawn, self.test, self.seed = drawn, test, seed
        DRAWS.setdefault((len(drawn), seed), drawn.lines)

    def all(self) -> dict[str, Callable[[], Any]]:
        return {name: lambda: self for name in (IN_CONTEXT, PAIRS, CASCADE)}

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), 3), dtype=np.float32)
        known = min(len(self.drawn) + self.seed, len(texts))
        out[np.arange(known), self.test.y[:known]] = 1
        return out


DRAWS: dict[tuple[int, int], list[int]] = {}


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> None:
    DRAWS.clear()
    monkeypatch.setattr(module, "Learners", Knows)


def test_the_curve_holds_mean_and_range_over_the_seeds(knows: None, means: Means) -> None:
    many, test = tickets(100), tickets(100, seed=9)
    sizes = (1, 8, FEW + 1, None)
    curve = label_curve(many, test, sizes=sizes, seeds=3, means=means, quiet=True)
    assert curve["sizes"] == [1, 8, FEW + 1, None]
    assert (curve["tickets"], curve["seeds"], curve["backend"]) == (300, 3, "first named")
    asked = {point["size"]: point for point in curve["approaches"][IN_CONTEXT]}
    assert asked[None]["mean"] == asked[None]["least"] == asked[None]["most"] == 1
    assert asked[1]["least"] < asked[1]["mean"] < asked[1]["most"], "three draws"
    assert all(point["seconds"] >= 0 for point in asked.values())
    assert [p["size"] for p in curve["approaches"][PAIRS]] == [1, 8], "where labels are few"
    assert [p["size"] for p in curve["approaches"][CASCADE]] == [8, FEW + 1, None]
    assert curve["crossing"] is None, "all are alike"
    assert len(DRAWS) == 3 * 3 + 1
    json.dumps(curve)


def test_no_answer_is_a_wrong_one(knows: None, means: Means) -> None:
    test = tickets(4, seed=9)
    curve = label_curve(tickets(2), test, sizes=(2,), seeds=1, means=means, quiet=True)
    (point,) = curve["approaches"][IN_CONTEXT]
    assert 0 < point["mean"] < 0.7, "half of the tickets were answered, and rightly"


# --- the command ---


def test_the_command_writes_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "read_both", lambda *args: (tickets(9), tickets(3, seed=1)))
    its = {"size": None, "mean": 0.5, "least": 0.5, "most": 0.5, "seconds": 0.1}
    said = {"approaches": {"linear": [its]}, "crossing": 4}
    monkeypatch.setattr(module, "label_curve", lambda *args, **how: said)
    monkeypatch.setattr(module, "data_folder", lambda named: tmp_path)
    result = CliRunner().invoke(main, ["banking77", "--seeds", "2", "--minutes", "0.5"])
    assert result.exit_code == 0, result.output
    assert "all: 0.500" in result.stdout
    written = json.loads((tmp_path / "label_curve_banking77.json").read_text())
    assert written["approaches"] == said["approaches"]
    assert "banking77 --sizes 1,2,4,8,16,32,64,all --seeds 2 --minutes 0.5" in written["command"]
    assert written["labels"] == 27
    assert written["machine"]["cores"] >= 1


def test_sizes_are_numbers_or_all() -> None:
    assert read_sizes("1,8,all") == [1, 8, None]
    for wrong in ("", "0", "1,x", "-1", "1.5"):
        with pytest.raises(InputError, match=r"^--sizes .* is not a number of labels"):
            read_sizes(wrong)


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"banking77.csv.gz: no such file"):
        read_both("banking77", tmp_path, 10, 10)


def test_labels_and_tests_never_meet(data: Path) -> None:
    train, test = read_both("banking77", data, 900, 50)
    assert (len(train), len(test)) == (900, 50)
    assert len(train.queues) == len(set(train.y.tolist())) == 77
    assert train.name != test.name, "the official split"
