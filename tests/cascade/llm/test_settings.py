"""Who answers in the llm stage, as the environment says."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cascade.errors import InputError
from cascade.llm.base import Answer, NoAnswer, Question
from cascade.llm.reader import Reader
from cascade.llm.settings import DEFAULT_STORE, Later, LLMSettings

Servers = Callable[..., Any]
QUESTION = Question("the vpn drops", ("Access", "Network"))


# --- the variables ---


def test_without_variables_the_built_in_reader_answers() -> None:
    for nothing in ({}, {"CASCADE_LLM_URL": " ", "CASCADE_LLM_MODEL": "", "CASCADE_LLM_STORE": ""}):
        settings = LLMSettings.read(nothing)
        assert settings == LLMSettings("", "", "", "", False, DEFAULT_STORE)
    settings.check()
    assert isinstance(settings.backend("it-1"), Reader)


def test_each_variable_has_its_field() -> None:
    settings = LLMSettings.read(
        {
            "CASCADE_LLM_URL": "http://10.0.0.5:8000/v1",
            "CASCADE_LLM_MODEL": "qwen3:4b",
            "CASCADE_LLM_DIALECT": "logprobs",
            "CASCADE_LLM_KEY": "s3cret",
            "CASCADE_LLM_ALLOW_PUBLIC": "1",
            "CASCADE_LLM_STORE": "/srv/answers.sqlite",
        }
    )
    assert settings == LLMSettings(
        "http://10.0.0.5:8000/v1",
        "qwen3:4b",
        "logprobs",
        "s3cret",
        True,
        Path("/srv/answers.sqlite"),
    )
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [("1", True), ("true", True), ("Yes", True), ("on", True), ("0", False), ("no", False)],
)
def test_yes_and_no(value: str, allowed: bool) -> None:
    assert LLMSettings.read({"CASCADE_LLM_ALLOW_PUBLIC": value}).allow_public is allowed


def test_neither_yes_nor_no_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(InputError, match=r"^CASCADE_LLM_ALLOW_PUBLIC='maybe': 1 or 0$"):
        LLMSettings.read({"CASCADE_LLM_ALLOW_PUBLIC": "maybe"})


# --- looked over before anything is asked ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (LLMSettings("http://8.8.8.8/v1"), "neither loopback nor private"),
        (LLMSettings("http://169.254.169.254/v1"), "neither loopback nor private"),
        (LLMSettings("10.0.0.5:8000"), "is not a URL such as"),
        (LLMSettings("http://me:pass@10.0.0.5/v1"), "set an API key instead"),
        (LLMSettings("http://10.0.0.5/v1", dialect="klingon"), "no dialect 'klingon'"),
        (LLMSettings("http://10.0.0.5/v1", key="a b"), "API key is not all ASCII"),
        (LLMSettings(model="qwen3:4b"), "CASCADE_LLM_MODEL=qwen3:4b: no such folder"),
    ],
)
@pytest.mark.parametrize("method", ["check", "found", "backend", "connect"])
def test_what_cannot_be_used_is_one_line(
    settings: LLMSettings, message: str, method: str, tmp_path: Path
) -> None:
    from dataclasses import replace

    settings = replace(settings, store=tmp_path / "answers")
    use = getattr(settings, method)
    with pytest.raises(InputError, match=message) as caught:
        use("it-1") if method in ("backend", "connect") else use()
    assert "\n" not in str(caught.value)
    assert "pass@" not in str(caught.value)


def test_a_public_address_may_be_allowed(tmp_path: Path) -> None:
    LLMSettings("http://8.8.8.8/v1", allow_public=True, store=tmp_path / "answers").check()


def test_a_folder_without_a_model_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.onnx: no such file"):
        LLMSettings(model=str(tmp_path)).check()


def test_a_file_of_answers_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not a store " * 500)
    with pytest.raises(InputError, match="notes: damaged, or not a store of answers"):
        LLMSettings("http://127.0.0.1:9/v1", store=tmp_path / "notes").check()


# --- servers ---


def even(options: list[str]) -> dict[str, float]:
    return dict.fromkeys(options, 1 / len(options))


def test_with_all_named_nothing_is_sent(hostile: Servers, tmp_path: Path) -> None:
    server = hostile("good")
    backend = LLMSettings(server.url, "m", "choice", store=tmp_path / "a").backend("it-1")
    assert backend.name == "m (choice)"
    assert server.connections == 0


def test_a_server_is_asked_for_what_is_not_named(
    hostile: Servers, behaviours: dict[str, Any], tmp_path: Path
) -> None:
    server = hostile(behaviours["decides"](even))
    settings = LLMSettings(server.url, store=tmp_path / "answers")
    found = settings.found()
    assert (found.model, found.dialect) == ("tiny", "decisions")
    backend = settings.backend("it-1")
    answer = backend.ask(QUESTION, time.monotonic() + 30)
    assert answer.probabilities == pytest.approx((0.5, 0.5))
    assert backend.name == "tiny (decisions)"


def test_a_stored_answer_is_that_of_one_bundle(
    hostile: Servers, behaviours: dict[str, Any], tmp_path: Path
) -> None:
    server = hostile(behaviours["decides"](even))
    settings = LLMSettings(server.url, "tiny", "decisions", store=tmp_path / "answers")
    for bundle, asked in (("it-1", 1), ("it-1", 1), ("it-2", 2)):
        settings.backend(bundle).ask(QUESTION, time.monotonic() + 30)
        assert len(server.requests) == asked


@pytest.mark.parametrize("behaviour", ["closed", "500", "hang up", "nonsense"])
def test_who_must_know_is_told_that_a_server_cannot_be_used(
    hostile: Servers, tmp_path: Path, behaviour: str
) -> None:
    server = hostile("good" if behaviour == "closed" else behaviour)
    if behaviour == "closed":
        server.close()
    settings = LLMSettings(server.url, "m", store=tmp_path / "answers")
    with pytest.raises(InputError) as caught:
        settings.connect("training")
    assert str(caught.value).startswith(f"{server.url}")
    assert "\n" not in str(caught.value)


# --- a server that is found later ---


class Even:
    """Answers evenly."""

    name = "even"

    def ask(self, question: Question, deadline: float) -> Answer:
        return Answer((0.5, 0.5))


def test_whoever_asks_waits_until_it_is_found_or_the_deadline_is_over() -> None:
    def find() -> Even:
        time.sleep(0.4)
        return Even()

    later = Later(find, "not known yet")
    assert later.name == "not known yet"
    began = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        later.ask(QUESTION, began + 0.1)
    assert caught.value.kind == "late"
    assert time.monotonic() - began < 0.35
    assert later.ask(QUESTION, began + 30) == Answer((0.5, 0.5))
    assert later.name == "even"


def test_it_is_looked_for_again_after_a_pause_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascade.llm.settings.FIRST_PAUSE", 0.1)
    tries: list[float] = []

    def find() -> Even:
        tries.append(time.monotonic())
        if len(tries) < 4:
            raise InputError("down")
        return Even()

    later = Later(find, "not known yet")
    end = time.monotonic() + 20
    reasons = set()
    while True:
        try:
            later.ask(QUESTION, end)
            break
        except NoAnswer as no:
            reasons.add((no.kind, no.reason))
            assert time.monotonic() < end
            time.sleep(0.01)
    pauses = [after - before for before, after in pairwise(tries)]
    assert len(tries) == 4
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4
    assert reasons == {("failed", "the LLM server cannot be used as it is: see cascade llm check")}


def test_a_name_that_does_not_resolve_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*args: object, **kwargs: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with pytest.raises(InputError, match=r"llm\.corp\.example cannot be resolved"):
        LLMSettings("http://llm.corp.example/v1").backend("it-1")
