"""TOML files that people write: what is wrong with one is said in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.errors import InputError
from cascade.toml import read_toml


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "é"\n[table]\nkey = 1\n', encoding="utf-8")
    assert read_toml(tmp_path / "a.toml") == {"name": "é", "table": {"key": 1}}


@pytest.mark.parametrize("content", [b"key = ", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_what_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.toml: not valid TOML"):
        read_toml(tmp_path / "a.toml")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        read_toml(tmp_path / "none.toml")
