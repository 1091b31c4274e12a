"""``cascade bench``."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import click

from cascade.bundle import Bundle
from cascade.errors import InputError
from eval.options import command_line

TICKETS = 4000
"""Most tickets as they come."""


@click.command(
    epilog="\b\nExamples:\n"
    "  cascade bench bundles/it\n"
    "  cascade bench bundles/it --tickets tickets.csv.gz --seconds 120 --json bench.json\n\n"
    "One core is measured, whatever there are. p50, p95 and p99 are wall times of a ticket alone; "
    "a dash stands where fewer tickets were timed than that needs: give it more --seconds. The "
    "batch is 256 tickets, or as many as the time allows. The limit is what a ticket would take if "
    "the stage did nothing but find words and gather rows (linear) or multiply matrices (encoder) "
    "as fast as this machine can. An LLM server is never asked: its stage is timed up to there.",
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--tickets",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Tickets to time.  [default: generated ones]",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="COLUMN",
    help="Column with the text; several are joined.  [default: as in training]",
)
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1),
    help="About how long it may take.",
)
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file with the price of a core's hour.  [default: eval/prices.toml]",
)
@click.option(
    "--json",
    "keep",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write all figures to a file.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def bench(
    context: click.Context,
    bundle: Path,
    tickets: Path | None,
    texts: tuple[str, ...],
    seconds: float,
    prices: Path | None,
    keep: Path | None,
    quiet: bool,
) -> None:
    """Time what BUNDLE takes on this machine, stage by stage and by length of the tickets.

    Beside it stands what the machine could do at most.
    """
    from eval.bench.run import bench as measure
    from eval.bench.table import GENERATED, table
    from eval.bench.texts import of_file, starter
    from eval.checkout import commit
    from eval.prices import PRICES, read_prices

    opened, price = Bundle.open(bundle), read_prices(prices or PRICES)
    if keep and not keep.absolute().parent.is_dir():
        raise InputError(f"{keep}: there is no folder {keep.parent}; make it first")
    columns = texts or opened.manifest.columns.text
    asked = of_file(tickets, columns, TICKETS) if tickets else starter(TICKETS)
    try:
        told = measure(bundle, asked, seconds, quiet=quiet)
    except KeyboardInterrupt:
        click.echo("stopped; a shorter run: --seconds 20", err=True)
        raise SystemExit(130) from None
    made: dict[str, Any] = {
        "command": command_line(context),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "tickets": tickets.name if tickets else GENERATED,
    }
    click.echo("\n".join(table(made | told, price)))
    if keep:
        keep.write_text(json.dumps(made | told, indent=1) + "\n", encoding="utf-8")
        click.echo(f"wrote {keep}")
