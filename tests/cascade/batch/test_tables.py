"""Files of decisions: what was written in parts is what any reader reads."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.batch import tables
from cascade.batch.columns import output_types
from cascade.batch.tables import Columns, Format, encode, finish, header
from cascade.errors import InputError

TYPES = {"id": str, "line": int, "sure": float}
FORMATS = [
    Format("CSV"),
    Format("TSV"),
    Format("JSONL"),
    Format("CSV", True),
    Format("JSONL", True),
    Format("Parquet"),
]
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
rows = st.tuples(words, st.integers(1, 2**40), st.floats(0, 1) | st.none())


def columns(of: list[tuple[Any, ...]]) -> Columns:
    return {name: [row[at] for row in of] for at, name in enumerate(TYPES)}


def written(format: Format, blocks: list[list[tuple[Any, ...]]], folder: Path) -> Path:
    part, out = folder / "o.part", folder / "o"
    data = [header(format, TYPES), *(encode(format, columns(block), TYPES) for block in blocks)]
    part.write_bytes(b"".join(data))
    finish(format, part, out)
    assert [path.name for path in folder.iterdir()] == ["o"]
    return out


def read(format: Format, path: Path) -> list[tuple[Any, ...]]:
    """By readers of others."""
    if format.kind == "Parquet":
        return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
    data = gzip.decompress(path.read_bytes()) if format.gzipped else path.read_bytes()
    text = data.decode()
    if format.kind == "JSONL":
        return [tuple(json.loads(line).values()) for line in text.split("\n")[:-1]]
    delimiter = "\t" if format.kind == "TSV" else ","
    found = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return [
        (row["id"], int(row["line"]), float(row["sure"]) if row["sure"] else None) for row in found
    ]


@pytest.mark.parametrize("format", FORMATS, ids=str)
@given(blocks=st.lists(st.lists(rows, max_size=4), max_size=4))
def test_what_is_read_is_what_was_written(
    format: Format,
    blocks: list[list[tuple[Any, ...]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    out = written(format, blocks, tmp_path_factory.mktemp("o"))
    assert read(format, out) == [row for block in blocks for row in block]


def test_parquet_has_types_and_is_compressed(tmp_path: Path) -> None:
    out = written(Format("Parquet"), [[("a", 1, 0.5)]], tmp_path)
    assert pq.read_schema(out).types == [pa.string(), pa.int64(), pa.float64()]
    assert pq.ParquetFile(out).metadata.row_group(0).column(0).compression == "ZSTD"


def test_row_groups_end_where_blocks_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 5)
    blocks = [[("a", n, 0.5)] * 3 for n in range(5)]
    out = written(Format("Parquet"), blocks, tmp_path)
    metadata = pq.ParquetFile(out).metadata
    assert [metadata.row_group(at).num_rows for at in range(3)] == [6, 6, 3]


def test_the_format_is_told_by_the_name() -> None:
    assert Format.of(Path("a.b.CSV.gz")) == Format("CSV", True)
    assert Format.of(Path("a.parquet")) == Format("Parquet")
    with pytest.raises(InputError, match=r"a\.parquet\.gz: Parquet is compressed as it is"):
        Format.of(Path("a.parquet.gz"))
    with pytest.raises(InputError, match="unknown kind of file"):
        Format.of(Path("a.xlsx"))


def test_labels_have_a_column_for_themselves_and_one_for_their_confidence() -> None:
    types = output_types(["queue", "urgency"])
    assert (types["urgency"], types["urgency_confidence"]) == (str, float)
    assert list(types)[-2:] == ["reason", "bundle"]
