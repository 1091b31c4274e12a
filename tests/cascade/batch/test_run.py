"""Scoring files: nothing lost, nothing twice, and an interrupted run ends as if it had not been."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq
import pytest

from cascade.batch import COLUMNS, output_columns
from cascade.batch import run as batch
from cascade.batch.block import ROWS as CHUNK
from cascade.batch.jobs import Job
from cascade.batch.journal import Summary
from cascade.batch.run import Progress, bad_lines
from cascade.bundle import Bundle
from cascade.decision import Choice, Decision
from cascade.engines.here import Here
from cascade.errors import ColumnError, InputError
from cascade.files import BadRow, read_rows
from cascade.router import Cascade
from cascade.ticket import Ticket
from train.starter import write

ROWS = 3 * CHUNK + 50
FORMATS = ("o.csv", "o.tsv", "o.jsonl", "o.csv.gz", "o.jsonl.gz", "o.parquet")
QUEUES = ("access", "billing", "bug")

Build = Callable[..., Cascade]


@pytest.fixture
def cascade(fake_cascade: Build) -> Cascade:
    """Two fake stages: the first settles all texts that name a queue."""
    return fake_cascade(("linear", 0.8, 0.7), ("encoder", 0.85, 0.9))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Tickets enough for four chunks, some rows of them bad."""
    path = tmp_path / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("ticket,body\n")
        for row in range(ROWS):
            if row % 100 == 7:
                file.write(f"T{row},\n")
            elif row % 100 == 8:
                file.write(f"T{row},too,many\n")
            else:
                file.write(f'T{row},"the {QUEUES[row % 3]},\nin two lines"\n')
    return path


def score(
    cascade: Cascade,
    source: Path,
    out: Path,
    *,
    text: Sequence[str],
    id_column: str | None = None,
    fresh: bool = False,
    progress: Progress = lambda summary, share: None,
) -> tuple[Summary, int]:
    """Score one file in this process."""
    job = Job(0, source, out, tuple(text), id_column)
    return batch.score(Here(cascade), [job], fresh=fresh, progress=progress)


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    if ".jsonl" in path.name:
        return [json.loads(line) for line in text.splitlines()]
    delimiter = "\t" if ".tsv" in path.name else ","
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def interrupted_after(chunks: int) -> Callable[[Summary, float], None]:
    """A progress callback that presses Ctrl-C."""
    calls = iter(range(1000))

    def progress(summary: Summary, share: float) -> None:
        if next(calls) == chunks - 1:
            raise KeyboardInterrupt

    return progress


def left_over(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.iterdir() if ".part" in f.name)


# --- what is written ---


