"""Reading the training file: what is in it, what was dropped, and why."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.bundle import Columns
from cascade.clean import clean
from cascade.errors import InputError, TrainingError
from cascade.files import BadRow, Row, read_rows, table_format
from cascade.stages.base import QUEUE
from cascade.ticket import join_parts
from train.dates import EXAMPLES, in_order

MIN_ROWS = 10
"""Fewest rows a label needs: fewer cannot be trained on, gated and tested."""
SHOWN_LINES = 8
SHOWN_LABELS = 20
MANY = f"each of more than {SHOWN_LABELS} labels"


@dataclass(slots=True)
class Report:
    """What was read and what was dropped, with line numbers."""

    path: Path
    rows: int = 0
    kept: int = 0
    dropped: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The report as lines for people."""
        kind = table_format(self.path)
        yield f"read {self.rows:,} rows from {self.path} ({kind}), kept {self.kept:,}"
        for reason, at in self.dropped.items():
            yield f"  dropped {len(at):,}: {reason} ({places(self.path, at)})"
        yield from self.notes


@dataclass(frozen=True, slots=True)
class Table:
    """The usable rows of a training file.

    Attributes:
        texts: cleaned.
        labels: the queue of each row.
        also: for each further label its values, "" where a row lacks it.
        dates: in an order of text that is that of time (`train.dates`); empty if no date column
            was named.
        lines: line of each row in the file.
        fingerprint: sha256 of the raw texts and labels, in order.
    """

    texts: list[str]
    labels: list[str]
    also: dict[str, list[str]]
    dates: list[str]
    lines: list[int]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Some of the rows."""

        def pick(values: list[str]) -> list[str]:
            return [values[i] for i in rows] if values else []

        return Table(
            pick(self.texts),
            pick(self.labels),
            {name: pick(values) for name, values in self.also.items()},
            pick(self.dates),
            [self.lines[i] for i in rows],
            self.fingerprint,
        )


def read_table(
    path: Path,
    columns: Columns,
    *,
    encoding: str = "utf-8",
    min_rows: int = MIN_ROWS,
    keep_duplicates: bool = False,
    quiet: bool = False,
) -> tuple[Table, Report]:
    """Read, clean and check a training file.

    Args:
        keep_duplicates: keep rows whose text stands in the file already: for a test file, which
            is measured as it is.

    Raises:
        InputError: the file or a column cannot be read, or a date is none; the message names the
            place.
        TrainingError: what is left cannot be learned from (one class only, nothing left).
    """
    report = Report(path)
    table = _usable(path, columns, encoding, keep_duplicates, report, quiet)
    counts = Counter(table.labels)
    rare = {label for label, count in counts.items() if count < min_rows}
    if rare:
        for line, label in zip(table.lines, table.labels, strict=True):
            if label in rare:
                which = f"label {_short(label)}" if len(rare) <= SHOWN_LABELS else MANY
                report.dropped[f"{which} has fewer than {min_rows} rows (--min-rows)"].append(line)
        keep = np.asarray([i for i, label in enumerate(table.labels) if label not in rare], int)
        table = table.take(keep)
    for name, values in table.also.items():
        _thin_out(name, values, min_rows, report)
    report.kept = len(table)
    _check(path, columns, table, report)
    return table, report


def _usable(
    path: Path,
    columns: Columns,
    encoding: str,
    keep_duplicates: bool,
    report: Report,
    quiet: bool,
) -> Table:
    """The rows that can be read, with text and label; each text once, unless told otherwise."""
    named = [*columns.text, columns.label, *columns.also]
    named += [name for name in (columns.date,) if name]
    table = Table([], [], {name: [] for name in columns.also}, [], [], "")
    first_line: dict[bytes, tuple[int, str]] = {}
    digest = hashlib.sha256()
    rows = read_rows(path, list(dict.fromkeys(named)), encoding=encoding)
    for row in tqdm(rows, desc=f"reading {path.name}", unit=" rows", disable=quiet, leave=False):
        report.rows += 1
        if isinstance(row, BadRow):
            if row.encoding:
                raise InputError(
                    f"{path}, line {row.line}: {row.reason}; convert the file or name its "
                    "--encoding, for instance cp1252"
                )
            report.dropped[row.reason].append(row.line)
            continue
        text = join_parts(row.values[name] for name in columns.text)
        label = _value(row, columns.label)
        date = _value(row, columns.date) if columns.date else ""
        reason = _reason(text, label, date, columns)
        cleaned = clean(text) if not reason else ""
        if not reason and not cleaned:
            reason = "empty text once cleaned"
        if not reason and not keep_duplicates:
            key = hashlib.sha256(text.encode()).digest()
            line, before = first_line.setdefault(key, (row.line, label))
            if line != row.line:
                same = "the same label" if before == label else "another label"
                reason = f"exact duplicate with {same}"
        if reason:
            report.dropped[reason].append(row.line)
            continue
        if columns.date:
            date = _dated(path, row, columns.date, date)
        _append(table, row, columns, cleaned, label, date)
        digest.update(f"{text}\0{label}\0".encode())
    return Table(
        table.texts, table.labels, table.also, table.dates, table.lines, digest.hexdigest()
    )


def _reason(text: str, label: str, date: str, columns: Columns) -> str:
    if not text:
        return "empty text"
    if not label:
        return "empty label"
    if columns.date and not date:
        return "empty date"
    return ""


def _dated(path: Path, row: Row, column: str, value: str) -> str:
    try:
        return in_order(value)
    except ValueError as kind:
        place = f"{path}, {_noun(path)} {row.line}: column {column!r}"
        raise InputError(
            f"{place} holds {kind}, not an ISO 8601 date: write {EXAMPLES}, or leave --date out"
        ) from None


def places(path: Path, lines: Sequence[int]) -> str:
    """``lines 3, 4, 9``, the first `SHOWN_LINES`; a Parquet file has rows."""
    shown = ", ".join(f"{line:,}" for line in lines[:SHOWN_LINES])
    more = f" and {len(lines) - SHOWN_LINES:,} more" if len(lines) > SHOWN_LINES else ""
    return f"{_noun(path)}{'s' * (len(lines) > 1)} {shown}{more}"


def _noun(path: Path) -> str:
    return "row" if path.suffix == ".parquet" else "line"


def _append(table: Table, row: Row, columns: Columns, text: str, label: str, date: str) -> None:
    table.texts.append(text)
    table.labels.append(label)
    table.lines.append(row.line)
    if columns.date:
        table.dates.append(date)
    for name, values in table.also.items():
        values.append(_value(row, name))


def _value(row: Row, column: str) -> str:
    """A row's value; equal ones are one object, as a label stands in a file many times."""
    return sys.intern((row.values[column] or "").strip())


