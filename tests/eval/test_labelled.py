"""Labelled tickets to measure on: what cannot be measured is left out and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from cascade.bundle import Columns
from cascade.errors import ColumnError, InputError
from eval.labelled import read_labelled

COLUMNS = Columns(text=("subject", "body"), label="queue")
QUEUES = ("access", "billing")
HEADER = "subject,body,queue\n"


def write(folder: Path, *rows: str) -> Path:
    path = folder / "held.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_texts_are_raw_and_joined_as_in_training(tmp_path: Path) -> None:
    path = write(tmp_path, "No login,Order 4711 at https://a.example/x,access")
    its = read_labelled(path, COLUMNS, QUEUES)
    assert its.texts == ["No login\n\nOrder 4711 at https://a.example/x"]
    assert "https://" not in its.cleaned[0]
    assert (its.y.tolist(), its.lines, its.queues) == ([0], [2], QUEUES)


def test_a_label_the_bundle_never_saw_is_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,billing", "c,d,Sales", "e,f,Sales", ",,access", "g,h,")
    its = read_labelled(path, COLUMNS, QUEUES)
    assert its.lines == [2]
    told = "\n".join(its.notes)
    assert "left out 2: a label that is no queue of the bundle (lines 3, 4)" in told
    assert "'Sales' (2)" in told
    assert "left out 1: no text (line 5)" in told and "left out 1: no label (line 6)" in told


def test_in_a_parquet_file_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "held.parquet"
    table = {"subject": ["a", ""], "body": ["b", ""], "queue": ["billing", "access"]}
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    its = read_labelled(path, COLUMNS, QUEUES)
    assert "left out 1: no text (row 2)" in its.notes


def test_no_known_label_at_all_is_an_error_that_names_both_sides(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,Sales")
    with pytest.raises(InputError, match=r"queues access, billing.*'queue' holds 'Sales' \(1\)"):
        read_labelled(path, COLUMNS, QUEUES)


def test_a_missing_label_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,access")
    with pytest.raises(ColumnError, match="team"):
        read_labelled(path, Columns(text=("body",), label="team"), QUEUES)


def test_ten_rows_are_measured_and_called_few(tmp_path: Path) -> None:
    its = read_labelled(write(tmp_path, *["a,b,access"] * 10), COLUMNS, QUEUES)
    assert len(its) == 10
    assert "10 tickets are few" in its.notes[-1]


def test_lines_choose_rows_and_samples_keep_their_order(tmp_path: Path) -> None:
    path = write(tmp_path, *[f"s{n},b{n},{QUEUES[n % 2]}" for n in range(20)])
    its = read_labelled(path, COLUMNS, QUEUES, lines={2, 5, 21})
    assert its.lines == [2, 5, 21]
    whole = read_labelled(path, COLUMNS, QUEUES)
    assert whole.cleaned
    some = whole.sample(7, seed=1)
    assert some.lines == sorted(some.lines) and len(some) == 7
    assert some.cleaned == [whole.cleaned[line - 2] for line in some.lines]
    assert np.array_equal(some.y, whole.y[[line - 2 for line in some.lines]])
    assert whole.sample(7, seed=1).lines == some.lines != whole.sample(7, seed=2).lines
