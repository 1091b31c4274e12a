"""Two bundles on the same labelled tickets: is the new one better, and how sure is that?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from cascade.bundle import Bundle, Columns
from cascade.errors import InputError
from cascade.llm.settings import LLMSettings
from cascade.router import Cascade
from cascade.stages.base import QUEUE
from eval.labelled import Labelled, read_labelled
from eval.latency import in_process
from eval.paired import drop
from eval.verdicts import Verdicts, routed
from train.measures import quality

TIMED = 200


def compare(
    old: Path, new: Path, file: Path, columns: Columns, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Measure both bundles on the same tickets.

    Args:
        columns: of the file.

    Returns:
        ``tickets``; for ``old`` and ``new`` the ``bundle``, quality, ``settled``, ``precision`` of
        what is settled, and times; ``difference`` of macro-F1, accuracy, settled and precision, new
        less old, the first with its paired interval ``macro_f1_95``; ``gained`` and ``lost``
        tickets (wrong before and right now, and the other way round) and ``p``, how likely so
        uneven a change is by chance (McNemar's exact test); ``only_old`` and ``only_new`` queues;
        ``verdict`` in words.

    Raises:
        CascadeError: a bundle or the file cannot be used.
    """
    queues = [Bundle.open(path).manifest.heads[QUEUE] for path in (old, new)]
    every = tuple(dict.fromkeys((*queues[0], *queues[1])))
    if not set(queues[0]) & set(queues[1]):
        raise InputError(f"{old} and {new} have no queue in common, so they cannot be compared")
    labelled = read_labelled(file, columns, every)
    for note in labelled.notes:
        say(note)
    told, said = {}, []
    for which, path in (("old", old), ("new", new)):
        say(f"asking {path}")
        verdicts, figures = _measured(path, labelled)
        said.append(verdicts)
        told[which] = figures
    before, after = said
    right = [its.right(labelled) for its in said]
    gained, lost = (int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum()))
    gain = drop(labelled.y, after.guess, before.guess, len(every))  # new less old
    result = {
        "file": file.name,
        "tickets": len(labelled),
        **told,
        "difference": {
            "macro_f1": gain["drop"],
            "macro_f1_95": gain["drop_95"],
            **{
                key: _less(told["new"][key], told["old"][key])
                for key in ("accuracy", "settled", "precision")
            },
        },
        "gained": gained,
        "lost": lost,
        "p": round(float(binomtest(gained, gained + lost).pvalue), 6) if gained + lost else 1.0,
        "only_old": sorted(set(queues[0]) - set(queues[1])),
        "only_new": sorted(set(queues[1]) - set(queues[0])),
        "notes": labelled.notes,
    }
    return {**result, "verdict": verdict(result)}


def verdict(result: dict[str, Any]) -> str:
    """The comparison in one sentence."""
    low, high = result["difference"]["macro_f1_95"]
    if low > 0:
        return "The new bundle is better: the whole interval of the difference lies above 0."
    if high < 0:
        return "The new bundle is worse: the whole interval of the difference lies below 0."
    return "No difference can be told: the interval of the difference has 0 in it."


def lines(result: dict[str, Any]) -> list[str]:
    """The comparison for people."""
    old, new, apart = result["old"], result["new"], result["difference"]
    low, high = apart["macro_f1_95"]
    out = [f"{result['tickets']:,} tickets of {result['file']}", ""]
    out.append(f"{'':22} {'old':>10} {'new':>10}  difference")
    names = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
    for key, name in names.items():
        tail = f" ({low:+.4f} to {high:+.4f})" if key == "macro_f1" else ""
        out.append(f"{name:22} {old[key]:10.4f} {new[key]:10.4f}  {apart[key]:+.4f}{tail}")
    for key, name in {"settled": "settled", "precision": "of these right"}.items():
        cells = [
            f"{its:10.1%}" if its is not None else f"{'–':>10}" for its in (old[key], new[key])
        ]
        moved = "" if apart[key] is None else f"{100 * apart[key]:+.1f} points"
        out.append(f"{name:22} {cells[0]} {cells[1]}  {moved}")
    for key, name in {"ms_p95": "p95, ms", "cpu_ms": "CPU ms a ticket"}.items():
        ratio = f"{new[key] / old[key]:.2f} times" if old[key] else ""
        out.append(f"{name:22} {old[key]:10.2f} {new[key]:10.2f}  {ratio}")
    out.append("")
    out.append(
        f"{result['gained']:,} tickets are right now that were wrong, {result['lost']:,} the other "
        f"way round (p = {result['p']:.2g})."
    )
    for which, key in (("old", "only_old"), ("new", "only_new")):
        if result[key]:
            out.append(f"Only the {which} bundle has {', '.join(result[key])}.")
    return [*out, result["verdict"]]


def _measured(path: Path, labelled: Labelled) -> tuple[Verdicts, dict[str, Any]]:
    cascade = Cascade.load(path, llm=LLMSettings.read(os.environ).backend)
    cascade.warm_up()
    said = routed(cascade.route(labelled.texts), labelled.queues)
    right, settled = said.right(labelled), said.acted_on
    times = in_process(cascade.route, labelled.sample(TIMED).texts)
    return said, {
        "bundle": cascade.bundle_id,
        **quality(labelled.y, said.guess, len(labelled.queues)),
        "settled": round(float(settled.mean()), 4),
        "precision": round(float(right[settled].mean()), 4) if settled.any() else None,
        **{key: times[key] for key in ("ms_p50", "ms_p95", "ms_p99", "cpu_ms")},
    }


def _less(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else round(new - old, 4)
