"""Whatever the server does, a call ends in time, with an answer or with a reason for none."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cascade.errors import InputError
from cascade.llm.base import NoAnswer
from cascade.llm.breaker import Breaker
from cascade.llm.client import ANSWERED, MAX_REPLY, BadStatus, Limits, Server

TICKET = "zq-secret-of-the-ticket-zq"
SECONDS = 0.5
MARGIN = 0.4  # a busy machine's threads wake up late

KINDS = {
    "slow": "late",
    "drip": "late",
    "drip chunks": "late",
    "drip head": "late",
    "flood of hints": "late",
    "hang up": "failed",
    "reset": "failed",
    "500": "failed",
    "503": "failed",
    "501": "refused",
    "401": "refused",
    "422": "refused",
    "429": "refused",
    "cut": "nonsense",
    "empty": "nonsense",
    "no content": "nonsense",
    "nonsense": "nonsense",
    "html": "nonsense",
    "array": "nonsense",
    "nan": "nonsense",
    "infinity": "nonsense",
    "overflow": "nonsense",
    "huge number": "nonsense",
    "deep": "nonsense",
    "latin": "nonsense",
    "huge body": "nonsense",
    "huge headers": "nonsense",
    "gzip bomb": "nonsense",
    "coded": "nonsense",
    "not http": "nonsense",
    "two lengths": "nonsense",
    "redirect": "forbidden",
}


@contextmanager
def in_time(seconds: float = SECONDS) -> Iterator[float]:
    """Gives a deadline; what happens inside ends by then, within the margin."""
    started = time.monotonic()
    yield started + seconds
    assert time.monotonic() - started < seconds + MARGIN


def ask(server: Server, deadline: float | None = None) -> dict[str, Any]:
    """A call with a ticket's text in it."""
    if deadline is None:
        deadline = time.monotonic() + SECONDS
    return server.post("chat/completions", {"ticket": TICKET}, deadline)


def reason(server: Server, deadline: float | None = None) -> NoAnswer:
    """Why a call brings no answer."""
    with pytest.raises(NoAnswer) as caught:
        ask(server, deadline)
    return caught.value


