"""``cascade eval``: train on public data sets and write down what came of it."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import click

from cascade.bundle import Manifest
from cascade.llm.settings import LLMSettings
from cascade.machine import cores
from eval.datasets import DATASETS, data_folder

RESULTS = Path(__file__).parent / "results"
DEFAULT = ("it_service_topics", "banking77")


@click.command(
    name="eval",
    epilog="\b\nExamples:\n"
    "  cascade eval\n"
    "  cascade eval banking77 --minutes 30 --data /srv/datasets\n",
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
@click.option("--quiet", is_flag=True, help="No progress bars.")
def evaluate(
    names: tuple[str, ...],
    minutes: float,
    tokens: int,
    data: Path | None,
    bundles: Path,
    results: Path,
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
            minutes=minutes,
            tokens=tokens,
            llm=LLMSettings.read(os.environ),
            test_file=files.test,
            quiet=quiet,
        )
        bundle = train(files.train, bundles / name, options, click.echo)
        target = results / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(_result(bundle.manifest, minutes), indent=2) + "\n")
        click.echo(f"figures in {target}\n")


def _result(manifest: Manifest, minutes: float) -> dict[str, Any]:
    return {
        "command": f"cascade eval {manifest.name} --minutes {minutes:g}",
        "created": manifest.created,
        "machine": {"cores": cores(), "system": platform.system(), "cpu": platform.machine()},
        "data": manifest.data,
        "versions": manifest.versions,
        "figures": manifest.figures,
    }
