"""A whole cascade with a server that misbehaves: tickets keep what the earlier stages said."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cascade.bundle import Bundle
from cascade.decision import Decision
from cascade.gate import Gates, join
from cascade.llm.settings import LLMSettings
from cascade.router import UNFITTED_WEIGHT, Cascade
from cascade.saving import write
from cascade.stages.llm import SILENT

SECRET = "zebrafalcon"
TICKET = f"the {SECRET} export shows an error since the invoice of last week was paid"
MARGIN_MS = 400
"""Above a deadline, on a machine that may be busy with other things."""

Servers = Callable[..., Any]


def loaded(bundle: Path, url: str, dialect: str, store: Path) -> Cascade:
    settings = LLMSettings(url, "tiny", dialect, store=store)
    return Cascade.load(bundle, threads=1, llm=settings.backend)


def without_llm(cascade: Cascade) -> Cascade:
    """The same cascade as if there were no llm stage."""
    gates = Gates(cascade.gates.gates[:-1])
    return Cascade(cascade.stages[:-1], gates, cascade.heads, cascade.bundle_id)


def said(decision: Decision) -> tuple[Any, ...]:
    """All that a decision says of the ticket itself."""
    return decision.queue, decision.confidence, decision.alternatives, decision.labels


def counts(cascade: Cascade) -> dict[str, int]:
    found: dict[str, int] = cascade.advisers["llm"]["counts"]
    return found


FAULTS: dict[str, tuple[str | tuple[str, Any], str, str]] = {
    # behaviour of the server, dialect that it is asked in, kind that is counted
    "slow": ("slow", "logprobs", "late"),
    "white space without end": ("drip", "logprobs", "late"),
    "500": ("500", "decisions", "failed"),
    "503 and come back in an hour": ("503", "logprobs", "failed"),
    "401": ("401", "logprobs", "refused"),
    "cut connection": ("cut", "logprobs", "nonsense"),
    "hangs up": ("hang up", "logprobs", "failed"),
    "reset": ("reset", "json-schema", "failed"),
    "empty": ("empty", "logprobs", "nonsense"),
    "nonsense": ("nonsense", "decisions", "nonsense"),
    "redirect": ("redirect", "logprobs", "forbidden"),
    "text of white space": (("says", " \n" * 2_000), "json-schema", "nonsense"),
    "ignored constraint": (("says", f"Sure! I think {SECRET} is a bug."), "choice", "nonsense"),
    "a code outside the shortlist": (("says", "T"), "grammar", "nonsense"),
    "a queue outside the shortlist": (
        ("decides", lambda options: {"Lunch": 0.9, options[0]: 0.1}),
        "decisions",
        "nonsense",
    ),
    "starts to chat": (("likes", {"Sure": -0.01, "A": -5.0}), "logprobs", "unsure"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_ticket_keeps_what_the_earlier_stages_said(
    open_bundle: Path,
    hostile: Servers,
    behaviours: dict[str, Any],
    server_secret: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    behaviour, dialect, kind = FAULTS[fault]
    if isinstance(behaviour, tuple):
        name, argument = behaviour
        behaviour = behaviours[name](argument)
    cascade = loaded(open_bundle, hostile(behaviour).url, dialect, tmp_path / "answers")
    without_llm(cascade).warm_up()
    (expected,) = without_llm(cascade).route([TICKET])
    caplog.set_level(logging.DEBUG)

    began = time.monotonic()
    (decision,) = cascade.route([TICKET], deadline_ms=500)
    took = (time.monotonic() - began) * 1000

    assert took < 500 + MARGIN_MS
    assert said(decision) == said(expected)
    assert (decision.action, decision.stage) == ("review", "human")
    assert [t.name for t in decision.stages] == ["linear", "encoder", "neighbours", "llm"]
    assert decision.stages[-1].confidence == expected.confidence
    assert decision.reason
    assert counts(cascade) == {kind: 1}
    for told in (decision.reason, caplog.text):
        assert SECRET not in told
        assert server_secret not in told


def test_a_server_that_is_down(open_bundle: Path, hostile: Servers, tmp_path: Path) -> None:
    server = hostile("good")
    server.close()
    cascade = loaded(open_bundle, server.url, "logprobs", tmp_path / "answers")
    cascade.warm_up()
    (decision,) = cascade.route([TICKET])
    assert decision.reason == "the LLM server is down or cut the connection"
    assert said(decision) == said(without_llm(cascade).route([TICKET])[0])
    assert counts(cascade) == {"failed": 1}, "warming up is no ticket"


def test_a_server_that_fails_again_and_again_is_left_alone(
    open_bundle: Path, hostile: Servers, tmp_path: Path
) -> None:
    server = hostile("500")
    cascade = loaded(open_bundle, server.url, "logprobs", tmp_path / "answers")
    decisions = cascade.route([f"{TICKET} {n}" for n in "abcdefg"])
    assert counts(cascade) == {"failed": 5, "open": 2}
    assert len(server.requests) == 5
    assert len({d.reason for d in decisions}) == 2


def test_the_deadline_of_a_batch_is_kept(
    open_bundle: Path, hostile: Servers, tmp_path: Path
) -> None:
    cascade = loaded(open_bundle, hostile("slow").url, "logprobs", tmp_path / "answers")
    without_llm(cascade).warm_up()
    texts = [f"{TICKET} {n}" for n in range(12)]
    expected = without_llm(cascade).route(texts)
    began = time.monotonic()
    decisions = cascade.route(texts, deadline_ms=700)
    assert (time.monotonic() - began) * 1000 < 700 + MARGIN_MS
    assert [said(d) for d in decisions] == [said(d) for d in expected]
    assert all(d.action == "review" and d.reason for d in decisions)
    assert set(counts(cascade)) == {"late"}, "of those that were asked about while there was time"


def test_a_batch_without_a_deadline_waits_for_a_silent_server_once(
    open_bundle: Path, hostile: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade.stages.llm.PATIENCE", 0.5)
    server = hostile("slow")
    cascade = loaded(open_bundle, server.url, "logprobs", tmp_path / "answers")
    without_llm(cascade).warm_up()
    texts = [f"{TICKET} {n}" for n in range(12)]
    expected = without_llm(cascade).route(texts)
    began = time.monotonic()
    decisions = cascade.route(texts)
    assert time.monotonic() - began < 3, "twelve waits would take six seconds"
    assert [said(d) for d in decisions] == [said(d) for d in expected]
    assert len(server.requests) == 1
    assert counts(cascade) == {"late": 12}
    assert [d.reason for d in decisions[1:]] == [SILENT] * 11


def test_an_answer_that_was_changed_in_the_store_is_no_answer(
    open_bundle: Path, hostile: Servers, behaviours: dict[str, Any], tmp_path: Path
) -> None:
    import sqlite3

    def even(options: list[str]) -> dict[str, float]:
        return dict.fromkeys(options, 1 / len(options))

    server = hostile(behaviours["decides"](even))
    cascade = loaded(open_bundle, server.url, "decisions", tmp_path / "answers")
    cascade.route([TICKET])
    for changed in ("[1.0]", "[2.0, 0.0, 0.0, 0.0, 0.0, 0.0]"):
        with sqlite3.connect(tmp_path / "answers") as file:
            file.execute("UPDATE answers SET probabilities = ?", (changed,))
        (decision,) = cascade.route([TICKET])
        assert decision.action == "review"
        assert decision.reason == "the answer is no distribution over the shortlist"
    assert counts(cascade) == {"answered": 1, "nonsense": 2}


# --- who answers, and who the gates were fitted with ---


def sure_of_the_first(options: list[str]) -> dict[str, float]:
    rest = 0.02 / (len(options) - 1)
    return {option: rest if at else 0.98 for at, option in enumerate(options)}


@pytest.fixture
def server(hostile: Servers, behaviours: dict[str, Any]) -> Any:
    """A server that is sure of the first queue."""
    return hostile(behaviours["decides"](sure_of_the_first))


def test_another_model_than_the_gates_know_suggests_and_never_settles(
    open_bundle: Path, server: Any, tmp_path: Path
) -> None:
    cascade = loaded(open_bundle, server.url, "decisions", tmp_path / "answers")
    (before,) = without_llm(cascade).route([TICKET])
    (decision,) = cascade.route([TICKET])
    state = cascade.advisers["llm"]
    assert (state["backend"], state["fitted"]) == ("tiny (decisions)", False)
    assert (decision.action, decision.stage) == ("review", "human")
    assert decision.reason == "no stage is sure enough"
    assert said(decision) != said(before)
    # What it suggests is its answer, with little weight, beside what the others said.
    import numpy as np

    texts = [TICKET]
    seen = [stage.predict(texts)["queue"] for stage in cascade.stages[:-1]]  # type: ignore[union-attr]
    answer = np.full((1, len(cascade.queues)), 0.02 / (len(cascade.queues) - 1), dtype=np.float32)
    answer[0, 0] = 0.98
    weights = cascade.gates.gates[2].joins["queue"].weights
    joined = join([*seen, answer], (*weights, UNFITTED_WEIGHT))[0]
    assert decision.queue == cascade.queues[int(joined.argmax())]
    assert decision.confidence == pytest.approx(float(joined.max()), abs=1e-5)


def fitted_with(bundle: Path, backend: str, out: Path) -> Path:
    """The bundle as if its gates had been fitted with another backend."""
    made = Bundle.open(bundle)
    files = {name: made.read(name) for name in made.files}
    config = json.loads(files["llm/config.json"])
    files["llm/config.json"] = json.dumps({**config, "backend": backend}).encode()
    return write(out, made.manifest, files).path


def test_the_model_that_the_gates_know_settles(
    open_bundle: Path, server: Any, tmp_path: Path
) -> None:
    bundle = fitted_with(open_bundle, "tiny (decisions)", tmp_path / "it")
    cascade = loaded(bundle, server.url, "decisions", tmp_path / "answers")
    (decision,) = cascade.route([TICKET])
    assert cascade.advisers["llm"]["fitted"] is True
    assert (decision.action, decision.stage) == ("route", "llm")
    assert decision.queue == cascade.queues[0]
    server.close()
    again = loaded(bundle, server.url, "decisions", tmp_path / "answers").route([TICKET])[0]
    assert said(again) == said(decision), "stored: the same next week, even without the server"


def test_a_server_that_is_found_later_settles_from_then_on(
    open_bundle: Path,
    hostile: Servers,
    behaviours: dict[str, Any],
    tmp_path: Path,
) -> None:
    """Neither model nor dialect is named, and the server is down when the cascade is loaded."""
    gone = hostile("good")
    gone.close()
    bundle = fitted_with(open_bundle, "tiny (decisions)", tmp_path / "it")
    settings = LLMSettings(gone.url, store=tmp_path / "answers")
    began = time.monotonic()
    cascade = Cascade.load(bundle, threads=1, llm=settings.backend)
    cascade.warm_up()
    (decision,) = cascade.route([TICKET], deadline_ms=5_000)
    assert time.monotonic() - began < 5
    assert decision.action == "review"
    assert decision.reason == "the LLM server cannot be used as it is: see cascade llm check"
    assert cascade.advisers["llm"]["fitted"] is False

    hostile(behaviours["decides"](sure_of_the_first), gone.port)
    end = time.monotonic() + 20
    while cascade.route([TICKET], deadline_ms=5_000)[0].stage != "llm":
        assert time.monotonic() < end, "the server was not found"
        time.sleep(0.1)
    assert cascade.advisers["llm"]["backend"] == "tiny (decisions)"
    assert cascade.advisers["llm"]["fitted"] is True


def test_a_server_that_hangs_at_the_start_keeps_no_ticket_waiting(
    open_bundle: Path, hostile: Servers, tmp_path: Path
) -> None:
    settings = LLMSettings(hostile("slow").url, store=tmp_path / "answers")
    cascade = Cascade.load(open_bundle, threads=1, llm=settings.backend)
    without_llm(cascade).warm_up()
    began = time.monotonic()
    (decision,) = cascade.route([TICKET], deadline_ms=500)
    assert (time.monotonic() - began) * 1000 < 500 + MARGIN_MS
    assert decision.reason == "the LLM server has not told yet what it can do"
    assert counts(cascade) == {"late": 1}


def test_warming_up_waits_for_nobody_for_long(
    open_bundle: Path, hostile: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade.stages.llm.WARM_UP", 0.3)
    cascade = loaded(open_bundle, hostile("slow").url, "logprobs", tmp_path / "answers")
    began = time.monotonic()
    cascade.warm_up()
    assert time.monotonic() - began < 3
    assert counts(cascade) == {}


def test_whoever_answers_sees_no_name_or_address_of_a_person(
    open_bundle: Path, server: Any, tmp_path: Path
) -> None:
    cascade = loaded(open_bundle, server.url, "decisions", tmp_path / "answers")
    cascade.route(["please write to jane.roe@example.com, she cannot log in"])
    assert server.requests
    assert all(b"jane.roe" not in request for request in server.requests)
