"""Tables of tickets: CSV, TSV, JSON Lines and Parquet, gzip'd or not, one row at a time.

Reading is streamed, so memory stays flat whatever the file's size. A row that cannot be read
comes back as a `BadRow` with its line and the reason, and reading goes on with the next one; only
a file that makes no sense as a whole raises `InputError`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cascade.errors import ColumnError, InputError
from cascade.lines import MAX_RECORD, Lines, csv_records
from cascade.ticket import MAX_CHARACTERS

FORMATS = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
    ".jsonl": "JSONL",
    ".ndjson": "JSONL",
    ".parquet": "Parquet",
}
PARQUET_BUFFER = 2**20
"""Bytes of a column that are read at a time."""
UTF16_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True, slots=True)
class Row:
    """One readable row: its first line (Parquet: its row number) and its values by column.

    Values are text; a missing one is None. Line numbers start at 1 and count the header.
    """

    line: int
    values: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read, and why, in words that never quote the row itself."""

    line: int
    reason: str
    encoding: bool = False
    """Whether its bytes do not fit the encoding: the whole file may well be in another one."""


def table_format(path: Path) -> str:
    """``CSV``, ``TSV``, ``JSONL`` or ``Parquet``, told by the name.

    Raises:
        InputError: the name ends in none of the known suffixes.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = FORMATS.get(suffixes[-1] if suffixes else "")
    if kind is None:
        raise InputError(
            f"{path}: unknown kind of file; the name must end in .csv, .tsv, .jsonl or .parquet, "
            "each but the last with .gz behind it if it is gzip'd"
        )
    return kind


class Position:
    """How far reading is, for a progress bar."""

    def __init__(self) -> None:
        self.share = 0.0
        """Share of the file that was read, in [0, 1]."""


def read_rows(
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    encoding: str = "utf-8",
    position: Position | None = None,
) -> Iterator[Row | BadRow]:
    """Stream the rows of a table.

    Args:
        path: the file; its name tells the format.
        columns: the columns that are wanted, in any order; None means all of them.
        encoding: of text formats. A UTF-8 byte order mark is skipped.
        position: is kept up to date while reading.

    Raises:
        ColumnError: a wanted column is not in the file; the message lists those that are.
        InputError: the file is missing, empty, damaged, or in another encoding.
    """
    kind = table_format(path)
    try:
        if kind == "Parquet":
            yield from _read_parquet(path, columns, position or Position())
            return
        with path.open("rb") as raw, _text(raw, path, encoding) as handle:
            size = max(path.stat().st_size, 1)
            lines = Lines(handle, path)
            if kind == "JSONL":
                rows = _read_jsonl(lines, columns)
            else:
                rows = _read_csv(lines, columns, "\t" if kind == "TSV" else ",")
            for row in rows:
                if position:
                    position.share = raw.tell() / size
                yield row
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
    except UnicodeError:
        raise InputError(f"{path}: not {encoding}; name the right --encoding") from None
    except LookupError:
        raise InputError(f"{path}: there is no encoding called {encoding!r}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def has_column(path: Path, name: str, encoding: str = "utf-8") -> bool:
    """Whether a table has a column.

    Raises:
        InputError: see `read_rows`.
    """
    try:
        next(read_rows(path, [name], encoding=encoding), None)
    except ColumnError:
        return False
    return True


def _text(raw: IO[bytes], path: Path, encoding: str) -> IO[str]:
    """The file's text, its line ends as they are."""
    gzipped = path.suffix.lower() == ".gz"
    plain: Any = gzip.GzipFile(fileobj=raw) if gzipped else raw
    errors = "strict"
    if encoding.lower() in ("utf-8", "utf8"):
        if plain.read(4).startswith(UTF16_32):
            raise InputError(f"{path}: this is UTF-16, not UTF-8; pass --encoding utf-16")
        plain.seek(0)
        # Bytes that are not UTF-8 become lone surrogates, so that one bad row costs one row.
        encoding, errors = "utf-8-sig", "surrogateescape"
    return io.TextIOWrapper(plain, encoding=encoding, errors=errors, newline="")


