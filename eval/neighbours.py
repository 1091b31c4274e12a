"""Few examples of labels never trained on: ``python -m eval.neighbours --data ../shared/data``.

Each ticket of four settings is given its 8 nearest examples by BM25, and whoever is asked has to
tell its label from them alone. banking77: the official test split, examples from the train split.
CLINC150: 50 intents chosen by seed (`held_out_intents`), their official test split; a reader may
be trained on the other 100.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cascade.clean import clean
from cascade.errors import InputError
from cascade.examples import Pool
from cascade.llm.base import Example, Question
from cascade.llm.mask import mask
from cascade.stages.base import QUEUE

NEIGHBOURS = 8
SHOTS = (10, 50)
HELD_OUT_INTENTS = 50
SEED = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """Tickets whose labels have to be told from examples.

    Attributes:
        questions: one a ticket; its examples are the nearest in the pool, most similar last, its
            candidates their queues (the next nearest other queue is added to a single one).
        gold: the right queue of each; now and then it is not among the candidates.
        scores: the BM25 score of each example of each question.
    """

    name: str
    questions: list[Question]
    gold: list[str]
    scores: list[tuple[float, ...]]


def settings(data: Path) -> list[Setting]:
    """The four settings: banking77 and held-out CLINC150 intents, 10 and 50 examples a label.

    Raises:
        InputError: a data set is missing.
    """
    made = []
    for name, (train, test) in (("banking77", _banking77(data)), ("clinc150", _clinc150(data))):
        for shots in SHOTS:
            made.append(_setting(f"{name}, {shots} a label", _few(train, shots), test))
    return made


def held_out_intents(data: Path) -> tuple[str, ...]:
    """The intents of CLINC150 that nothing may be trained on that is measured here."""
    intents = sorted({row["label"] for row in _rows(data, *CLINC150)} - {"oos"})
    drawn = np.random.default_rng(SEED).permutation(len(intents))[:HELD_OUT_INTENTS]
    return tuple(intents[i] for i in sorted(drawn))


BANKING77 = ("banking77", "banking77.csv.gz")
CLINC150 = ("clinc150_oos", "clinc150_full.csv.gz")
Labelled = list[tuple[str, str]]
"""Cleaned and masked texts with their labels."""


def _banking77(data: Path) -> tuple[Labelled, Labelled]:
    rows = _rows(data, *BANKING77)
    return _part(rows, "train"), _part(rows, "test")


def _clinc150(data: Path) -> tuple[Labelled, Labelled]:
    held_out = set(held_out_intents(data))
    rows = [row for row in _rows(data, *CLINC150) if row["label"] in held_out]
    return _part(rows, "train"), _part(rows, "test")


def _rows(data: Path, folder: str, name: str) -> list[dict[str, str]]:
    file = data / folder / name
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def _part(rows: list[dict[str, str]], split: str) -> Labelled:
    return [(mask(clean(row["text"])), row["label"]) for row in rows if row["split"] == split]


def _few(rows: Labelled, shots: int) -> Labelled:
    """At most so many rows of each label, drawn by seed, the labels in order."""
    random = np.random.default_rng(SEED)
    chosen: Labelled = []
    for label in sorted({label for _, label in rows}):
        its = [row for row in rows if row[1] == label]
        chosen += [its[i] for i in sorted(random.permutation(len(its))[:shots])]
    return chosen


def _setting(name: str, examples: Labelled, tickets: Labelled) -> Setting:
    queues = tuple(sorted({label for _, label in examples}))
    numbers = np.asarray([queues.index(label) for _, label in examples])
    pool = Pool({QUEUE: queues}, [text for text, _ in examples], {QUEUE: numbers})
    asked = [_question(pool, text) for text, _ in tickets]
    return Setting(
        name,
        [question for question, _ in asked],
        [label for _, label in tickets],
        [scores for _, scores in asked],
    )


def _question(pool: Pool, text: str) -> tuple[Question, tuple[float, ...]]:
    ranked, scores = pool.nearest(text, len(pool))
    ranked_queues = [pool.heads[QUEUE][pool.labels[QUEUE][row]] for row in ranked]
    # Where nothing shares a word with the ticket, the first queues stand in: never an error.
    distinct = list(dict.fromkeys([*ranked_queues, *pool.heads[QUEUE]]))
    shown = ranked_queues[:NEIGHBOURS]
    candidates = distinct[: max(len(set(shown)), 2)]
    examples = [Example(pool.texts[row], queue) for row, queue in zip(ranked, shown, strict=False)]
    question = Question(text, tuple(sorted(candidates)), tuple(examples[::-1]))
    return question, tuple(scores[:NEIGHBOURS][::-1].tolist())