@pytest.mark.parametrize("name", FORMATS)
def test_every_readable_row_has_one_decision_in_the_order_of_the_file(
    cascade: Cascade, source: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    summary, resumed = score(cascade, source, out, text=["body"], id_column="ticket")
    rows = rows_of(out)
    good = [row for row in range(ROWS) if row % 100 not in (7, 8)]
    assert [row["id"] for row in rows] == [f"T{row}" for row in good]
    assert [row["queue"] for row in rows] == [QUEUES[row % 3] for row in good]
    assert (summary.rows, summary.bad, resumed) == (ROWS, ROWS - len(good), 0)
    assert summary.settled == {"linear": len(good)}
    assert left_over(tmp_path) == []


def test_the_columns_are_those_documented(cascade: Cascade, source: Path, tmp_path: Path) -> None:
    from cascade.batch.cli import score as verb

    score(cascade, source, tmp_path / "o.csv", text=["body"])
    written = list(rows_of(tmp_path / "o.csv")[0])
    assert written == output_columns(cascade.heads)
    assert written == [*COLUMNS, "urgency", "urgency_confidence", "reason", "bundle"]
    assert verb.epilog is not None
    documented = verb.epilog.partition("Columns of OUT:")[2]
    assert [name for name in (*COLUMNS, "reason", "bundle") if name not in documented] == []


@pytest.mark.parametrize("name", ["o.jsonl", "o.parquet"])
def test_the_values_are_those_of_the_decision(cascade: Cascade, tmp_path: Path, name: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"body": "a bug, high"}\n{"body": "?"}\n')
    score(cascade, tmp_path / "in.jsonl", tmp_path / name, text=["body"])
    row = rows_of(tmp_path / name)[0]
    (decision,) = cascade.route(["a bug, high"])
    assert row == {
        "id": None,
        "line": 1,
        "queue": "bug",
        "confidence": 0.8,
        "action": "route",
        "stage": "linear",
        "alternative": decision.alternatives[0].queue,
        "alternative_confidence": 0.1,
        "urgency": "high",
        "urgency_confidence": 0.8,
        "reason": "",
        "bundle": "fake-0",
    }


def test_the_line_is_that_of_the_file(cascade: Cascade, source: Path, tmp_path: Path) -> None:
    score(cascade, source, tmp_path / "o.csv", text=["body"])
    expected = {row.line for row in read_rows(source) if not isinstance(row, BadRow)}
    lines = {int(row["line"]) for row in rows_of(tmp_path / "o.csv")}
    assert lines <= expected
    assert min(lines) == 2


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.jsonl", "o.parquet"])
def test_an_id_is_kept_to_the_letter(cascade: Cascade, tmp_path: Path, name: str) -> None:
    ids = ["007", " x ", 'q"', "a,b", "a\tb", "a\nb", "a\rb", "a\r\nb", "=1+1", "ü🙂", "\u2028", ""]
    lines = [json.dumps({"n": value, "body": "bug"}) for value in ids]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    score(cascade, tmp_path / "in.jsonl", tmp_path / name, text=["body"], id_column="n")
    found = [r.values["id"] for r in read_rows(tmp_path / name) if not isinstance(r, BadRow)]
    assert found == ids


def test_parts_of_a_ticket_are_joined_and_a_column_may_be_text_and_id(
    cascade: Cascade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.csv").write_text("subject,body\na bug,help\n")
    asked: list[Ticket] = []
    route = cascade.route
    monkeypatch.setattr(cascade, "route", lambda tickets: asked.extend(tickets) or route(tickets))
    score(
        cascade,
        tmp_path / "in.csv",
        tmp_path / "o.csv",
        text=["subject", "body"],
        id_column="subject",
    )
    assert asked == [Ticket("a bug\n\nhelp", "a bug")]


def test_bad_rows_are_listed_with_line_and_reason(
    cascade: Cascade, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.csv"
    summary, _ = score(cascade, source, out, text=["body"])
    with (tmp_path / "o.csv.errors.csv").open() as file:
        listed = [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]
    assert len(listed) == summary.bad
    expected = [
        (row.line, row.reason if isinstance(row, BadRow) else "empty text")
        for row in read_rows(source)
        if isinstance(row, BadRow) or not row.values["body"]
    ]
    assert listed == expected
    assert {reason for _, reason in listed} == {"empty text", "3 fields, but the header has 2"}
    assert list(bad_lines(out, 3)) == listed[:3]


def test_without_bad_rows_there_is_no_list_of_them(cascade: Cascade, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("body\nbug\n")
    (tmp_path / "o.csv.errors.csv").write_text("line,reason\n9,left over from another run\n")
    score(cascade, tmp_path / "in.csv", tmp_path / "o.csv", text=["body"])
    assert sorted(f.name for f in tmp_path.iterdir()) == ["in.csv", "o.csv"]
    assert list(bad_lines(tmp_path / "o.csv", 3)) == []


@pytest.mark.parametrize("name", ["o.csv", "o.jsonl", "o.parquet"])
def test_a_file_of_bad_rows_only(cascade: Cascade, tmp_path: Path, name: str) -> None:
    (tmp_path / "in.csv").write_text("body,x\n,\n,\n")
    summary, _ = score(cascade, tmp_path / "in.csv", tmp_path / name, text=["body"])
    assert (summary.rows, summary.bad) == (2, 2)
    assert rows_of(tmp_path / name) == []


# --- what cannot be ---


def test_a_missing_column_leaves_no_file_behind(
    cascade: Cascade, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(ColumnError, match="no column 'text'; it has 'ticket', 'body'"):
        score(cascade, source, tmp_path / "o.csv", text=["text"])
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("before", [False, True])
def test_a_missing_file_is_called_so_even_where_the_output_exists(
    cascade: Cascade, tmp_path: Path, before: bool
) -> None:
    if before:
        (tmp_path / "o.csv").write_text("of an earlier run")
    with pytest.raises(InputError, match=r"in\.csv: no such file"):
        score(cascade, tmp_path / "in.csv", tmp_path / "o.csv", text=["body"])


def test_the_tickets_are_never_overwritten(cascade: Cascade, source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    (tmp_path / "link.csv").symlink_to(source)
    for out in (source, tmp_path / "link.csv"):
        with pytest.raises(InputError, match="this is the file of tickets itself"):
            score(cascade, source, out, text=["body"])
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("o.parquet.gz", r"leave out the \.gz"),
        ("o.txt", "unknown kind of file"),
        ("none/o.csv", "cannot be written"),
    ],
)
def test_an_output_that_cannot_be_written(
    cascade: Cascade, source: Path, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score(cascade, source, tmp_path / name, text=["body"])


# --- interruptions ---


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(
    cascade: Cascade, source: Path, tmp_path: Path, name: str, chunks: int
) -> None:
    whole = tmp_path / f"whole-{name}"
    expected, _ = score(cascade, source, whole, text=["body"], id_column="ticket")
    out = tmp_path / name
    with pytest.raises(KeyboardInterrupt):
        score(
            cascade,
            source,
            out,
            text=["body"],
            id_column="ticket",
            progress=interrupted_after(chunks),
        )
    assert not out.exists()
    # What came after the last entry of the journal, half a row for instance, is cut off.
    with (tmp_path / f"{name}.part").open("ab") as file:
        file.write(b"half a r")
    summary, resumed = score(cascade, source, out, text=["body"], id_column="ticket")
    assert resumed == chunks * CHUNK
    assert summary == expected
    assert out.read_bytes() == whole.read_bytes()
    errors = [tmp_path / f"{n}.errors.csv" for n in (name, whole.name)]
    assert errors[0].read_bytes() == errors[1].read_bytes()
    assert left_over(tmp_path) == []


def test_a_run_that_goes_on_asks_only_about_the_rest(
    cascade: Cascade, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(cascade, source, tmp_path / "o.csv", text=["body"], progress=interrupted_after(2))
    asked = cascade.stages[0].asked  # type: ignore[attr-defined]
    assert len(asked) < 2 * CHUNK
    score(cascade, source, tmp_path / "o.csv", text=["body"])
    assert len(asked) == len(rows_of(tmp_path / "o.csv"))


def test_a_run_that_was_interrupted_after_the_last_row_asks_nothing_more(
    cascade: Cascade, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(cascade, source, tmp_path / "o.csv", text=["body"], progress=interrupted_after(4))
    asked = len(cascade.stages[0].asked)  # type: ignore[attr-defined]
    summary, resumed = score(cascade, source, tmp_path / "o.csv", text=["body"])
    assert resumed == summary.rows == ROWS
    assert len(cascade.stages[0].asked) == asked  # type: ignore[attr-defined]
    assert left_over(tmp_path) == []


def other_bundle(cascade: Cascade, source: Path) -> dict[str, Any]:
    cascade.bundle_id = "fake-1"
    return {}


def other_content(cascade: Cascade, source: Path) -> dict[str, Any]:
    data = source.read_bytes().replace(b"T0,", b"S0,")
    source.write_bytes(data)
    os.utime(source, ns=(1, 1))
    return {}


def other_columns(cascade: Cascade, source: Path) -> dict[str, Any]:
    return {"id_column": None}


def another_model(cascade: Cascade, source: Path) -> dict[str, Any]:
    os.environ["CASCADE_LLM_URL"] = "http://127.0.0.1:9/v1"
    return {}


def fresh(cascade: Cascade, source: Path) -> dict[str, Any]:
    return {"fresh": True}


def lost_output(cascade: Cascade, source: Path) -> dict[str, Any]:
    source.with_name("o.csv.part").unlink()
    return {}


def damaged_journal(cascade: Cascade, source: Path) -> dict[str, Any]:
    source.with_name("o.csv.part.json").write_text('{"summary": 5}')
    return {}


@pytest.mark.parametrize(
    "change",
    [
        other_bundle,
        other_content,
        other_columns,
        another_model,
        fresh,
        lost_output,
        damaged_journal,
    ],
)
def test_anything_that_could_change_an_answer_starts_anew(
    cascade: Cascade,
    source: Path,
    tmp_path: Path,
    change: Callable[[Cascade, Path], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CASCADE_LLM_URL", "")
    out = tmp_path / "o.csv"
    how: dict[str, Any] = {"text": ["body"], "id_column": "ticket"}
    with pytest.raises(KeyboardInterrupt):
        score(cascade, source, out, progress=interrupted_after(2), **how)
    how |= change(cascade, source)
    summary, resumed = score(cascade, source, out, **how)
    assert resumed == 0
    assert summary.rows == ROWS
    assert {row["bundle"] for row in rows_of(out)} == {cascade.bundle_id}
    score(cascade, source, tmp_path / "whole.csv", **how)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_progress_ends_at_the_whole_file(cascade: Cascade, source: Path, tmp_path: Path) -> None:
    told: list[tuple[int, float]] = []
    score(
        cascade,
        source,
        tmp_path / "o.csv",
        text=["body"],
        progress=lambda summary, share: told.append((summary.rows, share)),
    )
    assert [rows for rows, _ in told] == [CHUNK, 2 * CHUNK, 3 * CHUNK, ROWS]
    assert told[-1][1] == 1


def many(path: Path) -> Path:
    """12,000 tickets: enough to be interrupted at."""
    write(path, 500, seed=8)
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *lines * 24]))
    return path


def lives(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_process_loses_nothing(linear_bundle: Path, tmp_path: Path, workers: str) -> None:
    source, out = many(tmp_path / "in.csv"), tmp_path / "o.csv"
    line = [sys.executable, "-c", "from cascade.cli import main; main()"]
    line += ["score", str(source), str(out), "--bundle", str(linear_bundle), "--workers", workers]
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
    journal = tmp_path / "o.csv.part.json"
    deadline = time.monotonic() + 60
    while not journal.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert len(children) == (0 if workers == "1" else 2)
    while any(map(lives, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(lives, children)), "workers end with whom they work for"
    again = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
    assert "went on after the " in again.stderr
    columns = Bundle.open(linear_bundle).manifest.columns
    whole, _ = score(
        Cascade.load(linear_bundle), source, tmp_path / "w.csv", text=columns.text, id_column="id"
    )
    assert whole.rows == 12_000
    assert out.read_bytes() == (tmp_path / "w.csv").read_bytes()


# --- two at once ---


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_another_one_overtakes_stops_and_spoils_nothing(
    cascade: Cascade, source: Path, tmp_path: Path, name: str
) -> None:
    """As where a job is started again before the last one has ended."""
    out, chunks = tmp_path / name, itertools.count()

    def again(summary: Summary, share: float) -> None:
        if next(chunks) == 1:
            score(cascade, source, out, text=["body"], fresh=True)

    with pytest.raises(InputError, match="another run writes it as well"):
        score(cascade, source, out, text=["body"], progress=again)
    score(cascade, source, tmp_path / f"whole-{name}", text=["body"])
    assert out.read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert left_over(tmp_path) == []


# --- memory ---


class Fast:
    """Answers at once, so that what is measured is the reading and writing."""

    heads = MappingProxyType({"queue": QUEUES})
    bundle_id = "fast-0"

    def route(self, tickets: list[Ticket]) -> list[Decision]:
        return [
            Decision(t.id, "bug", 0.9, "linear", "route", (Choice("billing", 0.1),))
            for t in tickets
        ]


@pytest.mark.parametrize("name", ["in.csv.gz", "in.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    def lines(rows: int) -> Iterator[str]:
        if ".csv" in name:
            yield "n,body\n"
        for row in range(rows):
            text = f"ticket {row} " + "word " * 40
            line = json.dumps({"n": row, "body": text}) if "json" in name else f"{row},{text}"
            yield line + "\n"

    def peak(rows: int) -> int:
        data = "".join(lines(rows)).encode()
        source = tmp_path / f"{rows}-{name}"
        source.write_bytes(gzip.compress(data) if source.suffix == ".gz" else data)
        tracemalloc.start()
        fast: Any = Fast()
        score(fast, source, tmp_path / f"{rows}-o.csv", text=["body"], id_column="n")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(CHUNK)  # what the first run imports and caches
    few, many = peak(2_000), peak(20_000)
    assert many < 1.2 * few + 100_000
    assert many < 5_000_000