def _read_csv(
    lines: Lines, columns: Sequence[str] | None, delimiter: str
) -> Iterator[Row | BadRow]:
    csv.field_size_limit(MAX_RECORD)
    header: list[str] | None = None
    wanted: dict[str, int] = {}
    for line, fields in csv_records(lines, delimiter):
        if isinstance(fields, str):
            if header is None:
                raise InputError(f"{lines.path}, line {line}: the header cannot be read: {fields}")
            yield BadRow(line, fields)
        elif header is None:
            header = [name.strip() for name in fields]
            wanted = _wanted(lines.path, header, columns)
        elif len(fields) != len(header):
            yield BadRow(line, f"{len(fields)} fields, but the header has {len(header)}")
        else:
            yield _checked(line, {name: fields[at] for name, at in wanted.items()})
    if header is None:
        raise InputError(f"{lines.path}: the file is empty")


def _read_jsonl(lines: Lines, columns: Sequence[str] | None) -> Iterator[Row | BadRow]:
    seen: set[str] = set()
    checked = columns is None
    count = 0
    waiting: list[Row | BadRow] = []
    for text in lines:
        lines.start_record()
        if not text.strip():
            continue
        count += 1
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            row: Row | BadRow = BadRow(lines.line, "not valid JSON")
        else:
            if isinstance(value, dict):
                seen.update(value)
                names = value if columns is None else columns
                row = _checked(lines.line, {name: _as_text(value.get(name)) for name in names})
                if isinstance(row, BadRow) and _is_utf8(text):
                    # Half a surrogate pair, written as an escape: no matter of the encoding.
                    row = BadRow(row.line, row.reason)
            else:
                row = BadRow(lines.line, "not a JSON object")
        if checked:
            yield row
            continue
        # A key may be missing from the first objects, so a column is called missing only when
        # the first hundred rows have not had it.
        waiting.append(row)
        if seen.issuperset(columns or ()) or len(waiting) >= 100:
            _wanted(lines.path, sorted(seen), columns)
            checked = True
            yield from waiting
            waiting.clear()
    if not count:
        raise InputError(f"{lines.path}: the file is empty")
    if not checked:
        _wanted(lines.path, sorted(seen), columns)
        yield from waiting


def _read_parquet(
    path: Path, columns: Sequence[str] | None, position: Position
) -> Iterator[Row | BadRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # By default a whole row group is read at once, and that may be the file.
        table = pq.ParquetFile(path, buffer_size=PARQUET_BUFFER, pre_buffer=False)
        wanted = list(_wanted(path, table.schema_arrow.names, columns))
        line = 0
        for batch in table.iter_batches(1024, columns=wanted, use_threads=False):
            for values in zip(*(_plain(batch.column(name)) for name in wanted), strict=True):
                line += 1
                position.share = line / table.metadata.num_rows
                texts = map(_as_text, values)
                yield _checked(line, dict(zip(wanted, texts, strict=True)))
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{path}: not a Parquet file that can be read ({reason})") from None


def _plain(column: Any) -> list[object]:
    """The values of a column; texts as bytes, so that one that is not UTF-8 costs its row alone."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    return list(column.to_pylist())


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, float) and value != value:
        return None  # how pandas writes a missing value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _checked(line: int, values: dict[str, str | None]) -> Row | BadRow:
    for name, value in values.items():
        if value is None:
            continue
        if len(value) > MAX_CHARACTERS:
            return BadRow(line, f"column {name!r} is longer than {MAX_CHARACTERS:,} characters")
        if not _is_utf8(value):
            return BadRow(line, f"column {name!r} is not valid UTF-8", encoding=True)
    return Row(line, values)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _wanted(path: Path, header: Sequence[str], columns: Sequence[str] | None) -> dict[str, int]:
    """Position of each wanted column."""
    place = {name: at for at, name in reversed(list(enumerate(header)))}
    names = header if columns is None else columns
    for name in names:
        if name not in place:
            known = ", ".join(repr(name) for name in header[:20]) + (
                f" and {len(header) - 20} more" if len(header) > 20 else ""
            )
            raise ColumnError(f"{path}: no column {name!r}; it has {known}")
        if list(header).count(name) > 1:
            raise ColumnError(f"{path}: the column {name!r} stands twice in the header")
    return {name: place[name] for name in names}
