"""Fitting gates: weights that find the truth, thresholds that keep what they promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from cascade.gate import NEVER, Gates, join
from cascade.stages.base import softmax
from train.gates import (
    ADVISED,
    FEW,
    LEAST_SETTLED,
    SURE,
    choose_threshold,
    fit_gates,
    fit_weights,
    least_regret_threshold,
)

K = 5


def world(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits, and true classes drawn with exactly the probabilities of their softmax."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(n, K))
    cumulated = softmax(logits).cumsum(axis=1)
    y = (random.random((n, 1)) > cumulated).sum(axis=1).clip(0, K - 1)
    return logits.astype(np.float32), y.astype(np.int64)


# --- weights ---


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_weight_of_one_stage_is_its_inverse_temperature(temperature: float) -> None:
    """A stage that is too sure by a factor is found to be, so that fitting calibrates."""
    logits, y = world(20_000)
    (weight,) = fit_weights([softmax(logits / temperature)], y)
    assert weight == pytest.approx(temperature, rel=0.05)


def test_a_stage_that_knows_nothing_gets_about_no_weight() -> None:
    logits, y = world(20_000)
    noise, _ = world(20_000, seed=1)
    useful, useless = fit_weights([softmax(logits), softmax(noise)], y)
    assert useful == pytest.approx(1, rel=0.05)
    assert useless < 0.03


def test_a_stage_that_is_wrong_on_purpose_gets_no_negative_weight() -> None:
    logits, y = world(5_000)
    assert fit_weights([softmax(-logits)], y) == (0.0,)


def test_two_imperfect_witnesses_beat_either_one() -> None:
    random = np.random.default_rng(2)
    logits, y = world(10_000)
    stages = [softmax(logits + random.normal(scale=1.5, size=logits.shape)) for _ in range(2)]

    def loss(probabilities: NDArray[np.float32]) -> float:
        return float(-np.log(probabilities[np.arange(len(y)), y]).mean())

    alone = [loss(join([stage], fit_weights([stage], y))) for stage in stages]
    assert loss(join(stages, fit_weights(stages, y))) < min(alone) - 0.02


def test_certain_and_impossible_do_not_break_the_fit() -> None:
    y = np.asarray([0, 1, 2, 0])
    sure = np.eye(3, dtype=np.float32)[y]
    wrong = np.eye(3, dtype=np.float32)[(y + 1) % 3]
    for stages in ([sure], [wrong], [sure, wrong]):
        assert np.isfinite(fit_weights(stages, y)).all()


def test_without_tickets_all_stages_weigh_the_same() -> None:
    nothing = np.empty((0, 3), dtype=np.float32)
    assert fit_weights([nothing, nothing], np.empty(0, dtype=np.int64)) == (0.5, 0.5)


# --- thresholds ---

judged = st.lists(
    st.tuples(st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99]), st.booleans()),
    max_size=80,
)


def kept(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], threshold: float, target: float
) -> bool:
    """Whether a threshold settles enough tickets, and enough of them rightly."""
    settled = confidence >= np.float32(threshold)
    return int(settled.sum()) >= LEAST_SETTLED and float(right[settled].mean()) >= target


@given(judged, st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0]))
def test_the_threshold_is_the_lowest_that_keeps_the_target(
    tickets: list[tuple[float, bool]], target: float
) -> None:
    confidence = np.asarray([c for c, _ in tickets], dtype=np.float32)
    right = np.asarray([r for _, r in tickets], dtype=bool)
    threshold = choose_threshold(confidence, right, target)
    good = [float(c) for c in set(confidence.tolist()) if kept(confidence, right, c, target)]
    assert threshold == (min(good) if good else NEVER)


@given(judged, st.randoms(use_true_random=False))
def test_the_order_of_the_tickets_does_not_matter(
    tickets: list[tuple[float, bool]], random: st.random.Random
) -> None:
    def choose(rows: list[tuple[float, bool]]) -> float:
        confidence = np.asarray([c for c, _ in rows], dtype=np.float32)
        return choose_threshold(confidence, np.asarray([r for _, r in rows], dtype=bool), 0.8)

    shuffled = list(tickets)
    random.shuffle(shuffled)
    assert choose(shuffled) == choose(tickets)


def test_where_no_threshold_keeps_the_target_nothing_is_settled() -> None:
    confidence = np.linspace(0.5, 1, 100, dtype=np.float32)
    assert choose_threshold(confidence, np.zeros(100, dtype=bool), 0.5) == NEVER > 1
    assert choose_threshold(confidence[:0], np.zeros(0, dtype=bool), 0.5) == NEVER


def test_a_handful_of_lucky_tickets_is_no_ground_for_a_threshold() -> None:
    confidence = np.linspace(0.5, 1, LEAST_SETTLED - 1, dtype=np.float32)
    right = np.ones(LEAST_SETTLED - 1, dtype=bool)
    assert choose_threshold(confidence, right, 0.9) == NEVER
    assert choose_threshold(np.append(confidence, np.float32(0.4)), np.append(right, True), 0.9) < 1


# --- all gates ---


def two_stages(n: int) -> tuple[list[dict[str, NDArray[np.float32]]], dict[str, NDArray[np.int64]]]:
    logits, y = world(n)
    random = np.random.default_rng(3)
    seen = [
        {
            "queue": softmax(logits + random.normal(scale=scale, size=logits.shape)),
            "urgency": softmax(random.normal(size=(n, 2))),
        }
        for scale in (2.0, 0.5)
    ]
    return seen, {"queue": y, "urgency": random.integers(-1, 2, n)}


def test_each_gate_is_fitted_on_what_the_gates_before_it_left() -> None:
    seen, targets = two_stages(4_000)
    gates = fit_gates(["linear", "encoder"], seen, targets, target=0.9)
    assert [gate.stage for gate in gates.gates] == ["linear", "encoder"]
    left = np.arange(4_000)
    for number, gate in enumerate(gates.gates, start=1):
        assert {head: len(w) for head, w in gate.weights.items()} == {
            "queue": number,
            "urgency": number,
        }
        joined = join([s["queue"][left] for s in seen[:number]], gate.weights["queue"])
        settled = gate.settles(joined.max(axis=1))
        right = joined.argmax(axis=1) == targets["queue"][left]
        assert gate.coverage == pytest.approx(settled.mean(), abs=1e-4)
        assert gate.precision == pytest.approx(right[settled].mean(), abs=1e-4)
        assert gate.precision >= 0.9
        left = left[~settled]
    assert 0 < len(left) < 4_000


def test_what_was_fitted_passes_the_checks_of_loading() -> None:
    gates = fit_gates(["linear", "encoder"], *two_stages(500), target=0.9)
    assert Gates.from_dict(gates.to_dict()) == gates


@pytest.mark.parametrize("n", [1, 5, FEW - 1, FEW + 5])
def test_few_tickets_still_give_gates_that_load(n: int) -> None:
    gates = fit_gates(["linear", "encoder"], *two_stages(n), target=0.5)
    assert Gates.from_dict(gates.to_dict()) == gates


def test_a_further_label_that_no_gate_ticket_has_still_gives_gates_that_load() -> None:
    seen, targets = two_stages(300)
    targets["urgency"][:] = -1
    gates = fit_gates(["linear", "encoder"], seen, targets, target=0.9)
    assert Gates.from_dict(gates.to_dict()) == gates


def test_a_first_stage_that_settles_all_leaves_the_next_one_a_gate() -> None:
    y = np.arange(300) % K
    sure = {"queue": np.eye(K, dtype=np.float32)[y]}
    gates = fit_gates(["linear", "encoder"], [sure, sure], {"queue": y}, target=0.95)
    assert gates.gates[0].coverage == 1
    assert (gates.gates[1].coverage, gates.gates[1].threshold) == (0, NEVER)


def test_a_lucky_lower_threshold_is_not_taken() -> None:
    # From the surest down: 100 right ones, 50 on which the next stage is better, then 50 on which
    # this one is. Settling all of them costs nothing here, and would elsewhere.
    y = np.tile([0, 1], 100)
    confidence = np.repeat([0.9, 0.6, 0.3], [100, 50, 50]).astype(np.float32)
    here, later = y.copy(), y.copy()
    here[100:150] = 1 - y[100:150]
    later[150:] = 1 - y[150:]

    assert 0.6 < least_regret_threshold(confidence, here, later, y) <= 0.9


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.1))
def test_settling_early_costs_no_more_than_the_regret(seed: int, regret: float) -> None:
    random = np.random.default_rng(seed)
    y, here, later = random.integers(0, 3, size=(3, 80))
    confidence = random.random(80).astype(np.float32)

    threshold = least_regret_threshold(confidence, here, later, y, regret)

    mixed = np.where(confidence >= np.float32(threshold), here, later)
    asked = f1_score(y, later, average="macro")
    assert f1_score(y, mixed, average="macro") >= asked - regret - 1e-9


# --- advisers: stages that are asked about a sample, and that may have no answer ---


class Asked:
    """An adviser of the gate split: what it was asked about, and what it says of that."""

    def __init__(
        self,
        y: NDArray[np.int64],
        says: Callable[[NDArray[np.int64]], NDArray[np.float32]],
        answers: float = 1.0,
    ) -> None:
        self.y, self.says, self.answers = y, says, answers
        self.rows: list[int] = []
        self.told: NDArray[np.float32] | None = None

    def __call__(
        self, rows: NDArray[np.int64], joined: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], list[bool]]:
        self.rows += rows.tolist()
        assert joined.shape == (len(rows), K)
        assert joined.sum(axis=1) == pytest.approx(1, abs=1e-4)
        answered = np.random.default_rng(7).random(len(rows)) < self.answers
        said = self.says(rows).astype(np.float32)
        said[~answered] = np.nan  # nobody may look at these
        return said, answered.tolist()


def knows(y: NDArray[np.int64], share: float) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
    """Right in this share of the rows, and as sure as that in all."""

    def says(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        random = np.random.default_rng(11)
        named = np.where(random.random(len(y)) < share, y, (y + random.integers(1, K, len(y))) % K)[
            rows
        ]
        said = np.full((len(rows), K), (1 - share) / (K - 1), dtype=np.float32)
        said[np.arange(len(rows)), named] = share
        return said

    return says


def guesses(seed: int) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
    return lambda rows: (
        np.random.default_rng(seed).dirichlet(np.ones(K), len(rows)).astype(np.float32)
    )


NAMES = ["linear", "encoder", "llm"]


def with_adviser(n: int, adviser: Any, target: float = 0.9) -> tuple[Gates, Gates]:
    """The gates with an adviser as the last stage, and without."""
    seen, targets = two_stages(n)
    alone = fit_gates(NAMES[:2], seen, targets, target=target)
    return fit_gates(NAMES, [*seen, adviser], targets, target=target), alone


def truth(n: int) -> NDArray[np.int64]:
    return two_stages(n)[1]["queue"]


def test_an_adviser_that_knows_settles_some_and_keeps_the_target() -> None:
    y = truth(4_000)
    adviser = Asked(y, knows(y, 0.95))
    gates, alone = with_adviser(4_000, adviser)
    assert gates.gates[:2] == alone.gates
    gate = gates.gates[2]
    assert gate.weights["queue"][-1] > 0.5
    assert gate.threshold < NEVER
    assert gate.coverage > 0.5
    assert gate.precision >= 0.9
    assert Gates.from_dict(gates.to_dict()) == gates


def test_an_adviser_is_asked_a_bounded_sample_of_what_reaches_it() -> None:
    seen, targets = two_stages(4_000)
    adviser = Asked(targets["queue"], knows(targets["queue"], 0.9))
    gates = fit_gates(NAMES, [*seen, adviser], targets, target=0.9)
    left = np.arange(4_000)
    for number, gate in enumerate(gates.gates[:2], start=1):
        joined = join([s["queue"][left] for s in seen[:number]], gate.weights["queue"])
        left = left[~gate.settles(joined.max(axis=1))]
    assert len(left) > ADVISED
    assert len(adviser.rows) == len(set(adviser.rows)) == ADVISED
    assert set(adviser.rows) <= set(left.tolist())


def test_fewer_than_that_are_all_asked_about() -> None:
    y = truth(300)
    adviser = Asked(y, knows(y, 0.9))
    with_adviser(300, adviser, target=1.0)
    assert 0 < len(adviser.rows) <= 300


def test_weights_and_threshold_come_from_answered_rows_alone() -> None:
    """Rows without an answer hold no numbers, so looking at one would show."""
    y = truth(4_000)
    adviser = Asked(y, knows(y, 0.95), answers=0.5)
    gate = with_adviser(4_000, adviser)[0].gates[2]
    assert np.isfinite(gate.weights["queue"]).all()
    assert 0.2 < gate.coverage <= 0.55, "tickets without an answer are not settled"
    assert gate.precision >= 0.9


def test_of_other_heads_an_adviser_changes_nothing() -> None:
    y = truth(4_000)
    gates, alone = with_adviser(4_000, Asked(y, knows(y, 0.95)))
    assert gates.gates[2].weights["urgency"] == (*alone.gates[1].weights["urgency"], 0.0)


def assert_mute(gates: Gates, alone: Gates) -> None:
    """With such a gate all is as it is without the stage."""
    assert gates.gates[:2] == alone.gates
    gate = gates.gates[2]
    assert gate.weights == {
        head: (*weights, 0.0) for head, weights in alone.gates[1].weights.items()
    }
    assert (gate.threshold, gate.coverage, gate.precision) == (NEVER, 0.0, 0.0)
    assert Gates.from_dict(gates.to_dict()) == gates


@pytest.mark.parametrize("answers", [0.0, 0.02])
@pytest.mark.parametrize("n", [1, 50, 2_000])
def test_one_that_answers_nothing_or_next_to_nothing_harms_nothing(n: int, answers: float) -> None:
    y = truth(n)
    assert_mute(*with_adviser(n, Asked(y, knows(y, 0.95), answers)))


@settings(deadline=None, max_examples=15)
@given(st.integers(30, 600), st.floats(0.0, 1.0), st.floats(0.1, 1.0))
def test_one_that_is_always_wrong_harms_nothing(n: int, sure: float, answers: float) -> None:
    y = truth(n)

    def wrong(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        even = np.full((len(rows), K), (1 - sure) / K)
        return (even + sure * np.eye(K)[(y[rows] + 1) % K]).astype(np.float32)

    assert_mute(*with_adviser(n, Asked(y, wrong, answers)))


def test_one_that_says_what_was_believed_anyway_or_nothing_harms_nothing() -> None:
    y = truth(2_000)
    assert_mute(*with_adviser(2_000, Asked(y, lambda rows: np.full((len(rows), K), 1 / K))))


def test_one_that_guesses_is_listened_to_as_seldom_as_was_promised() -> None:
    y = truth(600)
    heard = [
        with_adviser(600, Asked(y, guesses(seed)))[0].gates[2].weights["queue"][-1] > 0
        for seed in range(30)
    ]
    assert np.mean(heard) <= 2 * (1 - SURE)


def test_no_ticket_left_leaves_the_adviser_a_gate() -> None:
    y = np.arange(300) % K
    sure = {"queue": np.eye(K, dtype=np.float32)[y]}
    adviser = Asked(y, knows(y, 0.9))
    gates = fit_gates(["linear", "llm"], [sure, adviser], {"queue": y}, target=0.95)
    assert adviser.rows == []
    assert (gates.gates[1].threshold, gates.gates[1].weights["queue"][1]) == (NEVER, 0.0)
