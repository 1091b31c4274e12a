"""How true confidences are before and after fitting, on witnesses whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.answers import Answers, Split
from eval.calibration import JOINED, calibration, figures

QUEUES = 4


def split(seed: int, n: int = 1200) -> Split:
    """One witness who is too sure, one who knows nothing; labels drawn from what the first means.

    The first one's log-probabilities are three times the true ones.
    """
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (n, QUEUES))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (random.random((n, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(max=QUEUES - 1)
    noise = random.dirichlet(np.ones(QUEUES), n)
    return Split(y, {"bold": sharpened(truth, 3), "lost": noise.astype(np.float32)})


def sharpened(p: NDArray[np.float64], power: float) -> NDArray[np.float32]:
    return (p**power / (p**power).sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, dict[str, float]]]:
    return calibration(Answers(split(0), split(1)), seeds=2)


def test_who_is_too_sure_is_brought_back(told: dict[str, dict[str, dict[str, float]]]) -> None:
    bold = told["bold"]
    assert bold["weights"]["bold"] == pytest.approx(1 / 3, abs=0.06)
    assert bold["before"]["ece"] > 0.15 and bold["after"]["ece"] < 0.06
    assert bold["before"]["ece_debiased"] > 0.15 and bold["after"]["ece_debiased"] < 0.05
    assert bold["after"]["brier"] < bold["before"]["brier"]


def test_one_weight_changes_no_ones_mind(told: dict[str, dict[str, dict[str, float]]]) -> None:
    assert told["bold"]["before"]["accuracy"] == told["bold"]["after"]["accuracy"]


def test_who_knows_nothing_is_not_listened_to(
    told: dict[str, dict[str, dict[str, float]]],
) -> None:
    assert told[JOINED]["weights"]["lost"] == 0
    assert told[JOINED]["after"] == told["bold"]["after"]
    assert told[JOINED]["after"]["macro_f1"] > told[JOINED]["before"]["macro_f1"]


def test_one_stage_is_joined_with_nobody() -> None:
    parts = [split(seed) for seed in (0, 1)]
    alone = [Split(its.y, {"bold": its.seen["bold"]}) for its in parts]
    assert list(calibration(Answers(*alone), seeds=1)) == ["bold"]


def test_figures_of_who_is_always_right() -> None:
    y = np.asarray([0, 1, 2, 3, 3])
    perfect = figures(np.eye(4, dtype=np.float32)[y], y)
    assert all(perfect[key] == 0 for key in ("ece", "ece_debiased", "brier", "aurc"))
    assert all(perfect[key] == 1 for key in ("macro_f1", "accuracy", "auroc", "coverage_at_98%"))
