"""The whole evaluation: train on a file, measure on what was held out, beside baselines and peers.

``make eval``. A bundle that is there already is measured with `eval.judge` alone (`cascade eval`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cascade.bundle import Bundle
from cascade.router import Cascade
from eval.approach import Approach, Routed
from eval.baselines import BASELINES
from eval.datasets import Files
from eval.judge import How, judge
from eval.recommend import recommend
from eval.report.pictures import curve_picture
from eval.splits import splits_of
from train.fit import train
from train.options import Options

CURVE_ON = 1_000
"""Test tickets of the label curve."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study does beside training and measuring.

    Attributes:
        baselines: fit the baselines.
        curve: seeds of the label curve; 0 leaves it out.
        curve_minutes: that each fine-tuning of it may take.
        peers: names of other libraries' classifiers to be fitted.
        reuse: do not train where the bundle is there.
    """

    baselines: bool = True
    curve: int = 0
    curve_minutes: float = 1.0
    peers: tuple[str, ...] = ()
    reuse: bool = False


def study(
    files: Files,
    out: Path,
    options: Options,
    plan: Plan,
    how: How,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train a cascade and measure it on tickets that nothing was fitted on.

    Args:
        files: to train and, where there is an official split, to test on.
        out: folder of the bundle.

    Returns:
        An `eval.report.record.Record`, the recommendation included.

    Raises:
        CascadeError: a file cannot be used, or nothing can be learned from it.
    """
    options = replace(options, test_file=files.test)
    if plan.reuse and out.is_dir():
        bundle = Bundle.open(out)
    else:
        bundle = train(files.train, out, options, say)
    learned, held = splits_of(bundle, files, options)
    others: list[Approach] = []
    if plan.baselines:
        for name, fit in BASELINES.items():
            say(f"fitting {name}")
            others.append(fit(learned, how.seed))
    record = judge(bundle.path, held, how, others, say)
    if plan.curve:
        from eval.label_curve import label_curve

        say("from one label a queue to all of them")
        few = held.sample(CURVE_ON, how.seed)
        record["label_curve"] = label_curve(
            learned, few, seeds=plan.curve, minutes=plan.curve_minutes, quiet=how.quiet
        )
        record["plots"]["label_curve"] = curve_picture(record["label_curve"])
    if plan.peers:
        from eval.peers.compare import compare as compare_peers

        say(f"peers: {', '.join(plan.peers)}")
        ours = Routed(Cascade.load(bundle.path))
        record["peers"] = compare_peers(
            learned, held, ours, plan.peers, seed=how.seed, quiet=how.quiet
        )
    record["recommendation"] = recommend(record)
    return record


def plain(record: dict[str, Any]) -> str:
    """The record as JSON, small enough to be kept beside the code: no pictures, no matrix."""
    kept = {key: its for key, its in record.items() if key != "plots"}
    kept["mistakes"] = {k: v for k, v in record["mistakes"].items() if k != "confusion_matrix"}
    return json.dumps(kept, indent=1) + "\n"
