"""What a cascade gets wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cascade.router import Cascade
from cascade.ticket import join_parts
from eval.labelled import Labelled
from eval.mistakes import QUOTED, mistakes
from train.costs import Costs
from train.measures import macro_f1
from train.starter import generate

QUEUES = ("access", "billing", "bug")
Build = Callable[..., Cascade]


def labelled(texts: Sequence[str], y: Sequence[int]) -> Labelled:
    return Labelled(
        "made", list(texts), np.asarray(y, dtype=np.int64), QUEUES, list(range(2, len(y) + 2))
    )


@pytest.fixture
def tickets() -> Labelled:
    """Ten tickets; a fake stage goes by the queue's name in the text, so three are wrong."""
    words = ["access", "access", "billing", "billing", "billing", "bug", "bug", "bug", "bug", "bug"]
    y = [0, 0, 1, 1, 1, 2, 2, 2, 1, 0]
    y[0] = 1  # says access, belongs to billing
    return labelled([f"the {word} fails" for word in words], y)


def analysed(cascade: Cascade, tickets: Labelled, **how: Any) -> dict[str, Any]:
    return mistakes(cascade, tickets, cascade.route(tickets.texts), **how)


# --- counts ---


def test_the_matrix_counts_all_tickets(fake_cascade: Build, tickets: Labelled) -> None:
    told = analysed(fake_cascade(("linear", 0.8, 0.5)), tickets)
    matrix = told["confusion_matrix"]
    assert matrix["queues"] == list(QUEUES)
    assert matrix["counts"] == [[1, 0, 1], [1, 3, 1], [0, 0, 3]]
    assert (told["tickets"], told["wrong"], told["wrong_and_settled"]) == (10, 3, 3)
    assert json.loads(json.dumps(told)) == told


def test_nothing_wrong_is_nothing_to_tell(fake_cascade: Build) -> None:
    told = analysed(fake_cascade(("linear", 0.95, 0.5)), labelled(["a bug", "access"], [2, 0]))
    assert (told["wrong"], told["worst"], told["confusions"]) == (0, [], [])
    assert told["suspects"] == {
        "count": 0,
        "macro_f1": 1.0,
        "macro_f1_at_most": 1.0,
        "listed": [],
    }


# --- confusions ---


def test_confusions_are_ranked_by_how_often_they_happen(fake_cascade: Build) -> None:
    tickets = labelled(["a bug"] * 5 + ["access"] * 2, [1, 1, 1, 0, 2, 1, 0])
    first, second, third = analysed(fake_cascade(("linear", 0.8, 0.5)), tickets)["confusions"]
    assert first == {
        "true": "billing",
        "given": "bug",
        "count": 3,
        "settled": 3,
        "share_of_true": 0.75,
        "cost": None,
    }
    assert {second["count"], third["count"]} == {1}


def test_with_costs_the_dearest_comes_first(fake_cascade: Build) -> None:
    tickets = labelled(["a bug"] * 4 + ["access"], [1, 1, 1, 0, 1])
    table = np.full((4, 3), 10.0)
    table[0, 2] = 100.0  # access taken for a bug
    told = analysed(fake_cascade(("linear", 0.8, 0.5)), tickets, costs=Costs(table, 1.0), most=2)[
        "confusions"
    ]
    assert [(row["true"], row["given"], row["cost"]) for row in told] == [
        ("access", "bug", 100.0),
        ("billing", "bug", 30.0),
    ]


def test_what_a_person_sees_first_costs_no_misroute(fake_cascade: Build) -> None:
    costs = Costs(np.full((4, 3), 10.0), 1.0)
    told = analysed(fake_cascade(("linear", 0.8, 0.9)), labelled(["a bug"], [1]), costs=costs)
    (row,) = told["confusions"]
    assert (row["count"], row["settled"], row["cost"]) == (1, 0, 0.0)
    assert (told["wrong"], told["wrong_and_settled"]) == (1, 0)
    assert told["worst"][0]["stage"] == "human"


# --- the surest mistakes ---


