"""The front door: fast, lazy, and one line for every error."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cascade import cli
from cascade.errors import CascadeError, MissingExtraError
from train.starter import write

Run = Callable[..., "subprocess.CompletedProcess[str]"]
VERBS = sorted(cli._verbs())
HEAVY = ("torch", "onnxruntime", "sklearn", "scipy", "numpy", "transformers", "flask", "pyarrow")


def test_help_loads_no_library_that_it_does_not_need() -> None:
    code = (
        "import sys\nfrom cascade.cli import main\nsys.argv = ['cascade', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', sorted(set({HEAVY}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "LOADED []" in done.stdout


def test_help_takes_less_than_a_second(command: Run) -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert command("--help").returncode == 0
        times.append(time.perf_counter() - start)
    assert min(times) < 1


def test_help_lists_every_verb_with_a_summary_and_an_example(command: Run) -> None:
    text = command("--help").stdout
    assert {"route", "score", "serve", "starter", "train"} <= set(VERBS)
    for verb in VERBS:
        assert verb in cli.SUMMARIES
        assert cli.SUMMARIES[verb] in text
    assert "cascade train tickets.csv.gz" in text


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_shows_an_example(verb: str) -> None:
    result = CliRunner().invoke(cli.door, [verb, "--help"])
    assert result.exit_code == 0
    assert f"cascade {verb} " in result.output.partition("Example")[2]


def test_the_version(command: Run) -> None:
    from cascade import __version__

    assert __version__ in command("--version").stdout


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """An error meant for people: exit code 2, one line, no traceback."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("cascade: ")
    assert len(done.stderr.splitlines()) == 1
    for part in parts:
        assert part in done.stderr


def test_an_error_is_one_line_and_exit_code_2(command: Run, tmp_path: Path) -> None:
    done = command("route", "vpn", "--bundle", tmp_path / "none")
    assert_one_line(done, "none: not a bundle (no such folder)", "cascade train")


def test_a_damaged_bundle_is_one_line(command: Run, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text("{")
    assert_one_line(command("route", "vpn", "--bundle", tmp_path), "bundle.json: damaged")


def test_an_unknown_verb_or_option_is_exit_code_2(command: Run) -> None:
    for args in (["guess"], ["route", "x", "--loud"], ["score"]):
        done = command(*args)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(command: Run, linear_bundle: Path) -> None:
    code = "from cascade.cli import main; main()"
    line = [sys.executable, "-c", code, "route", "vpn", "--json", "--bundle", str(linear_bundle)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def entry(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(
        cli, "_verbs", lambda: {"other": EntryPoint("other", value, "cascade.verbs")}
    )


def test_others_can_add_verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    entry(monkeypatch, "cascade.commands:route")
    result = CliRunner().invoke(cli.door, ["--help"])
    assert "other  Route one ticket." in result.output
    assert isinstance(cli.door.get_command(click.Context(cli.door), "other"), click.Command)
    assert cli.door.get_command(click.Context(cli.door), "none") is None


def test_a_verb_whose_library_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    entry(monkeypatch, "no_such_library.cli:verb")
    with pytest.raises(MissingExtraError, match="no_such_library, which is not installed"):
        cli.door.get_command(click.Context(cli.door), "other")


def test_a_verb_that_is_no_command_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    entry(monkeypatch, "cascade.errors:InputError")
    with pytest.raises(CascadeError, match=r"the verb 'other' .* is not a command"):
        cli.door.get_command(click.Context(cli.door), "other")


def test_from_past_tickets_to_decisions(command: Run, tmp_path: Path) -> None:
    """The whole way through the real command line: train, route, score."""
    past, new, out = tmp_path / "past.csv.gz", tmp_path / "new.csv", tmp_path / "out.jsonl"
    write(past, 300, seed=1)
    write(new, 40, seed=2)
    columns = ("--text", "subject", "--text", "body", "--label", "queue", "--id", "id")
    bundle = ("--bundle", tmp_path / "it")
    trained = command("train", past, *columns, "--minutes", "0", "--out", tmp_path / "it")
    assert trained.returncode == 0, trained.stderr
    assert "read 300 rows" in trained.stdout
    assert f"wrote {tmp_path / 'it'} (it-" in trained.stdout

    routed = command("route", "please send the invoice again", "--json", *bundle)
    assert routed.returncode == 0, routed.stderr
    decision = json.loads(routed.stdout)
    assert decision["action"] in ("route", "review")
    assert decision["bundle"] in trained.stdout

    scored = command("score", new, out, *bundle)
    assert scored.returncode == 0, scored.stderr
    decisions = [json.loads(line) for line in out.read_text().splitlines()]
    with new.open() as file:
        assert [d["id"] for d in decisions] == [row["id"] for row in csv.DictReader(file)]
    assert {d["bundle"] for d in decisions} == {decision["bundle"]}


def test_a_library_missing_in_the_middle_names_its_extra(
    linear_bundle: Path, tmp_path: Path
) -> None:
    write(tmp_path / "held.csv", 20)
    code = (
        "import sys\nsys.modules['matplotlib'] = None\nfrom cascade.cli import main\n"
        f"sys.argv = ['cascade', 'eval', {str(linear_bundle)!r}, {str(tmp_path / 'held.csv')!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "this needs matplotlib, which is not installed: pip install" in done.stderr
