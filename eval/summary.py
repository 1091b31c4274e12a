"""The documents' tables of figures, written from the kept results: ``python -m eval.summary``.

Between ``<!-- figures NAME -->`` and ``<!-- end -->`` in the README and in docs/ stands what
eval/results/NAME.json says. A test keeps the two equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cascade.errors import InputError
from eval import tables
from eval.bench import figures as scale
from eval.datasets import RESULTS, ROOT
from eval.report.wording import milliseconds, percent, precise, score, scores
from eval.service import figures as service

DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs" / "figures.md",
    ROOT / "docs" / "operations.md",
    ROOT / "docs" / "scale.md",
)

TOLD = {
    "service": service.lines,
    "bench": scale.lengths,
    "scaling": scale.growth,
    "scale": scale.days,
}
"""Parts that are made of several files of results, by what writes them."""
STUDIES = {
    "ratios": tables.ratios,
    "linear_speed": tables.linear_speed,
    "encoder_variants": tables.encoder_variants,
    "training_mix": tables.training_mix,
    "history": tables.history,
}
"""Parts of which eval/NAME.py wrote the results; any other part is a data set's."""
PART = re.compile(r"(<!-- figures (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, results: Path = RESULTS) -> str:
    """The text with the tables of the results that are there now.

    Raises:
        InputError: the results of a table are missing.
    """

    def fill(found: re.Match[str]) -> str:
        return found[1] + "\n".join(["", *_lines(found["name"], results), "", ""]) + found[3]

    return PART.sub(fill, text)


def _lines(name: str, results: Path) -> list[str]:
    if name in TOLD:
        return TOLD[name](results)
    file, study = results / f"{name}.json", STUDIES.get(name)
    if not file.is_file():
        command = f"python -m eval.{name}" if study else f"cascade study {name} --keep {file}"
        raise InputError(f"{file}: no such file; {command} writes it")
    record = json.loads(file.read_text(encoding="utf-8"))
    return study(record) if study else [*table(record), "", *stages(record)]


def table(record: Mapping[str, Any]) -> list[str]:
    """A row an approach, as Markdown."""
    lines = [
        "| | macro-F1 (95 %) | accuracy | settled | its macro-F1 | p50 | p95 | CPU |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in record["rows"]:
        name = f"**{row['name']}**" if row["kind"] == "cascade" else row["name"]
        cells = (
            name,
            scores(row["macro_f1"], row["macro_f1_95"]),
            score(row["accuracy"]),
            percent(row["settled"]) if row.get("settled") is not None else "",
            score(row["settled_macro_f1"]) if row.get("settled_macro_f1") else "",
            f"{milliseconds(row['ms_p50'])} ms",
            f"{milliseconds(row['ms_p95'])} ms",
            f"{milliseconds(row['cpu_ms'])} ms",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def stages(record: Mapping[str, Any]) -> list[str]:
    """What reaches each stage and what it settles, as Markdown."""
    lines = ["| stage | reached by | settles | of these right | p95 |", "|---|---:|---:|---:|---:|"]
    for its in record["stages"]:
        if not its["reached"]:
            continue
        person = its["settled"] is None
        cells = (
            "a person, with a suggestion" if person else its["stage"],
            percent(its["reached"]),
            "" if person else percent(its["settled"]),
            "" if its["right"] is None else precise(its["right"]),
            f"{milliseconds(its['ms_p95'])} ms" if "ms_p95" in its else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


@click.command()
def main() -> None:
    """Write the tables of the kept results into the documents."""
    for document in DOCUMENTS:
        before = document.read_text(encoding="utf-8")
        after = filled(before)
        document.write_text(after, encoding="utf-8")
        click.echo(f"{document.name}: {'nothing changed' if after == before else 'written'}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"eval.summary: {error}") from None
