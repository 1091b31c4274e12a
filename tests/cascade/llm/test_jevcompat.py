"""Typed decisions against a reference server, whole and with each requirement broken on purpose.

The server is `jevcompat mock`, which breaks any of the 48 requirements of its written
specification. A broken one either does not touch what is read, or there is no answer.
"""

from __future__ import annotations

import socketserver
import time
from dataclasses import replace

import pytest

from cascade.llm.backend import ServerBackend
from cascade.llm.base import Answer, NoAnswer, Question
from cascade.llm.client import Server
from cascade.llm.dialects import DIALECTS
from cascade.llm.probe import probe

mock = pytest.importorskip("jevcompat.mock", reason="jevcompat is not installed (extra: test)")

QUEUES = ("Zugänge", "Billing", "Network", "Hardware")
QUESTION = Question("the printer is jammed", QUEUES, (), {"Billing": "invoices"})

NO_ANSWER = {
    "wrong-route": "refused",
    "no-null-description": "refused",
    "xssi-200": "nonsense",
    "nan": "nonsense",
    "nfd-keys": "nonsense",
    "choice-key-case": "nonsense",
    "choice-sum": "nonsense",
    "choice-second": "nonsense",
}
"""Faults that leave nothing to believe, and the kind of `NoAnswer`. The others do no harm."""

LEAKS = {"id-leaks", "batch-leaks", "order-leaks"}
"""Faults that move the probabilities by what we never vary: the one question's name and place."""


@pytest.fixture(autouse=True)
def prompt_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server looks each half second whether it shall end, which for a hundred of them is long."""
    serve = socketserver.BaseServer.serve_forever
    monkeypatch.setattr(socketserver.BaseServer, "serve_forever", lambda its: serve(its, 0.01))


def ask(config: object, question: Question = QUESTION, key: str | None = None) -> Answer:
    with mock.Running(config) as running:
        server = Server(f"{running.url}/v1", api_key=key)
        try:
            backend = ServerBackend(server, DIALECTS["decisions"], "mock")
            return backend.ask(question, time.monotonic() + 10)
        finally:
            server.close()


def test_the_whole_server_answers() -> None:
    answer = ask(mock.MockConfig())
    assert sum(answer.probabilities) == pytest.approx(1)
    assert len(set(answer.probabilities)) == len(QUEUES)
    assert ask(mock.MockConfig()) == answer


@pytest.mark.parametrize("fault", sorted(set(mock.FAULTS) - set(NO_ANSWER) - LEAKS))
def test_a_fault_elsewhere_does_no_harm(fault: str) -> None:
    assert ask(mock.MockConfig(faults=frozenset([fault]))) == ask(mock.MockConfig())


@pytest.mark.parametrize("fault", sorted(LEAKS))
def test_what_leaks_from_around_a_question_is_always_the_same(fault: str) -> None:
    config = mock.MockConfig(faults=frozenset([fault]))
    other_ticket = replace(QUESTION, ticket="no wifi")
    assert ask(config) == ask(config) != ask(config, other_ticket)


@pytest.mark.parametrize("fault", NO_ANSWER)
def test_a_fault_in_the_answer_is_no_answer(fault: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        ask(mock.MockConfig(faults=frozenset([fault])))
    assert caught.value.kind == NO_ANSWER[fault]


def test_the_key_is_sent_and_a_wrong_one_is_refused() -> None:
    assert ask(mock.MockConfig(key="right"), key="right") == ask(mock.MockConfig())
    for key in ("wrong", None):
        with pytest.raises(NoAnswer) as caught:
            ask(mock.MockConfig(key="right"), key=key)
        assert caught.value.kind == "refused"


def test_the_probe_finds_decisions_and_sees_noise() -> None:
    with mock.Running(mock.MockConfig(noise=0.5)) as running:
        report = probe(f"{running.url}/v1", model="mock")
    assert report.models == ("jev-latest", "mock")
    assert report.dialect == "decisions"
    (trial,) = [trial for trial in report.trials if not trial.problem]
    assert trial.drift > 0.01
    assert trial.parallel_drift > 0.01
