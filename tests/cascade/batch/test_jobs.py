"""Which files a run has, and their rows as blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.batch.block import SCHEMA
from cascade.batch.jobs import EMPTY, Job, find
from cascade.errors import ColumnError, InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("body\nhelp\n")
    return folder


# --- which files ---


def test_a_file_goes_to_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "in.csv")
    found = find(str(tmp_path / "in.csv"), tmp_path / "o.jsonl")
    assert found == [(tmp_path / "in.csv", tmp_path / "o.jsonl")]


def test_a_folder_goes_to_a_folder_with_the_same_names(tmp_path: Path) -> None:
    touch(tmp_path / "in", "b.csv.gz", "a.parquet", "c.jsonl", "notes.txt", ".d.csv", "e/f.csv")
    found = find(str(tmp_path / "in"), tmp_path / "out")
    assert [source.name for source, _ in found] == ["a.parquet", "b.csv.gz", "c.jsonl"]
    assert [out for _, out in found] == [tmp_path / "out" / source.name for source, _ in found]


@pytest.mark.parametrize("at", ["here", "there"])
def test_a_pattern_is_a_set_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    touch(tmp_path, "m/2.csv", "m/1.csv", "m/3.jsonl", "n/4.csv")
    monkeypatch.chdir(tmp_path)
    pattern = "?/*.csv" if at == "here" else f"{tmp_path}/?/*.csv"
    assert [s.name for s, _ in find(pattern, Path("out"))] == ["1.csv", "2.csv", "4.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    touch(tmp_path, "in[1].csv", "in1.csv")
    found = find(str(tmp_path / "in[1].csv"), tmp_path / "o.csv")
    assert found == [(tmp_path / "in[1].csv", tmp_path / "o.csv")]


@pytest.mark.parametrize(
    ("file", "out"),
    [("s3://b/year.parquet", "o.csv"), ("gs://b/*.csv", "o"), ("t.csv", "s3://b/o")],
)
def test_an_address_is_no_file(file: str, out: str) -> None:
    with pytest.raises(InputError, match="an address; mount it"):
        find(file, Path(out))


def test_what_is_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pattern of files"):
        find(f"{tmp_path}/**.csv", tmp_path / "out")


@pytest.mark.parametrize("name", ["in", "in/*.csv"])
def test_nothing_to_score_is_said(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "in", "notes.txt")
    with pytest.raises(InputError, match=r"no \.csv, \.tsv, \.jsonl or \.parquet file is there"):
        find(f"{tmp_path}/{name}", tmp_path / "out")


def test_two_files_never_go_to_one(tmp_path: Path) -> None:
    touch(tmp_path, "a/in.csv", "b/in.csv")
    with pytest.raises(InputError, match=r"b/in\.csv: .*a/in\.csv has the same name"):
        find(f"{tmp_path}/*/in.csv", tmp_path / "out")


def test_many_files_need_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.csv", "out")
    with pytest.raises(InputError, match="out: not a folder that can be made"):
        find(str(tmp_path / "in"), tmp_path / "out")
    with pytest.raises(InputError, match=r"out\.csv: .*several files, so name a folder"):
        find(str(tmp_path / "in"), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


# --- checks ---


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        ("none.csv", "o.csv", r"none\.csv: no such file"),
        ("in.csv", "o.txt", "unknown kind of file"),
        ("in.csv", "o.parquet.gz", r"leave out the \.gz"),
        ("in.csv", "folder.csv", "a folder; name the file that the decisions go to"),
        ("in.csv", "in.csv", "this is the file of tickets itself"),
        ("in.csv", "none/o.csv", r"cannot be written \(no such folder\)"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, source: str, out: str, message: str) -> None:
    touch(tmp_path, "in.csv", "folder.csv/x")
    with pytest.raises(InputError, match=message):
        Job(0, tmp_path / source, tmp_path / out, ("body",)).check()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "in.csv")
    with pytest.raises(ColumnError, match="no column 'subject'; it has 'body'"):
        Job(0, tmp_path / "in.csv", tmp_path / "o.csv", ("subject",)).check()


# --- blocks ---


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascade.batch.jobs.ROWS", 4)
    monkeypatch.setattr("cascade.batch.jobs.CHARACTERS", 100)


def job(folder: Path, lines: list[str], skip: int = 0) -> Job:
    (folder / "in.csv").write_text("\n".join(["n,subject,body", *lines]) + "\n")
    return Job(0, folder / "in.csv", folder / "o.csv", ("subject", "body"), "n", skip=skip)


def test_a_row_is_its_line_id_and_text_or_the_reason_why_it_is_bad(tmp_path: Path) -> None:
    lines = ["A,vpn,down", "B, , ", "C,one,two,three", 'D,"",help']
    (block,) = job(tmp_path, lines).blocks()
    assert block.rows.schema == SCHEMA
    assert [tuple(row.values()) for row in block.rows.to_pylist()] == [
        (2, "A", "vpn\n\ndown", None),
        (3, None, None, EMPTY),
        (4, None, None, "4 fields, but the header has 3"),
        (5, "D", "help", None),
    ]
    assert (block.last, block.share) == (True, 1.0)


@pytest.mark.parametrize(
    ("rows", "sizes"), [(0, [0]), (1, [1]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])]
)
def test_blocks_are_of_a_fixed_size_and_the_last_one_says_so(
    tmp_path: Path, small_blocks: None, rows: int, sizes: list[int]
) -> None:
    blocks = list(job(tmp_path, [f"{n},vpn,down" for n in range(rows)]).blocks())
    assert [block.rows.num_rows for block in blocks] == sizes
    assert [block.last for block in blocks] == [False] * (len(sizes) - 1) + [True]
    assert blocks[-1].share == 1.0


def test_a_block_of_long_tickets_ends_earlier(tmp_path: Path, small_blocks: None) -> None:
    blocks = list(job(tmp_path, [f"{n},{'x' * 60},y" for n in range(5)]).blocks())
    assert [block.rows.num_rows for block in blocks] == [2, 2, 1]


def test_going_on_after_a_block_gives_the_other_blocks(tmp_path: Path, small_blocks: None) -> None:
    lines = [f"{n},{'x' * (n * 7 % 80)},y" for n in range(30)]
    every = [block.rows for block in job(tmp_path, lines).blocks()]
    skip = 0
    for at, rows in enumerate(every):
        rest = [block.rows for block in job(tmp_path, lines, skip).blocks()]
        assert rest == every[at:]
        skip += rows.num_rows
