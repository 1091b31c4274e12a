"""What the scripts have in common: what is measured on, and where figures are kept."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource

from cascade.bundle import Bundle
from cascade.errors import CascadeError
from cascade.machine import cores
from cascade.stages.base import QUEUE
from eval.checkout import commit
from eval.datasets import RESULTS
from eval.labelled import read_labelled
from eval.latency import machine
from eval.service.clients import Reply
from train.starter import generate

ROWS = 2000
Measure = Callable[..., dict[str, Any]]


def script(name: str) -> Callable[[Measure], click.Command]:
    """Make a command of what measures a service.

    The function gets ``bundle``, ``texts`` and ``workers`` beside options of its own. What it
    returns is kept in ``service_NAME.json``, with what it was measured on and where.
    """

    def made(measure: Measure) -> click.Command:
        @wraps(measure)
        def command(
            bundle: Path, tickets: Path | None, rows: int, workers: int, keep: Path, **its: Any
        ) -> None:
            try:
                opened = Bundle.open(bundle)
                texts = ticket_texts(opened, tickets, rows)
                figures = measure(bundle=bundle, texts=texts, workers=workers, **its)
            except CascadeError as error:
                raise click.ClickException(str(error)) from None
            made_by = {
                "command": command_line(name, click.get_current_context()),
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "commit": commit(),
                "bundle": opened.id,
                "file": tickets.name if tickets else "starter",
                "workers": workers,
                "machine": machine(),
            }
            keep.write_text(json.dumps(made_by | figures, indent=1) + "\n", encoding="utf-8")
            click.echo(f"kept in {keep}")

        file = click.Path(path_type=Path, dir_okay=False)
        for option in (
            click.option(
                "--keep",
                type=file,
                default=RESULTS / f"service_{name}.json",
                help="File of the figures.  [default: the project's own]",
            ),
            click.option(
                "--workers", default=cores(), help="Processes of the service.  [default: cores]"
            ),
            click.option("--rows", default=ROWS, show_default=True, help="Most tickets to ask."),
            click.option(
                "--tickets",
                type=file,
                help="Labelled file with the bundle's columns.  [default: starter tickets]",
            ),
            click.argument("bundle", type=click.Path(path_type=Path, exists=True)),
        ):
            command = option(command)
        return click.command()(command)

    return made


def ticket_texts(bundle: Bundle, file: Path | None, rows: int) -> list[str]:
    """Texts as they come, so many at most, none of them blank.

    Raises:
        InputError: the file cannot be read, or holds no ticket of the bundle's queues.
    """
    if file is None:
        return [f"{its.subject}\n\n{its.body}" for its in generate(rows, seed=0)]
    its = bundle.manifest
    return read_labelled(file, its.columns, its.heads[QUEUE]).sample(rows).texts


def command_line(name: str, context: click.Context) -> str:
    """What was typed, of files the names alone."""
    words = ["python", "-m", f"eval.service.{name}"]
    for its in context.command.params:
        source = context.get_parameter_source(str(its.name))
        value = context.params[str(its.name)]
        if isinstance(its, click.Argument):
            words.append(Path(value).name)
        elif source is ParameterSource.COMMANDLINE and its.name != "keep":
            words += [its.opts[0], value.name if isinstance(value, Path) else str(value)]
    return shlex.join(words)


def times(replies: Sequence[Reply]) -> dict[str, float | None]:
    """``ms_p50``, ``ms_p95`` and ``ms_p99`` of replies; None where there is none."""
    if not replies:
        return dict.fromkeys(("ms_p50", "ms_p95", "ms_p99"))
    found = np.percentile([reply.ms for reply in replies], (50, 95, 99)).round(2)
    return dict(zip(("ms_p50", "ms_p95", "ms_p99"), found.tolist(), strict=True))


def share(part: int, of: int) -> float:
    """Rounded; 0 of nothing is 0."""
    return round(part / of, 4) if of else 0.0
