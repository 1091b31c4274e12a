"""Baselines: what each answers where one can tell, on tickets made for it."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cascade.errors import TrainingError
from eval import baselines
from eval.approach import Fit, guesses
from eval.baselines import (
    BASELINES,
    KEYWORDS,
    fit_bm25_neighbours,
    fit_frozen_embeddings,
    fit_keyword_rules,
    fit_majority,
    log_odds,
    stratified,
)
from eval.labelled import Labelled
from train.measures import macro_f1
from train.starter import generate

QUEUES = ("access", "billing", "network")


def labelled(*rows: tuple[str, str], queues: Sequence[str] = QUEUES) -> Labelled:
    """Tickets given as text and queue."""
    y = np.asarray([queues.index(queue) for _, queue in rows], dtype=np.int64)
    return Labelled("made.csv", [text for text, _ in rows], y, tuple(queues), [*range(len(rows))])


FEW = labelled(
    ("my password was reset and the login fails", "access"),
    ("locked account, cannot login with the new password", "access"),
    ("please unlock the login of a colleague", "access"),
    ("the invoice of march shows a wrong amount", "billing"),
    ("refund the amount of the last invoice please", "billing"),
    ("vpn drops and the wifi is slow", "network"),
    ("no vpn since the update of the router", "network"),
)


@pytest.fixture(scope="module")
def starter() -> tuple[Labelled, Labelled]:
    """500 generated tickets to fit on, and 200 others."""

    def drawn(count: int, seed: int) -> Labelled:
        tickets = list(generate(count, seed=seed))
        rows = [(f"{ticket.subject}\n{ticket.body}", ticket.queue) for ticket in tickets]
        return labelled(*rows, queues=queues)

    queues = sorted({ticket.queue for ticket in generate(500, seed=1)})
    return drawn(500, 1), drawn(200, 2)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_says_a_distribution_for_every_ticket(name: str) -> None:
    approach = BASELINES[name](FEW, 0)
    assert approach.name == name
    said = approach.predict(["password?", "", "xyzzy " * 5000, "Rechnung falsch"])
    assert said.shape == (4, 3) and said.dtype == np.float32
    assert (said >= 0).all()
    np.testing.assert_allclose(said.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("fit", [fit_keyword_rules, fit_bm25_neighbours, fit_frozen_embeddings])
def test_telling_words_are_found(fit: Fit) -> None:
    said = fit(FEW, 0).predict(["The LOGIN asks for a password", "wrong invoice", "slow vpn"])
    assert guesses(said).tolist() == [0, 1, 2]


@pytest.mark.parametrize("fit", [fit_majority, fit_keyword_rules, fit_bm25_neighbours])
def test_without_a_known_word_the_majority_is_said(fit: Fit) -> None:
    assert guesses(fit(FEW, 0).predict(["xyzzy", ""])).tolist() == [0, 0]


@pytest.mark.parametrize("name", BASELINES)
def test_an_answer_does_not_depend_on_the_neighbours_nor_on_the_run(name: str) -> None:
    texts = [*FEW.texts, "the vpn wants a password", "ok"]
    approach = BASELINES[name](FEW, 3)
    together = approach.predict(texts)
    alone = np.concatenate([approach.predict([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(together, BASELINES[name](FEW, 3).predict(texts))


@pytest.mark.parametrize("name", BASELINES)
def test_one_ticket_a_queue_and_a_queue_without_any_will_do(name: str) -> None:
    one_each = FEW.take([0, 3])
    said = BASELINES[name](one_each, 0).predict(["password reset", "invoice amount"])
    assert said.shape == (2, 3)
    assert (said[:, 2] == 0).all()
    assert name == "majority class" or guesses(said).tolist() == [0, 1]


@pytest.mark.parametrize("fit", [fit_keyword_rules, fit_bm25_neighbours])
def test_words_beat_the_majority_on_tickets(fit: Fit, starter: tuple[Labelled, Labelled]) -> None:
    train, test = starter

    def measured(fit: Fit) -> float:
        return macro_f1(test.y, guesses(fit(train, 0).predict(test.texts)), len(test.queues))

    assert measured(fit) > 0.5 > 0.2 > measured(fit_majority)


def test_a_queue_has_a_short_list_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "KEYWORDS", 1)
    said = fit_keyword_rules(FEW, 0).predict(["login", "unlock", "amount", "vpn", "router"])
    # One word a queue: "unlock" and "router" are on no list, so the largest queue is said.
    assert guesses(said).tolist() == [0, 0, 1, 2, 0]
    assert KEYWORDS == 20


@given(arrays.arrays(np.int64, (3, 6), elements=st.integers(0, 50)))
def test_log_odds_are_those_of_the_formula(counts: np.ndarray) -> None:
    counts[0] += 1  # each term is held by some ticket
    told = log_odds(counts)
    prior = counts.sum(axis=0) / 3
    i, w = 1, 2
    here, there = counts[i], counts.sum(axis=0) - counts[i]
    y, n, a, a0 = here[w], here.sum(), prior[w], prior.sum()
    other, m = there[w], there.sum()
    ratio = np.log((y + a) / (n + a0 - y - a)) - np.log((other + a) / (m + a0 - other - a))
    assert told[i, w] == pytest.approx(ratio / np.sqrt(1 / (y + a) + 1 / (other + a)))


def test_a_word_that_all_queues_use_alike_tells_nothing() -> None:
    told = log_odds(np.asarray([[40, 9, 1, 0], [40, 1, 9, 0], [40, 0, 0, 10]]))
    assert np.abs(told[:, 0]).max() == pytest.approx(0, abs=1e-9)
    assert told[0].argmax() == 1 and told[1].argmax() == 2 and told[2].argmax() == 3


def test_a_ticket_is_no_neighbour_of_its_own_when_k_is_chosen() -> None:
    # Each queue's tickets are alike, but for one wrong label among them: the nearest alone would
    # be wrong for its neighbours, and would look perfect if a ticket found itself.
    rows = [(f"password {word} login", "access") for word in ("one", "two", "three", "four")]
    rows += [(f"invoice {word} amount", "billing") for word in ("six", "seven", "nine", "ten")]
    train = labelled(*rows, ("password login password", "billing"))
    assert guesses(fit_bm25_neighbours(train, 0).predict(["password login"])).tolist() == [0]


def test_one_queue_cannot_be_learned_from() -> None:
    with pytest.raises(TrainingError, match="all tickets are of one queue"):
        fit_frozen_embeddings(FEW.take([0, 1, 2]), 0)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(1, 250))
def test_a_stratified_sample_keeps_the_shares(queues: list[int], most: int) -> None:
    y = np.asarray(queues)
    rows = stratified(y, most, 0)
    kept = min(most, len(y))
    assert len(set(rows.tolist())) == len(rows) == kept
    there, drawn = np.bincount(y, minlength=5), np.bincount(y[rows], minlength=5)
    assert (np.abs(drawn - there * kept / len(y)) < 1 + 1e-9).all()


def test_embeddings_know_words_that_no_ticket_had(data: Path) -> None:
    """Ten intents of banking77, three questions of each to learn from."""
    with gzip.open(data / "banking77" / "banking77.csv.gz", "rt", encoding="utf-8") as file:
        table = [(row["text"], row["label"], row["split"]) for row in csv.DictReader(file)]
    queues = sorted({label for _, label, _ in table})[:10]

    def some(split: str, each: int) -> Labelled:
        its = [
            [(text, label) for text, label, part in table if (label, part) == (queue, split)]
            for queue in queues
        ]
        return labelled(*(row for rows in its for row in rows[:each]), queues=queues)

    train, test = some("train", 3), some("test", 10)
    quality = [
        macro_f1(test.y, guesses(fit(train, 0).predict(test.texts)), len(queues))
        for fit in (fit_bm25_neighbours, fit_frozen_embeddings)
    ]
    assert quality[1] > quality[0] + 0.05
