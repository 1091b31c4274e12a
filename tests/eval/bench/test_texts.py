"""Tickets of fixed lengths."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import InputError
from eval.bench.texts import DIFFERENT, LENGTHS, of_file, of_length, repeated, starter, with_words

TEXTS = st.lists(st.text(st.sampled_from("ab \n"), max_size=30), min_size=1).map(with_words)


@given(TEXTS.filter(bool), st.integers(1, 40), st.integers(0, 5))
def test_each_text_has_exactly_so_many_words(texts: list[str], words: int, count: int) -> None:
    made = of_length(texts, words, count)
    assert [len(text.split()) for text in made] == [words] * count


def test_a_long_text_is_cut_and_keeps_its_lines() -> None:
    texts = ["Hello,\n\nthe VPN  is down\nsince noon"] * DIFFERENT
    assert of_length(texts, 4, 2) == ["Hello,\n\nthe VPN  is"] * 2


def test_few_long_texts_make_many_that_differ() -> None:
    texts = [f"the vpn is down since noon {number}" for number in range(DIFFERENT)]
    assert len(set(of_length(texts, 5, 3 * DIFFERENT))) == 3


def test_where_few_are_long_enough_short_ones_are_joined() -> None:
    assert of_length(["one two", "three"], 4, 1) == ["one two\n\nthree\n\nOne"]


@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=5), min_size=1, max_size=5))
def test_tickets_come_again_and_again_and_are_the_same_but_for_capitals(texts: list[str]) -> None:
    made = list(islice(repeated(texts), 4 * len(texts)))
    assert made[: len(texts)] == texts
    assert [text.lower() for text in made] == texts * 4


def test_no_two_repetitions_are_the_same() -> None:
    made = list(islice(repeated(["vpn is down", "my mouse"]), 6))
    assert made[2:] == ["Vpn is down", "My mouse", "VPn is down", "MY mouse"]


def test_starter_tickets_are_cut_at_all_lengths_into_texts_that_differ() -> None:
    texts = starter(2000)
    for words in LENGTHS:
        assert len(set(of_length(texts, words, 256))) > DIFFERENT


def test_tickets_of_a_file_are_drawn_without_blank_ones(tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("subject,body\nvpn,down\n,\nmouse,broken\n")
    assert sorted(of_file(file, ["subject", "body"], 10)) == ["mouse\n\nbroken", "vpn\n\ndown"]
    assert len(of_file(file, ["subject", "body"], 1)) == 1


def test_a_file_without_tickets_is_an_error_with_the_fix(tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("subject,body\nvpn,\n")
    with pytest.raises(InputError, match=r"tickets\.csv: no ticket in column body; .* --text"):
        of_file(file, ["body"], 10)
