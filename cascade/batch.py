"""Scoring a file: a stream of tickets to a stream of decisions, in flat memory.

Decisions go to ``OUT.part``; every few hundred rows a journal beside it notes how far both files
are. When all is done ``OUT.part`` becomes ``OUT``. A run that was interrupted goes on from the
journal when the same command is given again.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from cascade.decision import Decision
from cascade.errors import InputError
from cascade.files import BadRow, Position, Row, read_rows, table_format
from cascade.router import Cascade
from cascade.stages.base import QUEUE
from cascade.ticket import Ticket, join_parts

CHUNK = 256
"""Rows between two entries of the journal."""

COLUMNS = (
    "id",
    "line",
    "queue",
    "confidence",
    "action",
    "stage",
    "alternative",
    "alternative_confidence",
)
"""Columns of the output, followed by each further label and its confidence, reason and bundle."""


@dataclass(slots=True)
class Summary:
    """What was done, for people and for the journal.

    Attributes:
        rows: read so far, good and bad.
        bad: of these could not be scored; they are listed in ``OUT.errors.csv``.
        settled: decisions by the stage that settled them.
    """

    rows: int = 0
    bad: int = 0
    settled: dict[str, int] = field(default_factory=dict)


class _Table:
    """An output file that is appended to in whole chunks and can be cut back to one of them."""

    def __init__(self, path: Path, kind: str, gzipped: bool, columns: Sequence[str]) -> None:
        self.path, self._kind, self._gzipped = path, kind, gzipped
        self._columns = list(columns)

    def start(self, size: int) -> None:
        """Cut back to ``size`` bytes; 0 starts anew, with the header."""
        with self.path.open("ab") as file:
            file.truncate(size)
        if not size and self._kind != "JSONL":
            self._append_lines([dict(zip(self._columns, self._columns, strict=True))])

    def append(self, rows: Sequence[dict[str, Any]]) -> int:
        """Append rows; the file's size in bytes."""
        if rows:
            self._append_lines(rows)
        return self.path.stat().st_size

    def _append_lines(self, rows: Sequence[dict[str, Any]]) -> None:
        text = io.StringIO()
        if self._kind == "JSONL":
            for row in rows:
                text.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            # Python 3.11 leaves a lone carriage return bare, and readers would end the row there.
            bare = any("\r" in str(value) for row in rows for value in row.values())
            writer = csv.DictWriter(
                text,
                self._columns,
                delimiter="\t" if self._kind == "TSV" else ",",
                lineterminator="\n",
                quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL,
            )
            writer.writerows(rows)
        data = text.getvalue().encode()
        with self.path.open("ab") as file:
            # A gzip file may be a chain of members: each chunk is one, whole on its own.
            file.write(gzip.compress(data, mtime=0) if self._gzipped else data)


def score(
    cascade: Cascade,
    source: Path,
    out: Path,
    *,
    text: Sequence[str],
    id_column: str | None = None,
    encoding: str = "utf-8",
    fresh: bool = False,
    progress: Callable[[Summary, float], None] = lambda summary, share: None,
) -> tuple[Summary, int]:
    """Route every ticket of a file.

    Args:
        source: CSV, TSV, JSONL or Parquet, as its name says.
        out: CSV, TSV or JSONL, with ``.gz`` behind it or not; see `COLUMNS`.
        text: columns that make up a ticket's text, in order.
        id_column: column that is copied to ``id``.
        fresh: start anew even where an interrupted run could go on.
        progress: is told after each chunk what was done, and the share of the file read.

    Returns:
        The summary, and the number of rows that an earlier, interrupted run had done.

    Raises:
        InputError: a file or a column cannot be used.
    """
    kind = table_format(out)
    if kind == "Parquet":
        raise InputError(f"{out}: decisions are written as .csv, .tsv or .jsonl")
    key = _key(cascade, source, text, id_column, encoding)
    if out.exists() and out.samefile(source):
        raise InputError(f"{out}: this is the file of tickets itself")
    part, errors = out.with_name(out.name + ".part"), out.with_name(out.name + ".errors.csv")
    decisions = _Table(part, kind, out.suffix.lower() == ".gz", output_columns(cascade.heads))
    bad_rows = _Table(errors, "CSV", False, ("line", "reason"))
    wanted = list(dict.fromkeys([*text, *([id_column] if id_column else [])]))
    journal = _Journal(out.with_name(out.name + ".part.json"), key)
    # Rows come first: a wrong column must not leave files behind.
    position = Position()
    rows = read_rows(source, wanted, encoding=encoding, position=position)
    chunk = list(islice(rows, CHUNK))
    summary, sizes = journal.load(fresh, (part, errors))
    resumed = summary.rows
    try:
        decisions.start(sizes[0])
        bad_rows.start(sizes[1])
        skip = resumed
        while chunk:
            if skip >= len(chunk):
                skip -= len(chunk)
            else:
                scored, bad = _route(cascade, chunk[skip:], text, id_column)
                summary.rows += len(chunk) - skip
                summary.bad += len(bad)
                counts = Counter(summary.settled)
                counts.update(str(row["stage"]) for row in scored)
                summary.settled = dict(counts)
                skip = 0
                journal.save(summary, (decisions.append(scored), bad_rows.append(bad)))
            progress(summary, position.share)
            chunk = list(islice(rows, CHUNK))
        part.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from None
    journal.path.unlink(missing_ok=True)
    if not summary.bad:
        errors.unlink()
    return summary, resumed


