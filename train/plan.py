"""The plan of the gates as lines for people."""

from __future__ import annotations

from typing import Any

from cascade.gate import NEVER

WIDTH = 40
"""Characters of a bar that stands for all tickets."""


def describe(plan: dict[str, Any]) -> list[str]:
    """What was asked of the gates, what they settle, and what a point more or less would cost.

    Args:
        plan: as `train.gates.fit_gates` leaves it in `cascade.gate.Gates.plan`.
    """
    asked, tickets = plan["promise"], plan["tickets"]
    lines = [
        f"fitted on {tickets['fitting']:,} tickets, tested on {tickets['testing']:,} others",
        f"settled {plan['coverage']:.1%}, of which {plan['precision']:.1%} are right there",
        "",
        f"{'stage':<12}{'reached':>9}{'settled':>9}{'right':>8}",
    ]
    for row in plan["stages"]:
        right = f"{row['right']:.1%}" if row["settled"] else ""
        lines.append(f"{row['stage']:<12}{row['reached']:>9.1%}{row['settled']:>9.1%}{right:>8}")
    lines += ["", f"promises, kept with {asked['confidence']:.0%} confidence:"]
    lines += [f"  {promised(group)}" for group in plan["groups"]]
    lines += ["", "another target would settle"]
    for row in plan["curve"]:
        bar = "#" * round(row["coverage"] * WIDTH)
        mark = " <" if row["target"] == asked["target"] else ""
        lines.append(f"  {row['target']:>6.1%} {row['coverage']:>7.1%} {bar}{mark}")
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
