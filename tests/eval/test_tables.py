"""The studies' tables: what stands in them, and that they are Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from eval import tables
from eval.datasets import RESULTS
from eval.summary import STUDIES


def test_bold_is_better_and_brackets_are_worse() -> None:
    cells = [
        tables._beside({"speed": 5.25, "loss_95": ends})
        for ends in ([-0.01, -0.001], [-0.01, 0.01], [0.001, 0.01])
    ]
    assert cells == ["**5.25 ×**", "5.25 ×", "(5.25 ×)"]


def test_a_mix_is_said_to_gain_what_the_usual_one_loses() -> None:
    its = {
        "cascade": {"macro_f1": 0.88, "macro_f1_95": [0.87, 0.89]},
        "against_mix": {"drop": -0.01, "drop_95": [-0.02, 0.005]},
        "encoder": {"macro_f1": 0.87},
        "unsure": {"cascade": 0.6},
    }
    row = tables._mix({"mix": "all", "tickets_a_pass": 1234, "passes": 2}, its)
    assert "+0.010 (-0.005 to +0.020)" in row
    assert row.startswith("| all | 1,234 | 2 | 0.880 (0.870–0.890) |")


@pytest.mark.parametrize(("name", "table"), STUDIES.items())
def test_what_is_kept_fits_its_table(name: str, table: Callable[[Any], list[str]]) -> None:
    lines = table(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")))
    for part in "\n".join(lines).split("\n\n"):
        rows = [line for line in part.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1
        assert not rows or set(rows[1]) <= set("|-:")
