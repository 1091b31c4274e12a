"""``costs.toml``: what is read, what is refused and how, and what a plan's tickets cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cascade.errors import InputError
from train.costs import EXAMPLE, Costs, bill, read_costs
from train.course import Course, Run

QUEUES = ("Security", "Purchase", "Miscellaneous")
STAGES = ("linear", "encoder", "llm")
LEAST = "review = 4\n[misroute]\ndefault = 15\n"


def read(folder: Path, text: str) -> Costs:
    file = folder / "costs.toml"
    file.write_text(text, encoding="utf-8")
    return read_costs(file, QUEUES, STAGES)


# --- what is read ---


def test_the_example_says_all_that_can_be_said(tmp_path: Path) -> None:
    costs = read(tmp_path, EXAMPLE)
    assert costs.misroute.tolist() == [
        [0, 200, 500],  # Security in Miscellaneous: the pair has a price of its own
        [15, 0, 15],
        [15, 40, 0],
        [8, 40, 8],  # out of scope
    ]
    assert (costs.review, costs.currency) == (4, "EUR")
    assert costs.second == {"encoder": 0.00002}
    assert costs.call == {"llm": 0.002}


def test_a_look_and_one_cost_of_a_misroute_are_enough(tmp_path: Path) -> None:
    costs = read(tmp_path, LEAST)
    assert costs.misroute.tolist() == [[0, 15, 15], [15, 0, 15], [15, 15, 0], [15, 15, 15]]
    assert (costs.second, costs.call, costs.currency) == ({}, {}, "")


def test_of_a_true_and_a_chosen_queue_the_dearer_counts(tmp_path: Path) -> None:
    dear = '[misroute.true]\n"Security" = 50\n[misroute.chosen]\n"Purchase" = 90\n'
    costs = read(tmp_path, LEAST + dear)
    assert costs.misroute[0].tolist() == [0, 90, 50]


def test_a_queue_may_be_cheaper_than_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, LEAST + '[misroute.true]\n"Purchase" = 1\n').misroute[1, 0] == 1


# --- what is refused ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("review = 4", "misroute.default is missing; add a line default = 10.0"),
        ("[misroute]\ndefault = 15", "review is missing; add a line review = 10.0"),
        ("reviews = 4", "there is no key 'reviews'; did you mean 'review'?"),
        (LEAST + "defualt = 3", "there is no key 'misroute.defualt'; did you mean 'default'?"),
        (LEAST + "true.Securty = 3", "no queue 'misroute.true.Securty'; did you mean 'Security'?"),
        (LEAST + "pairs.Scurity.Purchase = 3", "'misroute.pairs.Scurity'; did you mean 'Security'"),
        (LEAST + "pairs.Security.Purchas = 3", "'misroute.pairs.Security.Purchas'; did you mean"),
        (LEAST + "pairs.Security.Security = 3", "pairs.Security.Security is no misroute; remove"),
        (LEAST + "[call]\nlmm = 3", "there is no stage 'call.lmm'; did you mean 'llm'?"),
        (LEAST + "[cpu_second]\nbert = 3", "there is no stage 'cpu_second.bert'; did you mean"),
        ("review = -1\n[misroute]\ndefault = 1", "review is -1; a cost is a number from 0 up"),
        ("review = nan\n[misroute]\ndefault = 1", "review is nan; a cost is a number from 0 up"),
        (LEAST + "chosen.Security = inf", "misroute.chosen.Security is inf; a cost is a number"),
        (LEAST + 'chosen.Security = "9"', "misroute.chosen.Security is '9'; a cost is a number"),
        (LEAST + "chosen.Security = true", "misroute.chosen.Security is True; a cost is a number"),
        ("review = 1\nmisroute = 3", "misroute should be a table, [misroute]"),
        (LEAST + "chosen = 3", "misroute.chosen should be a table, [misroute.chosen]"),
        ("currency = 3\n" + LEAST, 'currency should be a name in quotes, such as "EUR"'),
        ("review = ", "not valid TOML"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    """It names the file, the key, and what was likely meant."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "costs.toml")) and "\n" not in said
    assert message in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        read_costs(tmp_path / "none.toml", QUEUES, STAGES)


# --- what is hardly meant ---


def test_usual_costs_raise_no_doubts(tmp_path: Path) -> None:
    assert read(tmp_path, EXAMPLE).doubts(QUEUES) == []


def test_a_look_dearer_than_any_misroute_is_pointed_out(tmp_path: Path) -> None:
    (said,) = read(tmp_path, "review = 15\n[misroute]\ndefault = 15").doubts(QUEUES)
    assert "costs 15" in said and "never pays to send any ticket to review" in said


def test_so_is_one_that_is_dearer_for_some_queues(tmp_path: Path) -> None:
    costs = "review = 4\n[misroute]\ndefault = 1\n[misroute.chosen]\nPurchase = 9"
    (said,) = read(tmp_path, costs).doubts(QUEUES)
    assert said.endswith("one that looks like Security, Miscellaneous to review")


# --- what tickets cost ---


def test_a_bill_adds_up_misroutes_looks_and_machines() -> None:
    thirds = [np.full((4, 3), 1 / 3, dtype=np.float32)] * 2
    y = np.asarray([0, 1, -1, 2])
    run = Run(("encoder", "llm"), thirds, y, [np.full(4, 500.0), np.full(4, 9e3)])
    course = Course(
        stage=np.asarray([0, 0, 1, 1]),
        queue=np.asarray([0, 0, 0, 0]),
        settled=np.asarray([True, True, True, False]),
        ms=np.zeros(4),
    )
    misroute = np.asarray([[0, 1, 1], [20, 0, 1], [1, 1, 0], [8, 1, 1]], dtype=np.float64)
    costs = Costs(misroute, review=4, second={"encoder": 2}, call={"llm": 10})
    found = bill(run, course, costs)
    assert found.misroutes == (20 + 8) / 4
    assert found.reviews == 4 / 4
    assert found.stages == (1, 10 * 2 / 4)
    assert found.total == 7 + 1 + 1 + 5
