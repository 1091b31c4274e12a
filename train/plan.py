"""The plan of the gates as lines for people, and as a picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cascade.errors import InputError, MissingExtraError
from cascade.gate import NEVER
from train.squares import Square, table

WIDTH = 40
"""Characters of a bar that stands for all tickets."""
TITLE = "## Gates"


def describe(plan: dict[str, Any]) -> list[str]:
    """What was asked of the gates, what they settle, and what a point more or less would cost.

    Args:
        plan: `cascade.gate.Gates.plan`.
    """
    tickets = plan["tickets"]
    lines = [
        f"fitted on {tickets['fitting']:,} tickets; on {tickets['testing']:,} others "
        f"{plan['coverage']:.1%} are settled, and {plan['precision']:.1%} of these are right",
        "",
        *_stages(plan),
        *_time_and_money(plan),
    ]
    if asked := plan.get("promise"):
        lines += ["", f"promises, all of them together with {asked['confidence']:.0%} confidence:"]
        lines += [f"  {promised(group)}" for group in plan["groups"]]
        lines += ["", "target   settled   what another target would settle"]
        for row in plan["curve"]:
            bar = "#" * round(row["coverage"] * WIDTH)
            mark = " <" if row["target"] == asked["target"] else ""
            lines.append(f"{row['target']:>6.1%} {row['coverage']:>9.1%}   {bar}{mark}")
    return lines


def _stages(plan: dict[str, Any]) -> list[str]:
    times = plan.get("stage_ms", {})
    lines = [f"{'stage':<12}{'reached':>9}{'settled':>9}{'right':>8}{'p50 ms':>9}{'p95 ms':>9}"]
    for row in plan["stages"]:
        right = f"{row['right']:.1%}" if row["settled"] else ""
        ms = times.get(row["stage"], {})
        p50, p95 = (f"{ms[p]:.2f}" if p in ms else "" for p in ("p50", "p95"))
        lines.append(
            f"{row['stage']:<12}{row['reached']:>9.1%}{row['settled']:>9.1%}{right:>8}"
            f"{p50:>9}{p95:>9}".rstrip()
        )
    return lines


def _time_and_money(plan: dict[str, Any]) -> list[str]:
    lines = []
    if ms := plan.get("ms"):
        lines.append(
            f"a ticket takes {ms['p50']:.2f} ms at p50, {ms['p95']:.2f} at p95, "
            f"{ms['p99']:.2f} at p99"
        )
    for row in plan.get("budgets", ()):
        verdict = "kept" if row["share"] <= row["allowed"] else "not kept"
        lines.append(
            f"budget {row['budget']}: {verdict} here; {row['share']:.1%} of the tickets reach "
            f"the stage or take longer, {row['allowed']:.1%} may"
        )
    if paid := plan.get("costs"):
        currency = f" {paid['currency']}".rstrip()
        lines.append(
            f"a ticket costs {paid['ticket']:.4g}{currency}: {paid['misroutes']:.4g} for "
            f"misroutes, {paid['reviews']:.4g} for looks, {sum(paid['stages'].values()):.4g} for "
            f"the stages; a look at each would cost {paid['all_to_review']:.4g}"
        )
        squares = [Square(**{**its, "queues": tuple(its["queues"])}) for its in plan["squares"]]
        lines += ["", *table(squares, paid["currency"])]
    return lines


def promised(group: dict[str, Any]) -> str:
    """One promise and what came of it."""
    head = f"{group['of']}: precision >= {group['target']:.1%}"
    if group["threshold"] < NEVER:
        return (
            f"{head} kept, {group['right']:,} of {group['settled']:,} right, so "
            f"{group['bound']:.1%} at least (from a confidence of {group['threshold']:.3f} on)"
        )
    if group["needs"] is None:
        return f"{head} cannot be kept: even the surest tickets are wrong too often; all to review"
    return f"{head} needs about {group['needs']:,} labelled tickets to be proved; all to review"


def section(plan: dict[str, Any]) -> list[str]:
    """The plan as a section of a bundle's card."""
    data = plan.get("data")
    source = f"Fitted on `{data['file']}` ({data['rows']:,} tickets)." if data else ""
    return [TITLE, "", *([source, ""] if source else []), "```", *describe(plan), "```", ""]


def with_plan(card: str, plan: dict[str, Any]) -> str:
    """A bundle's card with this plan in place of the one that it had."""
    rest = re.sub(rf"(?ms)^{TITLE}\n.*?(?=^## |\Z)", "", card).rstrip()
    return "\n".join([rest, "", *section(plan)])


def draw(plan: dict[str, Any], path: Path) -> None:
    """Draw what each target would settle; the file's name tells the format (.svg, .png, .pdf).

    Raises:
        InputError: there is no promise to draw, or the file cannot be written.
    """
    if "curve" not in plan:
        raise InputError("--plot draws what other targets would settle: give a --target")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "train") from None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    rows = plan["curve"]
    axes.plot([row["target"] for row in rows], [row["coverage"] for row in rows], marker="o")
    axes.axvline(plan["promise"]["target"], linestyle="--", color="grey", label="asked for")
    axes.set(xlabel="precision promised", ylabel="share of tickets settled", ylim=(0, 1))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({error})") from None
