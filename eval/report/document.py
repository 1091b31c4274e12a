"""What a report is made of, whether it ends up as HTML or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from eval.report.record import Plot


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """Sentences, one a bullet."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they stand for."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines for a shell."""

    kind: ClassVar[str] = "code"
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot; its file is ``NAME.svg``."""

    kind: ClassVar[str] = "picture"
    name: str
    plot: Plot


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        caption: what is in it.
        headings: one a column.
        rows: of text cells; the first one names the row.
        words: how many columns from the left are words; the others are figures.
        strong: numbers of the rows that the eye should find.
        notes: below the table.
    """

    kind: ClassVar[str] = "table"
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    strong: frozenset[int] = frozenset()
    notes: Sequence[str] = ()


Block = Text | Bullets | Facts | Code | Picture | Table


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading; `key` is its anchor."""

    key: str
    title: str
    blocks: list[Block] = field(default_factory=list)
