"""The same ticket as it might also have come."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.clean import clean
from cascade.ticket import MAX_CHARACTERS
from eval.perturb import CHANGES, gigantic

TEXT = (
    "Dear support,\nSince Monday my laptop does not start, and the fan is loud. I don't know what "
    "to do. See https://example.com/help?id=7, please.\n\nThe serial number is on the back.\n"
    "Kind regards,\nAda"
)
OTHERS = ["Please refund invoice 4711.\n\nIt was paid twice.", "I forgot my password"]
SMALL = {name: change for name, change in CHANGES.items() if change is not gigantic}


def made(name: str, text: str = TEXT, seed: int = 1) -> str:
    return CHANGES[name](Random(seed), text, OTHERS)


@pytest.mark.parametrize("name", CHANGES)
def test_the_seed_alone_decides(name: str) -> None:
    assert made(name) == made(name)


@settings(max_examples=60)
@given(text=st.text(), seed=st.integers(0, 9), name=st.sampled_from(sorted(SMALL)))
def test_any_text_can_be_changed_and_none_is_emptied(text: str, seed: int, name: str) -> None:
    assert made(name, text, seed).strip() or not text.strip()


def test_one_letter_in_twenty_is_mistyped_and_nothing_but_letters() -> None:
    line = "please restart the mail server 4711 now, it is slow!"
    changed = made("typos", f"{line}\n" * 400)
    assert re.sub("[a-z ]", "", changed) == re.sub("[a-z ]", "", f"{line}\n" * 400)
    unharmed = changed.split("\n").count(line) / 400
    assert unharmed == pytest.approx(0.95 ** sum(map(str.isalpha, line)), abs=0.08)


def test_a_finger_slips_to_a_key_beside() -> None:
    strays = set(made("typos", "g" * 5_000)) - {"g"}
    assert strays == set("fhtyvb")
    assert set(made("typos", "G" * 5_000)) - {"G"} == set("FHTYVB"), "in the same case"


def test_sentences_are_all_kept_in_another_order() -> None:
    changed = made("sentences in another order")
    assert changed != TEXT
    assert Counter(changed.split()) == Counter(TEXT.split())
    assert "the fan is loud." in changed


def test_the_halves_of_a_single_sentence_change_places() -> None:
    assert made("sentences in another order", "vpn fails on my laptop") == "on my laptop vpn fails"


def test_courtesies_stand_around_the_ticket_as_it_is() -> None:
    before, after = made("greeting, small talk, sign-off added").split(TEXT)
    assert before.strip() and after.strip()


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Dear support, the vpn fails. Kind regards, Ada Lovelace", "the vpn fails."),
        ("Hi Tom,\nthe vpn fails\nThanks!", "the vpn fails"),
        ("hi please set up a screen thanks", "please set up a screen"),
        ("hello", "hello"),
        ("thanks to the update the vpn fails", "thanks to the update the vpn fails"),
    ],
)
def test_courtesies_are_taken_away_and_nothing_else(text: str, bare: str) -> None:
    assert made("greeting and sign-off removed", text) == bare


def test_shouting() -> None:
    assert made("SHOUTING", "The vpn fails.") == "THE VPN FAILS.!!!"


def test_in_haste_there_is_no_punctuation_but_inside_of_words() -> None:
    hasty = made("small letters, no punctuation", "Hi! It's at https://example.com/a?b=1, I THINK.")
    assert hasty == "hi it's at https://example.com/a?b=1 i think"


@pytest.mark.parametrize("where", ["below", "on top"])
def test_a_mail_of_another_queue_is_quoted_whole(where: str) -> None:
    changed = made(f"another queue's mail quoted {where}")
    quoted = [line[2:] for line in changed.split("\n") if line.startswith("> ") or line == ">"]
    assert "\n".join(quoted) in OTHERS
    assert changed.startswith(TEXT) if where == "below" else changed.endswith(TEXT)


def test_a_quotation_is_one_that_the_cleaning_knows() -> None:
    long = "The laptop that you sent me yesterday does not start at all, whatever key I press."
    for where in ("below", "on top"):
        assert clean(made(f"another queue's mail quoted {where}", long)) == long


def test_a_signature_stands_below() -> None:
    changed = made("signature and legal notice")
    assert changed.startswith(TEXT)
    assert "example.com" in changed[len(TEXT) :]


def test_html_reads_as_the_text_did() -> None:
    text = 'Is 3 < 4 & 5 > 4?\nThe "mask" tells otherwise.'
    changed = made("HTML mail", text)
    assert "&lt;" in changed and "&amp;" in changed
    assert clean(changed) == clean(text)


def test_two_halves_make_a_whole() -> None:
    first, second = made("second half missing"), made("first half missing")
    assert first.split() + second.split() == TEXT.split()
    assert abs(len(first.split()) - len(second.split())) <= 1


def test_a_gigantic_ticket_is_as_long_as_may_be() -> None:
    changed = made("1 MB of logs")
    assert len(changed) == MAX_CHARACTERS
    assert changed.startswith(TEXT)
    assert len(clean(changed)) < MAX_CHARACTERS / 5
