"""Reading tables: every format gives the same rows, and one bad row costs one row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cascade import files
from cascade.errors import ColumnError, InputError
from cascade.files import BadRow, Position, Row, read_rows, table_format

TABLE = [
    {"text": "cannot log in", "queue": "access"},
    {"text": 'a "quoted", listed\ttext\nof two lines', "queue": "bug"},
    {"text": "Grüße, 发票 🙂", "queue": "billing"},
]
LINES_OF_TABLE = [2, 3, 5]


def as_csv(rows: list[dict[str, str]], delimiter: str = ",", end: str = "\n") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_jsonl(rows: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def values(path: Path, columns: list[str] | None = None, **how: str) -> list[dict[str, str | None]]:
    rows = list(read_rows(path, columns, **how))
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [row.values for row in rows if isinstance(row, Row)]


def bad(path: Path, columns: list[str] | None = None) -> list[tuple[int, str]]:
    return [(r.line, r.reason) for r in read_rows(path, columns) if isinstance(r, BadRow)]


def good(path: Path, columns: list[str] | None = None) -> list[tuple[int, dict[str, str | None]]]:
    return [(r.line, r.values) for r in read_rows(path, columns) if isinstance(r, Row)]


# --- every format, the same rows ---


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", as_csv(TABLE)),
        ("T.CSV", as_csv(TABLE)),
        ("t.tsv", as_csv(TABLE, "\t")),
        ("t.tab", as_csv(TABLE, "\t")),
        ("t.jsonl", as_jsonl(TABLE)),
        ("t.ndjson", as_jsonl(TABLE)),
    ],
)
def test_text_formats_read_the_same_gzipped_or_not(
    tmp_path: Path, name: str, data: bytes, end: str
) -> None:
    assert values(put(tmp_path, name + end, data), ["text", "queue"]) == TABLE


def test_parquet_reads_the_same_and_its_lines_are_row_numbers(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(TABLE), tmp_path / "t.parquet")
    assert values(tmp_path / "t.parquet", ["text", "queue"]) == TABLE
    assert [row.line for row in read_rows(tmp_path / "t.parquet")] == [1, 2, 3]


def test_columns_may_stand_in_any_order_and_others_are_left_out(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b"x,queue,text\n1,bug,broken\n")
    assert values(path, ["text", "queue"]) == [{"text": "broken", "queue": "bug"}]
    assert values(path) == [{"x": "1", "queue": "bug", "text": "broken"}]


def test_spaces_around_the_names_of_the_header_do_not_count(tmp_path: Path) -> None:
    assert values(put(tmp_path, "t.csv", b"text , queue\na,b\n"), ["text", "queue"])


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, b"\xef\xbb\xbf" + as_csv(TABLE))
    assert values(path, ["text", "queue"]) == TABLE


def test_a_byte_order_mark_before_json_is_skipped(tmp_path: Path) -> None:
    assert values(put(tmp_path, "t.jsonl", b"\xef\xbb\xbf" + as_jsonl(TABLE))) == TABLE


def test_windows_line_ends_are_line_ends(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", as_csv(TABLE, end="\r\n"))
    assert values(path) == TABLE
    assert [row.line for row in read_rows(path)] == LINES_OF_TABLE


def test_windows_line_ends_inside_of_quotes_are_kept(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b'text\r\n"a\r\nb"\r\nc\r\n')
    assert good(path) == [(2, {"text": "a\r\nb"}), (4, {"text": "c"})]


def test_line_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b'text,q\n"two\nlines",a\n\nbad\n"three\n\nlines",b\nlast,c\n')
    assert [row.line for row in read_rows(path)] == [2, 5, 6, 9]
    assert bad(path) == [(5, "1 fields, but the header has 2")]


def test_other_encodings_are_read_when_they_are_named(tmp_path: Path) -> None:
    assert values(
        put(tmp_path, "a.csv", as_csv(TABLE).decode().encode("utf-16")), encoding="utf-16"
    )
    latin = put(tmp_path, "b.csv", "text\nGrüße\n".encode("cp1252"))
    assert values(latin, encoding="cp1252") == [{"text": "Grüße"}]


def test_values_of_json_and_parquet_that_are_no_texts_become_texts(tmp_path: Path) -> None:
    row = {"a": 5, "b": True, "c": None, "d": ["x"], "e": float("nan")}
    expected = {"a": "5", "b": "True", "c": None, "d": '["x"]', "e": None}
    assert values(put(tmp_path, "t.jsonl", json.dumps(row).encode())) == [expected]
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "t.parquet")
    assert values(tmp_path / "t.parquet") == [expected]


def test_a_key_that_a_json_row_lacks_is_a_missing_value(tmp_path: Path) -> None:
    path = put(tmp_path, "t.jsonl", b'{"a":"1"}\n{"a":"2","b":"x"}\n')
    assert values(path, ["a", "b"]) == [{"a": "1", "b": None}, {"a": "2", "b": "x"}]


def test_the_position_reaches_the_end(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(TABLE), tmp_path / "t.parquet")
    for path in (put(tmp_path, "t.csv.gz", as_csv(TABLE)), tmp_path / "t.parquet"):
        position = Position()
        assert list(read_rows(path, position=position))
        assert position.share == 1


# --- one bad row costs one row ---


def test_an_unclosed_quote_costs_its_row_and_the_rest_is_read(tmp_path: Path) -> None:
    path = put(
        tmp_path, "t.csv", b'text,q\nfine,a\n"never closed,b\nnext,c\n"in quotes",d\nlast,e\n'
    )
    assert bad(path) == [(3, "a quote is not closed or not doubled")]
    assert [line for line, _ in good(path)] == [2, 4, 5, 6]


def test_an_unclosed_quote_in_a_huge_file_is_called_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_RECORD", 1000)
    rest = b"plain,row\n" * 300
    path = put(tmp_path, "t.csv", b'text,q\n"never closed,b\n' + rest)
    ((line, reason),) = bad(path)
    assert line == 2
    assert "quote" in reason
    assert len(good(path)) == 300


def test_a_stray_quote_costs_its_row(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b'text,q\n"a "b" c",x\nfine,y\n')
    assert [line for line, _ in bad(path)] == [2]
    assert [line for line, _ in good(path)] == [3]


def test_too_few_and_too_many_fields(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b"text,q\nonly\na,b,c\nfine,x\n")
    assert bad(path) == [
        (2, "1 fields, but the header has 2"),
        (3, "3 fields, but the header has 2"),
    ]
    assert [line for line, _ in good(path)] == [4]


def test_bytes_that_are_not_utf8_cost_their_row(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b"text,q\nGr\xfc\xdfe,a\nfine,b\n")
    (row, _) = read_rows(path)
    assert row == BadRow(2, "column 'text' is not valid UTF-8", encoding=True)
    assert [line for line, _ in good(path)] == [3]


def test_bytes_that_are_not_utf8_do_no_harm_in_a_column_that_is_not_wanted(tmp_path: Path) -> None:
    assert values(put(tmp_path, "t.csv", b"text,q\nfine,\xff\n"), ["text"]) == [{"text": "fine"}]


def test_half_an_emoji_in_json_is_one_bad_row_and_no_sign_of_another_encoding(
    tmp_path: Path,
) -> None:
    path = put(tmp_path, "t.jsonl", b'{"text":"cut\xc2\xa0\\ud83d"}\n{"text":"fine"}\n')
    (row, _) = read_rows(path)
    assert isinstance(row, BadRow)
    assert not row.encoding
    raw = put(tmp_path, "u.jsonl", b'{"text":"\xff"}\n')
    (row,) = read_rows(raw)
    assert isinstance(row, BadRow)
    assert row.encoding


def test_json_rows_that_are_junk_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    junk = [b"{", b"[1]", b"null", b'"text"', b"[" * 100_000, b"1" * 5000]
    path = put(tmp_path, "t.jsonl", b'{"text":"a"}\n' + b"\n".join(junk) + b'\n\n{"text":"b"}\n')
    assert [line for line, _ in bad(path, ["text"])] == [2, 3, 4, 5, 6, 7]
    assert good(path, ["text"]) == [(1, {"text": "a"}), (9, {"text": "b"})]


def test_a_reason_never_quotes_the_row(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b'text,q\nhunter2\n"hunter2,b\nhunter2\xff,a\n')
    reasons = bad(path)
    assert len(reasons) == 3
    assert "hunter2" not in str(reasons)


def test_nul_is_a_character_like_others(tmp_path: Path) -> None:
    assert values(put(tmp_path, "t.csv", b"text,q\na\0b,x\n")) == [{"text": "a\0b", "q": "x"}]
    assert values(put(tmp_path, "t.jsonl", b'{"text":"a\\u0000b"}\n')) == [{"text": "a\0b"}]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_text_of_more_than_a_million_characters_costs_its_row(tmp_path: Path, name: str) -> None:
    rows = [{"text": "x" * 1_000_001}, {"text": "y" * 1_000_000}]
    path = put(tmp_path, name, as_csv(rows) if name == "t.csv" else as_jsonl(rows))
    assert [reason for _, reason in bad(path)] == [
        "column 'text' is longer than 1,000,000 characters"
    ]
    assert [len(v["text"] or "") for _, v in good(path)] == [1_000_000]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_row_beyond_all_bounds_is_skipped_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote: str, end: str
) -> None:
    monkeypatch.setattr(files, "MAX_RECORD", 1000)
    monkeypatch.setattr(files, "MAX_CHARACTERS", 500)
    lines = ["text", f"{quote}{'x' * 5000}{quote}", "next", '"last"']
    path = put(tmp_path, "t.csv", end.join(lines).encode() + end.encode())
    assert [line for line, _ in bad(path)] == [2]
    assert good(path) == [(3, {"text": "next"}), (4, {"text": "last"})]


# --- a file that makes no sense as a whole ---


@pytest.mark.parametrize("name", ["t.txt", "t", "t.xlsx", "t.gz", "t.csv.zip", ".gz"])
def test_an_unknown_suffix_is_told_which_are_known(name: str) -> None:
    with pytest.raises(InputError, match=r"must end in \.csv, \.tsv, \.jsonl or \.parquet"):
        table_format(Path(name))


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz", "t.jsonl", "t.parquet"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: no such file"):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=name):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.jsonl"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(InputError, match="the file is empty"):
        list(read_rows(put(tmp_path, name, data)))


def test_a_parquet_file_without_rows_has_none_as_one_of_csv_with_a_header(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "t.parquet")
    assert list(read_rows(tmp_path / "t.parquet", ["text"])) == []
    assert list(read_rows(put(tmp_path, "t.csv", b"text\n"), ["text"])) == []


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_a_text_of_parquet_that_is_not_utf8_costs_its_row(
    tmp_path: Path, kind: pa.DataType
) -> None:
    raw = pa.large_binary() if kind == pa.large_string() else pa.binary()
    texts = pa.array([b"a", b"\xff\xfe", None, "\u00e9".encode()], raw)
    texts = pa.Array.from_buffers(kind, len(texts), texts.buffers())  # unchecked
    pq.write_table(pa.table({"text": texts}), tmp_path / "t.parquet")
    assert list(read_rows(tmp_path / "t.parquet")) == [
        Row(1, {"text": "a"}),
        BadRow(2, "column 'text' is not valid UTF-8", encoding=True),
        Row(3, {"text": None}),
        Row(4, {"text": "\u00e9"}),
    ]


def test_a_large_row_group_of_parquet_is_not_held_as_a_whole(tmp_path: Path) -> None:
    texts = [random.Random(row).randbytes(500).hex() for row in range(20_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "t.parquet", use_dictionary=False)
    before = pa.total_allocated_bytes()
    rows = read_rows(tmp_path / "t.parquet")
    held = []
    for row in islice(rows, 0, None, 1_000):
        assert isinstance(row, Row)
        held.append(pa.total_allocated_bytes() - before)
    assert len(held) == 20
    assert max(held) < 8 * 2**20 < (tmp_path / "t.parquet").stat().st_size


@pytest.mark.parametrize("data", [b"", b"PAR1 and then nothing", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_damaged_parquet_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match=r"t\.parquet"):
        list(read_rows(put(tmp_path, "t.parquet", data)))


def test_utf16_is_recognised_and_the_option_named(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", as_csv(TABLE).decode().encode("utf-16"))
    with pytest.raises(InputError, match="pass --encoding utf-16"):
        list(read_rows(path))


def test_the_wrong_encoding_is_one_error(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", "text\nGrüße\n".encode("cp1252"))
    with pytest.raises(InputError, match="not ascii; name the right --encoding"):
        list(read_rows(path, encoding="ascii"))


@pytest.mark.parametrize("encoding", ["klingon", "rot13", ""])
def test_an_encoding_that_does_not_exist(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="there is no encoding called"):
        list(read_rows(put(tmp_path, "t.csv", b"text\na\n"), encoding=encoding))


def test_a_truncated_gzip_file(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv.gz", as_csv(TABLE) * 100)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="damaged gzip file"):
        list(read_rows(path, ["text"]))


@pytest.mark.parametrize(
    "data",
    [b"text\nnot gzip'd\n", gzip.compress(b"text\na\n") + b"junk"],
    ids=["plain", "junk behind"],  # the second one holds the time at which it is made
)
def test_a_file_that_is_not_gzip_inside(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged gzip file"):
        list(read_rows(path))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_missing_column_is_told_which_there_are(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, as_csv(TABLE) if name == "t.csv" else as_jsonl(TABLE))
    if name == "t.parquet":
        pq.write_table(pa.Table.from_pylist(TABLE), path)
    with pytest.raises(ColumnError, match="no column 'body'; it has") as caught:
        list(read_rows(path, ["body"]))
    assert "'text'" in str(caught.value)
    assert "'queue'" in str(caught.value)


def test_of_very_many_columns_some_are_told(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", ",".join(f"c{i}" for i in range(50)).encode() + b"\n")
    with pytest.raises(ColumnError, match="'c19' and 30 more"):
        list(read_rows(path, ["text"]))


def test_a_column_that_stands_twice_is_refused_only_if_it_is_wanted(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b"text,x,x\na,1,2\n")
    assert values(path, ["text"]) == [{"text": "a"}]
    with pytest.raises(ColumnError, match="the column 'x' stands twice"):
        list(read_rows(path, ["x"]))


def test_a_header_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: the header cannot be read"):
        list(read_rows(put(tmp_path, "t.csv", b'"text,q\na,b\n')))


# --- laws ---

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.lists(
    st.text(st.characters(categories=["L", "Nd", "Po"]), min_size=1, max_size=8),
    min_size=2,
    max_size=4,
    unique=True,
)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    header = draw(names)
    return draw(st.lists(st.fixed_dictionaries(dict.fromkeys(header, texts)), min_size=1))


@given(tables(), st.sampled_from([("csv", ","), ("tsv", "\t")]), st.sampled_from(["\n", "\r\n"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_csv_writer_wrote_is_read_back(
    tmp_path: Path, rows: list[dict[str, str]], kind: tuple[str, str], end: str
) -> None:
    out = io.StringIO()
    # All quoted: Python 3.11 leaves a lone carriage return bare, which no reader can tell.
    writer = csv.writer(out, delimiter=kind[1], lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(rows[0])
    writer.writerows([row[name] for name in rows[0]] for row in rows)
    for zipped in ("", ".gz"):
        path = put(tmp_path, f"t.{kind[0]}{zipped}", out.getvalue().encode())
        assert values(path) == rows


@given(tables(), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_json_dumps_wrote_is_read_back(
    tmp_path: Path, rows: list[dict[str, str]], ascii_only: bool
) -> None:
    data = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows).encode()
    for zipped in ("", ".gz"):
        path = put(tmp_path, f"t.jsonl{zipped}", data)
        assert values(path, list(rows[0])) == rows


@given(st.binary(max_size=300), st.sampled_from([".csv", ".tsv", ".jsonl", ".csv.gz", ".parquet"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_rows_or_an_input_error(tmp_path: Path, data: bytes, end: str) -> None:
    path = tmp_path / f"t{end}"
    path.write_bytes(data)
    try:
        for row in read_rows(path):
            assert isinstance(row, (Row, BadRow))
    except InputError as error:
        assert path.name in str(error)
