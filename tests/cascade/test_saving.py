"""Writing a bundle: the old one or the new one, never half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade import saving
from cascade.bundle import Bundle, Columns, Manifest, verify
from cascade.errors import BundleError
from cascade.saving import write

MANIFEST = Manifest(
    name="it",
    created="2026-01-01T00:00:00+00:00",
    heads={"queue": ("access", "bug")},
    stages=("linear",),
    columns=Columns(("subject", "body"), "queue"),
    clean_version=1,
)
FILES = {"linear/config.json": b"{}", "gates.json": b"[]", "card.md": b"# it"}


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    write(tmp_path / "it", MANIFEST, FILES)
    write(tmp_path / "it", MANIFEST, FILES)
    there = {f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*") if f.is_file()}
    assert there == {f"it/{name}" for name in [*FILES, "bundle.json"]}
    assert [f.name for f in tmp_path.iterdir()] == ["it"]


class CrashError(RuntimeError):
    """What a test throws in the middle."""


@pytest.mark.parametrize("when", range(len(FILES) + 1))
def test_a_crash_while_writing_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    old = write(tmp_path / "it", MANIFEST, FILES)
    calls = iter(range(100))

    def crash(file: Path, data: bytes) -> None:
        if next(calls) == when:
            file.write_bytes(data[: len(data) // 2])
            raise CrashError
        file.write_bytes(data)

    monkeypatch.setattr(saving, "_write", crash)
    with pytest.raises(CrashError):
        write(tmp_path / "it", MANIFEST, {**FILES, "card.md": b"new"})
    assert verify(tmp_path / "it") == MANIFEST
    assert Bundle.open(tmp_path / "it").id == old.id
    assert [f.name for f in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_new_bundle_takes_the_place_of_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:  # as on systems that cannot exchange two folders

        class NoLibrary:
            def __init__(self, *args: object, **kwargs: object) -> None:
                pass

        monkeypatch.setattr("ctypes.CDLL", NoLibrary)
    write(tmp_path / "it", MANIFEST, {**FILES, "old.txt": b"old"})
    write(tmp_path / "it", MANIFEST, {**FILES, "card.md": b"new"})
    verify(tmp_path / "it")
    assert (tmp_path / "it" / "card.md").read_bytes() == b"new"
    assert not (tmp_path / "it" / "old.txt").exists()
    assert [f.name for f in tmp_path.iterdir()] == ["it"]


def test_a_link_to_a_bundle_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    old = write(tmp_path / "v1", MANIFEST, FILES)
    (tmp_path / "now").symlink_to(tmp_path / "v1")
    new = write(tmp_path / "now", MANIFEST, {**FILES, "gates.json": b"{}"})
    assert Bundle.open(tmp_path / "v1").id == old.id
    assert Bundle.open(tmp_path / "now").id == new.id != old.id
    assert sorted(f.name for f in tmp_path.iterdir()) == ["now", "v1"]


def test_an_empty_folder_may_become_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    write(tmp_path / "it", MANIFEST, FILES)
    assert verify(tmp_path / "it") == MANIFEST


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": "years of work"},
        {"bundle.json": "{}"},  # other programs call their files so, too
        {"bundle.json": '{"format": 1, "files": {}}', "main.js": "work"},
    ],
)
def test_an_unrelated_folder_is_never_overwritten(tmp_path: Path, files: dict[str, str]) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    with pytest.raises(BundleError, match="exists and is not a bundle; choose another --out"):
        write(folder, MANIFEST, FILES)
    assert {f.name: f.read_text() for f in folder.iterdir()} == files


def test_a_bundle_with_other_files_in_it_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "it", MANIFEST, FILES)
    (tmp_path / "it" / "notes.txt").write_text("my notes")
    with pytest.raises(BundleError, match=r"holds notes\.txt, which is not the bundle's"):
        write(tmp_path / "it", MANIFEST, FILES)
    assert (tmp_path / "it" / "notes.txt").read_text() == "my notes"


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("years of work")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        write(tmp_path / "it", MANIFEST, FILES)
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "it" / "below", MANIFEST, FILES)
    assert (tmp_path / "it").read_text() == "years of work"
