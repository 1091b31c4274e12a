"""The whole evaluation: train on a file, measure on what was held out, beside baselines and peers.

``make eval``. A bundle that is there already is measured with `eval.judge` alone (`cascade eval`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.errors import InputError
from cascade.router import Cascade
from cascade.stages.base import QUEUE
from eval.approach import Approach, Routed
from eval.baselines import BASELINES
from eval.datasets import ROOT, Files
from eval.judge import How, judge
from eval.labelled import Labelled, read_labelled
from eval.pictures import curve_picture
from eval.recommend import recommend
from train.fit import read_split, train
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
        An `eval.record.Record`, the recommendation included.

    Raises:
        CascadeError: a file cannot be used, or nothing can be learned from it.
    """
    options = replace(options, test_file=files.test)
    if plan.reuse and out.is_dir():
        bundle = Bundle.open(out)
    else:
        bundle = train(files.train, out, options, say)
    learned, held = splits(bundle, files, options)
    others: list[Approach] = []
    if plan.baselines:
        for name, fit in tqdm(BASELINES.items(), desc="fitting baselines", disable=how.quiet):
            say(f"fitting {name}")
            others.append(fit(learned, how.seed))
    record = judge(bundle.path, held, how, others, say)
    record["commit"] = commit()
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


def splits(bundle: Bundle, files: Files, options: Options) -> tuple[Labelled, Labelled]:
    """The tickets that a bundle was trained on, and those that it is tested on, raw.

    Raises:
        InputError: the bundle was trained on other data, or on another split of it.
    """
    quiet = replace(options, quiet=True)
    tickets, test, split = read_split(files.train, quiet, lambda line: None)
    if tickets.fingerprint != bundle.manifest.data["sha256"]:
        raise InputError(
            f"{bundle.path}: was trained on other data than {files.train}; train it anew, or "
            "leave out --reuse"
        )
    queues = bundle.manifest.heads[QUEUE]
    at = [tickets.lines[row] for row in split.train]
    learned = read_labelled(
        files.train, files.columns, queues, encoding=options.encoding, lines=frozenset(at)
    )
    if test is not None and files.test is not None:
        source, lines = files.test, test.lines
    else:
        source, lines = files.train, [tickets.lines[row] for row in split.test]
    held = read_labelled(
        source, files.columns, queues, encoding=options.encoding, lines=frozenset(lines)
    )
    return learned, held


def commit() -> str:
    """The commit of this checkout; empty where it is none."""
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        told = subprocess.run(  # noqa: S603  (our own command)
            [git, "rev-parse", "--short", "HEAD"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()


def plain(record: dict[str, Any]) -> str:
    """The record as JSON, small enough to be kept beside the code: no pictures, no matrix."""
    kept = {key: its for key, its in record.items() if key != "plots"}
    kept["mistakes"] = {k: v for k, v in record["mistakes"].items() if k != "confusion_matrix"}
    return json.dumps(kept, indent=1) + "\n"
