"""``cascade gate``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from cascade.bundle import Bundle
from cascade.llm.settings import DIALECT, MODEL, URL, LLMSettings

EXAMPLES = """\b
Examples:
  cascade gate bundles/it tickets_gate.csv --target "precision>=0.95" --confidence 0.9
  cascade gate bundles/it tickets_gate.csv --target "precision>=95%" \\
      --target "precision[Compliance]>=99%" --plot plan.svg
  cascade gate bundles/it tickets_gate.csv --costs costs.toml
  cascade gate bundles/it tickets_gate.csv --budget "llm<=4%" --budget "p95<=150ms"
  cascade gate bundles/it tickets_gate.csv --llm http://10.0.0.5:8000/v1 --llm-model qwen3:4b
"""


@click.command(epilog=EXAMPLES)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="PROMISE",
    help="precision>=0.95: of the settled tickets so many are right; precision[Queue]>=0.99 for "
    "those settled to one queue.  [default: precision>=0.95, without --costs]",
)
@click.option("--confidence", default=0.9, show_default=True, help="How surely that must hold.")
@click.option(
    "--per",
    default="all",
    show_default=True,
    type=click.Choice(["all", "stage", "queue"]),
    help="Whether the target is for all settled tickets together, or for those of each.",
)
@click.option(
    "--costs",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file with what misroutes, looks and machines cost: the cheapest gates.",
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="BUDGET",
    help="llm<=4% of the tickets may reach a stage; p95<=150ms is the time that it may take.",
)
@click.option("--text", "texts", multiple=True, metavar="COLUMN", help="[default: as in training]")
@click.option("--label", metavar="COLUMN", help="[default: as in training]")
@click.option("--llm", "llm_url", metavar="URL", help="Server for the llm stage (CASCADE_LLM_URL).")
@click.option("--llm-model", metavar="NAME", help="Its model (CASCADE_LLM_MODEL).")
@click.option("--llm-dialect", metavar="NAME", help="How it is asked; see cascade llm check.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw what other targets would settle (.svg, .png, .pdf).",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
@click.option("--seed", default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def gate(
    bundle: Path,
    file: Path,
    targets: tuple[str, ...],
    confidence: float,
    per: str,
    costs: Path | None,
    budgets: tuple[str, ...],
    texts: tuple[str, ...],
    label: str | None,
    llm_url: str | None,
    llm_model: str | None,
    llm_dialect: str | None,
    plot: Path | None,
    dry_run: bool,
    encoding: str,
    seed: int,
    quiet: bool,
) -> None:
    """Fit the gates of BUNDLE anew on FILE, tickets with their queue that it was not trained on.

    Half of the tickets fix where each stage stops, the other half shows that what is promised
    holds. The plan is printed before it is written. Where a promise cannot be shown to hold, its
    tickets go to review; where none can, nothing is written and the exit code is 1.
    """
    try:
        from train.plan import describe, draw
        from train.promise import Promise
        from train.refit import Wishes, refit
    except ImportError as error:
        from cascade.errors import MissingExtraError

        raise MissingExtraError(error.name or "a library", "train") from None
    flags = {URL: llm_url, MODEL: llm_model, DIALECT: llm_dialect}
    os.environ.update({name: value for name, value in flags.items() if value is not None})
    promise = Promise.read(targets, confidence, per) if targets or not costs else None  # type: ignore[arg-type]
    known = Bundle.open(bundle).manifest.columns
    columns = replace(known, text=texts or known.text, label=label or known.label)
    fitted = refit(
        bundle,
        file,
        Wishes(promise, costs, budgets),
        columns=columns,
        llm=LLMSettings.read(os.environ),
        encoding=encoding,
        seed=seed,
        quiet=quiet,
        say=click.echo,
    )
    plan = fitted.gates.plan
    click.echo("\n".join(["", *describe(plan), ""]))
    if plot:
        draw(plan, plot)
        click.echo(f"drew {plot}")
    if not plan["coverage"]:
        click.echo(f"nothing would be settled, so {bundle} stays as it is", err=True)
        raise SystemExit(1)
    if dry_run:
        click.echo("nothing was written (--dry-run)")
        return
    written = fitted.save()
    click.echo(f"wrote the gates of {bundle} ({written.id})")
