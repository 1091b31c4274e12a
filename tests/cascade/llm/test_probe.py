"""Finding out what a server can do, where servers differ in what they silently ignore."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cascade.errors import InputError
from cascade.llm.backend import ServerBackend
from cascade.llm.base import Answer, NoAnswer, Question
from cascade.llm.cli import llm
from cascade.llm.client import Server
from cascade.llm.dialects import CHOSEN, DIALECTS
from cascade.llm.probe import probe
from cascade.llm.prompt import codes
from cascade.llm.store import AnswerStore
from cascade.llm.trial import KNOWN


@dataclass(frozen=True)
class Manner:
    """How an imitated server behaves. What it does not heed, it ignores with a 200."""

    heeds: frozenset[str]
    models: tuple[str, ...] = ("tiny",)
    thinks: bool = False
    knows: bool = True
    context: int = 100_000
    any_name: bool = False
    fails: bool = False
    seconds: float = 0.0


class Imitation(BaseHTTPRequestHandler):
    """A chat server whose model knows the answers to the probe's questions, and no others."""

    manner: Manner
    asked: list[dict[str, Any]]

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": name} for name in self.manner.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        time.sleep(self.manner.seconds)
        if self.path != "/v1/chat/completions":
            self._send(404, {})
        elif self.manner.fails and "grammar" not in body:
            self._send(500, {})
        elif body["model"] not in self.manner.models and not self.manner.any_name:
            self._send(404, {"error": "no such model"})
        elif len(json.dumps(body)) > self.manner.context:
            self._send(400, {"error": "too long"})
        else:
            self._send(200, {"choices": [self._answer(body)]})

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        heeds = self.manner.heeds
        said = "Sure! The answer"
        wanted = _constraint(body, heeds)
        best = self._best(body["messages"][-1]["content"])
        if wanted is not None:
            code = best if best in wanted else wanted[0]
            said = json.dumps({"queue": code}) if "response_format" in body else code
        choice: dict[str, Any] = {"message": {"content": said}}
        if body.get("logprobs") and "logprobs" in heeds:
            first = {best: 0.9, "Sure": 0.05, "a": 0.03}
            if self.manner.thinks and body.get("reasoning_effort") != "none":
                first = {"<think>": 0.99}
            top = [{"token": t, "logprob": math.log(p)} for t, p in first.items()]
            choice["logprobs"] = {"content": [{"token": best, "top_logprobs": top}]}
        return choice

    def _best(self, prompt: str) -> str:
        for question, queue in KNOWN:
            if question.ticket in prompt.split("Examples")[-1].rsplit("<ticket>", 1)[-1]:
                at = question.candidates.index(queue)
                return codes(question)[at if self.manner.knows else 0]
        return "A"

    def _send(self, status: int, plain: dict[str, Any]) -> None:
        body = json.dumps(plain).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _constraint(body: dict[str, Any], heeds: frozenset[str]) -> list[str] | None:
    """The codes that the answer must be one of, if the server heeds the field that says so."""
    form = body.get("response_format", {})
    if "grammar" in body and "grammar" in heeds:
        return [part.strip(' "') for part in body["grammar"].split("::=")[1].split("|")]
    if "structured_outputs" in body and "choice" in heeds:
        return list(body["structured_outputs"]["choice"])
    if form.get("type") == "json_schema" and "json-schema" in heeds:
        return list(form["json_schema"]["schema"]["properties"]["queue"]["enum"])
    if form.get("type") == "json_object" and "schema" in form and "json-object" in heeds:
        return list(form["schema"]["properties"]["queue"]["enum"])
    return None


