"""The pool of examples: its search, what it shows for a ticket, and its file."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import BundleError
from cascade.examples import BM25, KEPT_CHARACTERS, SAME, Pool, words
from cascade.llm.mask import mask
from cascade.stages.base import QUEUE, Heads
from train.starter import generate

HEADS: Heads = {QUEUE: ("access", "billing", "bug"), "urgency": ("low", "high")}
DOCUMENTS = st.lists(
    st.lists(st.sampled_from(["red", "green", "blue", "paint", "ink"]), max_size=6).map(" ".join),
    max_size=12,
)


def pool_of(*rows: tuple[str, str]) -> Pool:
    numbers = np.asarray([HEADS[QUEUE].index(queue) for _, queue in rows], dtype=np.int64)
    return Pool(HEADS, [text for text, _ in rows], {QUEUE: numbers})


def bm25_by_the_book(documents: Sequence[str], query: str, k1: float, b: float) -> list[float]:
    """Robertson and Zaragoza 2009, with Lucene's idf, which is never negative."""
    bags = [Counter(words(document)) for document in documents]
    mean = sum(bag.total() for bag in bags) / len(bags)
    scores = []
    for bag in bags:
        score = 0.0
        for word in set(words(query)):
            having = sum(word in other for other in bags)
            idf = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
            tf = bag[word]
            score += idf * tf / (tf + k1 * (1 - b + b * bag.total() / mean))
        scores.append(score)
    return scores


@given(DOCUMENTS, st.sampled_from(["red paint", "blue", "green ink red", "unknown words", ""]))
def test_the_search_is_bm25_best_first_and_ties_by_row(documents: list[str], query: str) -> None:
    engine = BM25(k1=1.2, b=0.6)
    engine.index(documents)
    rows, scores = engine.search(query, 100)
    if not any(map(words, documents)):
        assert len(rows) == 0
        return
    expected = bm25_by_the_book(documents, query, 1.2, 0.6)
    assert sorted(rows.tolist()) == [row for row, score in enumerate(expected) if score > 0]
    assert np.allclose(scores, [expected[row] for row in rows], atol=1e-5)
    for (row, score), (next_row, next_score) in zip(
        zip(rows, scores, strict=True), list(zip(rows, scores, strict=True))[1:], strict=False
    ):
        assert score > next_score or (score == next_score and row < next_row)


@given(DOCUMENTS, st.integers(0, 14))
def test_fewer_neighbours_are_the_first_of_more(documents: list[str], k: int) -> None:
    engine = BM25()
    engine.index(documents)
    few, few_scores = engine.search("red blue paint", k)
    all_of_them, all_scores = engine.search("red blue paint", len(documents))
    assert few.tolist() == all_of_them[:k].tolist()
    assert few_scores.tolist() == all_scores[:k].tolist()


@given(DOCUMENTS, st.lists(st.tuples(st.sampled_from(["red", "blue ink", ""]), st.integers(0, 90))))
def test_what_is_kept_of_a_search_is_what_a_search_finds(
    documents: list[str], asked: list[tuple[str, int]]
) -> None:
    documents = documents * 8  # more than are kept, and many ties
    engine = BM25()
    engine.index(documents)
    pool = Pool(HEADS, documents, {QUEUE: np.zeros(len(documents), dtype=np.int64)})
    for text, k in asked:
        for kept, found in zip(pool.nearest(text, k), engine.search(text, k), strict=True):
            assert kept.tobytes() == found.tobytes()


def test_what_is_kept_cannot_be_changed_from_outside() -> None:
    pool = pool_of(("vpn is slow", "bug"), ("vpn login", "access"))
    for array in pool.nearest("vpn login", 2):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_gigantic_text_is_masked_and_searched_but_not_kept() -> None:
    pool = pool_of(("vpn is slow", "bug"), ("vpn login", "access"))
    text = "vpn my name is Hannelore " * 1_000
    assert len(text) > KEPT_CHARACTERS
    assert pool.masked(text) == mask(text)
    assert pool.nearest(text, 2)[0].tolist() == [0, 1]


