"""``cascade eval``, ``cascade compare`` and ``cascade study``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cascade.bundle import Bundle, Columns
from cascade.errors import ColumnError, InputError
from cascade.llm.settings import LLMSettings
from cascade.stages.base import QUEUE
from eval.options import column_options, command_line, measuring
from train.cli import confidence_option, layers_option, target_option

if TYPE_CHECKING:
    from eval.judge import How


@click.command(
    name="eval",
    epilog="\b\nExamples:\n"
    "  cascade eval bundles/it held_out.csv\n"
    "  cascade eval bundles/it held_out.csv --costs costs.toml --quote --report reports/may\n"
    "  cascade eval bundles/it new_names.csv --text body --label team --quick\n",
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@column_options("as in training")
@measuring
@click.pass_context
def evaluate(
    context: click.Context,
    bundle: Path,
    file: Path,
    texts: tuple[str, ...],
    label: str | None,
    report: Path | None,
    how: How,
) -> None:
    """Measure BUNDLE on the labelled tickets of FILE, which it was not trained on.

    Prints a table and writes report.html, report.md and report.json. A row with a label that the
    bundle does not know is left out and named.
    """
    from eval.judge import judge
    from eval.labelled import read_labelled
    from eval.recommend import recommend

    opened = Bundle.open(bundle)
    queues = opened.manifest.heads[QUEUE]
    columns = _columns(opened, texts, label)
    labelled = _explained(file, columns, lambda: read_labelled(file, columns, queues))
    for note in labelled.notes:
        click.echo(note)
    record = judge(bundle, labelled, how, say=click.echo)
    record["command"] = command_line(context)
    record["recommendation"] = recommend(record)
    _write(record, report or Path("reports") / opened.manifest.name)


@click.command(
    epilog="\b\nExamples:\n"
    "  cascade compare bundles/old bundles/new held_out.csv\n"
    "  cascade compare bundles/old bundles/new held_out.csv --json > comparison.json\n",
)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@column_options("as in training")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(
    old: Path, new: Path, file: Path, texts: tuple[str, ...], label: str | None, as_json: bool
) -> None:
    """Is the bundle NEW better than OLD on the labelled tickets of FILE, and how sure is that?

    Both answer the same tickets, so the difference has a paired interval. Neither may have been
    trained on them.
    """
    from eval.compare import compare as measure
    from eval.compare import lines

    columns = _columns(Bundle.open(old), texts, label)
    result = _explained(
        file,
        columns,
        lambda: measure(old, new, file, columns, lambda line: click.echo(line, err=True)),
    )
    click.echo(json.dumps(result, indent=2) if as_json else "\n".join(lines(result)))


@click.command(
    epilog="\b\nExamples:\n"
    "  cascade study tickets.csv.gz --text subject --text body --label queue\n"
    '  cascade study tickets.csv.gz --text text --label label --target "precision>=0.98"\n'
    "  cascade study banking77 --minutes 30 --data /srv/datasets --curve 3\n"
    "  cascade study tickets.csv.gz --text text --label label --peer setfit --peer model2vec\n",
)
@click.argument("source", metavar="FILE|SET")
@column_options("those of a public SET")
@click.option("--date", metavar="COLUMN", help="Column with an ISO 8601 date: split by time.")
@click.option("--test", type=click.Path(path_type=Path), help="Tickets to test on, if apart.")
@click.option(
    "--minutes",
    default=15.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Most time for fine-tuning the encoder.",
)
@click.option(
    "--tokens",
    default=256,
    show_default=True,
    type=click.IntRange(16, 512),
    help="Most tokens of a ticket that the encoder reads.",
)
@layers_option
@target_option
@confidence_option
@click.option(
    "--bundles",
    default="bundles/eval",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the bundle is written.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the public sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option("--reuse", is_flag=True, help="Do not train where the bundle is there.")
@click.option("--no-baselines", is_flag=True, help="Leave out the baselines.")
@click.option(
    "--curve",
    default=0,
    metavar="SEEDS",
    type=click.IntRange(0),
    help="Also train on 1, 2, 4, … labels a queue, with so many seeds: takes long.",
)
@click.option("--peer", "peers", multiple=True, help="Also fit another library's classifier.")
@click.option("--keep", type=click.Path(path_type=Path), help="Also write the figures to a file.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@measuring
@click.pass_context
def study(
    context: click.Context,
    source: str,
    texts: tuple[str, ...],
    label: str | None,
    date: str | None,
    test: Path | None,
    minutes: float,
    tokens: int,
    layers: int | None,
    targets: tuple[str, ...],
    confidence: float,
    bundles: Path,
    data: Path | None,
    reuse: bool,
    no_baselines: bool,
    curve: int,
    peers: tuple[str, ...],
    keep: Path | None,
    seed: int,
    report: Path | None,
    how: How,
) -> None:
    """Train on a file of past tickets and measure everything on what was held out of it.

    FILE is as for cascade train; SET is one of the public data sets. Beside each stage and the
    cascade stand baselines; prints a table and writes report.html, report.md and report.json.
    """
    from eval.study import Plan, plain
    from eval.study import study as measure
    from train.options import Options
    from train.promise import Promise

    name, files = _files(source, texts, label, date, test, data, bundles)
    options = Options(
        files.columns,
        min_rows=files.min_rows,
        minutes=minutes,
        tokens=tokens,
        layers=layers,
        promise=Promise.read(targets, confidence),
        llm=LLMSettings.read(os.environ),
        seed=seed,
        quiet=how.quiet,
    )
    plan = Plan(not no_baselines, curve, peers=peers, reuse=reuse)
    record = measure(files, bundles / name, options, plan, how, click.echo)
    record["command"] = command_line(context)
    if keep:
        keep.parent.mkdir(parents=True, exist_ok=True)
        keep.write_text(plain(record), encoding="utf-8")
    _write(record, report or Path("reports") / name)


def _files(
    source: str,
    texts: tuple[str, ...],
    label: str | None,
    date: str | None,
    test: Path | None,
    data: Path | None,
    bundles: Path,
) -> tuple[str, Any]:
    """The name of what is studied, and its files."""
    from eval.datasets import DATASETS, Files, data_folder

    if source in DATASETS:
        return source, DATASETS[source](data_folder(data), bundles / "data")
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{source}: no such file, and none of the sets {', '.join(DATASETS)}")
    if not texts or not label:
        raise InputError(f"{source}: say which columns hold text and queue, --text and --label")
    return path.name.partition(".")[0], Files(path, Columns(texts, label, date=date), test)


def _columns(bundle: Bundle, texts: tuple[str, ...], label: str | None) -> Columns:
    """Those of the bundle's training, unless others are named."""
    known = bundle.manifest.columns
    return Columns(texts or known.text, label or known.label)


def _explained(file: Path, columns: Columns, read: Any) -> Any:
    try:
        return read()
    except ColumnError as error:
        raise InputError(
            f"{error}; name the columns of {file.name} with --text and --label"
        ) from None


def _write(record: dict[str, Any], folder: Path) -> None:
    from eval.report import table, write_report

    shown: Any = record
    for line in ["", *table(shown), "", *record["recommendation"], ""]:
        click.echo(line)
    click.echo(f"wrote {write_report(shown, folder)}")
