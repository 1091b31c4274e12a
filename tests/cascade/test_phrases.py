"""From the weights of overlapping n-grams to those of words and phrases: nothing told twice."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.phrases import share_out
from cascade.stages.linear import NGrams

WORDS = NGrams("word", 1, 2)
LONG = NGrams("word", 1, 4)
CHARACTERS = NGrams("char_wb", 2, 5)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(["VPN", "vpn,", "-", "log", "in", "e-mail", "İx", "ΟΔΟΣ"])).map(
        " ".join
    ),
)


def weigh(kind: NGrams, text: str, **weights: float) -> dict[str, float]:
    """The shares of a text in which no word comes twice."""
    named = {name.replace("_", " "): weight for name, weight in weights.items()}
    return dict(share_out([(kind, named)], text.split()))


@given(TEXTS, st.lists(st.floats(-3, 3), min_size=1), st.sampled_from([WORDS, LONG, CHARACTERS]))
def test_the_shares_have_the_sum_of_the_weights_and_cover_the_text(
    text: str, numbers: list[float], kind: NGrams
) -> None:
    terms = sorted(set(kind.split(text.lower())))
    weights = {term: numbers[at % len(numbers)] for at, term in enumerate(terms)}
    both = {**weights, "of no place in the text": 5.0}
    shares = share_out([(kind, both), (kind, weights)], text.split())
    assert sum(w for _, w in shares) == pytest.approx(2 * sum(weights.values()), abs=1e-6)
    assert " ".join(phrase for phrase, _ in shares) == " ".join(text.split())


def test_what_lies_inside_a_word_is_the_words() -> None:
    shares = dict(
        share_out(
            [(WORDS, {"invoice": 1.0}), (CHARACTERS, {"invoi": 0.5, "oice": 0.25})],
            ["My", "Invoice,", "please"],
        )
    )
    assert shares == {"My": 0.0, "Invoice,": 1.75, "please": 0.0}


def test_what_stands_several_times_is_shared_by_its_places() -> None:
    shares = share_out([(WORDS, {"vpn": 3.0})], ["vpn", "or", "VPN", "or", "Vpn"])
    assert [weight for _, weight in shares] == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_half_of_a_pair_is_either_words() -> None:
    assert weigh(WORDS, "the vpn", vpn=1.0, the_vpn=0.5) == {"the": 0.25, "vpn": 1.25}


def test_words_that_weigh_more_together_than_alone_are_one_phrase() -> None:
    shares = weigh(WORDS, "cannot log in now", log=0.1, in_now=0.05, log_in=0.6)
    assert list(shares) == ["cannot", "log in", "now"]
    assert shares["log in"] == pytest.approx(0.1 + 0.6 + 0.025)
    assert shares["now"] == pytest.approx(0.025)


def test_a_phrase_may_be_long_and_reach_over_what_is_no_word() -> None:
    assert weigh(WORDS, "log - in again", log_in=1.0, in_again=1.0) == {"log - in again": 2.0}
    assert weigh(LONG, "out of office reply", out_of_office=1.0) == {
        "out of office": 1.0,
        "reply": 0.0,
    }


def test_a_pair_of_words_that_stand_in_one_is_its_own() -> None:
    assert weigh(WORDS, "re-sent mail", re_sent=1.0) == {"re-sent": 1.0, "mail": 0.0}


def test_an_empty_text_has_no_phrases() -> None:
    assert share_out([(WORDS, Counter())], []) == []
