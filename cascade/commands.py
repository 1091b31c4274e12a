"""``cascade route``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cascade.batch.cli import bundle_option
from cascade.decision import Decision
from cascade.errors import InputError
from cascade.llm.settings import LLMSettings
from cascade.ticket import MAX_CHARACTERS, Ticket

if TYPE_CHECKING:
    from cascade.explain import Explanation
    from cascade.opinions import Opinion


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
