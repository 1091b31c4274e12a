"""Joining witnesses, and gates: the laws that both must keep."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from cascade.errors import BundleError
from cascade.gate import NEVER, Gate, Gates, Join, join
from cascade.stages.base import softmax

GATES = Gates(
    (
        Gate(
            "linear",
            {"queue": Join((0.8,), (0.1, -0.1, 0.0)), "urgency": Join((1.1,))},
            stop=(0.91, 0.8, 0.7),
            settle=(0.9, 0.85, NEVER),
            give_up=0.2,
        ),
        Gate.even("encoder", {"queue": Join((0.3, 0.9)), "urgency": Join((0.2, 1.0))}, 0.88, 3),
    ),
    {"coverage": 0.8},
)


@st.composite
def witnesses(draw: st.DrawFn) -> tuple[list[NDArray[np.float32]], list[float]]:
    """Some stages' probabilities, zeros and ones among them, and weights."""
    n, k, stages = draw(st.tuples(st.integers(1, 6), st.integers(2, 5), st.integers(1, 3)))
    counts = hnp.arrays(np.float32, (n, k), elements=st.sampled_from([0.0, 1e-9, 0.1, 1.0, 50.0]))
    arrays = [draw(counts) for _ in range(stages)]
    rows = [a / np.maximum(a.sum(axis=1, keepdims=True), 1e-9) for a in arrays]
    weights = draw(st.lists(st.floats(0, 20), min_size=stages, max_size=stages))
    return [row.astype(np.float32) for row in rows], weights


@given(witnesses())
def test_joined_rows_are_probabilities_whatever_zeros_there_are(
    drawn: tuple[list[NDArray[np.float32]], list[float]],
) -> None:
    joined = join(*drawn)
    assert joined.dtype == np.float32
    assert np.isfinite(joined).all()
    assert (joined >= 0).all()
    assert np.allclose(joined.sum(axis=1), 1, atol=1e-5)


@given(witnesses(), st.randoms(use_true_random=False))
def test_joining_commutes_with_any_order_of_the_rows(
    drawn: tuple[list[NDArray[np.float32]], list[float]], random: st.random.Random
) -> None:
    arrays, weights = drawn
    order = list(range(len(arrays[0])))
    random.shuffle(order)
    assert np.array_equal(join([a[order] for a in arrays], weights), join(arrays, weights)[order])


@given(witnesses())
def test_a_row_joined_alone_is_the_row_joined_among_others(
    drawn: tuple[list[NDArray[np.float32]], list[float]],
) -> None:
    arrays, weights = drawn
    whole = join(arrays, weights)
    for row in range(len(whole)):
        assert np.array_equal(join([a[row : row + 1] for a in arrays], weights)[0], whole[row])


def test_a_weight_of_one_leaves_one_stage_as_it_is() -> None:
    given_ = np.asarray([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], dtype=np.float32)
    assert np.allclose(join([given_], [1.0]), given_, atol=1e-6)


def test_a_stage_without_weight_has_no_say() -> None:
    sure = np.asarray([[0.9, 0.1]], dtype=np.float32)
    other = np.asarray([[0.0, 1.0]], dtype=np.float32)
    assert np.array_equal(join([sure, other], [1.0, 0.0]), join([sure], [1.0]))
    assert np.allclose(join([sure, other], [0.0, 0.0]), 0.5)


def test_no_stage_has_a_veto() -> None:
    never = np.asarray([[0.0, 1.0]], dtype=np.float32)
    sure = np.asarray([[1 - 1e-6, 1e-6]], dtype=np.float32)
    assert join([never, sure], [1.0, 2.0])[0, 0] > 0.99


def test_two_witnesses_who_agree_are_surer_than_one() -> None:
    array = np.asarray([[0.7, 0.3]], dtype=np.float32)
    assert join([array, array], [1.0, 1.0])[0, 0] > 0.7 + 0.1


