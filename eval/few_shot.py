"""Few examples of labels never trained on, and who tells a ticket's label from them.

Each ticket of four settings is given its 8 nearest examples by BM25, and whoever is asked has to
tell its label from them alone. banking77: the official test split, examples from the train split.
CLINC150: 50 intents chosen by seed (`held_out_intents`), their official test split; a reader may
be trained on the other 100.

The vote of the same 8 neighbours is what another has to beat; beside it stands the vote of the
cascade's own stage, which asks as many as is best within the pool. `measure` takes any
`cascade.llm.base.Backend`, asks it the same questions and joins it with the vote. The command is
in `eval.neighbours`.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.clean import clean
from cascade.errors import InputError
from cascade.examples import Pool
from cascade.gate import join
from cascade.llm.base import Backend, Example, NoAnswer, Question
from cascade.llm.mask import mask
from cascade.stages.base import QUEUE
from cascade.stages.neighbours import NeighboursStage, Vote
from train.examples import fit_neighbours
from train.joining import fit_weights
from train.reader.episodes import held_out_intents

NEIGHBOURS = 8
SHOWN = Vote(NEIGHBOURS, power=3.0, smoothing=1.0, sharpness=2.0)
"""The vote of the neighbours that are shown; chosen on train splits, hwu64 and hint3 among them."""
SHOTS = (10, 50)
RESAMPLES = 1_000
SEED = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """Tickets whose labels have to be told from examples.

    Attributes:
        questions: one a ticket; its examples are the nearest in the pool, most similar last, its
            candidates their queues (the next nearest other queue is added to a single one).
        gold: the right queue of each; now and then it is not among the candidates.
        pool: where the examples were found.
    """

    name: str
    questions: list[Question]
    gold: list[str]
    pool: Pool


@dataclass(frozen=True, slots=True)
class Row:
    """Accuracies on one setting, each a share of all tickets.

    Attributes:
        gold_shown: share whose right queue is among the candidates; none can be better.
        vote: of the 8 neighbours that are shown.
        wide_vote: of ``wide_k`` neighbours, the number that is best within the pool.
    """

    setting: str
    tickets: int
    gold_shown: float
    vote: float
    wide_vote: float
    wide_k: int


@dataclass(frozen=True, slots=True)
class BackendRow:
    """Accuracies of one backend on one setting, beside the vote of the same neighbours.

    Attributes:
        answered: share of the tickets that it gave an answer for; the others count as wrong.
        joined: of its log-linear join with the vote, weights fitted on the other half.
        gain, low, high: accuracy less the vote's, with the 95 % interval of a paired bootstrap.
        joined_gain, joined_low, joined_high: the same of ``joined``.
    """

    setting: str
    backend: str
    answered: float
    accuracy: float
    gain: float
    low: float
    high: float
    joined: float
    joined_gain: float
    joined_low: float
    joined_high: float


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
    questions = [_question(pool, text) for text, _ in tickets]
    return Setting(name, questions, [label for _, label in tickets], pool)


def _question(pool: Pool, text: str) -> Question:
    ranked, _ = pool.nearest(text, len(pool))
    ranked_queues = [pool.heads[QUEUE][pool.labels[QUEUE][row]] for row in ranked]
    # Where nothing shares a word with the ticket, the first queues stand in: never an error.
    distinct = list(dict.fromkeys([*ranked_queues, *pool.heads[QUEUE]]))
    shown = ranked_queues[:NEIGHBOURS]
    candidates = distinct[: max(len(set(shown)), 2)]
    examples = [Example(pool.texts[row], queue) for row, queue in zip(ranked, shown, strict=False)]
    return Question(text, tuple(sorted(candidates)), tuple(examples[::-1]))


def measure_vote(setting: Setting) -> Row:
    """What the neighbours' vote comes to on one setting."""
    shown = [gold in q.candidates for q, gold in zip(setting.questions, setting.gold, strict=True)]
    wide = fit_neighbours(setting.pool)
    return Row(
        setting.name,
        len(setting.gold),
        _share(np.asarray(shown)),
        _share(_right(setting, vote_of_the_shown(setting))),
        _share(_right(setting, _predict(wide, setting))),
        wide.vote.k,
    )


def measure(setting: Setting, backend: Backend) -> BackendRow:
    """What a backend, alone and joined with the vote, comes to on the same neighbours."""
    vote = vote_of_the_shown(setting)
    answers, answered = ask_all(setting, backend)
    voted, right = _right(setting, vote), _right(setting, answers) & answered
    together = _right(setting, _cross_joined([vote, answers], _numbers(setting)))
    return BackendRow(
        setting.name,
        backend.name,
        _share(answered),
        _share(right),
        *_gain(right, voted),
        _share(together),
        *_gain(together, voted),
    )


def vote_of_the_shown(setting: Setting) -> NDArray[np.float32]:
    """``(n, queues)``: the vote of each question's own examples."""
    return _predict(NeighboursStage(setting.pool, SHOWN), setting)


def ask_all(
    setting: Setting, backend: Backend, seconds: float = 60.0
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A backend's answers.

    Args:
        seconds: that it may take for each question.

    Returns:
        ``(n, queues)`` probabilities, even where there is no answer, and which have one, ``(n,)``.
    """
    queues = setting.pool.heads[QUEUE]
    out = np.full((len(setting.questions), len(queues)), 1 / len(queues), dtype=np.float32)
    answered = np.ones(len(out), dtype=np.bool_)
    for row, question in enumerate(setting.questions):
        try:
            answer = backend.ask(question, time.monotonic() + seconds)
        except NoAnswer:
            answered[row] = False
            continue
        out[row] = 0
        out[row, [queues.index(queue) for queue in question.candidates]] = answer.probabilities
    return out, answered


def _predict(stage: NeighboursStage, setting: Setting) -> NDArray[np.float32]:
    return stage.predict([question.ticket for question in setting.questions])[QUEUE]


def _numbers(setting: Setting) -> NDArray[np.int64]:
    return np.asarray([setting.pool.heads[QUEUE].index(gold) for gold in setting.gold])


def _right(setting: Setting, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(probabilities.argmax(axis=1) == _numbers(setting))


def _share(these: NDArray[np.bool_]) -> float:
    return round(float(these.mean()), 4)


def _cross_joined(
    witnesses: Sequence[NDArray[np.float32]], y: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The witnesses joined, in each half of the tickets with the weights that suit the other."""
    joined = np.empty_like(witnesses[0])
    halves = np.array_split(np.random.default_rng(SEED).permutation(len(y)), 2)
    for here, other in (halves, halves[::-1]):
        weights = fit_weights([witness[other] for witness in witnesses], y[other])
        joined[here] = join([witness[here] for witness in witnesses], weights)
    return joined


def _gain(right: NDArray[np.bool_], voted: NDArray[np.bool_]) -> tuple[float, float, float]:
    """The difference in accuracy and the 95 % interval of its paired bootstrap over the tickets."""
    random = np.random.default_rng(SEED)
    difference = right.astype(np.float64) - voted
    drawn = [
        difference[random.integers(0, len(difference), len(difference))].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return round(float(difference.mean()), 4), round(float(low), 4), round(float(high), 4)
