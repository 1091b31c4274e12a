"""``cascade eval``: train on public data sets and write down what came of it."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cascade.bundle import Bundle, Manifest
from cascade.errors import InputError
from cascade.llm.settings import LLMSettings
from cascade.machine import cores
from eval.datasets import DATASETS, Files, data_folder

if TYPE_CHECKING:
    from train.options import Options

RESULTS = Path(__file__).parent / "results"
DEFAULT = ("it_service_topics", "banking77")


@click.command(
    name="eval",
    epilog="\b\nExamples:\n"
    "  cascade eval\n"
    "  cascade eval banking77 --minutes 30 --data /srv/datasets\n"
    "  cascade eval banking77 --reuse --in-context 500\n",
)
@click.argument("names", nargs=-1, type=click.Choice(sorted(DATASETS)))
@click.option(
    "--minutes",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Most time for fine-tuning the encoder, for each data set.",
)
@click.option(
    "--tokens",
    default=256,
    show_default=True,
    type=click.IntRange(16, 512),
    help="Most tokens of a ticket that the encoder reads.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option(
    "--bundles",
    default="bundles",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where bundles are written.",
)
@click.option(
    "--results",
    default=RESULTS,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the figures are written.",
)
@click.option(
    "--in-context",
    default=0,
    metavar="N",
    type=click.IntRange(0),
    help="Also ask the llm stage's model about N test tickets, with and without examples.",
)
@click.option("--reuse", is_flag=True, help="Do not train where the bundle is there.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def evaluate(
    names: tuple[str, ...],
    minutes: float,
    tokens: int,
    data: Path | None,
    bundles: Path,
    results: Path,
    in_context: int,
    reuse: bool,
    quiet: bool,
) -> None:
    """Train a cascade on each of NAMES and write its figures to eval/results/NAME.json.

    The figures are those of the test split, which nothing was fitted on. Without NAMES:
    it_service_topics and banking77. Who answers in the llm stage is set as for cascade serve.
    """
    from train.fit import train
    from train.options import Options

    folder = data_folder(data)
    for name in names or DEFAULT:
        click.echo(f"== {name}")
        files = DATASETS[name](folder, bundles / "eval-data")
        options = Options(
            files.columns,
            min_rows=files.min_rows,
            minutes=minutes,
            tokens=tokens,
            llm=LLMSettings.read(os.environ),
            test_file=files.test,
            quiet=quiet,
        )
        there = bundles / name
        if reuse and there.is_dir():
            bundle = Bundle.open(there)
        else:
            bundle = train(files.train, there, options, click.echo)
        target = results / f"{name}.json"
        result = _result(bundle.manifest, minutes)
        if in_context:
            result["in_context"] = _ask_all(bundle, files, options, in_context)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(result, indent=2) + "\n")
        click.echo(f"figures in {target}\n")


def _ask_all(bundle: Bundle, files: Files, options: Options, tickets: int) -> dict[str, Any]:
    """In-context learning on the bundle's own test split."""
    from cascade.router import Cascade
    from cascade.stages.base import QUEUE
    from eval.in_context import in_context
    from train.fit import read_split
    from train.read import encode

    table, held, split = read_split(files.train, options, lambda line: None)
    if table.fingerprint != bundle.manifest.data["sha256"]:
        raise InputError(f"{bundle.path}: was trained on other data than {files.train}")
    test = held if held is not None else table.take(split.test)
    y = encode(test, bundle.manifest.heads)[QUEUE]
    cascade = Cascade.load(bundle.path, llm=LLMSettings.read(os.environ).backend)
    figures = in_context(cascade, test.texts, y, tickets, quiet=options.quiet)
    for name, row in figures.items():
        if isinstance(row, dict):
            ms = f", p50 {row['ms_p50']} ms, p95 {row['ms_p95']} ms" if "ms_p50" in row else ""
            click.echo(f"  {name}: macro-F1 {row['macro_f1']}, accuracy {row['accuracy']}{ms}")
    return figures


def _result(manifest: Manifest, minutes: float) -> dict[str, Any]:
    return {
        "command": f"cascade eval {manifest.name} --minutes {minutes:g}",
        "created": manifest.created,
        "machine": {"cores": cores(), "system": platform.system(), "cpu": platform.machine()},
        "data": manifest.data,
        "versions": manifest.versions,
        "figures": manifest.figures,
    }
