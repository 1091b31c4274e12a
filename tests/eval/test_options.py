"""A record says how it is made again: the arguments, and what was chosen otherwise than usual."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from eval.cli import evaluate, study
from eval.judge import QUICK, Depth, How
from eval.options import command_line, measuring


def repeated(command: click.Command, name: str, *words: str) -> str:
    """The command line that a record of this call would hold."""
    return command_line(command.make_context(name, list(words)))


@pytest.mark.parametrize(
    "words",
    [
        "banking77 --minutes 30",
        "in.csv --text subject --text body --label queue --date created --test held.csv",
        "in.csv --text t --label q --tokens 128 --target 'precision>=0.9' --confidence 0.8",
        "'my tickets.csv' --text 'the text' --label q --target 'precision[A b]>=99%'",
        "banking77 --minutes 0.5 --curve 3 --peer setfit --peer sklearn --seed 7",
        "banking77 --reuse --no-baselines --prices prices.toml --costs costs.toml --quick",
    ],
)
def test_a_study_is_repeated_with_all_that_was_chosen(words: str) -> None:
    assert repeated(study, "study", *shlex.split(words)) == f"cascade study {words}"


def test_an_evaluation_too() -> None:
    words = "bundles/it held.csv --text body --label team --quote --quick"
    assert repeated(evaluate, "eval", *words.split()) == f"cascade eval {words}"


def test_what_changes_no_figure_is_left_to_who_repeats_it() -> None:
    told = repeated(study, "study", "banking77", "--quiet", "--report", "a", "--keep", "b.json")
    assert told == "cascade study banking77"


def test_options_become_how_it_is_measured() -> None:
    seen: list[tuple[How, Path | None]] = []

    @click.command()
    @click.option("--seed", default=0)
    @measuring
    def measure(seed: int, report: Path | None, how: How) -> None:
        seen.append((how, report))

    for words in ("", "--quick --quiet --quote --seed 3 --prices p.toml --costs c.toml --report r"):
        assert CliRunner().invoke(measure, words.split()).exit_code == 0
    usual, other = seen
    assert usual == (How(Depth()), None)
    assert other == (How(QUICK, Path("p.toml"), Path("c.toml"), True, 3, True), Path("r"))


def test_a_command_that_is_no_verb_is_named_by_its_module() -> None:
    context = evaluate.make_context("eval", ["bundles/it", "held.csv", "--quick"])
    told = command_line(context, "eval.ratios")
    assert told == "python -m eval.ratios bundles/it held.csv --quick"
