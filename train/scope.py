"""Fitting which tickets belong to no queue.

Measured on CLINC150's validation split and banking77's, never on a test split:

- What tells them apart. At the linear stage the confidence, the energy (Liu et al. 2020) and the
  share of known words; at the encoder the confidence, the energy and the Mahalanobis distance to
  the next queue in the space of its features (Lee et al. 2018). The nearest past tickets instead
  of the middle of each queue, other whitening, other energies: no better, and larger or slower.
- How they weigh without a sample of such tickets: the same, each in units of its spread among
  tickets that belong. Weights learned on stand-ins (queues left out of the training, tickets
  without their strongest words, halves of two tickets put together) were no better or far worse.
- What a stand-in is good for: at the encoder, tickets seen as if their own queue did not exist
  score much like real outside tickets (median -4.2, and -4.5 and -4.3), so they can price a
  threshold. At the linear stage they do not, as their words are all known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cascade.gate import Gates
from cascade.scope import LEAST, Evidence, Scope, Space, gather, log_odds
from cascade.stages.base import QUEUE, SIGNALS, Adviser, Probabilities, Stage
from train.witnesses import Joined

KEPT = 0.98
"""Share of the tickets of a queue that the last judge lets through at least: nearly all tickets of
a help desk belong, so a judge who doubts more of them mostly sends good tickets to people."""
PASSED = 0.95
"""The same of a judge before: who is doubted there only takes the next stage's time."""
SHARE = 0.05
"""Share of outside tickets among all, where no sample tells it."""
ACTED_ON = 4.0
"""Cost of acting on an outside ticket, in looks of a person at a ticket."""
FEWEST = 20
"""Fewer tickets than this, of queues or in a sample of outside ones, tell nothing."""
LEARNED = 4_000
"""Past tickets that the space of the features is fitted on, all queues alike."""
PLAIN = 4
"""Most signals that are counted one by one; where there are more they are features."""
SHRINKAGE = 0.1
"""Share of an even spread that is mixed into the spread within the queues."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the stages tell of tickets, and of tickets known to be outside.

    Attributes:
        seen: for each stage that is no adviser, what it says of the gate split.
        y: ``(n,)`` the queues there, -1 for none.
        learned: some past tickets as each stage saw them (None where nothing is asked), and
            their queues ``(m,)``: where the space of the features is fitted.
        sample: for each stage, what it says of outside tickets that are in no split; empty where
            there are none.
    """

    seen: Sequence[Probabilities]
    y: NDArray[np.int64]
    learned: tuple[Sequence[Probabilities | None], NDArray[np.int64]]
    sample: Sequence[Probabilities] = ()


@dataclass(slots=True)
class Judges:
    """Fits the scope once the stages are joined, and then tells who is outside.

    Attributes:
        scope: what was fitted; without judges until then.
    """

    told: Told
    scope: Scope = field(default_factory=lambda: Scope({}))

    def __call__(self, joined: Joined) -> list[NDArray[np.bool_] | None]:
        """For each gate the ``(n,)`` tickets that are outside; None where it cannot tell."""
        self.scope = fit_scope(self.told, joined)
        return verdicts(self.scope, joined, self.told.seen)


def tell(
    stages: Sequence[Stage | Adviser],
    gate: tuple[Sequence[Probabilities], NDArray[np.int64]],
    past: tuple[Sequence[str], NDArray[np.int64]],
    outside: Sequence[str] = (),
    *,
    seed: int = 0,
) -> Told:
    """Ask the stages about some past tickets and about outside ones.

    Args:
        gate: what the stages that are no advisers say of the gate split, and its queues.
        past: cleaned texts of the train split, and their queues.
        outside: cleaned texts of tickets that are known to belong to no queue, in no split.
    """
    known = [stage for stage in stages if not isinstance(stage, Adviser)]
    rows = learned_rows(past[1], seed=seed)
    texts = [past[0][row] for row in rows]
    learned = [
        stage.predict(texts) if SIGNALS in seen and seen[SIGNALS].shape[1] > PLAIN else None
        for stage, seen in zip(known, gate[0], strict=True)
    ]
    sample = [stage.predict(outside) for stage in known] if outside else []
    return Told(gate[0], gate[1], (learned, past[1][rows]), sample)


