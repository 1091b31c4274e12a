"""Fitting who is outside: on tickets of the queues alone, and with a sample of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cascade.gate import Gate, Join
from cascade.stages.base import QUEUE, SIGNALS, Probabilities, energy, softmax
from train.scope import (
    FEWEST,
    KEPT,
    PASSED,
    Judges,
    Told,
    choose_threshold,
    fit_scope,
    fit_space,
    learned_rows,
    tell,
    verdicts,
)
from train.witnesses import Joined

QUEUES, WIDTH = 4, 8
ONE = (1.0,) * QUEUES


def encoder(y: NDArray[np.int64], seed: int) -> Probabilities:
    """An encoder whose features lie around one corner for each queue; -1 lies between them all.

    The last feature is noise, ten times as wide as the others.
    """
    random = np.random.default_rng(seed)
    corners = np.concatenate([5 * np.eye(QUEUES), np.zeros((1, QUEUES))])
    features = random.normal(size=(len(y), WIDTH))
    features[:, :QUEUES] += corners[y]
    features[:, -1] *= 10
    logits = (features[:, :QUEUES] * 2).astype(np.float32)
    signals = np.concatenate([energy(logits)[:, None], features], axis=1).astype(np.float32)
    return {QUEUE: softmax(logits), SIGNALS: signals}


def linear(y: NDArray[np.int64], seed: int) -> Probabilities:
    """A linear stage that has an inkling of the queue, and knows fewer words of outside tickets."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(len(y), QUEUES)).astype(np.float32)
    logits[np.arange(len(y))[y >= 0], y[y >= 0]] += 2
    known = random.beta(np.where(y < 0, 4, 20), 2).astype(np.float32)
    return {QUEUE: softmax(logits), SIGNALS: np.stack([energy(logits), known], axis=1)}


def tickets(n: int, outside: int = 0, seed: int = 0) -> NDArray[np.int64]:
    """Queues of ``n`` tickets, of which some belong to none."""
    y = np.random.default_rng(seed).integers(0, QUEUES, n)
    y[:outside] = -1
    return y


def seen_of(y: NDArray[np.int64], seed: int) -> list[Probabilities]:
    return [linear(y, seed), encoder(y, seed + 1)]


def arrays(seen: Sequence[Probabilities]) -> list[NDArray[np.float32]]:
    return [join([its[QUEUE] for its in seen[: at + 1]]) for at, join in enumerate(JOINS)]


JOINS = [Join((1.0,)), Join((0.3, 1.0))]


