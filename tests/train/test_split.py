"""Three splits: disjoint, complete, stratified, and near-duplicates never on two sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cascade.clean import clean
from cascade.errors import TrainingError
from train.split import LEAST, Split, near_duplicates, split_by_time, split_randomly
from train.starter import generate

WORDS = [
    "printer", "vpn", "invoice", "login", "refund", "screen", "laptop", "mail", "server", "crash",
    "order", "update", "token", "badge", "phone", "keyboard", "account", "price", "export", "link",
]  # fmt: skip


def random_texts(count: int, seed: int = 0, words: int = 20) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, words)) for _ in range(count)]


def assert_partition(split: Split, n: int) -> None:
    parts = [split.train, split.gate, split.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part in parts:
        assert np.array_equal(part, np.sort(part))


def side(split: Split, n: int) -> NDArray[np.int64]:
    out = np.empty(n, dtype=np.int64)
    for number, part in enumerate((split.train, split.gate, split.test)):
        out[part] = number
    return out


# --- near-duplicates ---


def test_texts_that_differ_in_case_and_punctuation_are_near_duplicates() -> None:
    text = " ".join(WORDS)
    groups = near_duplicates([text, text.upper() + "!", "other " + " ".join(WORDS[::-1]), text])
    assert groups[0] == groups[1] == groups[3] != groups[2]


def test_a_form_letter_with_another_name_is_a_near_duplicate() -> None:
    letter = " ".join(random_texts(1, words=150))
    groups = near_duplicates([f"dear {name} {letter}" for name in ("anna", "bob", "carla")])
    assert len(set(groups.tolist())) == 1


def test_different_tickets_are_not_near_duplicates() -> None:
    texts = random_texts(500)
    assert len(set(near_duplicates(texts).tolist())) == 500


def test_texts_of_fewer_than_three_words_are_on_their_own() -> None:
    assert len(set(near_duplicates(["help", "help me", "", "vpn", "a b c"]).tolist())) == 5


def test_similarity_decides_as_it_should_at_both_ends() -> None:
    """Of texts that share 95 % of their shingles nearly all are found, of those that share half
    hardly any."""
    base = random_texts(200, words=120)
    found = {}
    for share in (0.95, 0.5):
        keep = round(120 * share)
        random = np.random.default_rng(1)
        other = [
            " ".join([*text.split()[:keep], *random.choice(WORDS, 120 - keep)]) for text in base
        ]
        groups = near_duplicates(base + other)
        found[share] = float((groups[:200] == groups[200:]).mean())
    assert found[0.95] > 0.95
    assert found[0.5] < 0.05


@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=3, max_size=12), min_size=10, max_size=40),
    st.data(),
)
@settings(max_examples=50)
def test_near_duplicates_are_on_one_side(letters: list[list[str]], data: st.DataObject) -> None:
    """Copies that differ in case and punctuation have the same shingles, so they are one group."""
    texts = [" ".join(words) for words in letters]
    copied = data.draw(st.lists(st.sampled_from(texts), min_size=1, max_size=20))
    texts += [f"{text.title()}!!" for text in copied]
    labels = data.draw(st.lists(st.sampled_from("ab"), min_size=len(texts), max_size=len(texts)))
    try:
        split = split_randomly(texts, labels)
    except TrainingError:
        assert len({text.lower().rstrip("!") for text in texts}) < 2 * LEAST
        return
    assert_partition(split, len(texts))
    assert all(len(part) for part in (split.train, split.gate, split.test))
    sides = side(split, len(texts))
    for text in set(texts):
        same = [i for i, other in enumerate(texts) if other.lower().rstrip("!") == text.lower()]
        assert len(set(sides[same].tolist())) <= 1


def test_groups_never_straddle_in_real_tickets() -> None:
    tickets = [clean(f"{t.subject}\n{t.body}") for t in generate(600, seed=2)]
    tickets += [text + " thanks" for text in tickets[:100]]
    labels = ["ab"[i % 2] for i in range(len(tickets))]
    split = split_randomly(tickets, labels)
    groups, sides = near_duplicates(tickets), side(split, len(tickets))
    assert len(set(groups.tolist())) < 650, "most copies are found"
    for group in set(groups.tolist()):
        assert len(set(sides[groups == group].tolist())) == 1


# --- at random ---


def test_the_splits_have_their_shares() -> None:
    texts = random_texts(1000)
    split = split_randomly(texts, ["ab"[i % 2] for i in range(1000)])
    assert (len(split.train), len(split.gate), len(split.test)) == (800, 100, 100)
    assert_partition(split, 1000)
    assert "stratified by label, seed 0, 0 near-duplicates" in split.how


def test_every_label_has_its_share_in_every_split() -> None:
    texts = random_texts(1000)
    labels = np.asarray(["common"] * 700 + ["seldom"] * 260 + ["rare"] * 40)
    split = split_randomly(texts, labels.tolist())
    for part, share in ((split.train, 0.8), (split.gate, 0.1), (split.test, 0.1)):
        for label in set(labels.tolist()):
            expected = share * (labels == label).sum()
            assert abs((labels[part] == label).sum() - expected) <= 1


def test_without_a_test_share_there_is_no_test_split() -> None:
    split = split_randomly(random_texts(200), ["ab"[i % 2] for i in range(200)], test=0)
    assert (len(split.train), len(split.gate), len(split.test)) == (180, 20, 0)
    assert_partition(split, 200)


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    texts, labels = random_texts(300), ["ab"[i % 2] for i in range(300)]
    one, same, other = (split_randomly(texts, labels, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.test, same.test)
    assert np.array_equal(one.gate, same.gate)
    assert not np.array_equal(one.test, other.test)


def test_a_label_of_a_single_ticket_is_no_obstacle() -> None:
    assert_partition(split_randomly(random_texts(50), ["a"] * 25 + ["b"] * 24 + ["c"]), 50)


@pytest.mark.parametrize("different", [1, 2, 3, LEAST - 1])
def test_hardly_any_different_tickets_are_an_error_that_counts_them(different: int) -> None:
    texts = random_texts(different) * 20
    with pytest.raises(TrainingError, match=f"only {different} of the {different * 20} tickets"):
        split_randomly(texts, ["a", "b"] * (len(texts) // 2))


@pytest.mark.parametrize("gate", [0.1, 0.001])
def test_ten_different_tickets_can_be_split(gate: float) -> None:
    """A gate share far below a tenth comes with a million rows, which may hold few letters."""
    texts = random_texts(LEAST) * 5
    split = split_randomly(texts, ["a", "b"] * (len(texts) // 2), gate=gate, test=gate)
    assert_partition(split, len(texts))
    assert all(len(part) for part in (split.train, split.gate, split.test))


# --- by time ---


def test_by_time_the_newest_are_the_test() -> None:
    dates = [f"2025-{month:02}-{day:02}T10:00:00" for month in range(1, 11) for day in range(1, 11)]
    shuffled = np.random.default_rng(0).permutation(dates).tolist()
    split = split_by_time(shuffled)
    assert_partition(split, 100)
    assert (len(split.gate), len(split.test)) == (10, 10)
    newest_of_train = max(shuffled[i] for i in split.train)
    gate = [shuffled[i] for i in split.gate]
    assert newest_of_train < min(gate)
    assert max(gate) < min(shuffled[i] for i in split.test)
    assert split.how == (
        f"by time: train until {newest_of_train}, gate until {max(gate)}, test after that"
    )


def test_by_time_without_a_test_share() -> None:
    split = split_by_time([f"2025-01-{day:02}" for day in range(1, 21)], test=0)
    assert (len(split.train), len(split.gate), len(split.test)) == (18, 2, 0)
    assert split.how.endswith("gate until 2025-01-20")


@given(st.lists(st.dates().map(str), min_size=10, max_size=60))
def test_by_time_is_a_partition_in_order(dates: list[str]) -> None:
    split = split_by_time(dates)
    assert_partition(split, len(dates))
    parts = [[dates[i] for i in part] for part in (split.train, split.gate, split.test)]
    assert all(parts)
    assert max(parts[0]) <= min(parts[1]) <= max(parts[1]) <= min(parts[2])