@contextmanager
def serving(*heeds: str, **manner: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The base URL of an imitated server, and all that it was asked."""
    asked: list[dict[str, Any]] = []
    kind = {"manner": Manner(frozenset(heeds), **manner), "asked": asked}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Imitation,), kind))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def find(url: str, **how: Any) -> dict[str, Any]:
    """What the probe reports, with the trials by dialect."""
    report = probe(url, **how).to_dict()
    return {**report, "trials": {trial["dialect"]: trial for trial in report["trials"]}}


def test_log_probabilities_are_worth_more_than_constraints() -> None:
    with serving("logprobs", "grammar", "json-schema", "json-object") as (url, _):
        found = find(url)
    assert (found["dialect"], found["model"], found["models"]) == ("logprobs", "tiny", ("tiny",))
    trial = found["trials"]["logprobs"]
    assert trial["right"] == len(KNOWN)
    assert trial["mass"] == pytest.approx(0.9)
    assert 0 < trial["p50_ms"] <= trial["p95_ms"]
    assert trial["drift"] == trial["parallel_drift"] == 0
    works = {name for name, trial in found["trials"].items() if not trial["problem"]}
    assert works == {"logprobs", "logprobs-ollama", "grammar", "json-schema", "json-object"}


@pytest.mark.parametrize("name", ["grammar", "choice", "json-schema", "json-object"])
def test_a_constraint_that_holds_is_the_last_resort(name: str) -> None:
    with serving(name) as (url, _):
        found = find(url)
    assert found["dialect"] == name
    assert found["trials"][name]["right"] == len(KNOWN)
    others = [trial for trial in found["trials"].values() if trial["dialect"] != name]
    assert all(trial["problem"] for trial in others)


def test_a_server_that_ignores_every_field_is_of_no_use() -> None:
    with serving() as (url, _):
        found = find(url)
    assert found["dialect"] == ""
    assert found["trials"]["choice"]["problem"] == "the answer does not keep the constraint"


def test_a_model_that_says_what_it_is_asked_does_not_pass_for_a_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the trap a good model's free answer looks like a constraint that holds."""
    with serving() as (url, _), monkeypatch.context() as patch:
        honest = Imitation._answer
        patch.setattr(
            Imitation,
            "_answer",
            lambda self, body: (
                {"message": {"content": self._best(body["messages"][-1]["content"])}}
                if len(body["messages"]) > 1
                else honest(self, body)
            ),
        )
        assert find(url)["dialect"] == ""


def test_a_model_that_thinks_first_is_told_not_to() -> None:
    with serving("logprobs", thinks=True) as (url, _):
        found = find(url)
    assert found["dialect"] == "logprobs-ollama"
    assert found["trials"]["logprobs"]["problem"].startswith("the model answered something else")


def test_a_server_that_fails_at_what_it_does_not_know_is_asked_on() -> None:
    with serving("grammar", fails=True) as (url, _):
        found = find(url)
    assert found["dialect"] == "grammar"
    assert found["trials"]["logprobs"]["problem"] == "the LLM server failed (500)"
    assert found["trials"]["json-object"]["problem"] == "the LLM server failed (500)"


def test_a_full_prompt_that_the_server_does_not_take_is_told() -> None:
    with serving("logprobs", context=6000) as (url, _):
        assert find(url)["trials"]["logprobs"]["full_problem"] == (
            "the LLM server refused the call (400)"
        )
        assert find(url, budget=600)["trials"]["logprobs"]["full_problem"] == ""


def test_the_model_must_be_named_where_there_are_several() -> None:
    with serving("logprobs", models=("a", "b")) as (url, asked):
        with pytest.raises(InputError, match=r"several models \(a, b\): name one with --model"):
            find(url)
        assert find(url, model="b")["dialect"] == "logprobs"
        assert {body["model"] for body in asked} == {"b"}
        assert find(url, model="c")["dialect"] == ""


def backend_of(url: str, dialect: str, **how: Any) -> ServerBackend:
    return ServerBackend(Server(url), DIALECTS[dialect], "tiny", **how)


class TestBackend:
    QUESTION, QUEUE = KNOWN[1]

    def test_asks_in_its_dialect(self) -> None:
        with serving("logprobs", "grammar") as (url, _):
            telling, terse = backend_of(url, "logprobs"), backend_of(url, "grammar")
            told = telling.ask(self.QUESTION, time.monotonic() + 5)
            said = terse.ask(self.QUESTION, time.monotonic() + 5)
        assert (telling.name, terse.name) == ("tiny (logprobs)", "tiny (grammar)")
        assert told == Answer((0.0, 1.0, 0.0, 0.0), pytest.approx(0.9))
        assert said.probabilities[1] == CHOSEN

    def test_keeps_the_budget(self) -> None:
        long = Question("word " * 5000, self.QUESTION.candidates)
        with serving("logprobs") as (url, asked):
            backend_of(url, "logprobs", budget=800).ask(long, time.monotonic() + 5)
        assert len(json.dumps(asked[0]["messages"])) < 800 * 3

    def test_a_slow_server_is_late_and_no_more(self) -> None:
        with serving("logprobs", seconds=3.0) as (url, _):
            backend = backend_of(url, "logprobs")
            started = time.monotonic()
            with pytest.raises(NoAnswer) as caught:
                backend.ask(self.QUESTION, started + 0.2)
            assert caught.value.kind == "late"
            assert time.monotonic() - started < 1.0


class TestCheck:
    def test_prints_what_to_put_into_the_configuration(self) -> None:
        with serving("logprobs") as (url, _):
            result = CliRunner().invoke(llm, ["check", url])
        assert result.exit_code == 0
        assert result.stdout.splitlines()[-3:] == [
            f"CASCADE_LLM_URL={url}",
            "CASCADE_LLM_MODEL=tiny",
            "CASCADE_LLM_DIALECT=logprobs",
        ]
        assert "Mind:" not in result.stdout

    def test_warns_of_a_server_that_answers_with_another_model(self) -> None:
        """llama-server and llama-cpp-python answer to any name with the model that they have."""
        with serving("logprobs", any_name=True) as (url, _):
            result = CliRunner().invoke(llm, ["check", url, "--model", "another"])
        assert "Mind: that model is not listed; the server answers" in result.stdout

    def test_warns_of_a_model_that_knows_little(self) -> None:
        with serving("logprobs", knows=False) as (url, _):
            result = CliRunner().invoke(llm, ["check", url])
        assert "only 1 of 4 easy questions" in result.stdout

    def test_as_json(self) -> None:
        with serving("choice") as (url, _):
            result = CliRunner().invoke(llm, ["check", url, "--json"])
        found = json.loads(result.stdout)
        assert found["dialect"] == "choice"
        assert [trial["dialect"] for trial in found["trials"]] == list(DIALECTS)

    def test_exits_with_1_where_nothing_works(self) -> None:
        with serving() as (url, _):
            result = CliRunner().invoke(llm, ["check", url])
        assert result.exit_code == 1
        assert "cannot be used" in result.stdout

    def test_a_server_that_is_down_is_one_clear_line(self) -> None:
        result = CliRunner().invoke(llm, ["check", "http://127.0.0.1:1/v1", "--model", "m"])
        assert isinstance(result.exception, InputError)
        assert str(result.exception) == (
            "http://127.0.0.1:1/v1: the LLM server is down or cut the connection"
        )


class TestClear:
    def test_forgets_what_is_stored(self, tmp_path: Path) -> None:
        file = tmp_path / "answers.sqlite"
        store = AnswerStore(file)
        store.put(b"key", Answer((0.5, 0.5)))
        result = CliRunner().invoke(llm, ["clear", "--store", str(file)])
        assert result.output == "forgot 1 answers\n"
        assert store.get(b"key") is None

    def test_sets_a_damaged_file_aside(self, tmp_path: Path) -> None:
        file = tmp_path / "answers.sqlite"
        file.write_text("this is no database, but may be somebody's only copy " * 20)
        result = CliRunner().invoke(llm, ["clear"], env={"CASCADE_LLM_STORE": str(file)})
        aside = tmp_path / "answers.sqlite.damaged"
        assert result.output == f"damaged, or no store of answers: moved to {aside}\n"
        assert "only copy" in aside.read_text()
        assert AnswerStore(file).get(b"key") is None

    def test_a_file_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(llm, ["clear", "--store", str(tmp_path / "none")])
        assert result.exit_code == 2