def case(n: int = 600, outside: int = 0, sample: int = 0) -> tuple[Told, Joined]:
    """A gate split of ``n`` tickets, and maybe a sample of outside ones from the train split."""
    y = tickets(n, outside)
    order = np.random.default_rng(5).permutation(n)
    seen = seen_of(y, 1)
    gates = [
        Gate(name, {QUEUE: join}, ONE, ONE)
        for name, join in zip(("linear", "encoder"), JOINS, strict=True)
    ]
    fitting, testing = np.sort(order[: n // 2]), np.sort(order[n // 2 :])
    joined = Joined(gates, arrays(seen), fitting[y[fitting] >= 0], testing)
    past = tickets(400, seed=3)
    others = seen_of(tickets(sample, sample), 7) if sample else []
    return Told(seen, y, ([None, encoder(past, 4)], past), others), joined


def shares(told: Told, joined: Joined, new: NDArray[np.int64]) -> dict[str, float]:
    """Share of new tickets that each stage takes for outside."""
    scope, seen = fit_scope(told, joined), seen_of(new, 11)
    found = verdicts(scope, replace(joined, arrays=arrays(seen)), seen)
    return {
        gate.stage: float(its.mean())
        for gate, its in zip(joined.gates, found, strict=True)
        if its is not None
    }


def test_outside_tickets_are_found_though_none_was_seen() -> None:
    told, joined = case()
    belong, outside = tickets(2000, seed=8), tickets(500, 500)
    kept, found = shares(told, joined, belong), shares(told, joined, outside)
    assert found["encoder"] > 0.8
    assert found["linear"] > 0.3
    # A quantile of 300 tickets is a little off on others.
    assert kept["encoder"] < 1 - KEPT + 0.02
    assert kept["linear"] < 1 - PASSED + 0.03


def test_of_the_tickets_that_it_was_fitted_on_so_many_are_kept() -> None:
    told, joined = case()
    linear, encoder = verdicts(fit_scope(told, joined), joined, told.seen)
    assert linear is not None
    assert encoder is not None
    assert linear[joined.fitting].mean() <= 1 - PASSED
    assert encoder[joined.fitting].mean() <= 1 - KEPT


def test_the_other_half_of_the_gate_split_bears_on_nothing() -> None:
    told, joined = case(outside=80)
    before = fit_scope(told, joined).to_files()
    for its in told.seen:
        its[SIGNALS][joined.testing] = 99.0
    assert fit_scope(told, joined).to_files() == before


def test_a_sample_of_outside_tickets_teaches_what_tells_them() -> None:
    """Known words tell much here, so they come to weigh more than the confidence."""
    told, joined = case(sample=300)
    even = fit_scope(*case()).evidence["linear"]
    learned = fit_scope(told, joined).evidence["linear"]
    assert len(set(even.weights.tolist())) == 1
    assert learned.weights[2] > learned.weights[0]
    outside = tickets(500, 500)
    assert shares(told, joined, outside)["encoder"] > 0.8


@pytest.mark.parametrize(("outside", "sample"), [(0, 0), (FEWEST, 0), (0, FEWEST - 1)])
def test_too_small_a_sample_teaches_nothing(outside: int, sample: int) -> None:
    """Of the rows in the gate split only those of its fitting half, about the half, count."""
    evidence = fit_scope(*case(outside=outside, sample=sample)).evidence
    assert all(len(set(its.weights.tolist())) == 1 for its in evidence.values())


def test_outside_tickets_of_the_gate_split_are_a_sample_too() -> None:
    evidence = fit_scope(*case(outside=4 * FEWEST)).evidence
    assert all(len(set(its.weights.tolist())) == 3 for its in evidence.values())


def test_a_stage_without_a_say_is_no_judge() -> None:
    """It is not asked either, so the linear stage is the last judge and keeps as many."""
    told, joined = case()
    mute = replace(joined.gates[1], joins={QUEUE: Join((1.0, 0.0))})
    joined = replace(joined, gates=[joined.gates[0], mute])
    scope = fit_scope(told, joined)
    assert list(scope.evidence) == ["linear"]
    (linear, encoder) = verdicts(scope, joined, told.seen)
    assert encoder is None
    assert linear is not None
    assert linear[joined.fitting].mean() <= 1 - KEPT


def test_without_signals_or_with_few_tickets_nobody_judges() -> None:
    told, joined = case()
    blind = replace(told, seen=[{QUEUE: its[QUEUE]} for its in told.seen])
    assert not fit_scope(blind, joined).evidence
    assert not fit_scope(told, replace(joined, fitting=joined.fitting[: FEWEST - 1])).evidence


# --- asking the stages ---


class Telling:
    """A stage that says of each text what was said of it in the order of its number."""

    def __init__(self, name: str, said: Probabilities) -> None:
        self.name, self.said = name, said
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str]) -> Probabilities:
        self.asked += texts
        rows = [int(text) for text in texts]
        return {head: array[rows] for head, array in self.said.items()}


def test_only_a_stage_with_features_is_asked_about_past_tickets() -> None:
    y = tickets(400)
    stages = [Telling("linear", linear(y, 1)), Telling("encoder", encoder(y, 2))]
    texts = [str(number) for number in range(400)]
    gate = [stage.predict(texts[:100]) for stage in stages]
    for stage in stages:
        stage.asked.clear()
    told = tell(stages, (gate, y[:100]), (texts[100:], y[100:]), ["7", "8"])
    assert stages[0].asked == ["7", "8"]
    assert stages[1].asked == [*texts[100:], "7", "8"]
    (nothing, learned), queues = told.learned
    assert nothing is None
    assert learned is not None
    assert np.array_equal(learned[SIGNALS], stages[1].said[SIGNALS][100:])
    assert np.array_equal(queues, y[100:])
    assert [len(its[QUEUE]) for its in told.sample] == [2, 2]


