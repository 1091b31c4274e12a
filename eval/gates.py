"""Whether gates keep their promise, and how true the confidences are that they act on.

    python -m eval.gates bundles/it_service_topics bundles/banking77 …

Each bundle's stages are asked about its own gate and test split once. Then, for several seeds and
targets, gates are fitted as in training, the real router decides on tickets that fitted nothing,
and what was promised is held against what came of it. One gate split is one draw of tickets, which
may be a lucky one whatever the seed, so the promise itself is tested on many: see `draws`. Writes
eval/results/gates.json, cut to what the documents tell of it (see `cut`), and a picture for each
data set; all of it, each single fit included, goes to gates.json in the folder of --work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from tqdm import tqdm

from cascade.bundle import Bundle
from cascade.errors import CascadeError, InputError
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Probabilities
from cascade.ticket import Ticket
from eval.answers import Answers, Split, answers
from eval.calibration import calibration, picture
from eval.datasets import DATASETS, RESULTS, data_folder, dataset_of
from eval.metrics import expected_calibration_error
from train.gates import fit_gates
from train.measures import macro_f1, queue_numbers
from train.promise import Promise
from train.witnesses import Witnesses

TARGETS = (0.95, 0.98)
DRAWN = "drawn"
WANTED = (
    "it_service_topics",
    "banking77",
    "clinc150_oos",
    "hint3_sofmattress",
    "hint3_curekart",
    "hint3_powerplay11",
    "nlbse2024",
)


class Replay:
    """A stage that says again what the bundle's stage said. A text is a row's number.

    So the router itself is measured, without asking the models anew for each seed.
    """

    def __init__(self, name: str, seen: NDArray[np.float32]) -> None:
        self.name, self.seen = name, seen

    def predict(self, texts: Sequence[str]) -> Probabilities:
        return {QUEUE: self.seen[[int(text) for text in texts]]}


def draws(said: Answers, seed: int) -> dict[str, tuple[Split, Split]]:
    """Tickets to fit gates on, and tickets to hold the promise against, in three ways.

    Returns:
        ``whole``, the gate and the test split, where a seed changes no more than which half of the
        gate split fits and which one tests; ``half``, a random half of the gate split instead of
        all of it; ``drawn``, as many tickets as the gate split has, drawn with replacement from
        both splits together, and all of these as the population that they are drawn from. Its
        precision is known without error, so the promise may be broken in as many draws as was
        said, and in no more.
    """
    random = np.random.default_rng([seed, 1])
    n = len(said.gate.y)
    population = said.gate + said.test
    return {
        "whole": (said.gate, said.test),
        "half": (said.gate.take(np.sort(random.permutation(n)[: n // 2])), said.test),
        DRAWN: (population.take(random.integers(len(population.y), size=n)), population),
    }


def promised(
    fit: Split, test: Split, queues: tuple[str, ...], promise: Promise, seed: int
) -> dict[str, Any]:
    """Fit gates on some tickets, and let them decide on others.

    Returns:
        ``expected``, what the fitted plan says, and ``groups``, its promises; ``coverage`` and
        ``precision`` (None where nothing is settled) of the others; ``macro_f1`` of all their best
        queues; ``ece`` of the decisions' confidences; and what share of them each stage was
        ``asked`` about.
    """
    seen: list[Probabilities] = [{QUEUE: array} for array in fit.seen.values()]
    gates = fit_gates(Witnesses(list(fit.seen), seen, {QUEUE: fit.y}, queues), promise, seed=seed)
    replays = [Replay(name, array) for name, array in test.seen.items()]
    cascade = Cascade(replays, gates, {QUEUE: queues})
    decisions = cascade.route([Ticket(str(row)) for row in range(len(test.y))])
    guess = queue_numbers(decisions, queues)
    right = guess == test.y
    settled = np.asarray([decision.action == "route" for decision in decisions])
    confidence = np.asarray([decision.confidence for decision in decisions])
    asked = [trace.name for decision in decisions for trace in decision.stages]
    return {
        "seed": seed,
        "expected": {key: gates.plan[key] for key in ("tickets", "coverage", "precision")},
        "groups": gates.plan["groups"],
        "coverage": _round(settled.mean()),
        "precision": _round(right[settled].mean()) if settled.any() else None,
        "settled": int(settled.sum()),
        "right": int(right[settled].sum()),
        "macro_f1": _round(macro_f1(test.y, guess, len(queues))),
        "ece": _round(expected_calibration_error(confidence, right)),
        "asked": {name: _round(asked.count(name) / len(right)) for name in test.seen},
    }


def summary(runs: Sequence[Mapping[str, Any]], target: float) -> dict[str, Any]:
    """Several seeds in a few numbers.

    Returns:
        ``tickets`` that the gates were fitted and tested on; ``kept``, in how many at least the
        target was observed, or nothing was settled; the mean coverage; the precision, its least,
        mean and most.
    """
    precision = [run["precision"] for run in runs if run["settled"]]
    spread = [min(precision), _round(fmean(precision)), max(precision)] if precision else None
    return {
        "tickets": runs[0]["expected"]["tickets"],
        "seeds": len(runs),
        "kept": sum(run["right"] >= target * run["settled"] for run in runs),
        "settled_something": len(precision),
        "expected_coverage": _round(fmean(run["expected"]["coverage"] for run in runs)),
        "coverage": _round(fmean(run["coverage"] for run in runs)),
        "precision": spread,
        "macro_f1": _round(fmean(run["macro_f1"] for run in runs)),
    }


def refuted(run: Mapping[str, Any], target: float) -> bool:
    """Whether the test split shows that the promise is broken.

    Fewer right ones than the target may be chance; here the whole 95 % interval (Clopper and
    Pearson 1934) of the observed precision lies below it.
    """
    if not run["settled"]:
        return False
    interval = binomtest(run["right"], run["settled"]).proportion_ci(0.95)
    return bool(interval.high < target)


def measure(
    bundle: Bundle, said: Answers, seeds: int, many: int, confidence: float
) -> dict[str, Any]:
    """All figures of one bundle, with so many seeds; ``many`` of them for ``drawn``."""
    name, queues = bundle.manifest.name, bundle.manifest.heads[QUEUE]
    promises = []
    for target in TARGETS:
        promise = Promise(target, confidence)
        for way, count in {"whole": seeds, "half": seeds, DRAWN: many}.items():
            runs = [
                promised(*draws(said, seed)[way], queues, promise, seed)
                for seed in tqdm(range(count), desc=f"{name}, {target:.0%}, {way}", leave=False)
            ]
            told = {"target": target, "fitted_on": way, **summary(runs, target)}
            if way != DRAWN:
                told["refuted"] = sum(refuted(run, target) for run in runs)
            promises.append({**told, "runs": runs})
    return {
        "bundle": bundle.id,
        "data": bundle.manifest.data,
        "stages": said.stages,
        "left_out": [name for name in bundle.manifest.stages if name not in said.stages],
        "calibration": calibration(said, seeds),
        "promises": promises,
    }


def cut(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The results without the single fits: a tenth of the size, and their summaries say it all."""
    results = {
        name: {
            **its,
            "promises": [{k: v for k, v in row.items() if k != "runs"} for row in its["promises"]],
        }
        for name, its in plain["results"].items()
    }
    return {**plain, "results": results}


