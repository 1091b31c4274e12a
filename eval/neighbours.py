"""Few examples of labels never trained on: ``python -m eval.neighbours --data ../shared/data``.

What is measured, and on what, is in `eval.few_shot`. ``python -m eval.neighbours --help`` lists the
options. Results go to ``eval/results/few_shot.json``.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cascade.errors import CascadeError
from cascade.llm.settings import LLMSettings
from eval.datasets import RESULTS, data_folder
from eval.few_shot import NEIGHBOURS, SEED, measure, measure_vote, settings


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data sets.  [default: CASCADE_DATA, else ../shared/data]",
)
@click.option("--ask", is_flag=True, help="Ask who is set for the llm stage, the reader if none.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS / "few_shot.json", show_default=True
)
def main(data: Path | None, ask: bool, out: Path) -> None:
    """Measure the neighbours' vote, and with --ask a reader or an LLM, on labels that it never saw.

    Who is asked is set by CASCADE_LLM_URL and CASCADE_LLM_MODEL, as for cascade serve.
    """
    backend = LLMSettings.read(os.environ).backend("eval") if ask else None
    click.echo(f"{'setting':<26}{'tickets':>8}{'shown':>8}{'vote':>8}{'wide vote':>11}")
    rows, asked = [], []
    for setting in settings(data_folder(data)):
        row = measure_vote(setting)
        rows.append(row)
        click.echo(
            f"{row.setting:<26}{row.tickets:>8,}{row.gold_shown:>8.3f}{row.vote:>8.3f}"
            f"{row.wide_vote:>7.3f} ({row.wide_k})"
        )
        if backend:
            told = measure(setting, backend)
            asked.append(told)
            click.echo(
                f"  {told.backend}: {told.accuracy:.3f}, {told.gain:+.3f} on the vote "
                f"({told.low:+.3f} to {told.high:+.3f}); joined with it {told.joined:.3f}, "
                f"{told.joined_gain:+.3f} ({told.joined_low:+.3f} to {told.joined_high:+.3f})"
            )
    result: dict[str, Any] = {"neighbours": NEIGHBOURS, "seed": SEED}
    result["rows"] = [asdict(row) for row in rows]
    result["asked"] = [asdict(row) for row in asked]
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except CascadeError as error:
        raise SystemExit(f"eval.neighbours: {error}") from None