def test_without_outside_tickets_there_is_no_sample() -> None:
    y = tickets(100)
    stage = Telling("linear", linear(y, 1))
    texts = [str(number) for number in range(100)]
    assert not tell([stage], ([stage.predict(texts)], y), (texts, y)).sample


def test_judges_are_fitted_when_they_are_asked() -> None:
    told, joined = case()
    judges = Judges(told)
    assert not judges.scope.evidence
    found = judges(joined)
    expected = verdicts(judges.scope, joined, told.seen)
    assert list(judges.scope.evidence) == ["linear", "encoder"]
    for its, other in zip(found, expected, strict=True):
        assert its is not None
        assert other is not None
        assert np.array_equal(its, other)


# --- the space ---


def test_the_middle_of_each_queue_is_its_place() -> None:
    y = tickets(400)
    features = encoder(y, 2)[SIGNALS][:, 1:]
    space = fit_space(features, y, QUEUES)
    middles = np.stack([features[y == k].mean(axis=0) for k in range(QUEUES)])
    assert np.abs(np.diagonal(space.distances(middles))).max() < 1e-5


def test_what_varies_within_the_queues_anyway_counts_for_little() -> None:
    y = tickets(4000)
    features = encoder(y, 2)[SIGNALS][:, 1:]
    space = fit_space(features, y, QUEUES)
    at = features[:1].repeat(3, axis=0)
    at[1, 0] += 3  # an axis that tells queues
    at[2, -1] += 3  # the noisy one
    apart = (np.einsum("nd,dr->nr", at, space.axes)[1:] - at[0] @ space.axes) ** 2
    along, across = apart.sum(axis=1)
    assert along > 10 * across


def test_a_queue_without_a_past_ticket_has_no_place_of_its_own() -> None:
    y = tickets(400)
    y[y == 2] = 1
    space = fit_space(encoder(y, 2)[SIGNALS][:, 1:], y, QUEUES)
    assert space.places.shape == (QUEUES, WIDTH)
    assert np.isfinite(space.places).all()
    assert any(np.array_equal(space.places[2], space.places[k]) for k in (0, 1, 3))


def test_past_tickets_are_taken_of_all_queues_alike() -> None:
    y = np.repeat(np.arange(3), [5_000, 3_000, 40])
    rows = learned_rows(y)
    assert np.array_equal(rows, np.unique(rows))
    assert np.bincount(y[rows]).tolist() == [1333, 1333, 40]


# --- the threshold ---

SCORES = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=80)


@given(SCORES, SCORES | st.just([]), st.floats(0.5, 1), st.floats(0, 1), st.floats(0, 100))
def test_a_threshold_keeps_enough_whatever_it_costs(
    inside: list[float], outside: list[float], kept: float, share: float, acted_on: float
) -> None:
    scores = np.asarray(inside, dtype=np.float32)
    others = np.asarray(outside, dtype=np.float32)
    threshold = choose_threshold(scores, others, kept=kept, share=share, acted_on=acted_on)
    assert (scores >= np.float32(threshold)).mean() >= kept - 1e-5


RANKS = np.arange(100, dtype=np.float32)


def test_without_a_price_the_threshold_is_as_high_as_it_may_be() -> None:
    none = np.zeros(0, dtype=np.float32)
    assert choose_threshold(RANKS, none, kept=0.98, share=0.05) == 2
    assert choose_threshold(RANKS[:30], none, kept=0.98, share=0.05) == 0


def test_what_is_far_outside_costs_no_good_ticket() -> None:
    far = np.full(10, -100, dtype=np.float32)
    assert choose_threshold(RANKS, far, kept=0.5, share=0.05) == 0


def test_dearer_errors_and_more_outside_tickets_raise_the_threshold() -> None:
    outside = np.arange(-20, 40, dtype=np.float32)

    def at(share: float, acted_on: float) -> float:
        return choose_threshold(RANKS, outside, kept=0.5, share=share, acted_on=acted_on)

    assert at(0.05, 1) == 0
    assert at(0.05, 1) < at(0.5, 4) == 40
    assert at(0.05, 1) < at(0.05, 100) == 40
