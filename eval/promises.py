"""Whether trainings keep their promise: other splits, other models, other gates each time.

    python -m eval.promises it_service_topics --seeds 5 --minutes 0

`eval.gates` draws tickets anew under the same trained stages. Here the whole training is repeated
with other seeds, so that the luck of the split is drawn anew as well, and what each training
promises is held against its own test split. Writes eval/results/promises.json.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from cascade.bundle import Manifest
from cascade.decision import HUMAN
from cascade.errors import CascadeError
from eval.datasets import DATASETS, RESULTS, data_folder
from eval.gates import refuted
from train.fit import train
from train.options import Options
from train.promise import Promise


def outcome(manifest: Manifest, target: float) -> dict[str, Any]:
    """What a training settled of its test split, and how much of it rightly.

    Returns:
        ``tickets``, ``settled`` and ``right`` counts, ``coverage``, ``precision`` (None where
        nothing is settled), whether it ``held``, and whether the test split refutes it.
    """
    tickets = int(manifest.figures["tickets"])
    shares = {k: v for k, v in manifest.figures["cascade"]["settled"].items() if k != HUMAN}
    settled = round(sum(its["share"] for its in shares.values()) * tickets)
    right = round(sum(its["share"] * its["right"] for its in shares.values()) * tickets)
    run = {"tickets": tickets, "settled": settled, "right": right}
    return {
        **run,
        "seed": manifest.seed,
        "coverage": round(settled / tickets, 4),
        "precision": round(right / settled, 4) if settled else None,
        "held": right >= target * settled,
        "refuted": refuted(run, target),
        "macro_f1": manifest.figures["cascade"]["macro_f1"],
    }


def measure(
    name: str, folder: Path, seeds: int, minutes: float, promise: Promise
) -> dict[str, Any]:
    """Train a data set with several seeds; official test splits stay as they are."""
    runs = []
    with tempfile.TemporaryDirectory() as work:
        files = DATASETS[name](folder, Path(work))
        for seed in tqdm(range(seeds), desc=name, unit="training"):
            options = Options(
                files.columns,
                minutes=minutes,
                promise=promise,
                test_file=files.test,
                min_rows=files.min_rows,
                seed=seed,
                quiet=True,
            )
            made = train(files.train, Path(work) / f"seed{seed}", options, lambda line: None)
            runs.append(outcome(made.manifest, promise.target))
    return {
        "minutes": minutes,
        "target": promise.target,
        "confidence": promise.confidence,
        "held": sum(run["held"] for run in runs),
        "refuted": sum(run["refuted"] for run in runs),
        "seeds": seeds,
        "runs": runs,
    }


@click.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(sorted(DATASETS)))
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--minutes", default=0.0, show_default=True, type=click.FloatRange(0))
@click.option("--target", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.999))
@click.option("--confidence", default=0.9, show_default=True, type=click.FloatRange(0.5, 0.999))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--results", default=RESULTS / "promises.json", type=click.Path(path_type=Path))
def main(
    names: tuple[str, ...],
    seeds: int,
    minutes: float,
    target: float,
    confidence: float,
    data: Path | None,
    results: Path,
) -> None:
    """Train each of NAMES with several seeds and count the promises that held."""
    folder = data_folder(data)
    told = json.loads(results.read_text()) if results.is_file() else {}
    for name in names:
        told[name] = measure(name, folder, seeds, minutes, Promise(target, confidence))
        results.parent.mkdir(parents=True, exist_ok=True)
        results.write_text(json.dumps(told, indent=2) + "\n")
        its = told[name]
        click.echo(
            f"{name}: {its['held']} of {seeds} held {target:.0%}, {its['refuted']} are refuted"
        )
        for run in its["runs"]:
            shown = "nothing" if run["precision"] is None else f"{run['precision']:.2%} right"
            click.echo(f"  seed {run['seed']}: {run['coverage']:.1%} settled, {shown}")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.promises: {error}") from None
