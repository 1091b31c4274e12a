"""``cascade train``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cascade.bundle import Columns
from cascade.llm.settings import DIALECT, MODEL, URL, LLMSettings
from cascade.stages.base import QUEUE

EXAMPLES = """\b
Examples:
  cascade train tickets.csv.gz --text text --label label --out bundles/it
  cascade train mails.jsonl --text subject --text body --label queue \\
      --also urgency --also sentiment --date created --out bundles/mails
  cascade train tickets.parquet --text body --label team --minutes 60 --out bundles/best
  cascade train tickets.csv.gz --text text --label label --out bundles/it \\
      --llm http://10.0.0.5:8000/v1 --llm-model qwen3:4b --queues queues.toml
"""

layers_option = click.option(
    "--encoder-layers",
    "layers",
    type=click.IntRange(1),
    metavar="N",
    help="Serve an encoder of N layers, taught by the whole one in what is left of the minutes, a "
    "third at least: 3 of 6 take half the time a ticket.  [default: all]",
)
target_option = click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="PROMISE",
    help="What is asked of the settled tickets; see cascade gate --help.  "
    "[default: precision>=0.95]",
)
confidence_option = click.option(
    "--confidence",
    default=0.9,
    show_default=True,
    help="How surely the target must hold.",
)


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    metavar="COLUMN",
    help="Column with the ticket's text; several are joined in order.",
)
@click.option("--label", required=True, metavar="COLUMN", help="Column with the right queue.")
@click.option(
    "--also",
    multiple=True,
    metavar="COLUMN",
    help="Further label to learn, such as urgency; rows may lack it.",
)
@click.option(
    "--id",
    "id_column",
    metavar="COLUMN",
    help="Column with the ticket's id; remembered for cascade score.",
)
@click.option(
    "--date",
    metavar="COLUMN",
    help="Column with an ISO 8601 date: split by time, the newest are the test.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the bundle.",
)
@click.option(
    "--minutes",
    default=15.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Most time for fine-tuning the encoder; 0 trains the linear stage alone.",
)
@click.option(
    "--encoder",
    metavar="FOLDER|HUB-ID",
    help="Pretrained encoder  [default: all-MiniLM-L6-v2, which comes with the extra]",
)
@click.option(
    "--tokens",
    default=256,
    show_default=True,
    type=click.IntRange(16, 8192),
    help="Most tokens of a ticket that the encoder reads.",
)
@layers_option
@target_option
@confidence_option
@click.option(
    "--llm",
    "llm_url",
    metavar="URL|none",
    help="Server for the llm stage (CASCADE_LLM_URL); none leaves the stage out.  "
    "[default: the small built-in reader]",
)
@click.option("--llm-model", metavar="NAME", help="Its model (CASCADE_LLM_MODEL).")
@click.option("--llm-dialect", metavar="NAME", help="How it is asked; see cascade llm check.")
@click.option(
    "--queues",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML file with descriptions of queues, for the llm stage.",
)
@click.option(
    "--test-file",
    type=click.Path(path_type=Path),
    help="Tickets to test on, same columns  [default: a tenth of FILE]",
)
@click.option(
    "--min-rows",
    default=10,
    show_default=True,
    type=click.IntRange(5),
    help="Labels with fewer rows are dropped.",
)
@click.option(
    "--trust-labels",
    is_flag=True,
    help="Do not look for wrong labels; without it suspects count less, and are listed in "
    "OUT.suspects.csv for you to look at.",
)
@click.option(
    "--out-of-scope",
    metavar="LABEL",
    help="The rows so labelled belong to no queue (spam, private mail): they teach what to refuse. "
    "Without them it is learned from the queues' tickets alone.",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
@click.option("--seed", default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def train(
    file: Path,
    texts: tuple[str, ...],
    label: str,
    also: tuple[str, ...],
    id_column: str | None,
    date: str | None,
    out: Path,
    minutes: float,
    encoder: str | None,
    tokens: int,
    layers: int | None,
    targets: tuple[str, ...],
    confidence: float,
    llm_url: str | None,
    llm_model: str | None,
    llm_dialect: str | None,
    queues: Path | None,
    test_file: Path | None,
    min_rows: int,
    trust_labels: bool,
    out_of_scope: str | None,
    encoding: str,
    seed: int,
    quiet: bool,
) -> None:
    """Learn from FILE, past tickets with the queue each belonged to, and write a bundle.

    FILE is CSV, TSV, JSONL or Parquet by its name, the first three also with .gz. Interrupted
    training goes on when the same command is given again.
    """
    if QUEUE in also or label in also:
        raise click.UsageError(f"--also cannot be {QUEUE!r} or the --label column")
    if minutes == 0 and (llm_url not in (None, "none") or llm_model or llm_dialect or queues):
        raise click.UsageError("--minutes 0 trains the linear stage alone, without an llm stage")
    columns = Columns(texts, label, also, id_column, date)
    try:
        from train.fit import train as fit
        from train.options import Options
        from train.promise import Promise
    except ImportError as error:
        from cascade.errors import MissingExtraError

        raise MissingExtraError(error.name or "a library", "train") from None
    flags = {URL: llm_url, MODEL: llm_model, DIALECT: llm_dialect}
    os.environ.update({name: value for name, value in flags.items() if value is not None})
    # Without an encoder a bundle is the linear stage alone, as --minutes says.
    wanted = minutes > 0 and os.environ.get(URL) != "none"
    # A server that is down is better known now than after an hour of fine-tuning.
    llm = LLMSettings.read(os.environ).found() if wanted else None
    options = Options(
        columns,
        minutes,
        encoder,
        tokens,
        layers,
        Promise.read(targets, confidence),
        llm,
        queues,
        test_file,
        encoding,
        min_rows,
        trust_labels,
        out_of_scope,
        seed,
        quiet,
    )
    try:
        fit(file, out, options, click.echo)
    except KeyboardInterrupt as stop:
        # Not by name, as importing `train.encoder.Interrupted` takes seconds of loading torch.
        kept = type(stop) is not KeyboardInterrupt
        what = "the same command goes on from here" if kept else "nothing is kept"
        click.echo(f"\nstopped; {what}", err=True)
        raise SystemExit(130) from None
