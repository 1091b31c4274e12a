"""``cascade route`` and ``cascade score``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cascade import batch
from cascade.batch import Summary
from cascade.bundle import Bundle
from cascade.decision import Decision
from cascade.errors import InputError
from cascade.llm.settings import LLMSettings
from cascade.ticket import MAX_CHARACTERS, Ticket

if TYPE_CHECKING:
    from cascade.explain import Explanation
    from cascade.opinions import Opinion

SHOWN = 10
"""Bad rows that are named on the terminal; all of them are in the errors file."""

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
    '  cascade route "cannot log into vpn since this morning" --bundle bundles/it\n'
    "  cascade route - --json < ticket.txt\n"
    '  cascade route "cannot log into vpn" --explain --every-stage\n'
)
@click.argument("text")
@bundle_option
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@click.option("--explain", "explained", is_flag=True, help="Say why: words, past tickets, gates.")
@click.option("--every-stage", is_flag=True, help="Also ask each stage what it says alone.")
def route(text: str, bundle: Path, as_json: bool, explained: bool, every_stage: bool) -> None:
    """Route one ticket. TEXT is the ticket, or - to read it from standard input."""
    from cascade.explain import explain
    from cascade.opinions import opinions
    from cascade.router import Cascade

    if text == "-":
        text = sys.stdin.buffer.read(4 * MAX_CHARACTERS + 1).decode("utf-8", "replace")
    if not text.strip():
        raise InputError("the ticket is empty")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"the ticket is longer than {MAX_CHARACTERS:,} characters")
    cascade = Cascade.load(bundle, llm=LLMSettings.read(os.environ).backend)
    cascade.warm_up()
    ticket = Ticket(text)
    (decision,) = cascade.route([ticket])
    why = explain(cascade, ticket, decision) if explained else None
    alone = opinions(cascade, ticket) if every_stage else ()
    if as_json:
        plain = decision.to_dict() | ({"explanation": why.to_dict()} if why else {})
        plain |= {"opinions": [asdict(its) for its in alone]} if every_stage else {}
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        lines = describe(decision) + describe_opinions(alone)
        lines += describe_why(why) if why else []
        click.echo("\n".join(lines))


def describe(decision: Decision) -> list[str]:
    """A decision as lines for people."""
    verb = "route to" if decision.action == "route" else "review, perhaps"
    lines = [f"{verb} {decision.queue} ({decision.confidence:.1%})"]
    if decision.reason:
        lines.append(f"  because {decision.reason}")
    for trace in decision.stages:
        mark = " settled it" if trace.name == decision.stage else ""
        lines.append(f"  {trace.name:10} {trace.confidence:6.1%}  {trace.ms:7.2f} ms{mark}")
    others = ", ".join(f"{c.queue} {c.confidence:.1%}" for c in decision.alternatives)
    lines.append(f"  else       {others}")
    for name, label in decision.labels.items():
        lines.append(f"  {name}: {label.value} ({label.confidence:.1%})")
    lines.append(f"  bundle     {decision.bundle}")
    return lines


def describe_opinions(opinions: Sequence[Opinion]) -> list[str]:
    """What each stage says alone, as lines for people."""
    lines = ["each stage alone"] if opinions else []
    for its in opinions:
        said = its.reason if its.confidence is None else f"{its.confidence:6.1%}  {its.queue}"
        lines.append(f"  {its.stage:10} {its.ms:7.2f} ms  {said}")
    return lines


def describe_why(why: Explanation) -> list[str]:
    """An explanation as lines for people."""
    lines = ["why"]
    lines += [f"  {passage.text}" for passage in why.gates]
    for queue, sign in ((why.queue, 1), (why.against, -1)):
        words = [f"{w.text} {w.weight:+.2f}" for w in why.words if sign * w.weight > 0]
        if words:
            lines.append(f"  words for {queue}: {', '.join(words)}")
    if why.neighbours:
        lines.append("  past tickets with most in common:")
    for near in why.neighbours:
        lines.append(f"    {near.queue} ({near.similarity:.0%} of the words): {near.excerpt}")
    return lines


@click.command(
    epilog="\b\nExamples:\n"
    "  cascade score incoming.csv decisions.csv --bundle bundles/it\n"
    "  cascade score mails.jsonl.gz decisions.jsonl --text subject --text body --id ticket\n\n"
    "Columns of OUT: id, line (in FILE), queue, confidence, action (route or review), stage, "
    "alternative, alternative_confidence, each further label and its confidence, reason, bundle."
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
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
@click.option("--fresh", is_flag=True, help="Do not go on from an interrupted run.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def score(
    file: Path,
    out: Path,
    bundle: Path,
    text: tuple[str, ...],
    id_column: str | None,
    encoding: str,
    fresh: bool,
    quiet: bool,
) -> None:
    """Route every ticket of FILE and write the decisions to OUT.

    A row that cannot be read is reported with its line, the rest is scored. An interrupted run
    goes on when the same command is given again.
    """
    from cascade.router import Cascade

    columns = Bundle.open(bundle).manifest.columns
    id_column = id_column or _known_id(file, columns.id, encoding)
    cascade = Cascade.load(bundle, llm=LLMSettings.read(os.environ).backend)
    with tqdm(
        total=100,
        unit="%",
        desc=f"scoring {file.name}",
        disable=quiet,
        bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}",
    ) as bar:

        def progress(summary: Summary, share: float) -> None:
            bar.set_postfix_str(f"{summary.rows:,} tickets", refresh=False)
            bar.update(share * 100 - bar.n)

        try:
            summary, resumed = batch.score(
                cascade,
                file,
                out,
                text=text or columns.text,
                id_column=id_column,
                encoding=encoding,
                fresh=fresh,
                progress=progress,
            )
        except KeyboardInterrupt:
            bar.close()
            click.echo("stopped; the same command goes on from here", err=True)
            raise SystemExit(130) from None
    for line in _report(summary, resumed, out):
        click.echo(line, err=True)


def _known_id(file: Path, name: str | None, encoding: str) -> str | None:
    """The id column that the bundle remembers, if this file has it."""
    if name is None:
        return None
    from cascade.errors import ColumnError
    from cascade.files import read_rows

    try:
        next(read_rows(file, [name], encoding=encoding), None)
    except ColumnError:
        click.echo(f"note: {file} has no column {name!r}, so decisions carry no id", err=True)
        return None
    return name


def _report(summary: Summary, resumed: int, out: Path) -> list[str]:
    lines = []
    if resumed:
        lines.append(f"went on after the {resumed:,} rows of an interrupted run")
    scored: Any = summary.rows - summary.bad
    lines.append(f"scored {scored:,} of {summary.rows:,} rows into {out}")
    for stage, count in sorted(summary.settled.items(), key=lambda item: -item[1]):
        verb = "left to" if stage == "human" else "settled by"
        lines.append(f"  {count / scored:6.1%} {verb} {stage} ({count:,})")
    if summary.bad:
        lines.append(f"{summary.bad:,} rows could not be scored; all are in {out}.errors.csv:")
        lines += [f"  line {line:,}: {reason}" for line, reason in batch.bad_lines(out, SHOWN)]
    return lines
