"""The neighbours' vote: who votes, how much it weighs, and what is said where nobody does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import BundleError
from cascade.examples import Pool
from cascade.stages.base import QUEUE, Heads
from cascade.stages.neighbours import NeighboursStage, Vote

HEADS: Heads = {
    QUEUE: ("access", "billing", "bug"),
    "urgency": ("low", "high"),
    "mood": ("calm", "angry"),
}
POOL = Pool(
    HEADS,
    [
        "vpn login fails since monday",
        "vpn login fails on my phone",
        "invoice was charged twice",
        "the page crashes on login",
    ],
    {QUEUE: np.asarray([0, 0, 1, 2]), "urgency": np.asarray([1, -1, 0, 0])},
)
STAGE = NeighboursStage(POOL, Vote(k=3, power=2.0, smoothing=0.5, sharpness=1.5))
TEXTS = ["vpn login", "charged twice for one invoice", "login", "", "qqqq", "My VPN\tlogin " * 300]


def test_the_nearest_examples_decide() -> None:
    queue = STAGE.predict(TEXTS)[QUEUE]
    assert queue.shape == (len(TEXTS), 3)
    assert queue.dtype == np.float32
    assert queue[:2].argmax(axis=1).tolist() == [0, 1]
    assert np.allclose(queue.sum(axis=1), 1, atol=1e-6)


def test_where_no_word_is_known_all_classes_are_alike() -> None:
    given = STAGE.predict(["", "qqqq", "?!"])
    for name, classes in HEADS.items():
        assert np.allclose(given[name], 1 / len(classes))


def test_other_heads_vote_where_the_pool_has_labels_and_are_even_where_it_has_none() -> None:
    given = STAGE.predict(["vpn fails since monday", "on my phone"])
    assert given["urgency"][0].argmax() == 1
    # The nearest example to the second has no urgency: the others that share a word vote alone.
    assert given["urgency"][1].argmax() == 0
    assert np.all(given["mood"] == 0.5)


def test_a_text_gives_the_same_bits_alone_and_in_any_batch() -> None:
    whole = STAGE.predict(TEXTS)
    for row, text in enumerate(TEXTS):
        alone = STAGE.predict([text])
        for name in HEADS:
            assert np.array_equal(alone[name][0], whole[name][row])
    assert STAGE.predict([])[QUEUE].shape == (0, 3)


def test_a_name_in_the_ticket_is_masked_as_it_is_in_the_examples() -> None:
    pool = Pool(HEADS, ["my name is <name>", "my number is gone"], {QUEUE: np.asarray([0, 1])})
    stage = NeighboursStage(pool, STAGE.vote)
    with_name, masked = stage.predict(["my name is Hannelore", "my name is <name>"])[QUEUE]
    assert np.array_equal(with_name, masked)


def test_votes_weigh_as_their_scores_and_are_smoothed_and_sharpened() -> None:
    vote = Vote(k=3, power=2.0, smoothing=0.3, sharpness=2.0)
    labels = np.asarray([[0, 1, 1, 2]])  # the last one is the fourth of three
    scores = np.asarray([[4.0, 2.0, 1.0, 1.0]], dtype=np.float32)
    votes = np.asarray([1 + 0.1, 1 / 4 + 1 / 16 + 0.1, 0.1]) ** 2
    assert np.allclose(vote.count(labels, scores, 3)[0], votes / votes.sum(), atol=1e-6)


NUMBERS = st.builds(
    Vote,
    st.integers(1, 1000),
    st.floats(0, 20),
    st.floats(1e-3, 1000),
    st.floats(0, 20),
)


@given(
    NUMBERS,
    st.lists(st.tuples(st.integers(-1, 3), st.floats(0, 1e6, width=32)), max_size=12),
)
def test_any_vote_is_a_distribution(vote: Vote, neighbours: list[tuple[int, float]]) -> None:
    vote.check()
    ranked = sorted(neighbours, key=lambda pair: -pair[1])
    labels = np.asarray([[label for label, _ in ranked]], dtype=np.int64)
    scores = np.asarray([[score for _, score in ranked]], dtype=np.float32)
    shares = vote.count(labels, scores, 4)
    assert shares.shape == (1, 4)
    assert np.all(shares >= 0)
    assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_what_was_saved_gives_the_same_bits() -> None:
    files = STAGE.to_files()
    loaded = NeighboursStage.from_files(files.__getitem__, POOL)
    assert loaded.vote == STAGE.vote
    assert np.array_equal(loaded.predict(TEXTS)[QUEUE], STAGE.predict(TEXTS)[QUEUE])


GOOD = {"k": 8, "power": 2.0, "smoothing": 1.0, "sharpness": 1.0}


@pytest.mark.parametrize(
    "plain",
    [
        [],
        {},
        {**GOOD, "k": 0},
        {**GOOD, "k": 10**9},
        {**GOOD, "k": "many"},
        {**GOOD, "power": -1},
        {**GOOD, "power": 1e9},
        {**GOOD, "smoothing": 0},
        {**GOOD, "sharpness": float("nan")},
        {**GOOD, "sharpness": float("inf")},
        {**GOOD, "smoothing": None},
    ],
)
def test_a_file_that_is_no_vote_is_refused(plain: object) -> None:
    with pytest.raises(BundleError, match="neighbours"):
        NeighboursStage.from_files(lambda name: json.dumps(plain).encode(), POOL)


@pytest.mark.parametrize("junk", [b"", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_json_are_refused(junk: bytes) -> None:
    with pytest.raises(BundleError, match="neighbours"):
        NeighboursStage.from_files(lambda name: junk, POOL)
