"""How the cost grows with the tickets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import CascadeError
from cascade.files import Row, read_rows
from cascade.router import Cascade
from eval.bench.growth import first_stage_settles, growth, line, settled, turns, write
from train.starter import generate

TEXTS = [f"{its.subject}\n\n{its.body}" for its in generate(30, seed=8)]


@given(st.floats(0.1, 10), st.floats(0.05, 20))
def test_points_on_a_line_give_that_line(fixed: float, ms: float) -> None:
    told = line([(n, fixed + n * ms / 1000) for n in (1_000, 10_000, 1_000_000)])
    assert told["fixed_s"] == pytest.approx(fixed, rel=0.02, abs=0.002)
    assert told["ms"] == pytest.approx(ms, rel=0.01)
    assert told["r2"] == 1 and told["worst"] < 0.001


def test_a_point_off_the_line_is_told() -> None:
    assert line([(1_000, 1.0), (2_000, 2.0), (4_000, 8.0)])["worst"] > 0.2


def test_files_of_more_tickets_are_scored_until_the_time_is_over(linear_bundle: Path) -> None:
    told = growth(linear_bundle, TEXTS, (10, 200, 10**9), 5)
    assert [row["tickets"] for row in told["rows"]] == [10, 200]
    assert told["left_out"] == [10**9]
    for row in told["rows"]:
        assert row["cpu_s"] > 0 and row["wall_s"] > 0 and row["mib"] > 20
    assert sum(told["settled"].values()) == pytest.approx(1, abs=0.001)
    assert told["line"]["r2"] <= 1


def test_what_the_first_stage_settles_is_what_the_cascade_says(tiny_bundle: Path) -> None:
    decisions = Cascade.load(tiny_bundle, threads=1).route(TEXTS)
    expected = [at for at, its in enumerate(decisions) if its.stage == "linear"]
    assert first_stage_settles(str(tiny_bundle), TEXTS) == expected


def test_two_workers_write_what_one_writes(linear_bundle: Path) -> None:
    told = turns(linear_bundle, TEXTS, 60)
    assert told["same"] and told["ratio"] > 0
    assert {number: len(its) for number, its in told["wall_s"].items()} == {"1": 3, "2": 3}


def test_shares_of_stages_are_read_from_the_decisions(tmp_path: Path) -> None:
    file = tmp_path / "decisions.csv"
    file.write_text("id,stage\n1,linear\n2,linear\n3,human\n4,encoder\n")
    assert settled(file) == {"linear": 0.5, "human": 0.25, "encoder": 0.25}


def test_a_failure_of_scoring_is_told(tmp_path: Path) -> None:
    with pytest.raises(CascadeError, match="not a bundle"):
        growth(tmp_path / "none", TEXTS, (10,), 1)


def test_tickets_are_written_as_a_table_that_can_be_read_back(tmp_path: Path) -> None:
    texts = ["one, with a comma", "two\nlines"]
    write(tmp_path / "t.csv", texts)
    rows = list(read_rows(tmp_path / "t.csv", ["text"]))
    assert [row.values["text"] for row in rows if isinstance(row, Row)] == texts
