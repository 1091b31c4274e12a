"""Settings come from the environment, and a wrong one is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cascade.errors import InputError
from cascade.machine import cores
from serve.cli import serve
from serve.settings import Settings, read_settings, variable


def test_without_variables_the_defaults_hold() -> None:
    settings = read_settings({"HOME": "/", "CASCADE_PORT": ""})
    assert settings.bundle == Path("bundles/starter")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.workers, settings.threads) == (cores(), 4)
    assert (settings.max_body, settings.max_batch_body) == (2 * 2**20, 16 * 2**20)
    assert settings.deadline_ms == 150


def test_each_field_has_its_variable() -> None:
    values = ["b", "::1", "0", "3", "5", "6", "7", "8", "9.5"]
    given = dict(zip(Settings.model_fields, values, strict=True))
    read = read_settings({variable(name): value for name, value in given.items()})
    assert {name: str(value) for name, value in read.model_dump().items()} == given


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
def test_a_wrong_value_is_one_line_that_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        read_settings({name: value})
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
