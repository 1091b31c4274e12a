"""Settings come from the environment, and a wrong one is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cascade.errors import InputError
from cascade.machine import cores
from serve.cli import serve
from serve.settings import Settings, as_markdown, read_settings, variable

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """The settings read from these variables alone."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def test_without_variables_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, HOME="/", CASCADE_PORT="")
    assert settings.bundle == Path("bundles/starter")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.workers, settings.threads) == (cores(), 4)
    assert (settings.max_body, settings.max_batch_body) == (2 * 2**20, 16 * 2**20)
    assert settings.deadline_ms == 150
    assert (settings.waiting, settings.shallow_from) == (32, 16)
    assert [Settings(waiting=number).shallow_from for number in (0, 1, 9)] == [1, 1, 4]
    assert settings.database == "sqlite:///bundles/cascade.sqlite"


VALUES = {
    bool: "true",
    int: "7",
    float: "9.5",
    str: "x",
    Path: "folder",
    SecretStr: "s" * 24,
}
"""A value by a field's type."""


def value_of(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return str(get_args(field.annotation)[-1])
    kinds = get_args(field.annotation) or (field.annotation,)
    return next(VALUES[kind] for kind in kinds if kind in VALUES)


def test_each_field_has_its_variable_and_its_line_in_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = {name: value_of(field) for name, field in Settings.model_fields.items()}
    read = given(monkeypatch, **{variable(name): value for name, value in values.items()})
    file = tmp_path / "cascade.toml"
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()))
    assert given(monkeypatch, CASCADE_CONFIG=str(file)) == read
    assert read != Settings.model_construct()
    plain = {name: getattr(read, name) for name in values}
    told = {
        name: its.get_secret_value() if isinstance(its, SecretStr) else str(its)
        for name, its in plain.items()
    }
    assert {name: its.lower() for name, its in told.items()} == values


def test_a_variable_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cascade.toml"
    file.write_text("port = 1\nthreads = 2\n")
    settings = given(monkeypatch, CASCADE_CONFIG=str(file), CASCADE_PORT="3")
    assert (settings.port, settings.threads) == (3, 2)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("prot = 8080", "cascade.toml: prot: no such setting"),
        ("waiting = 4\nshallow_from = 5", "shallow_from may not be more than waiting"),
        ("port = 'http'", "port='http': "),
        ("port = ", "not valid TOML"),
        ("callback_secret = 5", "callback_secret: "),
        ("callback_url = 'http://x'", "callback_url needs a callback_secret"),
        ("tls_key = 'k.pem'", "tls_certificate and tls_key go together"),
    ],
)
def test_a_wrong_line_of_the_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, told: str
) -> None:
    file = tmp_path / "cascade.toml"
    file.write_text(line)
    with pytest.raises(InputError) as caught:
        given(monkeypatch, CASCADE_CONFIG=str(file))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        given(monkeypatch, CASCADE_CALLBACK_URL="http://x", CASCADE_CALLBACK_SECRET="hunter2")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(given(monkeypatch, CASCADE_LLM_KEY="hunter2"))


def test_a_misspelt_secret_is_in_no_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "cascade.toml"
    file.write_text("callback_secert = 'hunter2'")
    with pytest.raises(InputError, match="callback_secert: no such setting") as caught:
        given(monkeypatch, CASCADE_CONFIG=str(file))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "host", "needed"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "0.0.0.0", True),
        ("keys", "127.0.0.1", True),
        ("none", "0.0.0.0", False),
    ],
)
def test_whoever_listens_beyond_this_machine_wants_keys(
    auth: Literal["auto", "keys", "none"], host: str, needed: bool
) -> None:
    assert Settings(auth=auth, host=host).authenticated is needed


def test_every_setting_is_in_the_documents_table() -> None:
    table = DOCUMENT.read_text().split("<!-- settings -->\n")[1].split("\n<!-- end -->")[0]
    assert table.strip().splitlines() == as_markdown()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CASCADE_PORT", "http"),
        ("CASCADE_PORT", "70000"),
        ("CASCADE_WORKERS", "0"),
        ("CASCADE_WORKERS", "1.5"),
        ("CASCADE_DEADLINE_MS", "nan"),
        ("CASCADE_DEADLINE_MS", "-1"),
        ("CASCADE_MAX_BODY", "2 MiB"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(InputError) as caught:
        given(monkeypatch, **{name: value})
    assert str(caught.value).startswith(f"{name}='{value}': ")
    assert "\n" not in str(caught.value)


def test_a_flag_goes_before_the_variable_and_is_checked_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CASCADE_PORT", "80")
    result = CliRunner().invoke(serve, ["--port", "many"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("CASCADE_PORT='many': ")


def test_help_has_examples() -> None:
    text = CliRunner().invoke(serve, ["--help"]).stdout
    assert "cascade serve --bundle bundles/starter" in text


def test_the_service_holds_no_training_library() -> None:
    code = (
        "import sys, serve.app, serve.server, serve.cli;"
        "print({'torch', 'train', 'transformers', 'eval'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_verb_is_quick_to_import() -> None:
    code = "import sys, serve.cli; print({'flask', 'gunicorn', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