def output_columns(heads: Iterable[str]) -> list[str]:
    """Names of the output's columns for a bundle of these heads."""
    labels = [f"{name}{end}" for name in heads if name != QUEUE for end in LABEL_ENDS]
    return [*COLUMNS, *labels, "reason", "bundle"]


LABEL_ENDS = ("", "_confidence")


def _route(
    cascade: Cascade, rows: Sequence[Row | BadRow], text: Sequence[str], id_column: str | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the output, and rows that could not be scored."""
    bad: list[dict[str, Any]] = []
    tickets, lines = [], []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append({"line": row.line, "reason": row.reason})
            continue
        joined = join_parts(row.values[name] for name in text)
        if not joined:
            bad.append({"line": row.line, "reason": "empty text"})
            continue
        tickets.append(Ticket(joined, row.values[id_column] if id_column else None))
        lines.append(row.line)
    decisions = cascade.route(tickets)
    return [_flat(d, line) for d, line in zip(decisions, lines, strict=True)], bad


def _flat(decision: Decision, line: int) -> dict[str, Any]:
    second = decision.alternatives[0] if decision.alternatives else None
    flat: dict[str, Any] = {
        "id": decision.id,
        "line": line,
        "queue": decision.queue,
        "confidence": round(decision.confidence, 6),
        "action": decision.action,
        "stage": decision.stage,
        "alternative": second.queue if second else None,
        "alternative_confidence": round(second.confidence, 6) if second else None,
    }
    for name, label in decision.labels.items():
        flat[name] = label.value
        flat[f"{name}_confidence"] = round(label.confidence, 6)
    return {**flat, "reason": decision.reason, "bundle": decision.bundle}


def _key(
    cascade: Cascade, source: Path, text: Sequence[str], id_column: str | None, encoding: str
) -> dict[str, Any]:
    """What must be the same for an interrupted run to go on."""
    try:
        stat = source.stat()
    except OSError:
        raise InputError(f"{source}: no such file") from None
    return {
        "bundle": cascade.bundle_id,
        "source": str(source.resolve()),
        "bytes": stat.st_size,
        "modified": stat.st_mtime_ns,
        "columns": [*text, id_column],
        "encoding": encoding,
    }


class _Journal:
    """How far a run is: the summary, and the sizes of its two files at that moment."""

    def __init__(self, path: Path, key: dict[str, Any]) -> None:
        self.path, self._key = path, key

    def load(self, fresh: bool, files: Sequence[Path]) -> tuple[Summary, list[int]]:
        """Where an interrupted run of the same key stood, else a new start."""
        nothing = Summary(), [0, 0]
        if fresh or not self.path.is_file():
            return nothing
        try:
            plain = json.loads(self.path.read_text(encoding="utf-8"))
            summary, sizes = Summary(**plain["summary"]), list(map(int, plain["sizes"]))
        except (ValueError, KeyError, TypeError):
            return nothing
        whole = all(
            file.is_file() and file.stat().st_size >= size
            for file, size in zip(files, sizes, strict=True)
        )
        return (summary, sizes) if whole and plain.get("key") == self._key else nothing

    def save(self, summary: Summary, sizes: Sequence[int]) -> None:
        plain = {"key": self._key, "summary": asdict(summary), "sizes": list(sizes)}
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.write_text(json.dumps(plain), encoding="utf-8")
        temporary.replace(self.path)


def bad_lines(out: Path, most: int) -> Iterator[tuple[int, str]]:
    """The first rows that could not be scored: line and reason."""
    errors = out.with_name(out.name + ".errors.csv")
    if errors.is_file():
        with errors.open(encoding="utf-8", newline="") as file:
            for row in islice(csv.DictReader(file), most):
                yield int(row["line"]), row["reason"]
