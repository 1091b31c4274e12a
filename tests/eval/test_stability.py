"""The same tickets again: what counts as a change, and that the cascade has none."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import CascadeError
from cascade.llm.base import Answer, Example, Question
from cascade.llm.settings import LLMSettings
from eval.stability import (
    CASCADE,
    FEW_SHOT,
    REVERSED,
    RUNS,
    UNSTORED,
    ZERO_SHOT,
    Answers,
    Reversed,
    changes,
    stability,
)
from train.starter import generate

TEXTS = [f"{ticket.subject}\n\n{ticket.body}" for ticket in generate(60, seed=21)]
NOTHING = {"queue_changed": 0.0, "action_changed": 0.0, "confidence_change": 0.0}


def answers(*rows: tuple[int, bool, float]) -> Answers:
    queue, routed, confidence = zip(*rows, strict=True)
    return Answers(np.asarray(queue), np.asarray(routed), np.asarray(confidence))


# --- what counts as a change ---


FIRST = answers((0, True, 0.9), (1, True, 0.8), (2, False, 0.3), (0, False, 0.2))


def test_the_same_answers_are_no_change() -> None:
    assert changes(FIRST, {"again": FIRST}) == {**NOTHING, "runs": {"again": NOTHING}}


def test_a_ticket_that_changes_in_several_runs_counts_once() -> None:
    other = answers((0, True, 0.9), (2, True, 0.8), (2, False, 0.3), (0, False, 0.2))
    told = changes(FIRST, {"one": other, "two": other, "three": FIRST})
    assert told["queue_changed"] == 0.25
    assert told["runs"]["one"]["queue_changed"] == 0.25
    assert told["runs"]["three"] == NOTHING


def test_tickets_that_change_in_different_runs_all_count() -> None:
    one = answers((1, True, 0.9), (1, True, 0.8), (2, False, 0.3), (0, False, 0.2))
    two = answers((0, True, 0.9), (1, False, 0.8), (2, True, 0.3), (1, False, 0.2))
    told = changes(FIRST, {"one": one, "two": two})
    assert (told["queue_changed"], told["action_changed"]) == (0.5, 0.5)


def test_of_confidence_the_largest_change_counts_however_small() -> None:
    other = answers((0, True, 0.9 - 1.234e-9), (1, True, 0.8), (2, False, 0.3), (0, False, 0.2))
    told = changes(FIRST, {"again": other})
    assert told["confidence_change"] == pytest.approx(1.2e-9)
    assert told["queue_changed"] == 0


def test_an_answer_that_goes_away_is_a_change() -> None:
    some = np.asarray([[0.2, 0.8], [0.6, 0.4]], dtype=np.float32)
    none = np.asarray([[0.2, 0.8], [0.0, 0.0]], dtype=np.float32)
    told = changes(Answers.always(some), {"again": Answers.always(none)})
    assert (told["queue_changed"], told["action_changed"]) == (0.5, 0.5)


@given(st.lists(st.tuples(st.integers(-1, 9), st.booleans(), st.floats(0, 1)), min_size=1))
def test_answers_come_back_from_json_as_they_were(rows: list[tuple[int, bool, float]]) -> None:
    first = answers(*rows)
    again = Answers.from_plain(json.loads(json.dumps(first.to_plain())))
    assert changes(first, {"again": again})["runs"]["again"] == NOTHING


# --- of a real bundle ---


def test_a_cascade_gives_the_same_answers_in_every_run(open_bundle: Path) -> None:
    """In other processes, batches, orders and numbers of threads; all tickets reach the reader."""
    told = stability(open_bundle, TEXTS, tickets=20, quiet=True)
    assert told["tickets"] == 20
    assert told["runs"] == [run.name for run in RUNS]
    for name in ("linear", "encoder", "neighbours", CASCADE, FEW_SHOT, ZERO_SHOT):
        its = told["approaches"][name]
        assert its == {**NOTHING, "answered": its["answered"], "runs": its["runs"]}, name
        assert list(its["runs"]) == told["runs"][1:]
    assert told["approaches"][REVERSED]["confidence_change"] > 0
    assert UNSTORED not in told["approaches"]


def test_a_bundle_without_a_language_model_has_none_to_ask(linear_bundle: Path) -> None:
    told = stability(linear_bundle, TEXTS[:9], quiet=True)
    assert told["tickets"] == 9
    assert list(told["approaches"]) == ["linear", CASCADE]


class Fickle(BaseHTTPRequestHandler):
    """A model that says something else each time it is asked."""

    asked: ClassVar[Iterator[int]] = count()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        best = "ABCD"[next(self.asked) % 4]
        top = [{"token": t, "logprob": math.log(0.97 if t == best else 0.01)} for t in "ABCD"]
        content = [{"token": best, "logprob": 0.0, "top_logprobs": top}]
        choice = {"message": {"content": best}, "logprobs": {"content": content}}
        body = json.dumps({"choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_stored_answers_keep_the_cascade_stable_and_hide_no_fickle_server(
    open_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.stability.RUNS", RUNS[:3])
    # Whoever connects beyond the backlog tries again after a second, too late for an answer.
    monkeypatch.setattr(ThreadingHTTPServer, "request_queue_size", 64)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fickle)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    store = tmp_path / "answers.sqlite"
    url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        llm = LLMSettings(url, model="fickle", dialect="logprobs", store=store)
        told = stability(open_bundle, TEXTS, tickets=8, llm=llm, quiet=True)["approaches"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert told[CASCADE] == {**NOTHING, "answered": 1.0, "runs": told[CASCADE]["runs"]}
    assert told[UNSTORED]["confidence_change"] > 0
    assert told[FEW_SHOT]["queue_changed"] > 0.5
    assert not store.exists()


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(CascadeError, match="not a bundle"):
        stability(tmp_path, TEXTS, quiet=True)


class Recording:
    """Remembers what it is asked."""

    name = "recording"

    def ask(self, question: Question, deadline: float) -> Answer:
        self.question = question
        return Answer((0.5, 0.5))


def test_reversed_is_only_the_order_of_the_examples() -> None:
    near, far = Example("vpn down", "Network"), Example("invoice", "Billing")
    asked = Question("vpn", ("Billing", "Network"), (far, near))
    backend = Recording()
    assert Reversed(backend).name == "recording"
    Reversed(backend).ask(asked, 0.0)
    assert backend.question == Question("vpn", ("Billing", "Network"), (near, far))
