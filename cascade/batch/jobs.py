"""Which files are scored, and each one's rows as blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from cascade.batch.block import CHARACTERS, ROWS, SCHEMA, Block
from cascade.batch.tables import Format
from cascade.errors import InputError
from cascade.files import BadRow, Position, read_rows, table_format
from cascade.ticket import join_parts

EMPTY = "empty text"
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""``s3://...``; as a path of its own it has one slash less."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file of tickets.

    Attributes:
        number: in its run.
        source: CSV, TSV, JSONL or Parquet, as its name says.
        out: the file its decisions go to; any of these.
        text: columns that make up a ticket's text, in order.
        id_column: column that is copied to ``id``; None for no ids.
        encoding: of a text format.
        skip: rows that are done already.
    """

    number: int
    source: Path
    out: Path
    text: tuple[str, ...]
    id_column: str | None = None
    encoding: str = "utf-8"
    skip: int = 0

    @property
    def columns(self) -> list[str]:
        """Those that are read."""
        return list(dict.fromkeys([*self.text, *([self.id_column] if self.id_column else [])]))

    def check(self) -> None:
        """Look at both files before any work is done.

        Raises:
            InputError: one of them cannot be used.
            ColumnError: a column is missing.
        """
        Format.of(self.out)
        next(read_rows(self.source, self.columns, encoding=self.encoding), None)
        if self.out.is_dir():
            raise InputError(f"{self.out}: a folder; name the file that the decisions go to")
        if self.out.exists() and self.out.samefile(self.source):
            raise InputError(f"{self.out}: this is the file of tickets itself")
        if not self.out.parent.is_dir():
            raise InputError(f"{self.out}: cannot be written (no such folder)")

    def blocks(self) -> Iterator[Block]:
        """The rows that are not done yet; the last block says that it is the last.

        Where a block ends depends on the rows before it alone.

        Raises:
            InputError: see `read_rows`.
        """
        position, format = Position(), Format.of(self.out)
        rows = _Rows()
        for row in islice(self._read(position), self.skip, None):
            if rows.full:
                yield Block(self.number, position.share, False, format, rows.batch())
                rows = _Rows()
            rows.add(*row)
        yield Block(self.number, 1.0, True, format, rows.batch())

    def _read(self, position: Position) -> Iterator[tuple[int, str | None, str | None, str | None]]:
        """Line, id, text, and why it cannot be scored."""
        found = read_rows(self.source, self.columns, encoding=self.encoding, position=position)
        for row in found:
            if isinstance(row, BadRow):
                yield row.line, None, None, row.reason
                continue
            text = join_parts([row.values[name] for name in self.text])
            if text:
                yield row.line, row.values[self.id_column] if self.id_column else None, text, None
            else:
                yield row.line, None, None, EMPTY


class _Rows:
    """The columns of a block that is being filled."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.ids: list[str | None] = []
        self.texts: list[str | None] = []
        self.reasons: list[str | None] = []
        self.characters = 0

    @property
    def full(self) -> bool:
        return len(self.lines) == ROWS or self.characters >= CHARACTERS

    def add(self, line: int, id: str | None, text: str | None, reason: str | None) -> None:
        self.lines.append(line)
        self.ids.append(id)
        self.texts.append(text)
        self.reasons.append(reason)
        self.characters += len(text or "")

    def batch(self) -> pa.RecordBatch:
        return pa.record_batch([self.lines, self.ids, self.texts, self.reasons], schema=SCHEMA)


def find(file: str, out: Path) -> list[tuple[Path, Path]]:
    """Files of tickets, each with the file its decisions go to.

    Args:
        file: a file, a folder, or a pattern such as ``mails/*.csv``.
        out: a file for a file; else a folder, in which the files have the same names. It is made.

    Raises:
        InputError: there are none, two would go to the same file, or there can be no such folder.
    """
    for name in (file, str(out)):
        if URL.match(name):
            raise InputError(f"{name}: an address; mount it, and name the folder where it is")
    path = Path(file)
    try:
        if path.is_dir():
            found = path.iterdir()
        elif not path.is_file() and any(sign in file for sign in "*?["):
            found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        else:
            return [(path, out)]
        sources = sorted(filter(_is_table, found))
    except ValueError as error:  # such as of 'mails/**.csv'
        raise InputError(f"{file}: no pattern of files ({error})") from None
    if not sources:
        raise InputError(f"{file}: no .csv, .tsv, .jsonl or .parquet file is there")
    taken: dict[str, Path] = {}
    for source in sources:
        if source.name in taken:
            raise InputError(
                f"{source}: {taken[source.name]} has the same name; score them one by one"
            )
        taken[source.name] = source
    if _is_named_as_table(out) and not out.is_dir():
        raise InputError(f"{out}: {file} may be several files, so name a folder for the decisions")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: not a folder that can be made ({error.strerror})") from None
    return [(source, out / source.name) for source in sources]


def _is_table(path: Path) -> bool:
    return _is_named_as_table(path) and path.is_file() and not path.name.startswith(".")


def _is_named_as_table(path: Path) -> bool:
    try:
        table_format(path)
    except InputError:
        return False
    return True
