"""The verbs ``cascade key add``, ``list`` and ``revoke``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cascade.errors import InputError

if TYPE_CHECKING:
    from serve.store import Store
    from serve.store.keys import Key

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
SCOPES = ("route", "review", "admin", "metrics")
"""What a key can be good for; `serve.store.keys` has the same, and is slow to import."""
LONGEST_NAME = 200
DAY = 86_400
SECONDS = 2
"""In which a change has reached every worker."""

EXAMPLES = """\b
Examples:
  cascade key add helpdesk --scope route
  cascade key add anna --scope route --scope review --expires-days 90
  cascade key list
  cascade key revoke 3f1c9a0b7d2e
"""
ADD_EXAMPLES = """\b
Examples:
  cascade key add helpdesk --scope route
  KEY=$(cascade key add prometheus --scope metrics)
A key is replaced without a gap: add the new one, put it where the old one is, revoke the old one.
"""


@click.group(context_settings=SETTINGS, epilog=EXAMPLES)
@click.option("--config", metavar="FILE", help="TOML file of settings, as for cascade serve.")
def key(config: str | None) -> None:
    """Make, list and revoke API keys.

    They are in the database of the service, which the settings name (CASCADE_DATABASE). Run it
    as the user that the service runs as.
    """
    if config is not None:
        os.environ["CASCADE_CONFIG"] = config


@key.command(epilog=ADD_EXAMPLES)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it is good for; may be given several times. admin implies the others.",
)
@click.option(
    "--expires-days",
    type=click.FloatRange(min=0, min_open=True, max=36_500),
    metavar="N",
    help="It is of no use after that.  [never]",
)
def add(name: str, scopes: tuple[str, ...], expires_days: float | None) -> None:
    """Make a key for NAME and print it, this one time."""
    from serve.store import keys

    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(f"NAME: 1 to {LONGEST_NAME} printable characters")
    expires = None if expires_days is None else time.time() + expires_days * DAY
    store = _store()
    with store.write(durable=True) as connection:
        made, token = keys.add(connection, name, scopes, expires)
    click.echo(f"Key {made.id} of {name} in {store}. It is not shown again:", err=True)
    click.echo(token)
    click.echo("Use it as  Authorization: Bearer KEY", err=True)


@key.command("list", epilog="\b\nExample:\n  cascade key list\n")
def show() -> None:
    """List the keys, without what is secret."""
    from serve.store import keys

    store = _store()
    with store.read() as connection:
        known = keys.everyone(connection)
    if not known:
        click.echo(f"No key in {store} yet: cascade key add NAME --scope route", err=True)
        return
    now = time.time()
    head = ("KEY", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES")
    for line in _columns([head, *(_line(each, now) for each in known)]):
        click.echo(line)


@key.command(epilog="\b\nExamples:\n  cascade key revoke 3f1c9a0b7d2e\n")
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Make the key with this ID useless, in two seconds at most."""
    from serve.store import keys

    store = _store()
    parts = re.match(r"(?:csc_)?([0-9a-f]{12})(?![0-9a-f])", key_id)  # as it is listed, or pasted
    with store.write(durable=True) as connection:
        known = keys.revoke(connection, parts[1]) if parts else False
    if not known or parts is None:
        raise InputError(f"{store} has no such key; cascade key list shows them")
    click.echo(f"Key {parts[1]} is revoked; workers know it in {SECONDS} seconds.", err=True)


def _store() -> Store:
    from serve.settings import read_settings
    from serve.store import Store

    store = Store(read_settings().database)
    store.migrate()
    return store


def _line(each: Key, now: float) -> tuple[str, ...]:
    scopes = " ".join(scope for scope in SCOPES if scope in each.scopes)
    expires = "never" if each.expires is None else _day(each.expires)
    shown = f"csc_{each.id}_…"
    return shown, each.name, scopes, each.state(now), _day(each.created), expires


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
