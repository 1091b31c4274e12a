"""More than a service can take: what is shed is told apart from what fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.service.clients import Asked, Client, Reply
from eval.service.overload import figures, overload, until_finished


def test_what_is_shed_is_no_error() -> None:
    replies = [
        Reply(0, 0, 10.0, 200, "linear", "linear"),
        Reply(0, 5, 20.0, 200, "human", "linear", late=True, pending=True, decision_id="a"),
        Reply(0, 0, 1.0, 503),
        Reply(0, 0, 1.0, 429),
        Reply(0, 0, 1.0, 500),
        Reply(0, 0, 1.0, 0),
        Reply(0, 0, 1.0, 503),
        Reply(0, 0, 1.0, 503),
    ]
    told = figures(Asked(replies, 2.0, 0.5))
    assert told["requests"] == 8
    assert (told["answered"]["share"], told["answered"]["per_second"]) == (0.25, 1.0)
    assert told["answered"]["ms_p50"] == 15.0
    assert (told["late"], told["deepest_of_late"], told["pending"]) == (0.5, {"linear": 1.0}, 1)
    assert told["shed"] == {"429": 0.125, "503": 0.375}
    assert (told["errors"], told["clients_cpu"]) == (2, 0.5)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What the service says of decisions, one after the other."""
    said: list[bytes] = []
    monkeypatch.setattr(Client, "send", lambda *_: (200, said.pop(0)))
    monkeypatch.setattr("eval.service.overload.PAUSE", 0.0)
    yield said


def test_later_answers_are_waited_for(answers: list[bytes]) -> None:
    pending, done = b'{"pending": true}', b'{"pending": false}'
    answers += [pending, done, pending, done]  # of "a" and "b"; then of "a" alone, twice
    assert until_finished("here:1", ["a", "b"], 10.0) == 0
    assert not answers


def test_but_not_for_ever(answers: list[bytes]) -> None:
    answers += [b'{"pending": true}'] * 2
    assert until_finished("here:1", ["a", "b"], -1.0) == 2


def test_a_real_service_under_too_much(quick: None, linear_bundle: Path) -> None:
    texts = [f"vpn ☎ is down since this morning, {number}" for number in range(50)]
    told = overload(linear_bundle, texts, workers=1, seconds=1.0, measuring=0.5)
    assert told["capacity"] > 0
    assert told["rate"] == pytest.approx(2 * told["capacity"], abs=0.1)
    assert told["requests"] == round(told["rate"])
    assert told["answered"]["share"] + sum(told["shed"].values()) == pytest.approx(1, abs=1e-3)
    assert (told["errors"], told["unfinished"]) == (0, 0)
