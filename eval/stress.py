"""How answers hold when the same tickets come in another shape, and what strangers are told.

The tickets are a sample of labelled ones; each change is one of `eval.perturb`. Of tickets that no
queue can be right for (in a foreign language, empty, of no help desk) the share that goes to
review is told: all of them should.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cascade.router import Cascade
from eval.labelled import Labelled
from eval.paired import drop
from eval.perturb import CHANGES, Change, gigantic
from eval.slices import LANGUAGES, languages, share
from eval.strangers import FOREIGN, OUT_OF_SCOPE
from train.measures import quality, queue_numbers

TICKETS = 400
GIGANTIC = 20
"""Most tickets that are made 1 MB long: each takes as long to clean as hundreds of others."""
AT_HOME = 0.05
"""A language of no less than this share of the tickets is no foreign one."""
AS_THEY_ARE = "as they are"
BLANK = (" ", "\n\n\n", "\t \r\n", "\u00a0\u2003\u3000", "\u200b\ufeff")

Row = dict[str, Any]


class Answers(NamedTuple):
    """Of ``n`` tickets the numbers of the queues given, and which of them were acted on."""

    queue: NDArray[np.int64]
    settled: NDArray[np.bool_]


def stress(
    cascade: Cascade,
    labelled: Labelled,
    *,
    tickets: int = TICKETS,
    seed: int = 0,
    quiet: bool = False,
) -> list[Row]:
    """Route the same tickets changed in many ways.

    Args:
        tickets: at most so many are drawn.
        quiet: without a progress bar.

    Returns:
        One row a change, the unchanged tickets first: ``change``; ``tickets``, and ``altered``, the
        share of them whose text it altered at all; ``macro_f1`` with ``macro_f1_95``, and
        ``accuracy``; ``settled``, the share acted on, and ``right_of_settled``; ``drop``, the
        macro-F1 of the same tickets unchanged less this, with its paired ``drop_95``;
        ``settled_drop``, the share acted on before less that after; ``answers_changed``, the share
        given another queue than before; ``review``, the share left to people. In rows of tickets
        that have no right queue, all but ``change``, ``tickets``, ``settled`` and ``review`` is
        None.

    Raises:
        MissingExtraError: py3langid is not installed (see `eval.slices`).
    """
    sample = labelled.sample(tickets, seed)
    few = sample.take(range(min(GIGANTIC, len(sample))))
    others = _others(sample)
    unknown = strangers(sample.cleaned)
    with tqdm(total=len(CHANGES) + 1, desc="stress", unit="change", disable=quiet) as bar:
        before = ask(cascade, sample.texts)
        rows = [_row(AS_THEY_ARE, sample, before, before, 0.0)]
        bar.update()
        for name, change in CHANGES.items():
            some = few if change is gigantic else sample
            texts = changed(some, others, change, seed)
            differ = [text != its for text, its in zip(texts, some.texts, strict=True)]
            after = ask(cascade, texts)
            rows.append(_row(name, some, before, after, float(np.mean(differ))))
            bar.update()
    return rows + [_stranger(name, ask(cascade, texts)) for name, texts in unknown.items() if texts]


def ask(cascade: Cascade, texts: Sequence[str]) -> Answers:
    """What the cascade says of raw texts."""
    decisions = cascade.route(texts)
    return Answers(
        queue_numbers(decisions, cascade.queues),
        np.asarray([decision.action == "route" for decision in decisions], dtype=np.bool_),
    )


def changed(
    tickets: Labelled, others: Sequence[Sequence[str]], change: Change, seed: int
) -> list[str]:
    """The texts changed; how, depends on the ticket's line and the seed, on no other ticket.

    Args:
        others: for each queue, texts of other ones.
    """
    return [
        change(Random(f"{seed} {change.__name__} {line}"), text, others[queue])
        for text, queue, line in zip(tickets.texts, tickets.y, tickets.lines, strict=True)
    ]


def strangers(texts: Sequence[str]) -> dict[str, list[str]]:
    """Tickets for a person, by kind: in none of the languages of these cleaned texts, and so on."""
    told = languages(texts)
    foreign = [
        its for code, its in FOREIGN.items() if told.count(LANGUAGES[code]) < AT_HOME * len(told)
    ]
    return {
        "a foreign language": [text for mails in foreign for text in mails],
        "of no help desk": list(OUT_OF_SCOPE),
        "empty": [""],
        "white space only": list(BLANK),
    }


def _others(sample: Labelled) -> list[list[str]]:
    """For each queue the texts of all others; where there are none, all texts."""
    return [
        [text for text, y in zip(sample.texts, sample.y, strict=True) if y != queue] or sample.texts
        for queue in range(len(sample.queues))
    ]


def _row(name: str, tickets: Labelled, before: Answers, after: Answers, altered: float) -> Row:
    """What a change does to tickets; the answers before may be those of more tickets."""
    n, classes = len(tickets), len(tickets.queues)
    was, acted_on = before.queue[:n], before.settled[:n]
    right = after.queue == tickets.y
    settled = after.settled
    return {
        "change": name,
        "tickets": n,
        "altered": round(altered, 4),
        **quality(tickets.y, after.queue, classes),
        **drop(tickets.y, was, after.queue, classes),
        "settled": share(settled),
        "settled_drop": round(float(acted_on.mean() - settled.mean()), 4),
        "right_of_settled": share(right[settled]),
        "answers_changed": share(after.queue != was),
        "review": share(~settled),
    }


def _stranger(name: str, said: Answers) -> Row:
    """What is made of tickets that have no right queue."""
    unknown = dict.fromkeys(
        (
            "altered",
            "macro_f1",
            "macro_f1_95",
            "accuracy",
            "drop",
            "drop_95",
            "settled_drop",
            "right_of_settled",
            "answers_changed",
        )
    )
    told = {"settled": share(said.settled), "review": share(~said.settled)}
    return {"change": name, "tickets": len(said.queue), **unknown, **told}
