"""Which tickets become examples, and how their vote is chosen."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cascade.examples import words
from cascade.stages.base import QUEUE, Heads
from train.examples import MAX_CHARACTERS, choose_pool, fit_neighbours, probably_wrong, shorten
from train.split import near_duplicates
from train.starter import generate

TICKETS = list(generate(1500, seed=21))
TEXTS = [f"{ticket.subject}\n{ticket.body}" for ticket in TICKETS]
QUEUES = tuple(sorted({ticket.queue for ticket in TICKETS}))
URGENCIES = tuple(sorted({ticket.urgency for ticket in TICKETS}))
HEADS: Heads = {QUEUE: QUEUES, "urgency": URGENCIES}
TARGETS = {
    QUEUE: np.asarray([QUEUES.index(ticket.queue) for ticket in TICKETS]),
    "urgency": np.asarray([URGENCIES.index(ticket.urgency) for ticket in TICKETS]),
}


def sure(y: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Probabilities of a model that finds every label right."""
    out = np.full((len(y), classes), 0.1 / classes, dtype=np.float32)
    out[np.arange(len(y)), y] += 0.9
    return out


TRUSTED = sure(TARGETS[QUEUE], len(QUEUES))


def test_every_queue_is_covered_and_the_size_is_kept() -> None:
    pool = choose_pool(TEXTS, TARGETS, HEADS, TRUSTED, size=100)
    assert len(pool) == 100
    assert set(pool.labels[QUEUE]) == set(range(len(QUEUES)))
    assert set(pool.labels) == set(HEADS)


def test_rare_queues_get_more_than_their_share_and_frequent_ones_the_most() -> None:
    texts = [f"word{i} and another{i} of number{i}" for i in range(1010)]
    y = np.asarray([0] * 900 + [1] * 100 + [2] * 10)
    heads: Heads = {QUEUE: ("many", "some", "few")}
    pool = choose_pool(texts, {QUEUE: y}, heads, sure(y, 3), size=130)
    many, some, few = np.bincount(pool.labels[QUEUE])
    assert many > some > few
    assert few == 10
    assert some / 130 > 100 / 1010


def test_a_queue_with_one_ticket_has_it_however_small_the_pool() -> None:
    texts = [f"word{i} and another{i} of number{i}" for i in range(50)]
    y = np.asarray([0] * 48 + [1, 2])
    pool = choose_pool(texts, {QUEUE: y}, {QUEUE: ("a", "b", "c")}, sure(y, 3), size=1)
    assert sorted(pool.labels[QUEUE]) == [0, 1, 2]


def test_no_two_examples_are_near_duplicates() -> None:
    twice = [*TEXTS, *(f"{text} thanks" for text in TEXTS)]
    targets = {name: np.concatenate([y, y]) for name, y in TARGETS.items()}
    pool = choose_pool(twice, targets, HEADS, sure(targets[QUEUE], len(QUEUES)), size=1000)
    assert len(set(near_duplicates(pool.texts))) == len(pool)


def test_labels_that_are_probably_wrong_stay_out() -> None:
    y = TARGETS[QUEUE]
    false = np.flatnonzero(np.arange(len(y)) % 10 == 0)
    given = y.copy()
    given[false] = (y[false] + 1) % len(QUEUES)
    pool = choose_pool(TEXTS, {QUEUE: given}, HEADS, TRUSTED, size=len(TEXTS))
    right = {(shorten(text), int(queue)) for text, queue in zip(TEXTS, y, strict=True)}
    found = zip(pool.texts, pool.labels[QUEUE].tolist(), strict=True)
    # Masking may change a text: those that it left alone are enough to tell.
    alone = [pair for pair in found if pair[0] in {text for text, _ in right}]
    assert len(alone) > 300
    assert all(pair in right for pair in alone)


def test_of_near_duplicates_the_one_with_a_right_label_is_taken() -> None:
    form = "please grant access to the shared drive of the finance department for this person"
    texts = [f"{form} one", f"{form} two", "invoice number seven has a mistake in it"]
    y = np.asarray([1, 0, 1])
    out_of_fold = np.asarray([[0.95, 0.05], [0.95, 0.05], [0.05, 0.95]], dtype=np.float32)
    pool = choose_pool(texts, {QUEUE: y}, {QUEUE: ("access", "billing")}, out_of_fold)
    assert dict(zip(pool.texts, pool.labels[QUEUE].tolist(), strict=True)) == {
        texts[1]: 0,
        texts[2]: 1,
    }


