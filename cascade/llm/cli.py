"""The verbs ``cascade llm check`` and ``cascade llm clear``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cascade.errors import InputError
from cascade.llm.base import NoAnswer
from cascade.llm.prompt import DEFAULT_BUDGET
from cascade.llm.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from cascade.llm.probe import Report
    from cascade.llm.trial import Trial

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    context_settings=SETTINGS,
    epilog="\b\nExamples:\n"
    "  cascade llm check http://127.0.0.1:8000/v1\n"
    "  cascade llm clear --store bundles/answers.sqlite\n",
)
def llm() -> None:
    """Look at a language-model server, or forget its answers."""


@llm.command(
    epilog="\b\nExamples:\n"
    "  cascade llm check http://127.0.0.1:11434/v1 --model qwen3:0.6b\n"
    "  CASCADE_LLM_KEY=... cascade llm check https://llm.corp.example/v1 --json\n"
)
@click.argument("url")
@click.option("--model", default="", metavar="NAME", help="Needed if the server lists several.")
@click.option("--dialect", default="", metavar="NAME", help="Try this one only.")
@click.option(
    "--budget",
    default=DEFAULT_BUDGET,
    show_default=True,
    type=click.IntRange(min=500),
    help="Tokens that prompt and answer may take.",
)
@click.option(
    "--allow-public",
    is_flag=True,
    envvar="CASCADE_LLM_ALLOW_PUBLIC",
    show_envvar=True,
    help="URL may be a public address.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(
    url: str, model: str, dialect: str, budget: int, allow_public: bool, as_json: bool
) -> None:
    """Find out what the server at URL can do, and what to put into the configuration.

    An API key is taken from CASCADE_LLM_KEY. Only made-up questions are sent. Exits with 1 if
    the server cannot be used.
    """
    from cascade.llm.probe import probe

    try:
        report = probe(
            url,
            api_key=os.environ.get("CASCADE_LLM_KEY"),
            allow_public=allow_public,
            model=model,
            dialect=dialect,
            budget=budget,
            say=lambda line: click.echo(f"{line} ...", err=True),
        )
    except NoAnswer as reason:
        raise InputError(f"{url}: {reason.reason}") from None
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(describe(report)))
    if not report.dialect:
        raise SystemExit(1)


def describe(report: Report) -> list[str]:
    """A report as lines for people, with what to put into the configuration."""
    lines = [
        f"server   {report.url}",
        f"models   {', '.join(report.models) or 'not listed'}",
        f"model    {report.model} (first answer after {report.warm_up_s:.1f} s)",
        *(f"  {trial.dialect:16} {_verdict(trial)}" for trial in report.trials),
        "",
    ]
    chosen = next((trial for trial in report.trials if trial.dialect == report.dialect), None)
    if chosen is None:
        return [*lines, "This server cannot be used: it answers in no dialect."]
    if report.models and report.model not in report.models:
        lines.append("Mind: that model is not listed; the server answers with one that it has.")
    if chosen.right < chosen.asked:
        lines.append(f"Mind: only {chosen.right} of {chosen.asked} easy questions were right.")
    if chosen.full_problem:
        lines.append(f"Mind: a prompt of full length got no answer ({chosen.full_problem}).")
    return [
        *lines,
        "Put into the configuration:",
        f"CASCADE_LLM_URL={report.url}",
        f"CASCADE_LLM_MODEL={report.model}",
        f"CASCADE_LLM_DIALECT={report.dialect}",
    ]


def _verdict(trial: Trial) -> str:
    if trial.problem:
        return f"no: {trial.problem}"
    if not trial.asked:
        return "works"
    full = f"{trial.full_ms:.0f} ms" if not trial.full_problem else "no answer"
    return (
        f"{trial.right} of {trial.asked} right, mass {trial.mass:.2f}, "
        f"p50 {trial.p50_ms:.0f} ms, p95 {trial.p95_ms:.0f} ms, full prompt {full}; "
        f"asked again +-{trial.drift:.4f}, in parallel +-{trial.parallel_drift:.4f}"
    )


@llm.command()
@click.option(
    "--store",
    default=DEFAULT_STORE,
    show_default=True,
    envvar="CASCADE_LLM_STORE",
    show_envvar=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the stored answers.",
)
def clear(store: Path) -> None:
    """Forget all stored answers, so that each question is asked anew.

    A damaged file is set aside, never deleted: it might be something else.
    """
    from cascade.llm.store import clear as forget

    count, aside = forget(store)
    if aside:
        click.echo(f"damaged, or no store of answers: moved to {aside}")
    else:
        click.echo(f"forgot {count:,} answers")
