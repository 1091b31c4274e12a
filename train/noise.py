"""Labels that are probably wrong: weighed down in training, and listed for people to look at.

A ticket is a suspect where a model that has not seen it finds another queue far likelier than the
one that it was given. Nothing is deleted or relabelled, as many suspects are right as they stand.
`eval.noise` measures what is found and what it is worth, beside cleanlab's filters.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.errors import ColumnError
from cascade.examples import BM25
from cascade.files import Row, read_rows
from cascade.stages.linear import LinearStage
from train.read import Table

ODDS = 20.0
"""How many times likelier than the given queue another one must be."""
MOST = 0.5
"""Largest share of a queue's tickets that may be suspects, lest a rare queue be talked away by a
broad one beside it."""
NEIGHBOURS = 8
SEARCHED = 50_000
"""Most tickets that neighbours are looked for among, which bounds the time on large files."""
WORDS = 3
COLUMNS = ("id", "line", "label", "likelier", "p_label", "p_likelier", "reason")


@dataclass(frozen=True, slots=True)
class Suspects:
    """Tickets whose label is probably wrong, the surest first.

    Attributes:
        rows: ``(m,)`` row numbers in the train split.
        given: ``(m,)`` numbers of the queues that they were given.
        likelier: ``(m,)`` numbers of the queues that are likelier.
        p_given: ``(m,)`` out-of-fold probabilities of the former.
        p_likelier: ``(m,)`` of the latter.
    """

    rows: NDArray[np.int64]
    given: NDArray[np.int64]
    likelier: NDArray[np.int64]
    p_given: NDArray[np.float32]
    p_likelier: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def weights(self, tickets: int) -> NDArray[np.float32]:
        """``(tickets,)``: what each ticket of the train split counts in training.

        1, but a suspect as much less as its odds are beyond `ODDS`. That wins back no less than
        one low weight for all of them, and takes less where the labels are right.
        """
        out = np.ones(tickets, dtype=np.float32)
        out[self.rows] = ODDS * self.p_given / self.p_likelier
        return out


_NO_ROWS, _NO_SHARES = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
NOBODY = Suspects(_NO_ROWS, _NO_ROWS, _NO_ROWS, _NO_SHARES, _NO_SHARES)


def find_suspects(y: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Suspects:
    """Tickets of which another queue is `ODDS` times likelier than the one given.

    Args:
        y: ``(n,)`` numbers of the queues given.
        probabilities: ``(n, k)``, each row by a model that was not fitted on that ticket.
    """
    every = np.arange(len(y))
    given = probabilities[every, y]
    others = probabilities.copy()
    others[every, y] = 0.0
    likelier = others.argmax(axis=1)
    best = others[every, likelier]
    # Exactly 0 is a queue too rare to have been in the fold: nothing is known of it.
    rows = np.flatnonzero((best > ODDS * given) & (given > 0))
    rows = rows[np.argsort(given[rows] / best[rows], kind="stable")]
    left = np.floor(MOST * np.bincount(y, minlength=probabilities.shape[1]))
    rank = np.zeros(len(rows), dtype=np.int64)
    for queue in np.unique(y[rows]):
        own = y[rows] == queue
        rank[own] = np.arange(own.sum())
    rows = rows[rank < left[y[rows]]]
    return Suspects(rows, y[rows], likelier[rows], given[rows], best[rows])


def write_suspects(
    path: Path,
    suspects: Suspects,
    tickets: Table,
    ids: Mapping[int, str],
    stage: LinearStage,
    queues: Sequence[str],
) -> None:
    """Write the list of suspects with the reasons, as CSV with the columns `COLUMNS`.

    The reasons quote single words of the tickets: the list belongs beside the training file, not
    into a bundle.

    Args:
        tickets: the train split.
        ids: by line in the training file, as far as tickets have one.
        stage: fitted on the train split.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for at, reason in enumerate(_reasons(suspects, tickets, stage, queues)):
            row = suspects.rows[at]
            writer.writerow(
                (
                    ids.get(tickets.lines[row], ""),
                    tickets.lines[row],
                    queues[suspects.given[at]],
                    queues[suspects.likelier[at]],
                    f"{suspects.p_given[at]:.4f}",
                    f"{suspects.p_likelier[at]:.4f}",
                    reason,
                )
            )
    part.replace(path)


def ids_by_line(path: Path, column: str, encoding: str = "utf-8") -> dict[int, str]:
    """The id of each row of a file by its line; none where the file lacks the column.

    A training file may lack it: ``--id`` is remembered for the files that are scored later.
    """
    try:
        rows = read_rows(path, [column], encoding=encoding)
        return {row.line: row.values[column] or "" for row in rows if isinstance(row, Row)}
    except ColumnError:
        return {}


def _reasons(
    suspects: Suspects, tickets: Table, stage: LinearStage, queues: Sequence[str]
) -> Iterator[str]:
    if not len(suspects):
        return
    # No more than `SEARCHED`, spread over the file; the same ones each time.
    size = len(tickets)
    pool = np.linspace(0, size - 1, min(size, SEARCHED)).astype(np.int64)
    search = BM25()
    search.index([tickets.texts[row] for row in pool])
    for row, given, likelier in zip(suspects.rows, suspects.given, suspects.likelier, strict=True):
        text = tickets.texts[row]
        near = pool[search.search(text, NEIGHBOURS + 1)[0]]
        labels = [tickets.labels[other] for other in near if other != row][:NEIGHBOURS]
        words = telling_words(stage, text, int(likelier), int(given))
        yield in_words(words, labels, queues[given], queues[likelier])


def telling_words(stage: LinearStage, text: str, queue: int, other: int) -> list[str]:
    """The `WORDS` words of a cleaned text that speak most for one queue against another."""
    added = {
        term: value
        for ngrams, terms in stage.contributions(text, queue, other)
        for term, value in terms.items()
        if ngrams.analyzer == "word" and " " not in term and value > 0
    }
    return sorted(added, key=lambda term: (-added[term], term))[:WORDS]


def in_words(words: Sequence[str], nearest: Sequence[str], given: str, likelier: str) -> str:
    """Why a label is doubted, for people.

    Args:
        words: that speak for the likelier queue.
        nearest: the labels of the nearest tickets.
    """
    said = f"the words say {likelier}"
    if words:
        said += f": {', '.join(words)}"
    if nearest:
        said += (
            f"; {nearest.count(likelier)} of its {len(nearest)} nearest neighbours are labelled "
            f"{likelier}, {nearest.count(given)} {given}"
        )
    return said