def _thin_out(name: str, values: list[str], min_rows: int, report: Report) -> None:
    """Blank out the rare values of a further label; the rows stay."""
    counts = Counter(value for value in values if value)
    rare = {value for value, count in counts.items() if count < min_rows}
    missing = len(values) - counts.total()
    if missing:
        report.notes.append(f"  {missing:,} rows have no {name!r}; they are kept")
    if rare:
        lost = sum(counts[value] for value in rare)
        some = ", ".join(_short(value) for value in sorted(rare)[:5])
        report.notes.append(
            f"  {lost:,} rows have a value of {name!r} with fewer than {min_rows} rows ({some}); "
            f"they count as having none"
        )
        values[:] = ["" if value in rare else value for value in values]


def _check(path: Path, columns: Columns, table: Table, report: Report) -> None:
    dropped = "; ".join(f"{len(at):,} {why}" for why, at in report.dropped.items())
    hint = f" (dropped: {dropped})" if dropped else ""
    if not len(table):
        raise TrainingError(f"{path}: no row is left to learn from{hint}")
    if len(set(table.labels)) < 2:
        raise TrainingError(
            f"{path}: column {columns.label!r} has one class only, {_short(table.labels[0])}; "
            f"routing needs two or more{hint}"
        )
    for name, values in table.also.items():
        if len({value for value in values if value}) < 2:
            raise TrainingError(f"{path}: column {name!r} has fewer than two classes")


def _short(label: str, most: int = 40) -> str:
    """A label for people; where the wrong column was named, no more than the start of a text."""
    return repr(label if len(label) <= most else label[:most] + "…")


def encode(table: Table, heads: dict[str, tuple[str, ...]]) -> dict[str, NDArray[np.int64]]:
    """Class numbers of each head, ``(n,)``, -1 where a label is missing or unknown."""
    out = {}
    for name, classes in heads.items():
        number = {value: at for at, value in enumerate(classes)}
        values = table.labels if name == QUEUE else table.also[name]
        out[name] = np.asarray([number.get(value, -1) for value in values], dtype=np.int64)
    return out


def heads_of(table: Table) -> dict[str, tuple[str, ...]]:
    """The classes of each head in alphabetical order, the queues first."""
    heads = {QUEUE: tuple(sorted(set(table.labels)))}
    for name, values in table.also.items():
        heads[name] = tuple(sorted({value for value in values if value}))
    return heads
