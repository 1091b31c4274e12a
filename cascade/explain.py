"""Why a decision is as it is: the words, the past tickets and the gates that made it.

It is worked out afterwards, for those who ask: routing itself does nothing for it. It holds the
customer's own words, so it is for the eyes of those who may read the ticket, and for no log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from cascade.clean import clean
from cascade.decision import Decision, StageTrace
from cascade.errors import InputError
from cascade.examples import Pool
from cascade.examples import words as stems
from cascade.gate import Gate, Gates
from cascade.phrases import share_out
from cascade.stages.base import QUEUE, Adviser, Stage
from cascade.stages.linear import LinearStage
from cascade.stages.neighbours import NeighboursStage
from cascade.ticket import Ticket

WORDS = 6
"""Most words that are named in either direction."""
LEAST = 0.05
"""Words that weigh less than this share of the heaviest one are not named."""
NEIGHBOURS = 5
EXCERPT = 160
"""Characters of an example that are shown."""
LONGEST_WORD = 40
_PUNCTUATION = ".,;:!?¿¡()[]{}\"'`*/\\|_~…“”„«»‘’-–—"
_STRANGER: tuple[float | None, str] = (
    None,
    "and it settles nothing, as the gates do not know its model",
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase of the cleaned ticket, and how far it moved the linear stage.

    ``weight`` is what it adds to the logit of the decision's queue less that of the runner-up, in
    nats: above 0 it speaks for the queue, below 0 for the other; 0.69 doubles the odds.
    """

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A labelled past ticket of the bundle's pool.

    Attributes:
        row: its position in the pool.
        queue: its label.
        similarity: share of the stems of either that both have (Jaccard), in [0, 1]; from 0.8 on
            they count as near-duplicates.
        excerpt: how its text begins, cleaned and masked.
    """

    row: int
    queue: str
    similarity: float
    excerpt: str


@dataclass(frozen=True, slots=True)
class Passage:
    """How a ticket did at the gate of one stage.

    Attributes:
        stage: its name.
        queue: the best queue at that stage.
        confidence: joined confidence in it.
        threshold: what it was held against; None where no confidence would have done.
        margin: confidence less threshold.
        text: the same as a sentence.
    """

    stage: str
    queue: str
    confidence: float
    threshold: float | None
    margin: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a ticket was decided as it was.

    Attributes:
        queue: the queue of the decision.
        against: the runner-up, which the words are weighed against; None where there is none.
        words: what moved the linear stage most, heaviest first. Empty where it knows no word.
        neighbours: the nearest examples by BM25, in which rare words count for more; best first.
            Empty where the bundle has no pool.
        gates: one a stage that was asked, in order.
    """

    queue: str
    against: str | None
    words: tuple[Word, ...]
    neighbours: tuple[Neighbour, ...]
    gates: tuple[Passage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, ready for JSON."""
        plain = asdict(self)
        return {**plain, **{name: list(plain[name]) for name in ("words", "neighbours", "gates")}}


class Explainable(Protocol):
    """What is needed of a `cascade.Cascade`."""

    @property
    def stages(self) -> Sequence[Stage | Adviser]: ...
    @property
    def gates(self) -> Gates: ...
    @property
    def queues(self) -> tuple[str, ...]: ...
    @property
    def bundle_id(self) -> str: ...


def explain(cascade: Explainable, ticket: Ticket, decision: Decision) -> Explanation:
    """Say why a ticket was decided as it was.

    Args:
        cascade: the one that decided.
        ticket: the raw ticket.
        decision: what was decided on it.

    Raises:
        InputError: the decision is one of another bundle.
    """
    if decision.bundle != cascade.bundle_id:
        raise InputError(
            f"the decision is one of the bundle {decision.bundle!r}, this is {cascade.bundle_id!r}"
        )
    text = clean(ticket.text)
    against = decision.alternatives[0].queue if decision.alternatives else None
    words: tuple[Word, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    for stage in cascade.stages:
        if isinstance(stage, LinearStage) and against is not None:
            words = _words(stage, text, *map(cascade.queues.index, (decision.queue, against)))
        elif isinstance(stage, NeighboursStage):
            neighbours = _neighbours(stage.pool, stage.pool.masked(text))
    gates = _passages(cascade, decision)
    return Explanation(decision.queue, against, words, neighbours, gates)


# --- words ---


def _words(stage: LinearStage, text: str, queue: int, other: int) -> tuple[Word, ...]:
    weights: defaultdict[str, float] = defaultdict(float)
    shown: dict[str, str] = {}
    for phrase, weight in share_out(stage.contributions(text, queue, other), text.split()):
        bare = phrase.strip(_PUNCTUATION) or phrase
        weights[bare.casefold()] += weight
        shown.setdefault(bare.casefold(), bare)
    ranked = sorted(weights.items(), key=lambda item: (-abs(item[1]), item[0]))
    least = LEAST * abs(ranked[0][1]) if ranked else 0.0
    named: Counter[bool] = Counter()
    words = []
    for key, weight in ranked:
        named[weight > 0] += 1
        if weight and abs(weight) >= least and named[weight > 0] <= WORDS:
            words.append(Word(_start(shown[key], LONGEST_WORD), round(weight, 4)))
    return tuple(words)


# --- past tickets ---


def _neighbours(pool: Pool, masked: str) -> tuple[Neighbour, ...]:
    rows, _ = pool.nearest(masked, NEIGHBOURS)
    ticket = set(stems(masked))
    found = []
    for row in rows.tolist():
        text = pool.texts[row]
        example = set(stems(text))
        similarity = len(ticket & example) / len(ticket | example)
        queue = pool.heads[QUEUE][pool.labels[QUEUE][row]]
        found.append(Neighbour(row, queue, round(similarity, 4), _start(text, EXCERPT)))
    return tuple(found)


def _start(text: str, length: int) -> str:
    """How a text begins, on one line, cut between two words where that is possible."""
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    head = text[:length]
    return f"{(head.rpartition(' ')[0] or head[:-1]).rstrip(_PUNCTUATION)}…"


# --- gates ---


def _passages(cascade: Explainable, decision: Decision) -> tuple[Passage, ...]:
    gates = {gate.stage: gate for gate in cascade.gates.gates}
    strangers = {s.name for s in cascade.stages if isinstance(s, Adviser) and not s.fitted}
    passages = []
    for trace in decision.stages:
        gate, queue = gates[trace.name], cascade.queues.index(trace.queue)
        if trace.name in strangers:
            held = _STRANGER
        elif trace is decision.stages[-1]:
            held = _stopped(gate, queue, trace.confidence, decision)
        else:
            held = _went_on(gate, queue, trace.confidence)
        passages.append(_passage(trace, *held))
    return tuple(passages)


def _passage(trace: StageTrace, threshold: float | None, said: str) -> Passage:
    margin = None if threshold is None else trace.confidence - threshold
    text = f"{trace.name}: {_percent(trace.confidence)} for {trace.queue}, {said}"
    return Passage(trace.name, trace.queue, trace.confidence, threshold, margin, text)


def _went_on(gate: Gate, queue: int, sure: float) -> tuple[float | None, str]:
    """The threshold that did not stop a ticket at a stage, and how it is told."""
    stop, settle = gate.stop[queue], gate.settle[queue]
    if stop > 1:
        return None, "which is always left to the next stage"
    what = "at which it settles" if settle <= stop else "from which on no further stage is asked"
    if _reaches(sure, stop):
        what += ", and yet the next stage was asked"
    return stop, _distance(sure, stop, what)


def _stopped(gate: Gate, queue: int, sure: float, decision: Decision) -> tuple[float | None, str]:
    """The threshold that a ticket met or missed where it stopped, and how it is told."""
    stop, settle = gate.stop[queue], gate.settle[queue]
    if decision.action == "route":
        # Whichever of the two was harder to reach; the last stage stops all, so settle alone may.
        threshold = max((t for t in (stop, settle) if _reaches(sure, t)), default=settle)
        return threshold, _distance(sure, threshold, "at which it settles")
    if settle > 1:
        return None, "a queue that it settles nothing in"
    what = "at which it settles"
    if _reaches(sure, settle):
        what += f", and yet for review: {decision.reason}"
    elif not _reaches(sure, gate.give_up):
        what += f", and under the {_percent(gate.give_up)} from which on it asks further"
    return settle, _distance(sure, settle, what)


def _reaches(confidence: float, threshold: float) -> bool:
    """As `Gate` compares: in float32."""
    return bool(np.float32(confidence) >= np.float32(threshold))


def _distance(confidence: float, threshold: float, what: str) -> str:
    side = "over" if _reaches(confidence, threshold) else "under"
    # Of the rounded figures, so that a reader who subtracts gets the same.
    points = abs(round(100 * confidence, 1) - round(100 * threshold, 1))
    told = f"{points:.1f} points" if round(points, 1) else "just"
    return f"{told} {side} the {_percent(threshold)} {what}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