@pytest.mark.parametrize(("behaviour", "kind"), KINDS.items())
def test_a_hostile_server_gets_a_reason_in_time_and_no_word_into_it(
    behaviour: str,
    kind: str,
    hostile: Callable[..., Any],
    server_secret: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server(hostile(behaviour).url)
    with in_time() as deadline:
        no_answer = reason(server, deadline)
    assert no_answer.kind == kind
    assert server.counts == {kind: 1}
    for text in (str(no_answer), no_answer.reason, caplog.text):
        assert server_secret not in text
        assert TICKET not in text


@pytest.mark.parametrize("behaviour", ["flood of chunks", "huge length"])
def test_a_reply_without_end_ends_by_size_or_by_time(
    behaviour: str, hostile: Callable[..., Any]
) -> None:
    with in_time() as deadline:
        assert reason(Server(hostile(behaviour).url), deadline).kind in ("late", "nonsense")


def test_a_server_that_is_down_is_found_out_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/v1")
    with in_time(0.1) as deadline:
        assert reason(server, deadline).kind == "failed"


@pytest.mark.parametrize("pace", [0, 65_536], ids=["never", "slowly"])
def test_a_server_that_does_not_read_holds_nobody(pace: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    over = threading.Event()

    def read() -> None:
        with listener.accept()[0] as connection:
            while not over.wait(0.02):
                connection.recv(pace)

    threading.Thread(target=read, daemon=True).start()
    with listener, in_time() as deadline:
        server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(NoAnswer) as caught:
            server.post("", {"text": "a" * 12_000_000}, deadline)
        over.set()
    assert caught.value.kind == "late"


def test_what_is_sent_is_json_and_asks_for_plain_json(hostile: Callable[..., Any]) -> None:
    there = hostile("good")
    server = Server(there.url + "/", api_key="key-1")
    assert server.post("/chat/completions", {"text": "é\ud800"}, time.monotonic() + 1) == {
        "answer": 42
    }
    assert server.get("models", time.monotonic() + 1) == {"answer": 42}
    sent, asked = (request.split(b"\r\n") for request in there.requests)
    assert sent[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert asked[0] == b"GET /v1/models HTTP/1.1"
    assert {
        b"Host: 127.0.0.1:%d" % there.port,
        b"Accept-Encoding: identity",
        b"Connection: close",
        b"Authorization: Bearer key-1",
        b"Content-Type: application/json",
    } <= set(sent)
    assert sent[-1] == rb'{"text": "\u00e9\ud800"}'
    assert server.counts == {ANSWERED: 2}


def test_proxies_of_the_environment_are_not_asked(
    hostile: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, proxy = hostile("good"), hostile("good")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    ask(Server(there.url))
    assert not proxy.connections


def test_redirects_are_not_followed(hostile: Callable[..., Any]) -> None:
    there, elsewhere = hostile("redirect"), hostile("good")
    there.elsewhere = elsewhere.url
    assert reason(Server(there.url)).kind == "forbidden"
    assert not elsewhere.connections


@pytest.mark.parametrize("behaviour", ["503 once", "429 once"])
def test_a_server_that_asks_for_patience_is_called_once_more(
    behaviour: str, hostile: Callable[..., Any]
) -> None:
    there = hostile(behaviour)
    assert ask(Server(there.url)) == {"answer": 42}
    assert len(there.requests) == 2


@pytest.mark.parametrize(
    ("behaviour", "calls"), [("429", 2), ("503", 1), ("500 once", 1), ("cut", 1), ("hang up", 1)]
)
def test_no_further_retries(behaviour: str, calls: int, hostile: Callable[..., Any]) -> None:
    # Once where asked to; never later than the deadline; never where the call may have been heard.
    there = hostile(behaviour)
    reason(Server(there.url))
    assert len(there.requests) == calls


def test_the_status_is_known_to_who_wants_it(hostile: Callable[..., Any]) -> None:
    no_answer = reason(Server(hostile("401").url))
    assert isinstance(no_answer, BadStatus)
    assert no_answer.status == 401


def test_a_server_that_breaks_its_promise_to_keep_a_connection(hostile: Callable[..., Any]) -> None:
    server = Server(hostile("close after").url)
    for _ in range(3):
        assert ask(server) == {"answer": 42}


def test_what_a_reply_leaves_behind_is_no_answer_to_the_next_ticket(
    hostile: Callable[..., Any],
) -> None:
    server = Server(hostile("two replies").url)
    for _ in range(3):
        assert ask(server) == {"answer": 42}


def test_a_reply_up_to_the_limit_is_read(hostile: Callable[..., Any]) -> None:
    def large(there: Any, connection: socket.socket) -> bool:
        body = b'{"text": "' + b"a" * (MAX_REPLY - 12) + b'"}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return True

    assert len(ask(Server(hostile(large).url), time.monotonic() + 5)["text"]) == MAX_REPLY - 12


def test_a_deadline_that_is_over_asks_nobody(hostile: Callable[..., Any]) -> None:
    there = hostile("good")
    server = Server(there.url, breaker=Breaker(failures=1))
    with in_time(0):
        assert reason(server, time.monotonic()).kind == "late"
    assert not there.connections
    assert server.breaker.state == "closed", "it was not the server's fault"


@pytest.mark.parametrize(
    ("behaviour", "limits"),
    [("slow", Limits(first_byte=0.1)), ("drip head", Limits(first_byte=0.1))]
    + [(name, Limits(total=0.1)) for name in ("slow", "drip", "drip chunks")],
)
def test_limits_hold_where_the_deadline_is_far(
    behaviour: str, limits: Limits, hostile: Callable[..., Any]
) -> None:
    server = Server(hostile(behaviour).url, limits=limits)
    with in_time(0.1):
        assert reason(server, time.monotonic() + 60).kind == "late"


def test_the_limit_for_the_first_byte_is_over_with_it(hostile: Callable[..., Any]) -> None:
    def slow_body(there: Any, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        there.over.wait(0.4)
        connection.sendall(b"}")
        return True

    assert ask(Server(hostile(slow_body).url, limits=Limits(first_byte=0.2)), 1e9) == {}


def test_a_name_that_takes_for_ever_to_look_up(
    hostile: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(hostile("good").url)
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: over.wait(5) and [])
    with in_time(0.1) as deadline:
        assert reason(server, deadline).kind == "late"
    over.set()


def test_calls_beyond_the_limit_are_turned_away(hostile: Callable[..., Any]) -> None:
    there = hostile("slow")
    server = Server(there.url, limits=Limits(in_flight=2, wait=0.05))
    threads = [threading.Thread(target=reason, args=(server,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(there.requests) < 2:
        time.sleep(0.005)
    with in_time(0.05):
        assert reason(server).kind == "busy"
    for thread in threads:
        thread.join()
    there.close()
    assert reason(server).kind == "failed", "the slots are free again"
    assert server.counts == {"late": 2, "busy": 1, "failed": 1}


def test_a_call_waits_a_moment_for_its_turn(hostile: Callable[..., Any]) -> None:
    server = Server(hostile("late").url, limits=Limits(in_flight=1, wait=2.0))
    threads = [threading.Thread(target=ask, args=(server, time.monotonic() + 5)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.counts == {ANSWERED: 3}


@pytest.mark.parametrize("behaviour", ["500", "slow", "hang up", "html"])
def test_a_sick_server_is_left_alone(behaviour: str, hostile: Callable[..., Any]) -> None:
    there = hostile(behaviour)
    server = Server(there.url, breaker=Breaker(failures=2, pause=60))
    for _ in range(2):
        reason(server, time.monotonic() + 0.1)
    asked = len(there.requests)
    with in_time(0.05):
        assert reason(server).kind == "open"
    assert len(there.requests) == asked


@pytest.mark.parametrize("behaviour", ["422", "429", "401", "501"])
def test_a_server_that_refuses_is_not_sick(behaviour: str, hostile: Callable[..., Any]) -> None:
    server = Server(hostile(behaviour).url, breaker=Breaker(failures=1))
    reason(server)
    assert server.breaker.state == "closed"


def test_a_refusal_is_a_sign_of_health(hostile: Callable[..., Any]) -> None:
    there, refusing = hostile("500"), hostile("422")
    server = Server(there.url, breaker=Breaker(failures=1, pause=0.05))
    reason(server)
    there.behaviour = refusing.behaviour
    time.sleep(0.06)
    assert reason(server).kind == "refused"
    assert server.breaker.state == "closed"


def test_a_server_that_recovers_is_found_out_by_one_call(hostile: Callable[..., Any]) -> None:
    server = Server(hostile("500 once").url, breaker=Breaker(failures=1, pause=0.05))
    reason(server)
    assert reason(server).kind == "open"
    time.sleep(0.06)
    assert ask(server) == {"answer": 42}
    assert server.breaker.state == "closed"


@pytest.mark.parametrize("key", ["key 1", "a\nX-Evil: 1", "clé"])
def test_an_api_key_that_is_no_header_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InputError) as caught:
        Server("http://127.0.0.1:1/v1", api_key=key)
    assert repr(key)[1:-1] not in str(caught.value)