def test_a_queue_all_of_whose_labels_are_doubted_has_one_example_all_the_same() -> None:
    texts = [f"word{i} and another{i} of number{i}" for i in range(20)]
    y = np.asarray([0] * 15 + [1] * 5)
    pool = choose_pool(texts, {QUEUE: y}, {QUEUE: ("a", "b")}, sure(np.zeros_like(y), 2))
    assert np.bincount(pool.labels[QUEUE]).tolist() == [15, 1]


def test_only_a_clear_contradiction_makes_a_label_wrong() -> None:
    out_of_fold = np.asarray([[0.05, 0.9, 0.05], [0.09, 0.46, 0.45], [0.2, 0.7, 0.1]], np.float32)
    assert probably_wrong(out_of_fold, np.asarray([0, 0, 0])).tolist() == [True, False, False]


def test_names_are_masked_and_long_texts_cut() -> None:
    texts = ["My name is Hannelore Kowalski, the printer is broken", "invoice " * 500]
    y = np.asarray([0, 1])
    pool = choose_pool(texts, {QUEUE: y}, {QUEUE: ("bug", "billing")}, sure(y, 2))
    assert "Kowalski" not in pool.texts[0]
    assert len(pool.texts[1]) <= MAX_CHARACTERS


@given(st.text(alphabet="ab \n", max_size=3 * MAX_CHARACTERS // 2))
def test_a_text_is_cut_between_words_and_no_more_than_it_must(text: str) -> None:
    cut = shorten(text)
    assert len(cut) <= MAX_CHARACTERS
    assert text.startswith(cut)
    if len(text) <= MAX_CHARACTERS:
        assert cut == text
    elif len(words(text)) and max(map(len, text.split())) < MAX_CHARACTERS // 2:
        assert text[len(cut)].isspace()


def test_the_same_seed_chooses_the_same() -> None:
    def made(seed: int) -> dict[str, bytes]:
        pool = choose_pool(TEXTS, TARGETS, HEADS, TRUSTED, size=200, seed=seed)
        return {**pool.to_files(), **fit_neighbours(pool, seed=seed).to_files()}

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_the_vote_is_better_than_chance_and_sure_where_it_may_be() -> None:
    pool = choose_pool(TEXTS[:1000], cut(TARGETS, 0, 1000), HEADS, TRUSTED[:1000], size=400)
    stage = fit_neighbours(pool)
    given = stage.predict(TEXTS[1000:])[QUEUE]
    y = TARGETS[QUEUE][1000:]
    shares = np.bincount(TARGETS[QUEUE][:1000], minlength=len(QUEUES)) / 1000
    assert np.mean(given.argmax(axis=1) == y) > 1.5 * shares.max()
    assert -np.log(given[np.arange(len(y)), y]).mean() < 0.8 * -np.log(shares[y]).mean()


def cut(targets: dict[str, NDArray[np.int64]], low: int, high: int) -> dict[str, NDArray[np.int64]]:
    return {name: y[low:high] for name, y in targets.items()}


def test_the_vote_is_chosen_without_the_example_itself() -> None:
    """On labels drawn at random, only a vote that looked at itself would be sure of anything."""
    y = np.random.default_rng(0).integers(0, 2, 600)
    pool = choose_pool(TEXTS[:600], {QUEUE: y}, {QUEUE: ("a", "b")}, sure(y, 2), size=300)
    given = fit_neighbours(pool).predict(TEXTS[600:])[QUEUE]
    assert np.median(given.max(axis=1)) < 0.75


@pytest.mark.parametrize("size", [2, 5])
def test_a_vote_of_very_few_examples(size: int) -> None:
    y = TARGETS[QUEUE] % 2
    pool = choose_pool(TEXTS, {QUEUE: y}, {QUEUE: ("a", "b")}, sure(y, 2), size=size)
    given = fit_neighbours(pool).predict(TEXTS[:20])[QUEUE]
    assert np.allclose(given.sum(axis=1), 1, atol=1e-6)


def test_a_ticket_is_voted_on_in_milliseconds() -> None:
    pool = choose_pool(TEXTS, TARGETS, HEADS, TRUSTED)
    stage = fit_neighbours(pool)
    long = " ".join(" ".join(TEXTS[:60]).split()[:900])
    seconds = []
    for _ in range(10):
        start = time.process_time()
        stage.predict([long])
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.02
