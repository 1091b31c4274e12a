"""None of the above: what a stage saw besides its probabilities, and who is outside by it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load, save

from cascade.errors import BundleError
from cascade.scope import ARRAYS, CONFIG, Evidence, Scope, Space, gather

Array = NDArray[np.float32]


def array(*values: object) -> Array:
    return np.asarray(values, dtype=np.float32)


def made(seed: int = 0) -> Scope:
    """A scope of a stage with plain signals and of one with features, all numbers random."""
    random = np.random.default_rng(seed)

    def some(*shape: int) -> Array:
        return random.normal(size=shape).astype(np.float32)

    space = Space(some(6, 4), some(5, 4))
    return Scope(
        {
            "linear": Evidence(some(3), abs(some(3)) + 1, some(3), 0.5, 0.0),
            "encoder": Evidence(some(3), abs(some(3)) + 1, some(3), -0.5, 0.1, space),
        }
    )


def tickets(n: int, width: int, seed: int = 1) -> tuple[Array, Array]:
    """Signals ``(n, width)`` and joined probabilities of three queues."""
    random = np.random.default_rng(seed)
    joined = random.dirichlet([1, 1, 1], n).astype(np.float32)
    return random.normal(size=(n, width)).astype(np.float32), joined


WIDTHS = {"linear": 2, "encoder": 7}
"""Of each stage's signals: an encoder's are its energy and 6 features."""


def test_a_ticket_below_the_threshold_is_outside() -> None:
    evidence = Evidence(array(0, 0), array(1, 1), array(0, 1), 0.0, threshold=2.0)
    joined = np.full((3, 2), 0.5, dtype=np.float32)
    outside = Scope({"linear": evidence}).outside("linear", array([1.9], [2.0], [2.1]), joined)
    assert outside.tolist() == [True, False, False]


def test_a_stage_that_was_not_fitted_says_nothing() -> None:
    signals, joined = tickets(5, 3)
    assert not Scope({}).outside("linear", signals, joined).any()


def test_the_score_is_a_weighted_sum_of_standardised_parts() -> None:
    evidence = Evidence(array(1, 2), array(2, 4), array(3, 5), 7.0, 0.0)
    joined = array([0.75, 0.25])
    sure = np.log(0.75 / 0.25)
    expected = 3 * (sure - 1) / 2 + 5 * (10 - 2) / 4 + 7
    assert evidence.score(array([10]), joined)[0] == pytest.approx(expected, rel=1e-5)


def test_a_confidence_of_0_or_1_has_finite_odds() -> None:
    parts = gather(array([0], [0]), array([1, 0], [0, 0]), None)
    assert np.isfinite(parts).all()


@pytest.mark.parametrize("stage", ["linear", "encoder"])
@given(seed=st.integers(0, 100), n=st.integers(1, 9))
def test_a_ticket_gets_the_same_bits_alone_and_in_any_batch(stage: str, seed: int, n: int) -> None:
    scope = made(seed)
    signals, joined = tickets(n, WIDTHS[stage], seed)
    together = scope.score(stage, signals, joined)
    assert together.shape == (n,)
    assert together.dtype == np.float32
    for row in range(n):
        alone = scope.score(stage, signals[row : row + 1], joined[row : row + 1])
        assert alone[0] == together[row]


def test_no_tickets_give_no_rows() -> None:
    for stage, width in WIDTHS.items():
        signals, joined = tickets(0, width)
        assert made().outside(stage, signals, joined).shape == (0,)


# --- the space of the features ---


SQUARE = Space(array([2, 0], [0, 1]), array([0, 0], [4, 0]))
"""Two queues, at (0, 0) and (2, 0) of a space whose first axis counts double."""


def test_distances_are_counted_along_the_axes() -> None:
    features = array([0, 0], [2, 0], [1, 0], [0, 3])
    assert SQUARE.distances(features).tolist() == [[0, 16], [16, 0], [4, 4], [9, 25]]


def test_an_encoder_is_judged_by_its_energy_and_the_next_queue() -> None:
    signals = array([7, 0, 3], [-1, 2, 0])
    parts = gather(signals, array([0.5, 0.5], [0.75, 0.25]), SQUARE)
    assert parts[0].tolist() == [0, 7, -9]
    assert parts[1].tolist() == pytest.approx([np.log(3), -1, 0])


# --- the files ---


def reader(files: dict[str, bytes], **instead: bytes) -> Callable[[str], bytes]:
    return lambda name: instead.get(name.split(".")[0], files[name])


def test_a_loaded_scope_says_the_same() -> None:
    scope = made()
    loaded = Scope.from_files(reader(scope.to_files()))
    assert set(loaded.evidence) == {"linear", "encoder"}
    for stage, width in WIDTHS.items():
        signals, joined = tickets(20, width)
        given, expected = loaded.score(stage, signals, joined), scope.score(stage, signals, joined)
        assert np.array_equal(given, expected)
        outside = scope.outside(stage, signals, joined)
        assert np.array_equal(loaded.outside(stage, signals, joined), outside)


@pytest.mark.parametrize("junk", [b"", b"[]", b"{", b"[" * 100_000, b'{"linear": 1}', b"\xff"])
def test_a_config_that_makes_no_sense(junk: bytes) -> None:
    with pytest.raises(BundleError, match="scope: damaged"):
        Scope.from_files(reader(made().to_files(), config=junk))


@pytest.mark.parametrize("value", [None, "much", float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("name", ["bias", "threshold"])
def test_a_threshold_that_is_no_number(name: str, value: object) -> None:
    files = made().to_files()
    config = json.loads(files[CONFIG])
    config["linear"][name] = value
    with pytest.raises(BundleError, match="scope: damaged"):
        Scope.from_files(reader(files, config=json.dumps(config).encode()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linear.weights", array(1, 2)),
        ("linear.scales", array(1, 1, 1, 1)),
        ("linear.means", np.zeros(0, dtype=np.float32)),
        ("linear.scales", array(1, 1, 0)),
        ("linear.scales", array(1, 1, -1)),
        ("linear.weights", array(1, np.nan, 1)),
        ("linear.weights", np.ones(3)),
        ("encoder.places", array([1, 0])),
        ("encoder.places", np.zeros((0, 4), dtype=np.float32)),
        ("encoder.axes", np.ones((6, 3), dtype=np.float32)),
    ],
)
def test_arrays_that_make_no_sense(name: str, value: NDArray[np.floating]) -> None:
    files = made().to_files()
    arrays = load(files[ARRAYS])
    assert name in arrays
    arrays[name] = value
    with pytest.raises(BundleError, match="scope: damaged"):
        Scope.from_files(reader(files, scope=save(arrays)))


def test_arrays_that_are_missing() -> None:
    files = made().to_files()
    arrays = load(files[ARRAYS])
    for name in arrays:
        less = {other: value for other, value in arrays.items() if other != name}
        with pytest.raises(BundleError, match="scope: damaged"):
            Scope.from_files(reader(files, scope=save(less)))
