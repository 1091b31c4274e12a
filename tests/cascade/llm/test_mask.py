"""What is masked before a text goes into a prompt, what is not, and the laws of masking."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cascade import clean as cleaning
from cascade.llm.mask import TOKENS, mask

MASKED = {
    "Hi John,\nmy screen is dark": "Hi <name>,\nmy screen is dark",
    "hello john,\nmy screen is dark": "hello <name>,\nmy screen is dark",
    "Hello Maria I cannot log in": "Hello <name> I cannot log in",
    "Dear Ms. van der Berg,\nthe VPN is down": "Dear Ms. <name>,\nthe VPN is down",
    "Sehr geehrte Frau Müller,\nhallo": "Sehr geehrte Frau <name>,\nhallo",
    "it works now\nThanks, Bob": "it works now\nThanks, <name>",
    "it works now\nKind regards\nJane Q. Doe": "it works now\nKind regards\n<name>",
    "it works now\n- Bob": "it works now\n- <name>",
    "my name is john and I am locked out": "my name is <name> and I am locked out",
    "This is Jane Doe calling": "This is <name> calling",
    "Name: Jane Doe, customer name: Bob": "Name: <name>, customer name: <name>",
    "I'm Bob from sales": "I'm <name> from sales",
    "ask Mr. Miller for it": "ask Mr. <name> for it",
    "ship to 221B Baker Street, London NW1 6XE.": "ship to <address>.",
    "ship to 742 Evergreen Terrace, Springfield, OR 97403 today": "ship to <address> today",
    "we sit at 12 main street now": "we sit at <address> now",
    "nach Berliner Straße 12a, 10115 Berlin senden": "nach <address> senden",
    "au 12 rue de la Paix, 75002 Paris": "au <address>",
    "date of birth: 1980-03-12": "date of birth: <birth_date>",
    "I was born on March 4th, 1988.": "I was born on <birth_date>.",
    "geboren am 12.03.1980": "geboren am <birth_date>",
    "pay to DE89 3704 0044 0532 0130 00 please": "pay to <iban> please",
    "pay to GB82WEST12345698765432": "pay to <iban>",
    "my ssn is 123-45-6789": "my ssn is <ssn>",
    "my social security number is 987 65 4321": "my social security number is <ssn>",
    "NI AB 12 34 56 C": "NI <ssn>",
}

KEPT = (
    "Hi team,\nthe VPN is down",
    "Hello VPN is down since this morning",
    "Thanks for fixing Outlook",
    "This is urgent, I am unable to log in since 2024-01-02",
    "Ms Excel crashes on Windows 11",
    "My name is wrong on the badge",
    "error 500 on host db-12, version 10.0.19045, order <order_id>, card <card>",
    "the meeting on 12.03.2024 in room 12 was moved",
    "Best regards\nIT Support Team",
    "Sehr geehrter Kundenservice,\ndas Netz ist weg",
    "device: 0, name: Tesla T4, pci bus; name: tensorboard",
)


@pytest.mark.parametrize("text", MASKED)
def test_personal_data_becomes_a_typed_token(text: str) -> None:
    assert mask(text) == MASKED[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_nobodys_data_stays(text: str) -> None:
    assert mask(text) == text


def test_tokens_are_not_those_of_cleaning() -> None:
    assert not set(TOKENS) & set(cleaning.TOKENS)


PIECES = st.sampled_from(
    """Hi |Dear |hallo |Mr. |Frau |John|Jane Doe|van der |Müller|bob|team|,|.|\n|my name is |Name: |
    this is |I'm | from | I |Thanks|Regards|, |- |--|12 |221B |Main |Street|street|, London|NW1 6XE|
    Straße|Berliner |Haupt|str. 5|10115 Berlin|12 rue de la |Paix|Calle |PO Box 12|born on |
    12.03.1980|March |4th, |1988|dob |DE89|3704|0044|0532|0130|00|GB82WEST|123-45-6789|ssn |
    AB 12 34 56 C|<name>|<address>|<iban>|<url>|<|>|İ|ß|ſ|\u0301|\x00|\ud800""".replace(
        "|\n    ", "|"
    ).split("|")
)
TEXTS = st.one_of(
    st.text(st.characters()),
    st.lists(st.tuples(PIECES, st.sampled_from(["", "", " ", "\n"])), max_size=25).map(
        lambda parts: "".join(piece + end for piece, end in parts)
    ),
)


@settings(max_examples=1500)
@given(TEXTS)
@example("This is John Smith 12 Main Street")
def test_any_text_is_taken_and_a_second_time_changes_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "a",
        "1",
        " ",
        "\n",
        "Aa ",
        "Mr ",
        "Mr A",
        "Hi John,\n",
        "Hi ",
        "Thanks ",
        "Thanks\nBob\n",
        "- Bob\n",
        "my name is ",
        "this is Jane Doe ",
        "12 Main ",
        "12 Main Street ",
        "Haupt",
        "str. 5 ",
        "rue de ",
        "12 rue de la ",
        "Calle A ",
        "DE89",
        "DE89 ",
        "3704 ",
        "123-45-",
        "1 80 01 ",
        "ssn ",
        "ssn 1 ",
        "born on ",
        "1. March ",
        "van der ",
        "Ab-",
        "Ab'",
        "A.",
        "<name>",
        "<name> Bob\n",
    ],
)
def test_twice_the_length_takes_about_twice_the_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    times = [(seconds(text), seconds(text + text)) for _ in range(3)]
    half, whole = (min(column) for column in zip(*times, strict=True))
    assert whole < 3 * half + 0.02
    assert whole < 2.0


def seconds(text: str) -> float:
    start = time.process_time()
    mask(text)
    return time.process_time() - start