def test_the_search_is_the_same_in_a_process_with_other_hashes() -> None:
    code = (
        "from cascade.examples import BM25; from train.starter import generate\n"
        "texts = [t.body for t in generate(200, seed=1)]; engine = BM25(); engine.index(texts)\n"
        "print([engine.search(t, 9)[1].tobytes().hex() for t in texts[:20]])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_words_meet_by_their_stems() -> None:
    pool = pool_of(("the printers are printing nothing", "bug"), ("an invoice", "billing"))
    rows, _ = pool.nearest("my printer", 5)
    assert rows.tolist() == [0]


def test_a_query_of_900_words_over_4000_examples_takes_single_digit_milliseconds() -> None:
    texts = [f"{t.subject} {t.body}" for t in generate(4000, seed=2)]
    engine = BM25()
    engine.index(texts)
    query = " ".join(" ".join(texts[:60]).split()[:900])
    seconds = []
    for _ in range(20):
        start = time.process_time()
        engine.search(query, 32)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.009


def test_the_most_similar_example_comes_last_and_none_of_another_queue() -> None:
    pool = pool_of(
        ("password reset for the portal", "access"),
        ("invoice of the portal", "billing"),
        ("portal crashes at the password reset page", "bug"),
        ("password", "access"),
    )
    shown = pool.few_shot("password reset portal please", ["access", "billing"], 3)
    assert {example.queue for example in shown} == {"access", "billing"}
    assert shown[-1].text == "password reset for the portal"


def test_the_ticket_itself_is_not_among_its_examples() -> None:
    pool = pool_of(("VPN does not connect.", "access"), ("VPN is slow today", "bug"))
    shown = pool.few_shot("vpn does not connect", HEADS[QUEUE], 5)
    assert [example.text for example in shown] == ["VPN is slow today"]


def test_of_near_duplicates_only_the_nearest_is_shown() -> None:
    form = "request for access to the shared drive of the finance team granted by"
    pool = pool_of(
        (f"{form} Anna", "access"), (f"{form} Bernd", "access"), ("drive is broken", "bug")
    )
    shown = pool.few_shot("shared drive Bernd", HEADS[QUEUE], 8)
    assert [example.text for example in shown] == ["drive is broken", f"{form} Bernd"]


def test_no_queue_has_more_than_its_share_while_others_have_matches() -> None:
    nouns = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "theta", "kappa"]
    crowd = [(f"printer paper {noun}", "bug") for noun in nouns]
    pool = pool_of(*crowd, ("the old printer and what it costs us", "billing"))
    shown = pool.few_shot("printer paper", HEADS[QUEUE], 3)
    assert Counter(example.queue for example in shown) == {"bug": 2, "billing": 1}
    assert [example.queue for example in shown] == ["billing", "bug", "bug"]
    # Where nobody else has a match, the share is no limit.
    assert len(pool.few_shot("printer paper", ["bug", "access"], 6)) == 6


ROWS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["vpn", "mail", "login", "invoice", "slow"]), max_size=5).map(
            " ".join
        ),
        st.sampled_from(HEADS[QUEUE]),
    ),
    max_size=20,
)


@given(ROWS, st.sampled_from(["vpn login", "invoice", "slow new mail", ""]), st.integers(0, 9))
def test_laws_of_the_examples(rows: list[tuple[str, str]], ticket: str, k: int) -> None:
    pool = pool_of(*rows)
    candidates = ["access", "bug"]
    shown = pool.few_shot(ticket, candidates, k)
    assert len(shown) <= k
    assert all((example.text, example.queue) in rows for example in shown)
    assert {example.queue for example in shown} <= set(candidates)
    bags = [set(words(example.text)) for example in shown]
    assert all(bag & set(words(ticket)) for bag in bags)
    for at, bag in enumerate(bags):
        assert all(len(bag & other) < SAME * len(bag | other) for other in bags[:at])
    assert shown == pool.few_shot(ticket, candidates[::-1], k)


def test_what_was_saved_finds_the_same() -> None:
    pool = Pool(
        HEADS,
        ["vpn is down", "invoice missing", "vpn ünïcode 发票"],
        {QUEUE: np.asarray([2, 1, 0]), "urgency": np.asarray([1, -1, 0])},
    )
    files = pool.to_files()
    loaded = Pool.from_files(files.__getitem__, HEADS)
    assert loaded.to_files() == files
    assert loaded.texts == pool.texts
    assert all(np.array_equal(loaded.labels[name], pool.labels[name]) for name in HEADS)
    assert loaded.few_shot("vpn", HEADS[QUEUE], 4) == pool.few_shot("vpn", HEADS[QUEUE], 4)


def test_an_empty_pool_has_no_examples() -> None:
    assert pool_of().few_shot("vpn", HEADS[QUEUE], 4) == ()
    assert pool_of(("!", "bug")).few_shot("!", HEADS[QUEUE], 4) == ()


@pytest.mark.parametrize(
    "plain",
    [
        [],
        {},
        {"texts": "secret", "labels": {QUEUE: []}},
        {"texts": [1], "labels": {QUEUE: [0]}},
        {"texts": ["secret"], "labels": {QUEUE: []}},
        {"texts": ["secret"], "labels": {QUEUE: [3]}},
        {"texts": ["secret"], "labels": {QUEUE: [-1]}},
        {"texts": ["secret"], "labels": {QUEUE: ["secret"]}},
        {"texts": ["secret"], "labels": {QUEUE: [0.5]}},
        {"texts": ["secret"], "labels": {QUEUE: [10**30]}},
        {"texts": ["secret"], "labels": {"urgency": [0]}},
        {"texts": ["secret"], "labels": {QUEUE: [0], "mood": [0]}},
        {"texts": ["secret"], "labels": {QUEUE: [0], "urgency": [2]}},
        {"texts": ["secret"], "labels": [0]},
    ],
)
def test_a_file_that_is_no_pool_is_refused_without_a_word_of_its_texts(plain: object) -> None:
    with pytest.raises(BundleError, match="examples") as caught:
        Pool.from_files(lambda name: json.dumps(plain).encode(), HEADS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("junk", [b"", b"\xff", b"[" * 100_000, b'"' * 3])
def test_bytes_that_are_no_json_are_refused(junk: bytes) -> None:
    with pytest.raises(BundleError, match="examples"):
        Pool.from_files(lambda name: junk, HEADS)
