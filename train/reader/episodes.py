"""Episodes: a ticket with its nearest examples, from pools drawn anew.

Each pool has other labels, another number of examples a label, and now and then lacks the label
that is asked for, so that nothing can be learned but how to read the examples.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.clean import clean
from cascade.errors import InputError
from cascade.examples import BM25
from cascade.llm.mask import mask

MOST_SHOWN = 12
"""Most examples of an episode."""
MOST_ASKED = 1500
"""Most tickets that are asked about a pool."""
HELD_OUT_INTENTS = 50
"""Intents of CLINC150 that readers are measured on."""
STRANGERS = 0.1
"""Share of tickets whose label is none of the pool's."""


@dataclass(frozen=True, slots=True)
class Source:
    """Labelled texts of one data set; ``groups`` puts labels that are alike together."""

    name: str
    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Episode:
    """Rows of a source: the examples shown, the one most like the ticket last, and the ticket."""

    source: int
    shown: tuple[int, ...]
    ticket: int


def read_sources(data: Path) -> list[Source]:
    """hwu64, the intents of CLINC150 that are not held out, and bitext's customer support.

    Raises:
        InputError: a data set is missing.
    """
    held_out = set(held_out_intents(data))
    hwu = [(r["text"], r["label"], r["label"].split("_")[0]) for r in _rows(data, "hwu64/hwu64")]
    clinc = [
        (r["text"], r["label"], r["domain"])
        for r in _rows(data, "clinc150_oos/clinc150_full")
        if r["label"] not in held_out and r["label"] != "oos"
    ]
    bitext = [
        (r["instruction"], r["intent"], r["category"])
        for r in _rows(data, "bitext_customer_support_27k/bitext_27k")
    ]
    return [_source("hwu64", hwu), _source("clinc150", clinc), _source("bitext", bitext)]


def held_out_intents(data: Path) -> tuple[str, ...]:
    """The intents of CLINC150 that nothing may be trained on that is measured with them.

    Raises:
        InputError: the data set is missing.
    """
    intents = sorted({row["label"] for row in _rows(data, "clinc150_oos/clinc150_full")} - {"oos"})
    drawn = np.random.default_rng(0).permutation(len(intents))[:HELD_OUT_INTENTS]
    return tuple(intents[i] for i in sorted(drawn))


def episodes(sources: Sequence[Source], pools: int, seed: int) -> Iterator[list[Episode]]:
    """The episodes of ``pools`` pools, one list a pool."""
    random = np.random.default_rng(seed)
    sizes = np.asarray([len(np.unique(source.labels)) for source in sources])
    for _ in range(pools):
        number = int(random.choice(len(sources), p=sizes / sizes.sum()))
        yield _pool(sources[number], number, random)


def _pool(source: Source, number: int, random: np.random.Generator) -> list[Episode]:
    labels = np.unique(source.labels)
    if random.random() < 0.5:  # a few neighbouring topics: finer differences
        groups = random.permutation(np.unique(source.groups))[: random.integers(1, 5)]
        labels = np.unique(source.labels[np.isin(source.groups, groups)])
    labels = random.permutation(labels)[: random.integers(min(4, len(labels)), len(labels) + 1)]
    shots = int(random.choice([2, 5, 10, 20, 50]))
    order = random.permutation(len(source.texts))
    within = np.isin(source.labels[order], labels)
    inside, outside = order[within], order[~within]
    examples: list[int] = []
    asked: list[int] = []
    taken = dict.fromkeys(labels.tolist(), 0)
    for row in inside.tolist():
        label = int(source.labels[row])
        taken[label] += 1
        (examples if taken[label] <= shots else asked).append(row)
    strangers = outside[: int(STRANGERS * MOST_ASKED)].tolist()
    asked = asked[: MOST_ASKED - len(strangers)] + strangers
    engine = BM25()
    engine.index([source.texts[row] for row in examples])
    made = []
    for row in asked:
        k = int(random.integers(4, MOST_SHOWN + 1))
        found, _ = engine.search(source.texts[row], k)
        if len(found):
            made.append(Episode(number, tuple(examples[i] for i in found[::-1]), row))
    return made


def _source(name: str, rows: Sequence[tuple[str, str, str]]) -> Source:
    texts = {mask(clean(text)): (label, group) for text, label, group in rows}
    texts.pop("", None)
    labels, groups = zip(*texts.values(), strict=True)
    return Source(
        name,
        tuple(texts),
        np.unique(labels, return_inverse=True)[1].astype(np.int64),
        np.unique(groups, return_inverse=True)[1].astype(np.int64),
    )


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    file = data / f"{name}.csv.gz"
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))
