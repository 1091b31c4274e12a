"""Figures by kind of ticket."""

from __future__ import annotations

import csv
import gzip
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.labelled import Labelled
from eval.slices import FEWEST, LANGUAGES, OTHERS, UNCLEAR, languages, slices
from eval.strangers import FOREIGN
from train.measures import macro_f1

QUEUES = ("access", "billing", "bug")
TRACE = "\n".join(
    [
        "The import fails since the update of last night, see below what the log has to say.",
        "java.lang.IllegalStateException: no session",
        *(f"\tat com.example.Import.step{at}(Import.java:{at})" for at in range(9)),
    ]
)
REPLY = (
    "Thank you, but the screen is still dark, and the cable that you sent does not fit at all.\n\n"
    "On 3 Mar 2025 at 10:12, Kim <kim@example.com> wrote:\n> Please try another cable."
)


def labelled(texts: list[str], y: list[int] | None = None) -> Labelled:
    n = len(texts)
    numbers = np.arange(n) % 3 if y is None else np.asarray(y)
    return Labelled("made", texts, numbers, QUEUES, list(range(2, n + 2)))


def rows(tickets: Labelled, guess: Any = None, settled: Any = None) -> list[dict[str, Any]]:
    guess = tickets.y if guess is None else np.asarray(guess)
    settled = np.ones(len(tickets), dtype=bool) if settled is None else np.asarray(settled)
    return slices(tickets, guess, settled)


def of(found: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    return {row["value"]: row for row in found if row["slice"] == name}


# --- which slices there are ---


def test_quarters_by_length_are_named_by_their_words() -> None:
    texts = ["word " * n for n in range(1, 81)]
    found = of(rows(labelled(texts)), "length")
    assert {value: row["tickets"] for value, row in found.items()} == {
        "1 to 20 words": 20,
        "21 to 40 words": 20,
        "41 to 60 words": 20,
        "61 to 80 words": 20,
    }


def test_equally_long_tickets_are_one_slice() -> None:
    assert list(of(rows(labelled(["vpn is slow"] * 30)), "length")) == ["3 words"]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_each_ticket_is_in_one_slice_of_each_kind(lengths: list[int]) -> None:
    found = rows(labelled(["mail " * n for n in lengths]))
    for name in {row["slice"] for row in found}:
        assert sum(row["tickets"] for row in found if row["slice"] == name) == len(lengths)


def test_logs_quotations_and_ids_are_what_the_cleaning_takes_for_such() -> None:
    texts = [TRACE, REPLY, "See https://example.com/x or write to ada@example.com", "vpn fails"]
    found = rows(labelled(texts))
    for name in ("logs or stack traces", "quoted mail", "addresses and ids"):
        assert {value: row["tickets"] for value, row in of(found, name).items()} == {
            "with": 1,
            "without": 3,
        }


def test_rare_languages_are_told_as_one() -> None:
    english = ["The printer on the third floor is jammed again, please send somebody."] * FEWEST
    german, french = FOREIGN["de"][:2], FOREIGN["fr"][:1]
    found = of(rows(labelled([*english, *german, *french])), "language")
    assert {value: row["tickets"] for value, row in found.items()} == {"English": FEWEST, OTHERS: 3}


def test_languages_are_told_and_short_tickets_leave_them_open() -> None:
    for code, mails in FOREIGN.items():
        assert set(languages(mails)) == {LANGUAGES[code]}
    assert languages(["vpn", "", "<order_id> <phone>"]) == [UNCLEAR] * 3


def test_languages_of_real_mails(data: Path) -> None:
    path = data / "multiqueue_tickets_synthetic" / "german_42_queues.csv.gz"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        bodies = [row["body"] for row in islice(csv.DictReader(file), 200)]
    assert languages(bodies).count("German") / len(bodies) > 0.95


# --- their figures ---


def test_figures_are_those_of_the_members() -> None:
    short, long = ["vpn fails"] * 30, ["the vpn fails again and again, please help me"] * 30
    tickets = labelled([*short, *long])
    guess = tickets.y.copy()
    guess[:6] = (guess[:6] + 1) % 3
    settled = np.arange(60) % 2 == 0
    found = rows(tickets, guess, settled)
    whole, its = found[0], of(found, "length")["2 words"]
    assert (whole["slice"], whole["tickets"], whole["drop"]) == ("all", 60, 0)
    assert its["tickets"] == 30
    assert its["accuracy"] == 0.8
    assert its["settled"] == 0.5
    assert its["right_of_settled"] == pytest.approx(12 / 15)
    assert its["macro_f1"] == pytest.approx(macro_f1(tickets.y[:30], guess[:30], 3), abs=1e-4)
    assert its["drop"] == pytest.approx(whole["macro_f1"] - its["macro_f1"])
    low, high = its["macro_f1_95"]
    assert low <= its["macro_f1"] <= high


def test_a_queue_has_recall_precision_and_its_own_f1() -> None:
    y = [0] * 40 + [1] * 30 + [2] * 5
    guess = [0] * 30 + [1] * 10 + [1] * 30 + [0] * 5
    found = of(rows(labelled(["vpn fails"] * 75, y), guess), "queue")
    access = found["access"]
    assert access["recall"] == access["accuracy"] == 0.75
    assert access["precision"] == pytest.approx(30 / 35, abs=1e-4)
    assert access["macro_f1"] == pytest.approx(2 * 0.75 * (6 / 7) / (0.75 + 6 / 7), abs=1e-4)
    assert access["macro_f1_95"][0] < access["macro_f1"] < access["macro_f1_95"][1]
    assert found["bug"]["precision"] is None, "nothing was given to it"


def test_few_tickets_have_no_macro_f1() -> None:
    found = rows(labelled(["vpn fails"] * (FEWEST - 1)))
    for row in found:
        assert row["macro_f1"] is row["macro_f1_95"] is row["drop"] is None
        assert row["accuracy"] == 1


def test_where_nothing_is_settled_none_of_it_is_right_or_wrong() -> None:
    tickets = labelled(["vpn fails"] * 30)
    found = rows(tickets, settled=[False] * 30)
    assert all(row["settled"] == 0 and row["right_of_settled"] is None for row in found)


def test_a_queue_without_tickets_is_told_so() -> None:
    row = of(rows(labelled(["vpn fails"] * 30, [0, 1] * 15)), "queue")["bug"]
    assert row["tickets"] == 0
    assert row["accuracy"] is row["recall"] is row["settled"] is None
