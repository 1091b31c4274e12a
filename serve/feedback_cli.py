"""The verb ``cascade feedback export``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from serve.export import Tally

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
SHOWN = 5
"""New queues that are named on the terminal; the file has all of them."""
EXAMPLES = """\b
Examples:
  cascade feedback export feedback.csv
  cascade feedback export feedback.parquet --since 2026-11-01 --text-only
  cascade train feedback.csv --text text --label queue --out bundles/next

Columns of OUT: id (the ticket's own), text, queue (where it belongs), predicted, stage,
confidence, action, source (review or api), by, bundle, created, new_queue (whether the bundle
does not have it).
"""


@click.group(context_settings=SETTINGS, epilog=EXAMPLES)
@click.option("--config", metavar="FILE", help="TOML file of settings, as for cascade serve.")
def feedback(config: str | None) -> None:
    """What people said of decisions.

    It is in the database of the service, which the settings name (CASCADE_DATABASE).
    """
    if config is not None:
        os.environ["CASCADE_CONFIG"] = config


@feedback.command(epilog=EXAMPLES)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    metavar="DATE",
    help="No older feedback than this day (UTC), 2026-11-01.",
)
@click.option("--text-only", is_flag=True, help="Only tickets whose text is kept.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Whose queues count as known.  [the one of the service]",
)
def export(out: Path, since: datetime | None, text_only: bool, bundle: Path | None) -> None:
    """Write the newest feedback on each decision to OUT, for the next training.

    OUT is CSV, TSV, JSONL or Parquet, as its name says. The texts are cleaned and masked.
    """
    from cascade.bundle import Bundle
    from cascade.stages.base import QUEUE
    from serve.export import export as write
    from serve.settings import read_settings
    from serve.store import Store

    settings = read_settings()
    bundle = bundle or settings.bundle
    queues = Bundle.open(bundle).manifest.heads[QUEUE]
    store = Store(settings.database)
    store.migrate()
    then = since.replace(tzinfo=UTC).timestamp() if since else 0.0
    tally = write(store, out, queues, then, text_only)
    for line in _report(tally, out, bundle, settings.keep_text_days):
        click.echo(line, err=True)


def _report(tally: Tally, out: Path, bundle: Path, text_days: int) -> list[str]:
    lines = [f"{tally.rows:,} tickets in {out}; of {tally.wrong:,} another queue was predicted"]
    if tally.silent:
        kept = f"they are kept for {text_days} days" if text_days else "none are kept"
        lines.append(
            f"{tally.silent:,} have no text, so nothing can be learned from them: {kept}, as "
            "CASCADE_KEEP_TEXT_DAYS says; --text-only leaves them out"
        )
    if tally.new:
        more = f" and {len(tally.new) - SHOWN} more" if len(tally.new) > SHOWN else ""
        names = ", ".join(sorted(tally.new)[:SHOWN]) + more
        lines.append(f"queues that {bundle} does not have (column new_queue): {names}")
    return lines
