"""The verb ``cascade starter``."""

from __future__ import annotations

from pathlib import Path

import click

from cascade.errors import InputError
from train.starter.tickets import write

EPILOG = """\
\b
Examples:
  cascade starter tickets.csv.gz --rows 420000
  cascade starter small.csv --rows 2000 --seed 7 --with-truth
"""


@click.command(epilog=EPILOG)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--rows", type=click.IntRange(min=1), default=20_000, show_default=True, help="Tickets to make."
)
@click.option(
    "--seed", default=0, show_default=True, help="The same seed gives the same file, everywhere."
)
@click.option("--with-truth", is_flag=True, help="Also write the queue before the label noise.")
def starter(out: Path, rows: int, seed: int, with_truth: bool) -> None:
    """Write invented support tickets to OUT, to try everything before your own data arrive.

    OUT is a CSV file, compressed when its name ends in .gz, with the columns id, created, subject,
    body, queue, urgency and sentiment. As in real life 3 % of the queues are wrong.
    """
    try:
        write(out, rows, seed, with_truth=with_truth)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from error
