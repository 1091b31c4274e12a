"""Files of decisions: CSV, TSV, JSON Lines and Parquet, written in parts that can be cut back.

A text file grows by whole blocks of rows; a gzip'd one by whole members, which gzip allows. A
Parquet file has its index at the end, so what grows is an Arrow stream; when it is complete it is
written down as Parquet.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from cascade.batch.columns import Types
from cascade.errors import InputError
from cascade.files import table_format

ROW_GROUP = 65_536
"""Rows of a Parquet file's row group, or a few more: it ends where a block ends."""
ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64()}

Columns = dict[str, list[Any]]
"""Values by column, the columns in the order of the file."""

_JSON = json.JSONEncoder(ensure_ascii=False)


class Format(NamedTuple):
    """How decisions are written: ``CSV``, ``TSV``, ``JSONL`` or ``Parquet``, gzip'd or not."""

    kind: str
    gzipped: bool = False

    @classmethod
    def of(cls, path: Path) -> Format:
        """The format that a file's name tells.

        Raises:
            InputError: the name ends in none of the known suffixes.
        """
        found = cls(table_format(path), path.suffix.lower() == ".gz")
        if found == ("Parquet", True):
            raise InputError(f"{path}: Parquet is compressed as it is; leave out the .gz")
        return found


def header(format: Format, types: Types) -> bytes:
    """What a file of these columns begins with."""
    if format.kind == "Parquet":
        return bytes(_schema(types).serialize())
    if format.kind == "JSONL":
        return b""
    return _pressed(format, _delimited(format, [list(types)]))


def encode(format: Format, columns: Columns, types: Types) -> bytes:
    """Rows as they are appended to a file."""
    if not next(iter(columns.values())):
        return b""
    if format.kind == "Parquet":
        batch = pa.record_batch(list(columns.values()), schema=_schema(types))
        return bytes(batch.serialize())
    rows = list(zip(*columns.values(), strict=True))
    if format.kind == "JSONL":
        text = "".join(f"{_JSON.encode(dict(zip(columns, row, strict=True)))}\n" for row in rows)
    else:
        text = _delimited(format, rows)
    return _pressed(format, text)


def finish(format: Format, part: Path, out: Path) -> None:
    """Make a complete part the file it is a part of."""
    if format.kind != "Parquet":
        part.replace(out)
        return
    import pyarrow.parquet as pq

    draft = part.with_name(f"{part.name}.parquet")
    with (
        pa.OSFile(str(part)) as file,
        pa.ipc.open_stream(file) as stream,
        pq.ParquetWriter(draft, stream.schema, compression="zstd") as writer,
    ):
        for group in _groups(stream):
            writer.write_table(group, row_group_size=group.num_rows)
    draft.replace(out)
    part.unlink()


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches in groups of `ROW_GROUP` rows or some more, the last one of fewer."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(its.num_rows for its in group) >= ROW_GROUP:
            yield pa.Table.from_batches(group)
            group = []
    if group:
        yield pa.Table.from_batches(group)


def _schema(types: Types) -> pa.Schema:
    return pa.schema([(name, ARROW[its]) for name, its in types.items()])


def _pressed(format: Format, text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0) if format.gzipped else text.encode()


def _delimited(format: Format, rows: Sequence[Sequence[Any]]) -> str:
    text = _written(format, rows, csv.QUOTE_MINIMAL)
    # Python 3.11 leaves a lone carriage return bare, and readers would end the row there.
    return _written(format, rows, csv.QUOTE_ALL) if "\r" in text else text


def _written(format: Format, rows: Sequence[Sequence[Any]], quoting: Literal[0, 1]) -> str:
    text = io.StringIO()
    delimiter = "\t" if format.kind == "TSV" else ","
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    return text.getvalue()
