"""Labels never trained on: the four settings, and what is measured on them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from cascade.errors import InputError
from cascade.examples import Pool
from cascade.llm.base import MAX_CANDIDATES, Answer, NoAnswer, Question
from cascade.stages.base import QUEUE
from eval.few_shot import (
    NEIGHBOURS,
    Setting,
    held_out_intents,
    measure,
    measure_vote,
    settings,
    vote_of_the_shown,
)


@pytest.fixture(scope="module")
def made(data: Path) -> list[Setting]:
    return settings(data)


def test_the_settings_are_those_of_the_literature(made: list[Setting]) -> None:
    assert [(s.name, len(s.gold), len(s.pool), len(s.pool.heads[QUEUE])) for s in made] == [
        ("banking77, 10 a label", 3080, 770, 77),
        ("banking77, 50 a label", 3080, 3826, 77),
        ("clinc150, 10 a label", 1500, 500, 50),
        ("clinc150, 50 a label", 1500, 2500, 50),
    ]


def test_the_held_out_intents_stay_the_same(data: Path, made: list[Setting]) -> None:
    intents = held_out_intents(data)
    assert intents == made[2].pool.heads[QUEUE] == made[3].pool.heads[QUEUE]
    assert intents[:2] == ("account_blocked", "alarm")
    assert "oos" not in intents


def test_every_question_can_be_asked(made: list[Setting]) -> None:
    for setting in made:
        known = set(zip(setting.pool.texts, setting.pool.labels[QUEUE].tolist(), strict=True))
        for question in setting.questions:
            assert 2 <= len(question.candidates) <= MAX_CANDIDATES
            assert list(question.candidates) == sorted(set(question.candidates))
            assert len(question.examples) <= NEIGHBOURS
            for example in question.examples:
                assert example.queue in question.candidates
                number = setting.pool.heads[QUEUE].index(example.queue)
                assert (example.text, number) in known


def test_the_most_similar_example_comes_last(made: list[Setting]) -> None:
    setting = made[0]
    for question in setting.questions[:200]:
        rows, _ = setting.pool.nearest(question.ticket, NEIGHBOURS)
        assert [e.text for e in question.examples] == [setting.pool.texts[r] for r in rows[::-1]]


def test_no_ticket_is_among_the_examples_of_its_own_split(made: list[Setting]) -> None:
    """The splits are the official ones; they share a handful of short sentences at most."""
    for setting in made:
        texts = set(setting.pool.texts)
        assert np.mean([question.ticket in texts for question in setting.questions]) < 0.01


class Teller:
    """Says the label that it finds behind ``=`` in the nearest example; nothing where told so."""

    name = "teller"

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent
        self.deadlines: list[float] = []

    def ask(self, question: Question, deadline: float) -> Answer:
        self.deadlines.append(deadline)
        if self.silent:
            raise NoAnswer("failed", "says nothing")
        said = question.ticket.split("=")[-1]
        shares = [0.9 if queue == said else 0.1 for queue in question.candidates]
        return Answer(tuple(share / sum(shares) for share in shares))


@pytest.fixture
def small() -> Setting:
    """Colours that tell the label now and then; who reads the end of the ticket can tell it."""
    random = np.random.default_rng(0)
    queues = ("left", "right")
    colours = {"left": ["red", "red", "blue"], "right": ["green", "green", "blue"]}

    def text(queue: str) -> str:
        return " ".join(random.choice(colours[queue], 2))

    numbers = random.integers(0, 2, 40)
    pool = Pool({QUEUE: queues}, [text(queues[i]) for i in numbers], {QUEUE: numbers})
    gold = [queues[i] for i in random.integers(0, 2, 60)]
    questions = [Question(f"{text(queue)} ={queue}", queues) for queue in gold]
    return Setting("small", questions, gold, pool)


def test_a_backend_is_measured_beside_the_vote(small: Setting) -> None:
    teller = Teller()
    row = measure(small, teller)
    assert (row.backend, row.answered, row.accuracy) == ("teller", 1.0, 1.0)
    assert row.joined == 1.0
    assert row.low <= row.gain <= row.high
    assert row.gain == pytest.approx(1 - measure_vote(small).vote, abs=1e-3)
    assert row.low > 0
    assert min(teller.deadlines) > time.monotonic()


def test_who_says_nothing_is_wrong_and_adds_nothing_to_the_vote(small: Setting) -> None:
    row = measure(small, Teller(silent=True))
    assert (row.answered, row.accuracy) == (0.0, 0.0)
    assert row.joined_gain == 0
    assert row.joined == measure_vote(small).vote


def test_the_figures_kept_are_those_of_the_vote(made: list[Setting]) -> None:
    file = Path(__file__).parents[2] / "eval" / "results" / "few_shot.json"
    setting = made[2]
    row = measure_vote(setting)
    assert asdict(row) in json.loads(file.read_text())["rows"]
    assert row.vote < row.gold_shown
    shares = vote_of_the_shown(setting)
    best = [setting.pool.heads[QUEUE][i] for i in shares.argmax(axis=1)]
    candidates = [question.candidates for question in setting.questions]
    assert np.mean([b in c for b, c in zip(best, candidates, strict=True)]) > 0.99


def test_a_missing_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"banking77\.csv\.gz"):
        settings(tmp_path)
