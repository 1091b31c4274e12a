"""The same tickets in another shape, and strangers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cascade.router import Cascade
from cascade.ticket import join_parts
from eval.labelled import Labelled
from eval.perturb import CHANGES
from eval.strangers import FOREIGN, OUT_OF_SCOPE
from eval.stress import AS_THEY_ARE, BLANK, GIGANTIC, ask, changed, strangers, stress
from train.measures import macro_f1
from train.starter import generate

QUEUES = ("access", "billing", "bug")


@pytest.fixture
def tickets() -> Labelled:
    """60 tickets, each with the name of its queue: what a fake stage goes by."""
    y = np.arange(60) % 3
    texts = [f"ticket {row}: the {QUEUES[queue]} of my team is lost" for row, queue in enumerate(y)]
    return Labelled("made", texts, y, QUEUES, list(range(2, 62)))


@pytest.fixture
def sure(fake_cascade: Callable[..., Cascade]) -> Cascade:
    return fake_cascade(("linear", 0.9, 0.5))


def test_rows_are_of_all_changes_and_strangers(sure: Cascade, tickets: Labelled) -> None:
    rows = stress(sure, tickets, tickets=30, quiet=True)
    kinds = ["a foreign language", "of no help desk", "empty", "white space only"]
    assert [row["change"] for row in rows] == [AS_THEY_ARE, *CHANGES, *kinds]
    assert len({tuple(row) for row in rows if row["change"] not in kinds}) == 1
    assert {row["tickets"] for row in rows[: len(CHANGES)]} == {30}
    assert rows[len(CHANGES)]["tickets"] == GIGANTIC, "1 MB each"
    assert json.loads(json.dumps(rows)) == rows


def test_what_does_not_change_the_words_changes_nothing(sure: Cascade, tickets: Labelled) -> None:
    by_name = {row["change"]: row for row in stress(sure, tickets, quiet=True)}
    for name in (AS_THEY_ARE, "HTML mail", "sentences in another order"):
        row = by_name[name]
        assert row["altered"] == (name != AS_THEY_ARE)
        assert (row["macro_f1"], row["drop"], row["answers_changed"]) == (1, 0, 0), name
        assert (row["settled"], row["right_of_settled"], row["review"]) == (1, 1, 0)


def test_what_hides_the_word_that_counts_is_a_drop(sure: Cascade, tickets: Labelled) -> None:
    row = {row["change"]: row for row in stress(sure, tickets, quiet=True)}["SHOUTING"]
    assert row["accuracy"] == pytest.approx(1 / 3, abs=1e-4), "all of them are taken for the first"
    assert row["altered"] == 1
    assert row["answers_changed"] == pytest.approx(2 / 3, abs=1e-4)
    assert row["drop"] == pytest.approx(1 - macro_f1(tickets.y, tickets.y * 0, 3), abs=1e-4)
    assert row["drop_95"][0] < row["drop"] < row["drop_95"][1]


def test_of_strangers_what_is_left_to_people_counts(sure: Cascade, tickets: Labelled) -> None:
    by_name = {row["change"]: row for row in stress(sure, tickets, quiet=True)}
    assert by_name["empty"]["review"] == 1
    assert by_name["white space only"]["review"] == 1
    outside = by_name["of no help desk"]
    assert (outside["tickets"], outside["settled"]) == (len(OUT_OF_SCOPE), 1), "it is always sure"
    assert outside["macro_f1"] is outside["drop"] is None


def test_a_change_of_a_ticket_does_not_depend_on_the_others(tickets: Labelled) -> None:
    others = [["a"], ["b"], ["c"]]
    typos = CHANGES["typos"]
    alone = [changed(tickets.take([row]), others, typos, seed=3)[0] for row in range(60)]
    assert changed(tickets, others, typos, seed=3) == alone
    assert changed(tickets, others, typos, seed=4) != alone


def test_the_mail_that_is_quoted_is_of_another_queue(sure: Cascade, tickets: Labelled) -> None:
    seen: list[str] = sure.stages[0].asked  # type: ignore[union-attr]
    stress(sure, tickets, quiet=True)
    quoting = [text for text in seen if text.count("ticket ") == 2]
    assert quoting, "short tickets keep the mail that they quote"
    for text in quoting:
        assert sum(queue in text for queue in QUEUES) == 2


def test_a_language_of_the_house_is_not_foreign() -> None:
    english = ["The printer on the third floor is jammed again, please send somebody."] * 90
    kinds = strangers([*english, *FOREIGN["de"][:2] * 5])
    assert set(kinds["a foreign language"]).isdisjoint(FOREIGN["de"])
    assert set(kinds["a foreign language"]) >= set(FOREIGN["ja"])
    assert set(strangers(english)["a foreign language"]) >= set(FOREIGN["de"])


def test_there_is_nothing_to_read_in_blank_texts(sure: Cascade) -> None:
    assert not ask(sure, BLANK).settled.any()


def test_a_real_bundle_is_hurt_most_by_what_takes_the_words_away(linear_bundle: Path) -> None:
    cascade = Cascade.load(linear_bundle)
    made = [ticket for ticket in generate(90, seed=21) if ticket.queue in cascade.queues]
    y = np.asarray([cascade.queues.index(ticket.queue) for ticket in made])
    texts = [join_parts([ticket.subject, ticket.body]) for ticket in made]
    tickets = Labelled("starter", texts, y, cascade.queues, list(range(2, len(y) + 2)))
    by_name = {row["change"]: row for row in stress(cascade, tickets, tickets=60, quiet=True)}
    assert by_name["HTML mail"]["answers_changed"] <= by_name["typos"]["answers_changed"]
    assert by_name["SHOUTING"]["drop"] == pytest.approx(0, abs=0.05), "case does not count"
    assert by_name["empty"]["review"] == 1