def test_the_surest_come_first_and_are_named_by_their_line(fake_cascade: Build) -> None:
    cascade = fake_cascade(("linear", 0.8, 0.5))
    tickets = labelled(["a bug", "a bug", "access"], [0, 2, 1])
    decisions = cascade.route(tickets.texts)
    decisions[0] = replace(decisions[0], confidence=0.6)
    worst = mistakes(cascade, tickets, decisions)["worst"]
    assert [(row["line"], row["true"], row["given"]) for row in worst] == [
        (4, "billing", "access"),
        (2, "access", "bug"),
    ]
    assert worst[1]["confidence"] == 0.6
    assert (worst[0]["settled"], worst[0]["stage"]) == (True, "linear")
    assert len(mistakes(cascade, tickets, decisions, most=1)["worst"]) == 1


SECRET = "Zyxwvut"  # a customer of that name wrote the only ticket


@pytest.fixture(scope="module")
def real(linear_bundle: Path) -> tuple[Cascade, Labelled]:
    """A real cascade and 80 tickets, each of which is labelled with the queue after its own."""
    cascade = Cascade.load(linear_bundle)
    texts, y = [], []
    for ticket in generate(80, seed=31):
        texts.append(join_parts([ticket.subject, ticket.body, f"The {SECRET}{len(y)} is lost."]))
        y.append((cascade.queues.index(ticket.queue) + 1) % len(cascade.queues))
    numbers = np.asarray(y, dtype=np.int64)
    return cascade, Labelled("starter", texts, numbers, cascade.queues, list(range(2, 82)))


def test_words_that_moved_it_are_told_but_no_text(real: tuple[Cascade, Labelled]) -> None:
    cascade, tickets = real
    told = analysed(cascade, tickets)
    assert all(row["quote"] is None for row in told["worst"])
    words = [word["text"].casefold() for row in told["worst"] for word in row["words"]]
    assert words
    for part in {part for word in words for part in word.split()}:
        holding = [text for text in tickets.cleaned if part.strip(",.:") in text.casefold()]
        assert len(holding) >= 3, "several tickets share it"
    assert SECRET.casefold() not in json.dumps(told).casefold()


def test_a_quote_is_short_masked_and_told_on_request_alone(
    real: tuple[Cascade, Labelled],
) -> None:
    cascade, tickets = real
    named = Labelled(
        tickets.name,
        [f"Dear Ms Okonkwo,\n{text}" for text in tickets.texts],
        tickets.y,
        tickets.queues,
        tickets.lines,
    )
    told = analysed(cascade, named, quote=True)
    for row in told["worst"]:
        assert 0 < len(row["quote"]) <= QUOTED
        assert "Okonkwo" not in row["quote"] and "<name>" in row["quote"]
    assert any(len(row["words"]) > 6 for row in told["worst"]), "all the words"
    assert len(told["worst"]) == 20


# --- labels to doubt ---


def test_labels_are_doubted_where_all_stages_and_the_cascade_are_sure(
    fake_cascade: Build, tickets: Labelled
) -> None:
    cascade = fake_cascade(("linear", 0.97, 2.0), ("encoder", 0.98, 0.5))
    told = analysed(cascade, tickets)
    assert [row["line"] for row in told["suspects"]["listed"]] == [2, 10, 11]
    assert told["suspects"]["listed"][0] == {
        "line": 2,
        "label": "billing",
        "likelier": "access",
        "confidence": 0.98,
    }
    assert all(row["suspect"] for row in told["worst"])


def test_none_is_removed_and_what_they_cost_is_told(fake_cascade: Build, tickets: Labelled) -> None:
    cascade = fake_cascade(("linear", 0.97, 0.5))
    told = analysed(cascade, tickets)
    given = np.asarray([QUEUES.index(d.queue) for d in cascade.route(tickets.texts)])
    assert told["suspects"]["macro_f1"] == pytest.approx(macro_f1(tickets.y, given, 3), abs=1e-4)
    assert told["suspects"]["macro_f1_at_most"] == 1
    assert (told["suspects"]["count"], told["wrong"]) == (3, 3)


@pytest.mark.parametrize(
    ("stages", "why"),
    [
        (
            [("linear", 0.5, 2.0), ("encoder", 0.98, 0.5)],
            "one stage finds the label nearly as good",
        ),
        ([("linear", 0.97, 2.0), ("encoder", 0.8, 0.5)], "the cascade is not sure"),
    ],
)
def test_nor_is_one_doubted_where_anybody_hesitates(
    fake_cascade: Build, tickets: Labelled, stages: list[tuple[str, float, float]], why: str
) -> None:
    assert analysed(fake_cascade(*stages), tickets)["suspects"]["count"] == 0, why
