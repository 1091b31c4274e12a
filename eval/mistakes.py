"""What a cascade gets wrong: the surest mistakes, the dearest confusions, labels to doubt.

A report is mailed around, so by default it holds nothing that only one customer wrote: tickets are
named by their line, and of the words that moved an answer only those are told that several other
tickets share and that masking leaves alone.

A label is doubted where the cascade is sure of another queue and each stage alone finds that one
far likelier. Of 60 labels set wrong at random among 2,000 test tickets it found 80 % on banking77
and 63 % on it_service_topics, with 89 % and 83 % of those doubted among the 60; asking only that
the stages agree would have found 82 % and 73 %, with 74 % and 62 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import shorten
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from cascade.clean import clean
from cascade.decision import Decision
from cascade.explain import explain
from cascade.llm.mask import mask
from cascade.router import Cascade
from cascade.stages.base import QUEUE, Adviser
from cascade.ticket import Ticket
from eval.labelled import Labelled
from train.costs import Costs
from train.measures import macro_f1, queue_numbers
from train.noise import ODDS

MOST = 20
"""Mistakes and confusions that are listed."""
SURE = 0.9
"""Least confidence of the cascade in another queue for a label to be doubted."""
QUOTED = 300
"""Characters of a ticket that are quoted."""
SHARED = 3
"""Tickets that a word must stand in, lest it be a customer's name."""

_EDGES = regex.compile(r"^[^\w\s]++|[^\w\s]++$")

Numbers = NDArray[np.int64]
Row = dict[str, Any]


def mistakes(
    cascade: Cascade,
    labelled: Labelled,
    decisions: Sequence[Decision],
    *,
    costs: Costs | None = None,
    quote: bool = False,
    most: int = MOST,
) -> dict[str, Any]:
    """Analyse the errors in decisions on labelled tickets.

    Args:
        decisions: of that cascade, one a ticket, in order.
        costs: what misroutes cost; confusions are ranked by it where it is given.
        quote: also tell how the tickets begin, and all the words: for those who may read them.
        most: mistakes and confusions that are listed.

    Returns:
        ``tickets``, ``wrong``, and ``wrong_and_settled``, the mistakes that were acted on. Then:

        - ``worst``: the surest mistakes, the surest first: ``line`` in the file, ``true`` and
          ``given`` queue, ``confidence``, ``settled``, ``stage`` that settled it, ``suspect``
          (whether the label is doubted below), ``words`` with the ``text`` and the ``weight`` with
          which each spoke for the queue given (see `cascade.explain.Word`), and ``quote``, how the
          masked text begins (None unless it is asked for).
        - ``confusions``: pairs of ``true`` and ``given`` queue: ``count``, ``settled`` ones among
          these, ``share_of_true``, of the tickets of the true queue, and ``cost`` of the settled
          ones (None without costs). The dearest first, then the most frequent.
        - ``suspects``: of labels that are probably wrong the ``count``; ``macro_f1`` as measured,
          and ``macro_f1_at_most``, an upper bound: what it were if each of them was as wrong as
          it looks, which not all are; and ``listed``, all of them with ``line``, ``label``,
          ``likelier`` queue and ``confidence``, the surest first. None is removed: they count as
          mistakes everywhere else.
        - ``confusion_matrix``: ``queues``, and ``counts``: a row a true queue, a column a given.
    """
    k = len(labelled.queues)
    given = queue_numbers(decisions, labelled.queues)
    sure = np.asarray([decision.confidence for decision in decisions])
    settled = np.asarray([decision.action == "route" for decision in decisions], dtype=np.bool_)
    wrong = np.flatnonzero(given != labelled.y)
    by_confidence = wrong[np.argsort(-sure[wrong], kind="stable")]
    doubted = _suspects(cascade, labelled, given, by_confidence[sure[by_confidence] >= SURE])
    counts = np.bincount(labelled.y * k + given, minlength=k * k).reshape(k, k)
    acted_on = np.bincount((labelled.y * k + given)[settled], minlength=k * k).reshape(k, k)
    return {
        "tickets": len(labelled),
        "wrong": len(wrong),
        "wrong_and_settled": int(settled[wrong].sum()),
        "worst": [
            {**row, "suspect": at in doubted}
            for at, row in _worst(cascade, labelled, decisions, by_confidence[:most], quote)
        ],
        "confusions": _confusions(labelled.queues, counts, acted_on, costs)[:most],
        "suspects": _doubts(labelled, given, sure, doubted),
        "confusion_matrix": {"queues": list(labelled.queues), "counts": counts.tolist()},
    }