def table(results: Mapping[str, Any]) -> list[str]:
    """Promised against observed, and calibration, as Markdown."""
    lines = [
        "| data | target | fitted on | | kept | refuted | precision, least to most | coverage "
        "| expected | macro-F1 |",
        "|---|---:|---:|---|---:|---:|---|---:|---:|---:|",
    ]
    for name, its in results.items():
        for row in its["promises"]:
            tickets = row["tickets"]
            low, _, high = row["precision"] or (0.0, 0.0, 0.0)
            cells = (
                name,
                f"{row['target']:.0%}",
                f"{tickets['fitting']:,} + {tickets['testing']:,}",
                row["fitted_on"],
                f"{row['kept']} of {row['seeds']}",
                str(row.get("refuted", "")),
                f"{low:.1%} to {high:.1%}" if row["precision"] else "nothing settled",
                f"{row['coverage']:.1%}",
                f"{row['expected_coverage']:.1%}",
                f"{row['macro_f1']:.4f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| data | | macro-F1 | ECE | debiased | Brier | AURC | excess |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for name, its in results.items():
        for pool, row in its["calibration"].items():
            pairs = [
                f"{row['before'][key]:.4f} → {row['after'][key]:.4f}"
                for key in ("ece", "ece_debiased", "brier", "aurc", "excess_aurc")
            ]
            cells = (name, pool, f"{row['after']['macro_f1']:.4f}", *pairs)
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _round(value: float) -> float:
    return round(float(value), 4)


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--draws",
    "many",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How often tickets are drawn anew from both splits.",
)
@click.option("--confidence", default=0.9, show_default=True, type=click.FloatRange(0.5, 0.999))
@click.option(
    "--work",
    default="bundles/eval-data",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the stages' answers and all single fits are kept.",
)
@click.option("--results", default=RESULTS, type=click.Path(path_type=Path))
def main(
    bundles: tuple[Path, ...],
    data: Path | None,
    seeds: int,
    many: int,
    confidence: float,
    work: Path,
    results: Path,
) -> None:
    """Measure the gates of BUNDLES."""
    folder = data_folder(data)
    opened = {dataset_of(bundle): bundle for bundle in map(Bundle.open, bundles)}
    if len(opened) < len(bundles):
        raise InputError("two of the bundles were trained on the same data set; name one of them")
    measured = {}
    for name, bundle in opened.items():
        said = answers(bundle, DATASETS[name](folder, work), work)
        measured[name] = measure(bundle, said, seeds, many, confidence)
        picture(name, said, results / f"gates_{name}.svg")
    missing = [name for name in WANTED if name not in measured]
    plain = {
        "command": f"python -m eval.gates {' '.join(f'bundles/{name}' for name in measured)}"
        f" --seeds {seeds} --draws {many} --confidence {confidence:g}",
        "confidence": confidence,
        "missing": missing,
        "results": measured,
    }
    for target, told in ((work, plain), (results, cut(plain))):
        target.mkdir(parents=True, exist_ok=True)
        (target / "gates.json").write_text(json.dumps(told, indent=2) + "\n")
    for line in table(measured):
        click.echo(line)
    if missing:
        click.echo(f"\nno bundle was given for {', '.join(missing)}")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.gates: {error}") from None
