"""Options of several of eval's commands, and the command line that repeats a run."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

Command = Callable[..., None]

NOT_MEASURED = ("quiet", "report", "keep")
"""Options that change no figure: a repeated run chooses its own."""

MEASURING = (
    click.option(
        "--report",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the report.  [default: reports/ and the bundle's name]",
    ),
    click.option(
        "--prices",
        type=click.Path(path_type=Path, dir_okay=False),
        help="TOML file of what machines and people cost.  [default: eval/prices.toml]",
    ),
    click.option(
        "--costs",
        type=click.Path(path_type=Path, dir_okay=False),
        help="TOML file of what misroutes cost, as for cascade gate: mistakes are ranked by it.",
    ),
    click.option(
        "--quote",
        is_flag=True,
        help="Mistakes quote the tickets, masked: for those who may read them.",
    ),
    click.option(
        "--quick", is_flag=True, help="Leave out the language model, HTTP, stability and stress."
    ),
    click.option("--quiet", is_flag=True, help="No progress bars."),
)


def column_options(usual: str) -> Callable[[Command], Command]:
    """Options for the columns of text and queue.

    Args:
        usual: what they are where none is named.
    """

    def with_columns(command: Command) -> Command:
        label = click.option(
            "--label", metavar="COLUMN", help=f"Column with the right queue.  [default: {usual}]"
        )
        text = click.option(
            "--text",
            "texts",
            multiple=True,
            metavar="COLUMN",
            help=f"Column with the text; several are joined.  [default: {usual}]",
        )
        return text(label(command))

    return with_columns


def measuring(command: Command) -> Command:
    """Give a command ``report`` and, as ``how``, an `eval.judge.How` of the other options."""

    @wraps(command)
    def measured(
        *,
        prices: Path | None,
        costs: Path | None,
        quote: bool,
        quick: bool,
        quiet: bool,
        **its: Any,
    ) -> None:
        from eval.judge import QUICK, Depth, How

        depth = QUICK if quick else Depth()
        command(how=How(depth, prices, costs, quote, its.get("seed", 0), quiet), **its)

    for option in reversed(MEASURING):
        measured = option(measured)
    return measured


def command_line(context: click.Context, module: str = "") -> str:
    """What a user types to measure the same again: the arguments, and the options that were set.

    Args:
        module: of the command, where it is no verb of ``cascade``.
    """
    words = ["python", "-m", module] if module else ["cascade", str(context.info_name)]
    for its in context.command.params:
        name = str(its.name)
        if isinstance(its, click.Argument):
            words.append(str(context.params[name]))
        elif (
            name not in NOT_MEASURED
            and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            words += _given(its, context.params[name])
    return shlex.join(words)


def _given(option: click.Parameter, value: Any) -> list[str]:
    """The words of one option, which may have been given several times."""
    if value is True:
        return [option.opts[0]]
    # 15 minutes are no 15.0.
    told = (str(one).removesuffix(".0") for one in (value if option.multiple else [value]))
    return [word for one in told for word in (option.opts[0], one)]
