"""The README says what is true: its commands parse, its Python runs, its settings exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from cascade.cli import door
from cascade.llm.settings import LLMSettings
from serve.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """Each `cascade ...` command of the README, continuation lines joined, comments cut."""
    found = []
    for language, text in BLOCKS:
        if language == "":
            joined = text.replace("\\\n", " ")
            lines = (line.split("  #")[0].strip() for line in joined.splitlines())
            found += [line for line in lines if line.startswith("cascade ")]
    return found


@pytest.mark.parametrize("command", commands())
def test_each_command_parses(command: str) -> None:
    _, verb, *arguments = shlex.split(command)
    context = click.Context(door)
    loaded = door.get_command(context, verb)
    assert loaded is not None, f"there is no verb {verb!r}"
    loaded.make_context(verb, arguments, parent=context)


def test_there_are_commands_to_check() -> None:
    assert len(commands()) >= 3


def test_the_python_example_runs(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [text for language, text in BLOCKS if language == "python"]
    exec(compile(example.replace("bundles/starter", str(tiny_bundle)), "README", "exec"), {})
    stages = "linear|encoder|neighbours|llm|human"
    assert re.search(rf"\d\.\d+ (route|review) ({stages})", capsys.readouterr().out)


def test_the_decision_shown_has_the_fields_of_a_decision(tiny_bundle: Path) -> None:
    from cascade import Cascade

    (shown,) = [json.loads(text) for language, text in BLOCKS if language == "json"]
    (decision,) = Cascade.load(tiny_bundle).route(["the invoice is wrong"])
    assert set(shown) == set(decision.to_dict())


def test_each_variable_is_a_setting() -> None:
    named = {name.lower() for name in re.findall(r"`CASCADE_([A-Z_]+)[`=]", README)} - {"data"}
    llm = {f"llm_{field}" for field in LLMSettings.__dataclass_fields__}
    assert named <= set(Settings.model_fields) | llm


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_no_figure_is_left_out() -> None:
    assert "<!-- figures -->" not in README
