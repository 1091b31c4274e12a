"""``cascade score``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.machine import cores

if TYPE_CHECKING:
    from cascade.batch.jobs import Job
    from cascade.batch.journal import Summary
    from cascade.batch.run import Engine, Progress

SHOWN = 10
"""Bad rows that are named on the terminal; all of them are in the errors files."""
ID = "id"
"""Column that most would want copied: it is pointed at where nobody asked for one."""

bundle_option = click.option(
    "--bundle",
    default="bundles/starter",
    show_default=True,
    envvar="CASCADE_BUNDLE",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="Folder of the bundle.",
)


@click.command(
    epilog="\b\nExamples:\n"
    "  cascade score incoming.csv decisions.csv --bundle bundles/it\n"
    "  cascade score year.parquet decisions.parquet --workers 2\n"
    "  cascade score mails.jsonl.gz decisions.jsonl --text subject --text body --id ticket\n"
    "  cascade score 'mails/2026-*.csv.gz' decisions/\n"
    "  RAY_ADDRESS=10.0.0.5:6379 cascade score history/ decisions/ --engine ray --workers 64\n\n"
    "Columns of OUT: id, line (in FILE), queue, confidence, action (route or review), stage, "
    "alternative, alternative_confidence, each further label and its confidence, reason, bundle."
)
@click.argument("file")
@click.argument("out", type=click.Path(path_type=Path))
@bundle_option
@click.option(
    "--text",
    multiple=True,
    metavar="COLUMN",
    help="Column with the text; several are joined.  [default: as in training]",
)
@click.option(
    "--id",
    "id_column",
    metavar="COLUMN",
    help="Column that is copied to the output.  [default: as in training]",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that score, each with the bundle in its memory; 1 is this one alone.  "
    "[default: one a core of this machine]",
)
@click.option(
    "--engine",
    type=click.Choice(["pool", "ray"]),
    default="pool",
    show_default=True,
    help="Where the workers are: processes of this machine, or those of the Ray cluster that "
    "RAY_ADDRESS names, without which one is started here.",
)
@click.option("--fresh", is_flag=True, help="Do not go on from an interrupted run.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def score(
    file: str,
    out: Path,
    bundle: Path,
    text: tuple[str, ...],
    id_column: str | None,
    encoding: str,
    workers: int | None,
    engine: str,
    fresh: bool,
    quiet: bool,
) -> None:
    """Route every ticket of FILE and write the decisions to OUT.

    Both are .csv, .tsv, .jsonl (each also .gz) or .parquet, as their names say. FILE may also be a
    folder, or a quoted pattern of files; OUT is then a folder, with a file of the same name for
    each. A row that cannot be read is reported with its line, the rest is scored. An interrupted
    run goes on when the same command is given again. For any number of workers the bytes of OUT
    are the same.
    """
    # Imported here: the other verbs need no Arrow.
    from cascade.batch.jobs import Job, find
    from cascade.batch.run import score as run

    columns = Bundle.open(bundle).manifest.columns
    files = find(file, out)
    ids = [id_column] * len(files) if id_column else _usual_ids(files, columns.id, encoding)
    jobs = [
        Job(number, source, target, text or columns.text, name, encoding)
        for number, ((source, target), name) in enumerate(zip(files, ids, strict=True))
    ]
    with tqdm(
        total=100,
        unit="%",
        desc=f"scoring {Path(file).name}",
        disable=quiet,
        smoothing=0,  # time left goes by the mean of this run
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}",
    ) as bar:
        try:
            summary, resumed = run(
                _engine(engine, bundle, workers or cores()),
                jobs,
                fresh=fresh,
                progress=_shown_on(bar),
            )
        except KeyboardInterrupt:
            bar.close()
            click.echo("stopped; the same command goes on from here", err=True)
            raise SystemExit(130) from None
    for line in _report(summary, resumed, out, jobs):
        click.echo(line, err=True)


def _engine(name: str, bundle: Path, workers: int) -> Engine:
    if name == "ray":
        from cascade.engines.ray import Ray

        return Ray(bundle, workers)
    if workers > 1:
        from cascade.engines.pool import Pool

        return Pool(bundle, workers)
    from cascade.engines.here import Here
    from cascade.engines.worker import load

    return Here(load(bundle))


def _shown_on(bar: tqdm[NoReturn]) -> Progress:
    """Shows how far a run is, how fast it is, and the time left."""
    began: float | None = None
    before = 0

    def progress(summary: Summary, share: float) -> None:
        nonlocal began, before
        if began is None:  # what an earlier run did, or loading the bundle, says nothing of speed
            began, before = time.monotonic(), summary.rows
            bar.initial = share * 100
            bar.start_t = bar.last_print_t = time.time()
        seconds = max(time.monotonic() - began, 1e-3)
        speed = (summary.rows - before) / seconds
        bar.set_postfix_str(f"{summary.rows:,} tickets, {speed:,.0f}/s", refresh=False)
        bar.update(share * 100 - bar.n)

    return progress


def _usual_ids(
    files: Sequence[tuple[Path, Path]], known: str | None, encoding: str
) -> list[str | None]:
    """For each file the id column that the bundle remembers, if the file has it."""
    from cascade.files import has_column

    name = known or ID
    have = [has_column(source, name, encoding) for source, _ in files]
    told = [source for (source, _), its in zip(files, have, strict=True) if its != bool(known)]
    if told:
        more = f" (nor have {len(told) - 1:,} more)" if known else f" ({len(told) - 1:,} more too)"
        more *= len(told) > 1
        what = (
            f"has no column {name!r}{more}, so decisions carry no id"
            if known
            else f"has a column {name!r}{more}; --id {name} copies it"
        )
        click.echo(f"note: {told[0]} {what}", err=True)
    return [known if its else None for its in have]


def _report(summary: Summary, resumed: int, out: Path, jobs: Sequence[Job]) -> list[str]:
    from cascade.batch.run import bad_lines, errors_file

    lines = []
    if resumed:
        lines.append(f"went on after the {resumed:,} rows of an interrupted run")
    scored: Any = summary.rows - summary.bad
    lines.append(f"scored {scored:,} of {summary.rows:,} rows into {out}")
    for stage, count in sorted(summary.settled.items(), key=lambda item: -item[1]):
        verb = "left to" if stage == "human" else "settled by"
        lines.append(f"  {count / scored:6.1%} {verb} {stage} ({count:,})")
    if summary.bad:
        listed = [job for job in jobs if errors_file(job.out).is_file()]
        names = errors_file(listed[0].out) if len(listed) == 1 else f"{out}/*.errors.csv"
        lines.append(f"{summary.bad:,} rows could not be scored; all are in {names}:")
        bad = ((job.source, *row) for job in listed for row in bad_lines(job.out, SHOWN))
        lines += [f"  {file}, line {line:,}: {why}" for file, line, why in islice(bad, SHOWN)]
    return lines
