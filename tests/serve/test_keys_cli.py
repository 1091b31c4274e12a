"""The verb ``cascade key``: made, listed and revoked, and never shown twice."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cascade.errors import InputError
from serve.keys_cli import key
from serve.store import Store, keys
from serve.store.keys import TOKEN, KeyRing

Run = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new' / 'service.sqlite'}"


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the verb on a database that does not exist before its first use."""
    monkeypatch.setenv("CASCADE_DATABASE", url)
    return lambda *args: CliRunner().invoke(key, args, catch_exceptions=False)


def test_add_prints_the_key_alone_where_a_script_reads_it(run: Run, url: str) -> None:
    result = run("add", " help desk ", "--scope", "route", "--scope", "review")
    token = result.stdout.removesuffix("\n")
    assert TOKEN.fullmatch(token)
    assert token not in result.stderr
    assert "not shown again" in result.stderr
    found = KeyRing(Store(url)).check(token)
    assert found
    assert (found.name, found.scopes) == ("help desk", {"route", "review"})
    assert found.expires is None


def test_expiry_is_in_days(run: Run, url: str) -> None:
    token = run("add", "a", "--scope", "route", "--expires-days", "0.5").stdout.strip()
    found = KeyRing(Store(url)).check(token)
    assert found
    assert found.expires
    assert found.expires - found.created == pytest.approx(43_200, abs=5)


def test_list_shows_every_key_and_nothing_of_its_secret(run: Run, url: str) -> None:
    tokens = [run("add", name, "--scope", "admin").stdout.strip() for name in ("anna", "bert")]
    ids = [token.split("_")[1] for token in tokens]
    run("revoke", ids[0])
    text = run("list").stdout
    head, *lines = text.splitlines()
    assert head.split() == ["KEY", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES"]
    assert [line.split()[:4] for line in lines] == [
        [f"csc_{ids[0]}_…", "anna", "admin", "revoked"],
        [f"csc_{ids[1]}_…", "bert", "admin", "valid"],
    ]
    with Store(url).read() as connection:
        hidden = [each.hash for each in keys.everyone(connection)]
    assert not re.findall("|".join([*hidden, *(token.split("_")[2] for token in tokens)]), text)


def test_an_empty_list_says_what_to_do(run: Run) -> None:
    result = run("list")
    assert result.stdout == ""
    assert "cascade key add" in result.stderr


def test_revoke_takes_an_id_as_listed_or_a_whole_key(run: Run, url: str) -> None:
    for shown in ("{id}", "csc_{id}_…", "{token}"):
        token = run("add", "a", "--scope", "route").stdout.strip()
        given = shown.format(id=token.split("_")[1], token=token)
        assert run("revoke", given).exit_code == 0
        assert KeyRing(Store(url)).check(token) is None


@pytest.mark.parametrize("wrong", ["0" * 12, "x", "", "0" * 13])
def test_an_unknown_id_is_one_line(run: Run, wrong: str) -> None:
    with pytest.raises(InputError, match="no such key; cascade key list"):
        run("revoke", wrong)


@pytest.mark.parametrize("name", ["", " ", "a" * 201, "a\nb"])
def test_a_name_that_would_break_the_list_is_refused(run: Run, name: str) -> None:
    with pytest.raises(InputError, match="NAME"):
        run("add", name, "--scope", "route")


@pytest.mark.parametrize(
    "args",
    [["a"], ["a", "--scope", "all"], ["a", "--scope", "route", "--expires-days", "0"],
     ["a", "--scope", "route", "--expires-days", "-1"]],
)  # fmt: skip
def test_a_wrong_option_is_told(run: Run, args: list[str]) -> None:
    assert run("add", *args).exit_code == 2


def test_the_settings_file_names_the_database(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CASCADE_DATABASE")
    monkeypatch.setenv("CASCADE_CONFIG", "")
    file = tmp_path / "cascade.toml"
    file.write_text(f'database = "sqlite:///{tmp_path / "other.sqlite"}"\n')
    result = run("--config", str(file), "add", "a", "--scope", "route")
    assert "other.sqlite" in result.stderr
    assert (tmp_path / "other.sqlite").exists()


def test_the_verb_is_quick_to_import() -> None:
    code = (
        "import sys, serve.keys_cli; print({'flask', 'sqlalchemy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("args", [[], ["add"], ["list"], ["revoke"]])
def test_help_has_examples(run: Run, args: list[str]) -> None:
    assert f"cascade key {args[0] if args else 'add'}" in run(*args, "--help").stdout
