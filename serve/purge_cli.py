"""The verb ``cascade purge``."""

from __future__ import annotations

import os

import click

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
EXAMPLES = """\b
Examples:
  cascade purge --dry-run
  CASCADE_KEEP_DECISIONS_DAYS=90 cascade purge
"""


@click.command(context_settings=SETTINGS, epilog=EXAMPLES)
@click.option("--config", metavar="FILE", help="TOML file of settings, as for cascade serve.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
def purge(config: str | None, dry_run: bool) -> None:
    """Delete what is older than the settings say, in the database of the service.

    Decisions and feedback go after CASCADE_KEEP_DECISIONS_DAYS, texts after
    CASCADE_KEEP_TEXT_DAYS, answers under an idempotency key after 2 days. What still waits for
    somebody is kept. SQLite's file then shrinks, while those who write wait.

    The service does the same once a day, but for the shrinking.
    """
    if config is not None:
        os.environ["CASCADE_CONFIG"] = config

    from serve import purge as old
    from serve.settings import read_settings
    from serve.store import Store

    settings = read_settings()
    store = Store(settings.database)
    store.migrate()
    gone = old.purgeable(store, settings) if dry_run else old.purge(store, settings)
    if not dry_run and any(gone.values()):
        old.compact(store)
    verb = "would go" if dry_run else "are gone"
    for name, count in gone.items():
        click.echo(f"{count:>9,} {name} {verb}")
