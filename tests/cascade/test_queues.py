"""Descriptions of queues: the operator's own, else the words that tell a queue from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cascade.errors import InputError
from cascade.examples import Pool
from cascade.queues import describe, read_descriptions, telling_words
from cascade.stages.base import QUEUE, Heads
from train.starter import generate

QUEUES = ("Billing", "VPN & Wi-Fi", "Zugänge")
HEADS: Heads = {QUEUE: QUEUES}
POOL = Pool(
    HEADS,
    [
        "please pay the invoice from <name>",
        "please see the invoice of <name>, Ottokar",
        "please fix the tunnel for <name>",
        "please open the tunnel, <name>",
    ],
    {QUEUE: np.asarray([0, 0, 1, 1])},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "queues.toml"


def test_a_description_is_one_line_and_may_be_left_out(file: Path) -> None:
    file.write_text(
        '[queues]\nBilling = """invoices,\n   refunds"""\n"Zugänge" = "Passwörter"\n',
        encoding="utf-8",
    )
    assert read_descriptions(file, QUEUES) == {
        "Billing": "invoices, refunds",
        "Zugänge": "Passwörter",
    }


@pytest.mark.parametrize("wrong", ["billing", "Biling", "Rechnungen"])
def test_an_unknown_queue_is_an_error_that_names_the_file_and_the_nearest_queue(
    file: Path, wrong: str
) -> None:
    file.write_text(f'[queues]\n{wrong} = "invoices"\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_descriptions(file, QUEUES)
    assert str(file) in str(caught.value)
    assert repr(wrong) in str(caught.value)
    assert any(repr(queue) in str(caught.value) for queue in QUEUES)
    if wrong != "Rechnungen":
        assert "did you mean 'Billing'" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"queues = 3",
        b"[queue]\nBilling = 'x'",
        b"[queues]\nBilling = 3",
        b"[queues]\nBilling = ' '",
        b"[queues.Billing]\ntext = 'x'",
        b"[queues]\nBilling = ",
        b"[queues]\nBilling = 'x'\n[other]\na = 1",
        b"\xff\xfe",
    ],
)
def test_a_file_of_another_shape_is_an_error_that_names_it(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"queues\.toml: "):
        read_descriptions(file, QUEUES)


def test_a_missing_file_is_an_error_that_names_it(file: Path) -> None:
    with pytest.raises(InputError, match=r"queues\.toml: cannot be read"):
        describe(POOL, file)


def test_telling_words_are_those_that_the_other_queues_have_not() -> None:
    told = telling_words(POOL)
    # Not "please", which all have; not "Ottokar", whom one ticket has; nothing that was masked.
    assert told == {"Billing": "invoice", "VPN & Wi-Fi": "tunnel"}


def test_what_the_operator_wrote_comes_before_the_telling_words(file: Path) -> None:
    file.write_text('[queues]\nBilling = "money"\n', encoding="utf-8")
    assert describe(POOL, file) == {"Billing": "money", "VPN & Wi-Fi": "tunnel"}
    assert describe(POOL) == telling_words(POOL)


def test_tickets_give_every_queue_up_to_eight_words_of_its_own() -> None:
    tickets = list(generate(600, seed=11))
    queues = tuple(sorted({ticket.queue for ticket in tickets}))
    numbers = np.asarray([queues.index(ticket.queue) for ticket in tickets])
    pool = Pool({QUEUE: queues}, [f"{t.subject} {t.body}" for t in tickets], {QUEUE: numbers})
    told = telling_words(pool)
    assert set(told) == set(queues)
    firsts = {words.split(", ")[0] for words in told.values()}
    assert len(firsts) == len(queues)
    assert all(len(words.split(", ")) <= 8 for words in told.values())
