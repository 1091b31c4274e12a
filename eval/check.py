"""Whether a fresh run is as good as the one that was kept: ``make eval-check``.

    python -m eval.check reports/banking77/report.json eval/results/banking77.json

Quality may be worse by what chance explains, no more. Times are compared where both runs had the
same processor, and generously, as machines are noisy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

WORSE_F1 = 0.01
"""Macro-F1 that trainings of the same data differ by: what a real loss has to exceed."""
WORSE_SETTLED = 0.10
"""Share settled that two fittings of the gates differ by."""
SLOWER = 1.5
"""Ratio of CPU milliseconds."""


def losses(fresh: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    """What became worse beyond the tolerances, in words."""
    rows = {row["name"]: row for row in fresh["rows"]}
    same_machine = fresh["machine"].get("cpu") == kept["machine"].get("cpu")
    for before in kept["rows"]:
        name, now = before["name"], rows.get(before["name"])
        if before["kind"] not in ("stage", "cascade"):
            continue
        if now is None:
            yield f"{name}: was not measured"
            continue
        if now["macro_f1"] < before["macro_f1"] - WORSE_F1:
            yield f"{name}: macro-F1 {now['macro_f1']:.4f}, was {before['macro_f1']:.4f}"
        settled = before.get("settled")
        if settled is not None and (now.get("settled") or 0.0) < settled - WORSE_SETTLED:
            yield f"{name}: settles {now.get('settled') or 0.0:.1%}, was {settled:.1%}"
        if same_machine and now["cpu_ms"] > SLOWER * before["cpu_ms"] + 0.1:
            yield f"{name}: {now['cpu_ms']} ms of CPU a ticket, was {before['cpu_ms']} ms"
    for its in fresh.get("promises", []):
        if not its["kept"]:
            yield f"promise: {its['promised']:.0%} {its['what']}, but {its['observed']:.1%}"
    steady = (fresh.get("stability") or {}).get("approaches", {}).get("cascade", {})
    if steady.get("queue_changed") or steady.get("action_changed"):
        yield "stability: the cascade changed answers of the same tickets"


def _trained_on(record: Mapping[str, Any]) -> Any:
    """The fingerprint of the training file, where it is told."""
    return record.get("data", {}).get("trained_on", {}).get("sha256")


@click.command()
@click.argument("fresh", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("kept", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(fresh: Path, kept: Path) -> None:
    """Compare the report.json FRESH with KEPT; exit status 1 where something became worse."""
    records = []
    for file in (fresh, kept):
        try:
            records.append(json.loads(file.read_text(encoding="utf-8")))
            records[-1]["rows"], records[-1]["machine"]
        except (ValueError, LookupError, TypeError):
            raise click.ClickException(f"{file}: not a report.json of cascade eval") from None
    if len({_trained_on(record) for record in records}) > 1:
        raise click.ClickException(
            f"{fresh}: trained on other tickets than {kept}, so nothing can be said; repeat the "
            f"run with {records[1].get('command', 'the command that made it')}"
        )
    worse = list(losses(*records))
    for line in worse:
        click.echo(f"worse: {line}")
    if worse:
        raise SystemExit(1)
    click.echo(f"{fresh}: nothing is worse than in {kept}")


if __name__ == "__main__":
    main()