def learned_rows(y: NDArray[np.int64], *, seed: int = 0) -> NDArray[np.int64]:
    """Rows of the train split for `Told.learned`: as many of each queue, at random."""
    order = np.random.default_rng(seed).permutation(len(y))
    most = max(FEWEST, LEARNED // (int(y.max()) + 1))
    return np.sort(np.concatenate([order[y[order] == k][:most] for k in range(int(y.max()) + 1)]))


def fit_scope(told: Told, joined: Joined) -> Scope:
    """Fit the judges of all stages that have signals, on the fitting half of the gate split."""
    heard = Gates(tuple(joined.gates)).asked
    judges = [at for at, seen in enumerate(told.seen) if heard[at] and SIGNALS in seen]
    if not judges or len(joined.fitting) < FEWEST:
        return Scope({})
    evidence = {
        joined.gates[at].stage: _judge(told, joined, at, KEPT if at == judges[-1] else PASSED)
        for at in judges
    }
    return Scope(evidence)


def verdicts(
    scope: Scope, joined: Joined, seen: Sequence[Probabilities]
) -> list[NDArray[np.bool_] | None]:
    """For each gate the ``(n,)`` tickets that are outside; None where the stage cannot tell."""
    return [
        scope.outside(gate.stage, its[SIGNALS], array) if gate.stage in scope.evidence else None
        for gate, array, its in zip(joined.gates, joined.arrays, seen, strict=True)
    ]


def _judge(told: Told, joined: Joined, at: int, kept: float) -> Evidence:
    """The evidence of one stage."""
    seen, rows = told.seen[at], joined.fitting
    witnessed, y = told.learned
    learned = witnessed[at]
    classes = joined.arrays[at].shape[1]
    space = None if learned is None else fit_space(learned[SIGNALS][:, 1:], y, classes)
    inside = gather(seen[SIGNALS][rows], joined.arrays[at][rows], space)
    outside = _outside(told, joined, at, space)
    even = _even(inside, space)
    if len(outside) >= FEWEST:
        evidence = _weighed(inside, outside, even)
        share = float((told.y < 0).mean()) or SHARE
    else:
        evidence, share = even, SHARE
        outside = np.zeros((0, inside.shape[1]), dtype=np.float32)
        if space is not None:
            outside = _without_own_queue(seen, joined.arrays[at], told.y, rows, space)
    threshold = choose_threshold(
        evidence.weigh(inside), evidence.weigh(outside), kept=kept, share=share
    )
    return replace(evidence, threshold=threshold)


def fit_space(features: NDArray[np.float32], y: NDArray[np.int64], classes: int) -> Space:
    """Axes along which the features spread evenly within the queues, and the queues' middles.

    Args:
        features: ``(m, d)``.
        y: ``(m,)`` queues, below ``classes``; one without a row has no place of its own.
    """
    middles = np.empty((classes, features.shape[1]))
    for k in range(classes):
        own = features[y == k]
        middles[k] = (own if len(own) else features[y == y[0]]).mean(axis=0)
    spread = np.cov((features - middles[y]).T)
    variances, directions = np.linalg.eigh(spread)
    even = max(float(variances.mean()), LEAST)
    axes = directions / np.sqrt((1 - SHRINKAGE) * variances.clip(0) + SHRINKAGE * even)
    return Space(axes.astype(np.float32), (middles @ axes).astype(np.float32))


def choose_threshold(
    inside: NDArray[np.float32],
    outside: NDArray[np.float32],
    *,
    kept: float,
    share: float,
    acted_on: float = ACTED_ON,
) -> float:
    """The score below which a ticket is outside: of least cost, among those that keep enough.

    Args:
        inside: ``(n,)`` scores of tickets of a queue; one below the threshold costs a look.
        outside: ``(m,)`` scores of others; one at or above it costs ``acted_on`` looks. Where there
            are none, the highest threshold that keeps enough.
        kept: least share of ``inside`` that is kept.
        share: of the outside tickets among all that will come.
    """
    ordered = np.sort(inside)
    choices = ordered[: int(round((1 - kept) * len(ordered), 6)) + 1]
    if not len(outside):
        return float(choices[-1])
    lost = np.searchsorted(ordered, choices) / len(inside)
    missed = 1 - np.searchsorted(np.sort(outside), choices) / len(outside)
    return float(choices[np.argmin((1 - share) * lost + share * acted_on * missed)])


def _outside(told: Told, joined: Joined, at: int, space: Space | None) -> NDArray[np.float32]:
    """The evidence of known outside tickets: of the sample, and of the fitting half."""
    rows = np.setdiff1d(np.flatnonzero(told.y < 0), joined.testing)
    parts = [gather(told.seen[at][SIGNALS][rows], joined.arrays[at][rows], space)]
    if told.sample:
        array = joined.gates[at].joins[QUEUE]([its[QUEUE] for its in told.sample[: at + 1]])
        parts.append(gather(told.sample[at][SIGNALS], array, space))
    return np.concatenate(parts)


def _even(inside: NDArray[np.float32], space: Space | None) -> Evidence:
    """All parts weigh the same, each in units of its spread among tickets that belong."""
    spread = inside.std(axis=0, dtype=np.float64).astype(np.float32)
    parts = inside.shape[1]
    return Evidence(
        inside.mean(axis=0, dtype=np.float64).astype(np.float32),
        np.where(spread > LEAST, spread, np.float32(1)),
        np.full(parts, 1 / parts, dtype=np.float32),
        0.0,
        0.0,
        space,
    )


def _weighed(inside: NDArray[np.float32], outside: NDArray[np.float32], even: Evidence) -> Evidence:
    """Weights by logistic regression, a sample of outside tickets against those that belong."""
    parts = (np.concatenate([inside, outside]) - even.means) / even.scales
    belongs = np.arange(len(parts)) < len(inside)
    model = LogisticRegression(class_weight="balanced").fit(parts, belongs)
    weights = model.coef_[0].astype(np.float32)
    return replace(even, weights=weights, bias=float(model.intercept_[0]))


def _without_own_queue(
    seen: Probabilities,
    joined: NDArray[np.float32],
    y: NDArray[np.int64],
    rows: NDArray[np.int64],
    space: Space,
) -> NDArray[np.float32]:
    """The evidence of tickets as if their own queue did not exist: stand-ins for outside ones."""
    own = (np.arange(len(rows)), y[rows])
    others = joined[rows].astype(np.float64)
    others[own] = 0
    total = np.maximum(others.sum(axis=1), LEAST)
    energy = seen[SIGNALS][rows, 0] + np.log1p(-np.minimum(seen[QUEUE][rows][own], 1 - LEAST))
    distances = space.distances(seen[SIGNALS][rows, 1:])
    distances[own] = np.inf
    odds = log_odds(others.max(axis=1) / total)
    return np.stack([odds, energy, -distances.min(axis=1)], axis=1).astype(np.float32)
