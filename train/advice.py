"""Listening to an adviser: a last stage that may cost seconds a ticket, and may have no answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from cascade.gate import NEVER, Gate, Join
from cascade.stages.base import QUEUE
from train.joining import mean_loss
from train.walk import Walk
from train.witnesses import Ask, Joined, Witnesses

SURE = 0.95
"""How sure it must be that an adviser helps at all, before it is listened to."""
LEAST_ANSWERS = 20
"""Fewest answers of an adviser that its weight may rest on."""


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """What an adviser says of some tickets of the fitting half.

    Attributes:
        gate: its own; it lets every ticket go on, to a person.
        rows: that it was asked about: those that reached it, and some that nearly did.
        answered: ``(m,)`` which of them it answered.
        joined: ``(m, k)`` queue probabilities with its answer.
    """

    gate: Gate
    rows: NDArray[np.int64]
    answered: NDArray[np.bool_]
    joined: NDArray[np.float32]

    @property
    def heard(self) -> bool:
        """Whether it has a say."""
        return bool(self.gate.joins[QUEUE].weights[-1])


def consult(walk: Walk, ask: Ask, joined: Joined, witnesses: Witnesses, seed: int) -> Advice:
    """Ask an adviser about some tickets of the fitting half, and see whether that helps."""
    name, before = witnesses.names[-1], walk.gates[-1]
    y, k = witnesses.targets[QUEUE], len(witnesses.queues)
    rows = _sample(np.intersect1d(walk.left(), joined.fitting), witnesses.most, seed)
    # Where few reach it, those next in doubt tell as well how far it is to be trusted.
    others = joined.fitting[~walk.open[joined.fitting]]
    nearly = others[np.argsort(walk.confidence[others], kind="stable")]
    if len(rows):
        rows = np.concatenate([rows, nearly[: witnesses.most - len(rows)]])
    believed = joined.arrays[-1]
    said, answered = _answers(ask, rows, believed)
    weights = _listen(said[answered], believed[rows[answered]], y[rows[answered]])
    gate = _advised(name, before, weights, k)
    return Advice(gate, rows, answered, _with(said, rows, gate, witnesses))


def advise(
    walk: Walk, ask: Ask, advice: Advice, joined: Joined, witnesses: Witnesses, seed: int
) -> Walk:
    """The walk with an adviser at its end; where it is heard, it is asked about the other half."""
    if not advice.heard:
        return walk.then(advice.gate)
    rows = _sample(np.intersect1d(walk.left(), joined.testing), witnesses.most, seed)
    said, answered = _answers(ask, rows, walk.joined)
    still = np.isin(advice.rows, walk.left())
    return walk.then(
        advice.gate,
        np.concatenate([advice.rows[still], rows]),
        np.concatenate([advice.answered[still], answered]),
        np.concatenate([advice.joined[still], _with(said, rows, advice.gate, witnesses)]),
    )


def _with(
    said: NDArray[np.float32], rows: NDArray[np.int64], gate: Gate, witnesses: Witnesses
) -> NDArray[np.float32]:
    known = [seen[QUEUE][rows] for seen in witnesses.seen if not callable(seen)]
    return gate.joins[QUEUE]([*known, said])


def _answers(
    ask: Ask, rows: NDArray[np.int64], believed: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    said, answered = ask(rows, believed[rows])
    return said, np.asarray(answered, dtype=np.bool_)


def _listen(
    mine: NDArray[np.float32], others: NDArray[np.float32], truth: NDArray[np.int64]
) -> tuple[float, float]:
    """Weights of all earlier stages joined, and of an adviser; 1 and 0 where it is not heard.

    Its answer is weighed against all earlier stages joined, so two numbers are fitted, not one a
    stage: answers may be few. They are listened to where they lower the log-loss by more than
    chance would (likelihood ratio test, Wilks 1938).

    Args:
        mine, others: ``(m, k)`` queue probabilities of the tickets that it answered.
        truth: ``(m,)`` true queues.
    """
    if len(truth) < LEAST_ANSWERS:
        return 1.0, 0.0
    _, without = mean_loss([others], truth)
    (sharpness, weight), together = mean_loss([others, mine], truth)
    if 2 * len(truth) * (without - together) < chi2.ppf(SURE, df=1):
        return 1.0, 0.0
    return sharpness, weight


def _advised(name: str, before: Gate, weights: tuple[float, float], queues: int) -> Gate:
    """The gate of an adviser behind the gate before it. Of other heads it says nothing."""
    sharpness, weight = weights
    joins = {head: replace(its, weights=(*its.weights, 0.0)) for head, its in before.joins.items()}
    pool = before.joins[QUEUE]
    joins[QUEUE] = Join(
        (*(round(sharpness * its, 6) for its in pool.weights), weight),
        tuple(round(sharpness * its, 6) for its in pool.bias),
    )
    return Gate.even(name, joins, NEVER, queues)


def _sample(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    drawn = np.random.default_rng(seed).permutation(len(rows))[:most]
    return np.asarray(rows[np.sort(drawn)])
