"""The report of an evaluation, from its record alone: HTML, Markdown, JSON, and a table as text."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eval.report.record import Record
from eval.report.sections import sections
from eval.report.tables import main_table

WIDTH = 119
"""Characters of a line on the console."""
END = 13
"""Characters of a long name's end that are kept."""
SHORT = {
    "macro-F1 (95 % interval)": "macro-F1 (95 %)",
    "accuracy": "accu- racy",
    "settled": "set- tled",
    "macro-F1 of settled": "its F1",
    "CPU ms": "CPU ms",
    "tickets/s": "tickets /s",
}
"""Headings on the console, where they take two lines."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~])")


def write_report(record: Record, folder: Path) -> Path:
    """Write report.html, report.md, report.json and the plots as SVG, and return the first.

    The record in report.json is as it is, but for the plots, which name their files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = record.get("plots", {})
    for name, plot in plots.items():
        (folder / f"{name}.svg").write_text(plot["svg"], encoding="utf-8")
    named = {
        name: {"title": plot["title"], "alt": plot["alt"], "file": f"{name}.svg"}
        for name, plot in plots.items()
    }
    told: dict[str, Any] = {**record, **({"plots": named} if plots else {})}
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.md").write_text(to_markdown(record), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(to_html(record), encoding="utf-8")
    return page


def to_html(record: Record) -> str:
    """One page that needs nothing beside it; all text in it is escaped."""
    pages = _environment(autoescape=True)
    loader = pages.loader
    assert loader is not None
    style = Markup(loader.get_source(pages, "report.css")[0])  # noqa: S704 (our own file)
    return pages.get_template("report.html").render(style=style, **_parts(record))


def to_markdown(record: Record) -> str:
    """The same, with links to the plots' files beside it; all text in it is escaped."""
    pages = _environment(autoescape=False)
    pages.finalize = markdown
    return pages.get_template("report.md").render(**_parts(record)).strip() + "\n"


def table(record: Record) -> list[str]:
    """The table of all approaches in lines for a console, below 120 columns."""
    its = main_table(record)
    heads = [_two_lines(SHORT.get(heading, heading)) for heading in its.headings]
    lines = [*map(list, zip(*heads, strict=True)), *map(list, its.rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    widths[0] -= max(0, sum(widths) + 2 * (len(widths) - 1) - WIDTH)
    out = [_line(line, widths) for line in lines]
    out.insert(2, "-" * max(map(len, out)))
    return [*out, *its.notes[1:]]


def markdown(value: Any) -> Any:
    """Text that Markdown and HTML leave as it is, on one line."""
    if isinstance(value, Markup):
        return value
    return _MARKDOWN.sub(r"\\\1", escape(" ".join(str(value).split()), quote=False))


def _parts(record: Record) -> dict[str, Any]:
    return {
        "title": record["title"],
        "created": record.get("created"),
        "sections": sections(record),
    }


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        loader=PackageLoader("eval.report"),
        autoescape=autoescape,  # noqa: S701 (Markdown is escaped by `markdown`)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _two_lines(heading: str) -> tuple[str, str]:
    first, _, second = heading.partition(" ")
    return (first, second)


def _line(cells: list[str], widths: list[int]) -> str:
    name = cells[0]
    if len(name) > widths[0]:
        # The end tells shots and notes apart.
        name = f"{name[: widths[0] - END - 1]}…{name[-END:]}"
    figures = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([name.ljust(widths[0]), *figures]).rstrip()
