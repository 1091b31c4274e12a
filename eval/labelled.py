"""Labelled tickets to measure on: from a file, or the test split that a bundle never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.bundle import Columns
from cascade.clean import clean
from cascade.errors import InputError
from cascade.files import BadRow, read_rows
from cascade.ticket import join_parts
from train.read import places

FEW = 200
"""Fewer tickets than this say little: the interval of their macro-F1 is wider than 0.1."""
SHOWN = 8
"""Unknown labels that are named."""


@dataclass(frozen=True)
class Labelled:
    """``n`` tickets and the queues where they belong.

    Attributes:
        name: of the file they came from, for people.
        texts: raw.
        y: ``(n,)`` number of each one's queue in `queues`.
        queues: all that there are.
        lines: of each in its file.
        notes: what was left out, and why, in lines for people.
    """

    name: str
    texts: list[str]
    y: NDArray[np.int64]
    queues: tuple[str, ...]
    lines: list[int]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def cleaned(self) -> list[str]:
        """The texts as stages read them."""
        return [clean(text) for text in self.texts]

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Labelled:
        """Some of the tickets, in that order."""
        its = np.asarray(rows, dtype=np.int64)
        some = Labelled(
            self.name,
            [self.texts[row] for row in its],
            self.y[its],
            self.queues,
            [self.lines[row] for row in its],
        )
        if "cleaned" in self.__dict__:
            some.__dict__["cleaned"] = [self.cleaned[row] for row in its]
        return some

    def sample(self, most: int, seed: int = 0) -> Labelled:
        """At most so many, drawn at random, in their order."""
        return self.take(np.sort(np.random.default_rng(seed).permutation(len(self))[:most]))


def read_labelled(
    path: Path,
    columns: Columns,
    queues: Sequence[str],
    *,
    encoding: str = "utf-8",
    lines: Container[int] | None = None,
) -> Labelled:
    """Read labelled tickets; what cannot be measured is left out and told in the notes.

    Args:
        columns: of the file; those of texts and label are read.
        queues: that there are; rows with other labels are left out, as no answer could be right.
        lines: read no others than these.

    Raises:
        InputError: the file or a column cannot be read, or no row is left.
    """
    number = {queue: at for at, queue in enumerate(queues)}
    texts: list[str] = []
    y: list[int] = []
    at: list[int] = []
    left: dict[str, list[int]] = {}
    unknown: Counter[str] = Counter()
    for row in read_rows(
        path, list(dict.fromkeys((*columns.text, columns.label))), encoding=encoding
    ):
        if lines is not None and row.line not in lines:
            continue
        if isinstance(row, BadRow):
            left.setdefault(row.reason, []).append(row.line)
            continue
        text = join_parts(row.values[name] for name in columns.text)
        label = (row.values[columns.label] or "").strip()
        if not text or not label:
            left.setdefault("no text" if not text else "no label", []).append(row.line)
        elif label not in number:
            unknown[label] += 1
            left.setdefault("a label that is no queue of the bundle", []).append(row.line)
        else:
            texts.append(text)
            y.append(number[label])
            at.append(row.line)
    notes = [
        f"left out {len(its):,}: {reason} ({places(path, its)})" for reason, its in left.items()
    ]
    if unknown:
        notes.append("  no queue of the bundle: " + _counted(unknown))
    if not texts:
        raise InputError(
            f"{path}: no row can be measured; the bundle has the queues {', '.join(queues)}"
            + (f", column {columns.label!r} holds {_counted(unknown)}" if unknown else "")
        )
    if len(texts) < FEW:
        notes.append(f"{len(texts)} tickets are few: take the intervals, not the figures")
    return Labelled(path.name, texts, np.asarray(y, dtype=np.int64), tuple(queues), at, notes)


def _counted(labels: Counter[str]) -> str:
    """Labels and their rows; a wrong column holds texts, so no more than a label's start."""
    some = (f"{label[:40]!r} ({count:,})" for label, count in labels.most_common(SHOWN))
    return ", ".join(some) + (" …" if len(labels) > SHOWN else "")