def _worst(
    cascade: Cascade,
    labelled: Labelled,
    decisions: Sequence[Decision],
    rows: Numbers,
    quote: bool,
) -> Iterator[tuple[int, Row]]:
    """Rows and what is told of them."""
    shared = None if quote else _shared(labelled.cleaned)
    for at in rows.tolist():
        decision = decisions[at]
        yield (
            at,
            {
                "line": labelled.lines[at],
                "true": labelled.queues[labelled.y[at]],
                "given": decision.queue,
                "confidence": round(decision.confidence, 4),
                "settled": decision.action == "route",
                "stage": decision.stage,
                "words": _words(cascade, labelled.texts[at], decision, shared),
                "quote": _quote(labelled.cleaned[at]) if quote else None,
            },
        )


def _words(
    cascade: Cascade, text: str, decision: Decision, shared: frozenset[str] | None
) -> list[Row]:
    """What moved an answer; without what masking hides or is not shared, unless that is None."""
    found = explain(cascade, Ticket(text), decision).words
    if shared is not None:
        harmless = shared & _split(mask(clean(text)))
        found = tuple(word for word in found if _split(word.text) <= harmless)
    return [{"text": word.text, "weight": word.weight} for word in found]


def _shared(texts: Sequence[str]) -> frozenset[str]:
    """The words that stand in several of the texts."""
    counts = Counter(word for text in texts for word in _split(text))
    return frozenset(word for word, count in counts.items() if count >= SHARED)


def _split(text: str) -> frozenset[str]:
    """Its words without the punctuation around them; an amount or an address is one word."""
    return frozenset(_EDGES.sub("", word) for word in text.casefold().split())


def _quote(text: str) -> str:
    """How a cleaned text begins, masked, on one line."""
    return shorten(mask(text), QUOTED, placeholder="…")


def _confusions(
    queues: Sequence[str], counts: Numbers, settled: Numbers, costs: Costs | None
) -> list[Row]:
    """The pairs of queues that were taken for each other, the dearest or most frequent first."""
    tickets = counts.sum(axis=1)
    paid = None if costs is None else settled * costs.misroute[: len(queues)]
    rows = [
        {
            "true": queues[true],
            "given": queues[given],
            "count": int(counts[true, given]),
            "settled": int(settled[true, given]),
            "share_of_true": round(float(counts[true, given] / tickets[true]), 4),
            "cost": None if paid is None else round(float(paid[true, given]), 4),
        }
        for true, given in np.argwhere(counts)
        if true != given
    ]
    return sorted(rows, key=lambda row: (-(row["cost"] or 0.0), -row["count"], -row["settled"]))


def _suspects(cascade: Cascade, labelled: Labelled, given: Numbers, rows: Numbers) -> list[int]:
    """Of rows whose answer is not their label, those where each stage alone says so as well.

    And says it loudly: the queue given is `ODDS` times likelier to it than the label. Advisers are
    not asked, as they are told what the other stages think.
    """
    if not len(rows):
        return []
    texts = [labelled.cleaned[row] for row in rows]
    agreed = np.ones(len(rows), dtype=np.bool_)
    every = np.arange(len(rows))
    for stage in cascade.stages:
        if not isinstance(stage, Adviser):
            said = stage.predict(texts)[QUEUE]
            likelier = said[every, given[rows]] > ODDS * said[every, labelled.y[rows]]
            agreed &= likelier & (said.argmax(axis=1) == given[rows])
    return [int(row) for row in rows[agreed]]


def _doubts(
    labelled: Labelled, given: Numbers, sure: NDArray[np.float64], rows: Sequence[int]
) -> dict[str, Any]:
    """The doubted labels, and what macro-F1 would be if all of them were wrong."""
    k = len(labelled.queues)
    corrected = labelled.y.copy()
    corrected[list(rows)] = given[list(rows)]
    return {
        "count": len(rows),
        "macro_f1": round(macro_f1(labelled.y, given, k), 4),
        "macro_f1_at_most": round(macro_f1(corrected, given, k), 4),
        "listed": [
            {
                "line": labelled.lines[row],
                "label": labelled.queues[labelled.y[row]],
                "likelier": labelled.queues[given[row]],
                "confidence": round(float(sure[row]), 4),
            }
            for row in rows
        ],
    }
