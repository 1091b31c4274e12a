"""The 2 by 2 of confidence and cost of error."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from train.costs import Costs
from train.course import Course
from train.squares import PRIOR, error_costs, squares, table

QUEUES = ("Hardware", "Security", "Storage")


def course(queue: list[int], settled: list[bool]) -> Course:
    n = len(queue)
    return Course(np.zeros(n, dtype=np.int64), np.asarray(queue), np.asarray(settled), np.zeros(n))


def costs(chosen: tuple[float, float, float]) -> Costs:
    misroute = np.tile(chosen, (4, 1))
    misroute[range(3), range(3)] = 0
    return Costs(misroute, review=4)


def truth() -> NDArray[np.int64]:
    return np.asarray([0, 0, 0, 1, 0, 0, 1, 2, 2, -1])


def some() -> Course:
    queue = [0, 0, 0, 1, 0, 0, 1, 2, 2, 0]
    return course(queue, [True] * 4 + [False] * 3 + [True] * 2 + [False])


def test_each_ticket_falls_in_one_of_four() -> None:
    found = squares(truth(), some(), costs((10, 200, 10)), QUEUES)
    assert [(s.name, s.share, s.queues) for s in found] == [
        ("act alone", 0.5, ("Hardware", "Storage")),
        ("act and tell", 0.1, ("Security",)),
        ("ask", 0.3, ("Hardware",)),
        ("ask first", 0.1, ("Security",)),
    ]
    assert [s.error for s in found] == pytest.approx([10, 200, 10, 200])


def test_where_all_errors_cost_the_same_none_is_dear() -> None:
    found = squares(truth(), some(), costs((10, 10, 10)), QUEUES)
    assert [s.share for s in found] == [0.6, 0, 0.4, 0]


def test_a_table_says_it_in_five_lines() -> None:
    found = squares(truth(), some(), costs((10, 200, 10)), QUEUES)
    assert table(found, "EUR") == [
        "               tickets  sure  an error costs    queues",
        "act alone        50.0%  yes   10.00 EUR         Hardware, Storage",
        "act and tell     10.0%  yes   200.00 EUR        Security",
        "ask              30.0%  no    10.00 EUR         Hardware",
        "ask first        10.0%  no    200.00 EUR        Security",
    ]


def test_an_empty_square_names_no_queue_and_no_cost() -> None:
    found = squares(truth(), some(), costs((10, 10, 10)), QUEUES)
    assert table(found)[2] == "act and tell      0.0%  yes"


def test_what_is_taken_for_a_queue_weighs_more_the_more_there_is_of_it() -> None:
    """Storage is usually mistaken for Hardware here, so its price comes to be that of Hardware."""
    misroute = np.tile([[100.0], [0.0], [100.0], [100.0]], (1, 3))
    misroute[0, 0] = misroute[2, 2] = 0
    cheap_then_dear = []
    for n in (0, 1000):
        y = np.asarray([1] * 90 + [0] * 10 + [2] * n)
        its = course([1] * 90 + [0] * 10 + [0] * n, [True] * (100 + n))
        cheap_then_dear.append(float(error_costs(y, its, Costs(misroute, 1))[0]))
    assert cheap_then_dear[0] < 1
    assert cheap_then_dear[1] > 100 * (1 - 2 * PRIOR / 1000)


def test_tickets_that_belong_nowhere_count_as_well() -> None:
    """Nothing was taken for Storage; what might have been is half Hardware, half out of scope."""
    misroute = np.tile([[10.0], [0], [0], [90]], (1, 3))
    y = np.asarray([0, -1] * 50)
    its = course([0] * 100, [True] * 100)
    assert error_costs(y, its, Costs(misroute, 1))[2] == pytest.approx(50)
