"""Reading the training file: nothing is dropped without a word and a line number."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cascade.bundle import Columns
from cascade.errors import ColumnError, InputError, TrainingError
from train.read import Report, Table, encode, heads_of, places, read_table

COLUMNS = Columns(("text",), "queue")


def put(folder: Path, rows: list[tuple[str, ...]], header: str = "text,queue") -> Path:
    path = folder / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


def plenty(queue: str, count: int = 10) -> list[tuple[str, ...]]:
    return [(f"{queue} ticket {word_of(n)}", queue) for n in range(count)]


def word_of(n: int) -> str:
    """A word for a number, as numbers are cleaned to one token."""
    return "".join("abcdefghij"[int(digit)] for digit in f"{n:03}")


def read(path: Path, columns: Columns = COLUMNS, min_rows: int = 10) -> tuple[Table, Report]:
    return read_table(path, columns, min_rows=min_rows, quiet=True)


def test_places_are_named_as_the_file_has_them() -> None:
    assert places(Path("in.csv"), [3]) == "line 3"
    assert places(Path("in.parquet"), [3, 1_200]) == "rows 3, 1,200"
    assert places(Path("in.jsonl"), range(1, 11)) == "lines 1, 2, 3, 4, 5, 6, 7, 8 and 2 more"


def test_rows_are_read_cleaned_with_their_lines(tmp_path: Path) -> None:
    rows = [("<p>printer&nbsp;jam</p>", "bug"), *plenty("bug"), *plenty("access")]
    table, report = read(put(tmp_path, rows))
    assert table.texts[0] == "printer jam"
    assert table.lines == list(range(2, 23))
    assert table.labels == ["bug"] * 11 + ["access"] * 10
    assert (report.rows, report.kept, len(table)) == (21, 21, 21)
    assert list(report.lines()) == [f"read 21 rows from {tmp_path / 'in.csv'} (CSV), kept 21"]


def test_what_is_dropped_is_told_with_reason_and_lines(tmp_path: Path) -> None:
    rows: list[tuple[str, ...]] = [
        *plenty("bug"),  # lines 2 to 11
        *plenty("access"),  # lines 12 to 21
        ("  ", "bug"),  # 22
        ("fine", " "),  # 23
        ("bug ticket aaa", "bug"),  # 24
        ("bug ticket aab", "access"),  # 25
        ("<br>", "bug"),  # 26
        ("too", "many", "fields"),  # 27
        ("lonely", "rare"),  # 28
        ("", "bug"),  # 29
    ]
    table, report = read(put(tmp_path, rows))
    assert dict(report.dropped) == {
        "empty text": [22, 29],
        "empty label": [23],
        "exact duplicate with the same label": [24],
        "exact duplicate with another label": [25],
        "empty text once cleaned": [26],
        "3 fields, but the header has 2": [27],
        "label 'rare' has fewer than 10 rows (--min-rows)": [28],
    }
    assert len(table) == report.kept == 20
    assert report.rows == 28
    lines = list(report.lines())
    assert "  dropped 2: empty text (lines 22, 29)" in lines
    assert "  dropped 1: empty label (line 23)" in lines


def test_of_many_dropped_rows_the_first_lines_are_told(tmp_path: Path) -> None:
    rows = [*plenty("bug"), *plenty("access"), *[("", "bug")] * 1500]
    _, report = read(put(tmp_path, rows))
    (line,) = [line for line in report.lines() if line.startswith("  dropped")]
    assert line == (
        "  dropped 1,500: empty text (lines 22, 23, 24, 25, 26, 27, 28, 29 and 1,492 more)"
    )


def test_every_row_is_kept_or_dropped_for_one_reason(tmp_path: Path) -> None:
    rows = [*plenty("bug", 30), *plenty("access", 4), ("", ""), ("x", "bug"), ("x", "access")]
    rows += plenty("billing", 12)
    table, report = read(put(tmp_path, rows))
    dropped = [line for lines in report.dropped.values() for line in lines]
    assert sorted(dropped + table.lines) == list(range(2, len(rows) + 2))


def test_the_wrong_label_column_does_not_print_every_ticket(tmp_path: Path) -> None:
    """As when --label names the text: each text would be a rare label."""
    secret = "my password is hunter2 and I live in " + "a" * 60
    rows = [*plenty("bug"), *plenty("access")]
    rows += [(f"x{word_of(n)}", f"{n} {secret}") for n in range(30)]
    _, report = read(put(tmp_path, rows))
    assert report.dropped == {
        "each of more than 20 labels has fewer than 10 rows (--min-rows)": list(range(22, 52))
    }
    _, report = read(put(tmp_path, rows[:21]))
    (reason,) = report.dropped
    assert len(reason) < 90


def test_parts_are_joined_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    rows = [(f"s {word_of(n)}", f"b {word_of(n)}", "ab"[n % 2]) for n in range(20)]
    path = put(tmp_path, rows, "subject,body,queue")
    table, _ = read(path, Columns(("body", "subject"), "queue"))
    assert table.texts[0].split() == ["b", "aaa", "s", "aaa"]


def test_further_labels_may_be_missing_or_rare_and_the_rows_stay(tmp_path: Path) -> None:
    values = ["high"] * 12 + ["low"] * 10 + [""] * 5 + ["odd"] * 3
    rows = [(f"t {word_of(n)}", "ab"[n % 2], value) for n, value in enumerate(values)]
    columns = Columns(("text",), "queue", ("urgency",))
    table, report = read(put(tmp_path, rows, "text,queue,urgency"), columns)
    assert len(table) == 30
    assert table.also["urgency"] == ["high"] * 12 + ["low"] * 10 + [""] * 8
    assert report.notes == [
        "  5 rows have no 'urgency'; they are kept",
        "  3 rows have a value of 'urgency' with fewer than 10 rows ('odd'); they count as having "
        "none",
    ]
    heads = heads_of(table)
    assert heads == {"queue": ("a", "b"), "urgency": ("high", "low")}
    targets = encode(table, heads)
    assert targets["urgency"].tolist() == [0] * 12 + [1] * 10 + [-1] * 8
    assert targets["queue"].tolist() == [0, 1] * 15


def test_an_unknown_class_is_encoded_as_missing() -> None:
    table = Table(["t"], ["new"], {}, [], [2], "")
    assert encode(table, {"queue": ("a", "b")})["queue"].tolist() == [-1]


def test_a_row_without_a_date_is_dropped_only_if_dates_are_wanted(tmp_path: Path) -> None:
    rows = [(f"t {word_of(n)}", "ab"[n % 2], f"2025-01-{n + 1:02}") for n in range(20)]
    path = put(tmp_path, [*rows, ("no date", "a", "")], "text,queue,created")
    table, report = read(path, Columns(("text",), "queue", date="created"))
    assert report.dropped == {"empty date": [22]}
    assert table.dates[0] == "2025-01-01"
    table, _ = read(path)
    assert (len(table), table.dates) == (21, [])


def test_a_date_that_is_not_iso_8601_is_named_by_its_place_and_kind(tmp_path: Path) -> None:
    """As text 01/02/2025 would come before 31/01/2024."""
    rows = [(f"t {word_of(n)}", "ab"[n % 2], f"2025-01-{n + 1:02}") for n in range(20)]
    path = put(tmp_path, [*rows, ("a ticket", "a", "31/12/2024")], "text,queue,created")
    with pytest.raises(InputError) as caught:
        read(path, Columns(("text",), "queue", date="created"))
    assert str(caught.value) == (
        f"{path}, line 22: column 'created' holds a date such as 31/03/2024, not an ISO 8601 date: "
        "write 2024-03-31 or 2024-03-31T14:05:00+02:00, or leave --date out"
    )
    assert len(read(path)[0]) == 21


def test_the_fingerprint_tells_other_data(tmp_path: Path) -> None:
    rows = [*plenty("bug"), *plenty("access")]
    first = read(put(tmp_path, rows))[0].fingerprint
    assert read(put(tmp_path, rows))[0].fingerprint == first
    changed = [("bug ticket other", "bug"), *rows[1:]]
    assert read(put(tmp_path, changed))[0].fingerprint != first
    assert read(put(tmp_path, rows[::-1]))[0].fingerprint != first


def test_some_rows_of_a_table(tmp_path: Path) -> None:
    table, _ = read(put(tmp_path, [*plenty("bug"), *plenty("access")]))
    part = table.take(np.asarray([3, 15]))
    assert part.labels == ["bug", "access"]
    assert part.lines == [5, 17]
    assert part.fingerprint == table.fingerprint


# --- what cannot be learned from ---


def test_one_class_only(tmp_path: Path) -> None:
    rows = [*plenty("bug"), ("lonely", "access")]
    with pytest.raises(TrainingError, match="column 'queue' has one class only, 'bug'") as caught:
        read(put(tmp_path, rows))
    assert "1 label 'access' has fewer than 10 rows (--min-rows)" in str(caught.value)


def test_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no row is left to learn from \(dropped: 2 empty"):
        read(put(tmp_path, [("", "a"), ("", "b")]))
    with pytest.raises(TrainingError, match=r"no row is left to learn from$"):
        read(put(tmp_path, []))


def test_a_further_label_of_one_class(tmp_path: Path) -> None:
    rows = [(f"t {word_of(n)}", "ab"[n % 2], "high") for n in range(20)]
    with pytest.raises(TrainingError, match="column 'urgency' has fewer than two classes"):
        read(put(tmp_path, rows, "text,queue,urgency"), Columns(("text",), "queue", ("urgency",)))


def test_bytes_in_another_encoding_stop_training_with_the_line_and_the_option(
    tmp_path: Path,
) -> None:
    path = put(tmp_path, [*plenty("bug"), *plenty("access")])
    path.write_bytes(path.read_bytes() + "Grüße,bug\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"line 22: .* is not valid UTF-8; .* --encoding"):
        read(path)
    table, _ = read_table(path, COLUMNS, encoding="cp1252", quiet=True)
    assert table.texts[-1] == "Grüße"


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="no column 'body'; it has 'text', 'queue'"):
        read(put(tmp_path, plenty("bug")), Columns(("body",), "queue"))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=20)


@given(st.lists(st.tuples(texts, st.sampled_from(["a", "b", "", "rare"])), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_row_is_lost_whatever_is_in_the_file(
    tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    path = put(tmp_path, rows)
    try:
        table, report = read(path, min_rows=3)
    except TrainingError as error:
        assert str(path) in str(error)
        return
    assert report.rows == len(table) + sum(len(lines) for lines in report.dropped.values())
    assert all(table.texts)
    assert len(set(table.labels)) >= 2


def test_a_test_file_keeps_its_duplicates(tmp_path: Path) -> None:
    rows = [*plenty("a"), *plenty("b"), ("a ticket aaa", "a")]
    table, report = read_table(put(tmp_path, rows), COLUMNS, keep_duplicates=True, quiet=True)
    assert len(table) == 21
    assert not report.dropped
