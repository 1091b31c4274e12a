"""``python -m eval.scaling BUNDLE --tickets FILE``: how the cost of scoring grows.

With the number of tickets, and with a second worker: see `eval.bench.growth`. How it grows with
their length is what ``cascade bench`` tells.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import click

from cascade.bundle import Bundle
from cascade.errors import CascadeError
from eval.bench.growth import first_stage_settles, growth, turns
from eval.bench.texts import of_file
from eval.checkout import commit
from eval.child import call
from eval.datasets import RESULTS
from eval.latency import machine
from eval.options import command_line

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
DIFFERENT = 50_000
"""Most tickets of the file that are repeated."""


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--tickets", required=True, type=click.Path(path_type=Path), help="File of tickets.")
@click.option("--text", "texts", multiple=True, help="Column; several are joined.")
@click.option("--minutes", default=8.0, show_default=True, help="For each of the two lines.")
@click.option(
    "--rows", default=30_000, show_default=True, help="For one worker against two; 0: not."
)
@click.option(
    "--keep",
    default=RESULTS / "scaling.json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the figures.  [default: the project's own]",
)
@click.pass_context
def main(
    context: click.Context,
    bundle: Path,
    tickets: Path,
    texts: tuple[str, ...],
    minutes: float,
    rows: int,
    keep: Path,
) -> None:
    """Measure how the cost of scoring grows with the tickets, and what a second worker brings."""
    opened = Bundle.open(bundle)
    asked = of_file(tickets, texts or opened.manifest.columns.text, DIFFERENT)
    settled = call(first_stage_settles, bundle=str(bundle.resolve()), texts=asked)
    easy = [asked[at] for at in settled]
    told = {
        "command": command_line(context, "eval.scaling"),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "bundle": opened.id,
        "tickets": tickets.name,
        "machine": machine(),
        "workers": turns(bundle.resolve(), asked, rows) if rows else None,
        "all": growth(bundle.resolve(), asked, SIZES, minutes),
        "first_stage": growth(bundle.resolve(), easy, SIZES, minutes) if easy else None,
    }
    keep.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    click.echo(f"kept in {keep}")


if __name__ == "__main__":
    try:
        main(prog_name="scaling")
    except CascadeError as error:
        raise SystemExit(f"eval.scaling: {error}") from None
