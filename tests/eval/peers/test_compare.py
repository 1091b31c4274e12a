"""Peers beside ours: what is measured of whom, and in which order."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cascade.errors import MissingExtraError
from eval.labelled import Labelled
from eval.peers import PEERS
from eval.peers import compare as module
from eval.peers.compare import compare
from eval.peers.peer import Peer

TICKETS = 40


def burn(ms: float) -> None:
    """Take so much CPU time."""
    end = time.process_time() + ms / 1000
    while time.process_time() < end:
        pass


class Known:
    """Reads the queue off the ticket's first letter, at a price; `calls` is shared by all."""

    def __init__(self, name: str, ms: float, calls: list[tuple[str, int]], wrong: int = 0) -> None:
        self.name, self.ms, self.calls, self.wrong = name, ms, calls, wrong

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        burn(self.ms * len(texts))
        self.calls.append((self.name, len(texts)))
        out = np.zeros((len(texts), 2), dtype=np.float32)
        for row, text in enumerate(texts):
            if int(text[1:]) >= self.wrong:
                out[row, "ab".index(text[0])] = 1
        return out


@pytest.fixture
def tickets() -> Labelled:
    texts = [f"{'ab'[at % 2]}{at}" for at in range(TICKETS)]
    y = np.arange(TICKETS) % 2
    return Labelled("made.csv", texts, y, ("a", "b"), [*range(TICKETS)])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Who was asked how many tickets at once; there are two peers, one of them not installed."""
    asked: list[tuple[str, int]] = []

    def fit(train: Labelled, seed: int) -> Peer:
        burn(30)
        asked.append(("fitted", seed))
        return Peer("slow one", "slow 1.0", Known("slow", 4, asked, wrong=10).predict)

    def missing(train: Labelled, seed: int) -> Peer:
        raise MissingExtraError("nowhere", "peers")

    monkeypatch.setitem(PEERS, "slow", fit)
    monkeypatch.setitem(PEERS, "missing", missing)
    monkeypatch.setattr(module, "TIMED", 5)
    return asked


def test_quality_speed_and_their_ratios(tickets: Labelled, calls: list[tuple[str, int]]) -> None:
    told = compare(tickets, tickets, Known("ours", 1, calls), ["slow"], seed=7, quiet=True)
    assert (told["ours"], told["train"], told["tickets"], told["timed"]) == ("ours", 40, 40, 5)
    (row,) = told["peers"]
    assert (row["name"], row["note"]) == ("slow one", "slow 1.0")
    # 10 of 40 without an answer: each queue's recall is 0.75 and its precision 1.
    assert row["accuracy"] == 0.75
    assert row["macro_f1"] == pytest.approx(6 / 7, abs=1e-4) == row["ratios"]["macro_f1"]
    assert row["ours"]["macro_f1"] == 1
    assert row["cpu_ms"] == pytest.approx(4, rel=0.3)
    assert row["ours"]["cpu_ms"] == pytest.approx(1, rel=0.5)
    assert row["ratios"]["cpu_ms"] == pytest.approx(row["cpu_ms"] / row["ours"]["cpu_ms"], rel=0.01)
    assert row["per_cpu_second"] == pytest.approx(250, rel=0.3)
    assert row["ratios"]["per_cpu_second"] < 0.6
    assert row["ms_p50"] >= 3.9 and row["ms_p95"] >= row["ms_p50"]
    assert row["train_cpu_seconds"] == pytest.approx(0.03, abs=0.1)
    assert json.loads(json.dumps(told)) == told


def test_ours_is_timed_right_before_and_right_after_each_peer(
    tickets: Labelled, calls: list[tuple[str, int]]
) -> None:
    compare(tickets, tickets, Known("ours", 0, calls), ["slow", "slow"], seed=7, quiet=True)

    def speed(who: str) -> list[tuple[str, int]]:
        return [(who, 1)] * 6 + [(who, 5)]  # one to warm up, five one by one, five at once

    peer = [("fitted", 7), ("slow", 40), *speed("ours"), *speed("slow"), *speed("ours")]
    assert calls == [("ours", 40), *peer, *peer]


def test_a_missing_library_leaves_a_note(tickets: Labelled, calls: list[tuple[str, int]]) -> None:
    told = compare(tickets, tickets, Known("ours", 0, calls), ["missing", "slow"], quiet=True)
    missing, other = told["peers"]
    assert missing == {"name": "missing", "note": str(MissingExtraError("nowhere", "peers"))}
    assert other["name"] == "slow one"


def test_a_real_peer(tickets: Labelled, calls: list[tuple[str, int]]) -> None:
    pytest.importorskip("sklearn")
    words = Labelled(
        "made.csv",
        [("invoice amount" if at % 2 else "login password") + f" {at}" for at in range(TICKETS)],
        tickets.y,
        tickets.queues,
        tickets.lines,
    )
    ours = PEERS["sklearn"](words, 0)
    (row,) = compare(words, words, ours, ["sklearn"], quiet=True)["peers"]
    assert row["macro_f1"] == 1 == row["ratios"]["macro_f1"]
    assert 0.3 < row["ratios"]["cpu_ms"] < 3  # it is measured against itself