@given(hnp.arrays(np.float32, (3, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_softmax_never_overflows(logits: NDArray[np.float32]) -> None:
    out = softmax(logits)
    assert np.isfinite(out).all()
    assert np.allclose(out.sum(axis=1), 1, atol=1e-5)


def test_a_gate_stops_and_settles_from_its_queues_threshold_on() -> None:
    confidence = np.asarray([0.9099, 0.91, 0.95, 0.84, 0.99], dtype=np.float32)
    best = np.asarray([0, 0, 0, 1, 2])
    assert GATES.gates[0].stops(confidence, best).tolist() == [False, True, True, True, True]
    assert GATES.gates[0].settles(confidence, best).tolist() == [True, True, True, False, False]


def test_a_gate_gives_up_below_a_confidence() -> None:
    confidence = np.asarray([0.19, 0.2], dtype=np.float32)
    best = np.asarray([0, 0])
    assert GATES.gates[0].stops(confidence, best).tolist() == [True, False]
    assert not GATES.gates[0].settles(confidence, best).any()


def test_a_stage_that_no_gate_listens_to_is_not_asked() -> None:
    mute = Gate.even("encoder", {"queue": Join((0.8, 0.0))}, NEVER, 3)
    heard_later = Gate.even("llm", {"queue": Join((0.8, 0.1, 1.0))}, NEVER, 3)
    linear = Gate.even("linear", {"queue": Join((0.0,))}, 0.9, 3)
    assert Gates((linear, mute)).asked == (True, False)
    assert Gates((linear, mute, heard_later)).asked == (True, True, True)
    assert GATES.asked == (True, True)


@given(witnesses(), st.floats(-5, 5))
def test_a_bias_that_all_classes_have_changes_nothing(
    drawn: tuple[list[NDArray[np.float32]], list[float]], bias: float
) -> None:
    arrays, weights = drawn
    biased = join(arrays, weights, (bias,) * arrays[0].shape[1])
    assert np.allclose(biased, join(arrays, weights), atol=1e-4)


def test_a_bias_makes_a_class_likelier() -> None:
    even = np.full((1, 2), 0.5, dtype=np.float32)
    assert np.allclose(Join((1.0,), (np.log(3.0), 0.0))([even]), [[0.75, 0.25]])


@given(st.floats(0, 1, width=32))
def test_a_threshold_that_was_written_to_json_settles_the_same(threshold: float) -> None:
    """The threshold is some ticket's own confidence, so the last bit decides."""
    its = float(np.float32(threshold))
    gates = Gates((Gate.even("linear", {"queue": Join((1.0,))}, its, 1),))
    read = Gates.from_dict(json.loads(json.dumps(gates.to_dict())))
    confidence, best = np.asarray([threshold], dtype=np.float32), np.asarray([0])
    assert read.gates[0].settles(confidence, best).all()
    assert read.gates[0].stops(confidence, best).all()


def test_a_threshold_above_one_settles_nothing() -> None:
    gate = Gate.even("x", {}, NEVER, 1)
    assert not gate.settles(np.ones(3, dtype=np.float32), np.zeros(3, dtype=np.int64)).any()


def test_gates_are_read_back_from_json() -> None:
    assert Gates.from_dict(json.loads(json.dumps(GATES.to_dict()))) == GATES


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("stop", [-0.1, 0, 0], "threshold of linear is not >= 0"),
        ("settle", [float("nan"), 0, 0], "threshold of linear is not >= 0"),
        ("give_up", float("nan"), "threshold of linear is not >= 0"),
        ("stop", "high", "damaged"),
        ("stop", [0.5], "two thresholds for each queue"),
        ("joins", {"queue": {"weights": [1.0, 2.0], "bias": []}}, "bad weights of linear"),
        ("joins", {"queue": {"weights": [], "bias": []}}, "bad weights"),
        ("joins", {"queue": {"weights": [-1.0], "bias": []}}, "bad weights"),
        ("joins", {"queue": {"weights": [float("nan")], "bias": []}}, "bad weights"),
        ("joins", {"queue": {"weights": [float("inf")], "bias": []}}, "bad weights"),
        ("joins", {"queue": {"weights": [1.0], "bias": [float("nan")]}}, "bad biases"),
        ("joins", {"queue": {"weights": [1.0]}}, "damaged"),
        ("joins", [1.0], "damaged"),
        ("give_up", 10**400, "damaged"),
    ],
)
def test_gates_that_make_no_sense(field: str, value: object, message: str) -> None:
    plain = GATES.to_dict()
    plain["gates"][0][field] = value
    with pytest.raises(BundleError, match=message):
        Gates.from_dict(plain)


@pytest.mark.parametrize(
    "plain", [None, [], {}, {"gates": [{}], "plan": {}}, {"gates": [], "plan": 1}, "gates"]
)
def test_gates_that_are_none(plain: object) -> None:
    with pytest.raises(BundleError, match=r"gates\.json: damaged"):
        Gates.from_dict(plain)


def test_gates_of_an_older_version_name_the_way_out() -> None:
    with pytest.raises(BundleError, match="cascade gate"):
        Gates.from_dict({"target_precision": 0.95, "gates": []})
