"""The front door: ``cascade VERB``.

Verbs are entry points of the group ``cascade.verbs``, so that the door imports none of the wings,
starts fast, and other packages can add verbs.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

import click

from cascade.errors import CascadeError, MissingExtraError

SUMMARIES = {
    "eval": "Measure a bundle on labelled tickets, with a report.",
    "bench": "What this machine can do with a bundle.",
    "compare": "Is a new bundle better than the old one?",
    "study": "Train on a file and measure everything on what was held out.",
    "gate": "Choose what a bundle settles: by precision, cost or budget.",
    "key": "Make, list and revoke API keys of the service.",
    "feedback": "Get what people corrected, for the next training.",
    "llm": "Look at a language-model server.",
    "purge": "Delete what the service need not keep any more.",
    "route": "Route one ticket.",
    "score": "Route a file of tickets.",
    "serve": "Answer over REST.",
    "starter": "Write generated tickets for a first run.",
    "train": "Learn from past tickets and write a bundle.",
}
"""Shown by --help without importing the verbs; verbs of others show their own."""


WINGS = ("", "cascade", "train", "serve", "eval")
"""Our own packages: where one of their modules is missing, no extra helps."""


class Door(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_verbs())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        entry = _verbs().get(name)
        if entry is None:
            return None
        try:
            command = entry.load()
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or name, "train") from None
        if not isinstance(command, click.Command):
            raise CascadeError(f"the verb {name!r} ({entry.value}) is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, SUMMARIES.get(name) or self._summary(ctx, name)) for name in _verbs()]
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(rows))

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str() if command else ""


def _verbs() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="cascade.verbs")}


@click.command(
    cls=Door,
    epilog="\b\nExamples:\n"
    "  cascade train tickets.csv.gz --text text --label label --out bundles/it\n"
    '  cascade route "cannot log into vpn since this morning" --bundle bundles/it\n'
    "  cascade score incoming.csv decisions.csv --bundle bundles/it\n"
    "  cascade serve --bundle bundles/it\n",
)
@click.version_option(package_name="ticket-cascade")
def door() -> None:
    """Route support tickets on your own machines."""


def main() -> None:
    """Run a verb. Errors meant for people are one line on stderr, and the exit code is theirs."""
    try:
        door()
    except CascadeError as error:
        click.echo(f"cascade: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in WINGS:
            raise  # a mistake of ours
        click.echo(f"cascade: {MissingExtraError(library, 'train')}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output went away (``| head``): nothing is wrong.
        sys.stderr.close()
        sys.exit(0)
