"""The figures of a bundle on its test split, and the model card that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.bundle import Manifest
from cascade.decision import Decision
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Adviser, Probabilities
from cascade.ticket import Ticket
from train.measures import macro_f1, one_by_one, quality, queue_numbers, timed, times

TIMES = ("ms_p50", "ms_p95")


def evaluate(
    cascade: Cascade, texts: Sequence[str], targets: dict[str, NDArray[np.int64]]
) -> dict[str, Any]:
    """Figures of each stage alone, of all stages joined, and of the cascade.

    Every ticket is asked on its own, so the times are those of single requests on one core.
    The cascade's macro-F1 counts the best queue of all tickets, also of those sent to review.

    Args:
        texts: of tickets that nothing was fitted on.
        targets: for each head an ``(n,)`` array of class numbers, -1 where the label is missing.
    """
    y = targets[QUEUE]
    classes = len(cascade.queues)
    figures: dict[str, Any] = {"tickets": len(y), "stages": {}}
    seen: list[Probabilities] = []
    asked_of = [stage for stage in cascade.stages if not isinstance(stage, Adviser)]
    for stage in asked_of:
        answers, ms = one_by_one(stage, texts)
        seen.append(answers)
        alone = answers[QUEUE].argmax(axis=1)
        figures["stages"][stage.name] = {**quality(y, alone, classes), **times(ms)}
    if len(seen) > 1:
        every = cascade.gates.gates[len(seen) - 1].joins[QUEUE]
        joined = every([s[QUEUE] for s in seen]).argmax(axis=1)
        figures["joined"] = quality(y, joined, classes)
    decisions, ms = timed(lambda text: cascade.route([Ticket(text)])[0], texts)
    guess = queue_numbers(decisions, cascade.queues)
    figures["cascade"] = {
        **quality(y, guess, classes),
        **times(ms),
        "settled": _settled(decisions, guess == y),
        "reached": _reached(decisions),
    }
    figures["labels"] = _labels(cascade, list(figures["stages"]), seen, decisions, targets)
    return figures


def _settled(
    decisions: Sequence[Decision], right: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """Share of all tickets that each stage settled, and how many of those were right."""
    counts = Counter(decision.stage for decision in decisions)
    stages = np.asarray([decision.stage for decision in decisions])
    return {
        stage: {
            "share": round(count / len(decisions), 4),
            "right": round(float(right[stages == stage].mean()), 4),
        }
        for stage, count in sorted(counts.items(), key=lambda item: -item[1])
    }


def _reached(decisions: Sequence[Decision]) -> dict[str, dict[str, float]]:
    """Share of all tickets that reached each stage, and its time on those, in milliseconds."""
    ms: dict[str, list[float]] = {}
    for decision in decisions:
        for trace in decision.stages:
            ms.setdefault(trace.name, []).append(trace.ms)
    return {
        stage: {"share": round(len(its) / len(decisions), 4), **times(np.asarray(its))}
        for stage, its in ms.items()
    }


def _labels(
    cascade: Cascade,
    figures_of: Sequence[str],
    seen: Sequence[Probabilities],
    decisions: Sequence[Decision],
    targets: dict[str, NDArray[np.int64]],
) -> dict[str, Any]:
    """Macro-F1 of the further labels: each stage alone, and as the decisions carry them."""
    out: dict[str, Any] = {}
    for name, classes in cascade.heads.items():
        known = np.flatnonzero(targets[name] >= 0)
        if name == QUEUE or not len(known):
            continue
        y, k = targets[name][known], len(classes)
        number = {value: at for at, value in enumerate(classes)}
        guess = np.asarray([number[decisions[i].labels[name].value] for i in known.tolist()])
        out[name] = {"cascade": round(macro_f1(y, guess, k), 4)}
        for stage, answers in zip(figures_of, seen, strict=True):
            alone = answers[name][known].argmax(axis=1)
            out[name][stage] = round(macro_f1(y, alone, k), 4)
    return out


def table(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of a Markdown table."""
    lines = [
        "| | macro-F1 | 95 % interval | accuracy | p50 ms | p95 ms |",
        "|---|---:|---|---:|---:|---:|",
    ]
    rows = {f"{name} alone": row for name, row in figures["stages"].items()}
    rows |= {"joined, no gates": figures["joined"]} if "joined" in figures else {}
    rows["**cascade**"] = figures["cascade"]
    for name, row in rows.items():
        low, high = row["macro_f1_95"]
        times = [f"{row[key]:.2f}" if key in row else "" for key in TIMES]
        lines.append(
            f"| {name} | {row['macro_f1']:.4f} | {low:.3f} to {high:.3f} | {row['accuracy']:.4f} "
            f"| {times[0]} | {times[1]} |"
        )
    lines += ["", "| stage | reached | p50 ms | p95 ms | settled | of these right |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    settled, reached = figures["cascade"]["settled"], figures["cascade"]["reached"]
    for stage in dict.fromkeys([*reached, *settled]):
        row = ["", "", "", "0.0%", ""]
        if asked := reached.get(stage):
            row[:3] = [f"{asked['share']:.1%}", *(f"{asked[key]:.2f}" for key in TIMES)]
        if done := settled.get(stage):
            row[3:] = [f"{done['share']:.1%}", f"{done['right']:.1%}"]
        lines.append(f"| {stage} | {' | '.join(row)} |")
    if figures["labels"]:
        names = list(figures["stages"])
        lines += ["", f"| label | cascade | {' | '.join(f'{n} alone' for n in names)} |"]
        lines.append("|---|---:|" + "---:|" * len(names))
        for label, part in figures["labels"].items():
            cells = " | ".join(f"{part[key]:.4f}" for key in ("cascade", *names))
            lines.append(f"| {label} (macro-F1) | {cells} |")
    return lines


def model_card(manifest: Manifest, notes: dict[str, Any]) -> str:
    """``card.md``: what the bundle is, what it was trained on, and how good it is."""
    data = manifest.data
    queues = manifest.heads[QUEUE]
    return "\n".join(
        [
            f"# {manifest.name}",
            "",
            f"Routes tickets to {len(queues)} queues: {', '.join(queues)}.",
            f"Trained on {manifest.created} from `{data['file']}` ({data['rows']:,} tickets, "
            f"sha256 of texts and labels `{data['sha256'][:16]}`), seed {manifest.seed}.",
            f"Split {data['split']}: {data['train']:,} train, {data['gate']:,} gate, "
            f"{data['test']:,} test.",
            "",
            "## On the test split, which nothing was fitted on",
            "",
            *table(manifest.figures),
            "",
            "The cascade's macro-F1 counts the best queue of every ticket, also of those that go "
            "to review. Times are of single tickets on one core of the machine that trained it.",
            "",
            "## How it was made",
            "",
            *[f"- {name}: {value}" for name, value in notes.items()],
            *[f"- {name} {version}" for name, version in manifest.versions.items()],
            "",
        ]
    )
