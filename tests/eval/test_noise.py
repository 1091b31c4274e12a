"""Planting wrong labels: exactly as many as asked, where they belong, and counted right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cascade.clean import clean
from train.starter import generate

pytest.importorskip("cleanlab", reason="cleanlab is what the suspects are compared with")

from eval.noise import Data, difference, found, likenesses, main, plant

UNIFORM = (1 - np.eye(3)) / 2


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 5))
def test_as_many_labels_are_wrong_as_asked(rows: int, share: float, seed: int) -> None:
    y = np.arange(rows) % 3
    before = y.copy()
    labels = plant(y, share, UNIFORM, seed)
    assert (labels != y).sum() == round(share * rows)
    assert np.array_equal(y, before)
    assert np.array_equal(labels, plant(y, share, UNIFORM, seed))


def test_a_queue_is_confused_with_those_it_is_like_only() -> None:
    y = np.asarray([0, 0, 1, 1, 2, 2])
    out = np.asarray([[0.8, 0.2, 0], [0.6, 0.4, 0], *[[0.5, 0.5, 0]] * 2, *[[0, 0.1, 0.9]] * 2])
    other = likenesses(y, out.astype(np.float32))
    assert other == pytest.approx(np.asarray([[0, 1, 0], [1, 0, 0], [0, 1, 0]]))
    assert plant(y, 1.0, other, seed=0).tolist() == [1, 1, 0, 0, 1, 1]


def test_what_is_found_is_counted() -> None:
    planted = np.asarray([True, True, False, False, False, True, False, False])
    assert found(planted, np.asarray([0, 2])) == {
        "suspected": 0.25,
        "precision": 0.5,
        "recall": pytest.approx(1 / 3),
    }
    assert found(planted, np.asarray([], dtype=np.int64))["precision"] == 0


def test_the_interval_tells_a_gain_from_none() -> None:
    truth = np.arange(300) % 3
    wrong = np.where(np.arange(300) < 60, (truth + 1) % 3, truth)
    gain, low, high = difference(truth, [wrong], [truth], 3)
    assert low < gain < high
    assert low > 0.1
    assert difference(truth, [wrong, truth], [wrong, truth], 3) == (0, 0, 0)


def test_the_table_is_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = list(generate(260, seed=8))
    queues = tuple(sorted({ticket.queue for ticket in tickets}))
    texts = [clean(ticket.subject) for ticket in tickets]
    y = np.asarray([queues.index(ticket.queue) for ticket in tickets])
    data = Data(queues, texts[:200], y[:200], texts[200:], y[200:])
    monkeypatch.setattr("eval.noise.load", lambda name, folder: data)
    monkeypatch.setattr("eval.noise.PLANTED", (("none", 0.0), ("confused", 0.1)))
    out = tmp_path / "noise.json"
    kept = {"data": "it_service_topics", "gain": 0.5}
    out.write_text(json.dumps({"rows": [kept]}))
    args = ["--data", str(tmp_path), "--only", "banking77", "--seeds", "1", "--out", str(out)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    assert "cleanlab" in result.output
    none, confused, other = json.loads(out.read_text())["rows"]
    assert other == kept, "the other data set's figures stay"
    assert (none["data"], none["planted"], none["share"]) == ("banking77", "none", 0)
    assert none["found"]["odds"]["recall"] == 0, "nothing was planted"
    assert none["macro_f1_trusting"] == pytest.approx(none["macro_f1_clean"])
    assert confused["gain_95"][0] <= confused["gain"] <= confused["gain_95"][1]
    assert {"odds", "cleanlab", "odds, as many"} == set(confused["found"])
