"""A real gunicorn over a real socket, around the fake cascade."""

from __future__ import annotations

import http.client
import json
import runpy
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
running = HELP["running"]
Running = Any
SECRET = "hunter2"
VERB = ["-c", "from cascade.cli import main; main()", "serve"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with running("", log, CASCADE_MAX_BODY="1000") as started:
        started.until_ready()
        yield started


def test_every_address_answers_and_names_the_bundle(server: Running) -> None:
    ticket = b'{"subject": "VPN"}'
    asked = [
        ("GET", "/", None, 200),
        ("GET", "/static/try.js", None, 200),
        ("GET", "/healthz", None, 200),
        ("GET", "/readyz", None, 200),
        ("GET", "/openapi.json", None, 200),
        ("POST", "/v1/route", ticket, 200),
        ("POST", "/v1/route/batch", b'{"tickets": [' + ticket + b"]}", 200),
        ("GET", "/v1/route", None, 405),
        ("GET", "/nowhere", None, 404),
        ("POST", "/v1/route", b"{", 400),
    ]
    for method, path, body, status in asked:
        got, headers, _ = server.ask(method, path, body)
        assert (path, got) == (path, status)
        assert headers["Cascade-Bundle"] == "fake-1"
        assert headers["X-Request-Id"]


def chunked(*chunks: bytes) -> bytes:
    head = b"POST /v1/route HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def test_a_chunked_body_is_read_and_does_not_get_round_the_limit(server: Running) -> None:
    assert server.say(chunked(b'{"text":', b'"a"}', b"")).startswith(b"HTTP/1.1 200")
    for size in (1000, 1001, 5000):  # valid JSON up to the limit, then more of it
        padded = b'{"text": "a"}'.ljust(size)
        reply = server.say(chunked(*(padded[i : i + 200] for i in range(0, size, 200)), b""))
        assert reply.startswith(b"HTTP/1.1 200" if size == 1000 else b"HTTP/1.1 413")


def test_a_broken_chunk_is_malformed(server: Running) -> None:
    reply = server.say(chunked(b'{"text":') + b"zz\r\n")
    assert reply.startswith(b"HTTP/1.1 400")
    assert b"/problems/malformed-request" in reply


def test_a_false_content_length_tells_nothing_of_the_text(server: Running) -> None:
    text = f'{{"text": "a", "b": "{SECRET} AND {SECRET}"}}'.encode()
    head = b"POST /v1/route HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    short = head + b"Content-Length: 13\r\n\r\n" + text + b"\r\n\r\n"
    reply = server.say(short)
    assert reply.count(b"HTTP/1.1 400") == 2  # the cut body, and what is left of it
    assert reply.count(b"application/problem+json") == 2
    huge = head + b"Content-Length: 99999999999\r\n\r\n{"
    assert server.say(huge).startswith(b"HTTP/1.1 413")
    assert SECRET.encode() not in reply
    assert SECRET not in server.log


def test_every_log_line_is_json(server: Running) -> None:
    server.ask("GET", "/healthz")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert {"ts", "level", "event", "pid"} <= set.intersection(*(set(line) for line in lines))


def test_health_answers_while_every_thread_routes(tmp_path: Path) -> None:
    small = {"CASCADE_THREADS": "1", "CASCADE_WAITING": "1"}
    with running("", tmp_path / "log", **small) as server:
        server.until_ready()
        body = b'{"text": "sleep", "deadline_ms": 5000}'
        statuses: list[int] = []

        def route() -> None:
            statuses.append(server.ask("POST", "/v1/route", body)[0])

        crowd = [threading.Thread(target=route) for _ in range(3)]
        for thread in crowd:
            thread.start()
        time.sleep(0.4)
        began = time.monotonic()
        assert server.ask("GET", "/healthz")[0] == 200
        assert time.monotonic() - began < 0.5
        for thread in crowd:
            thread.join()
        assert sorted(statuses) == [200, 200, 503]


def test_alive_but_not_ready_while_the_bundle_loads(tmp_path: Path) -> None:
    with running("slow-load", tmp_path / "log") as server:
        assert server.ask("GET", "/healthz")[0] == 200
        status, headers, _ = server.ask("GET", "/readyz")
        assert (status, headers["Retry-After"]) == (503, "1")
        server.until_ready()


def test_a_request_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    with running("", tmp_path / "log") as server:
        server.until_ready()
        statuses: list[int] = []
        slow = threading.Thread(
            target=lambda: statuses.append(server.ask("POST", "/v1/route", b'{"text": "sleep"}')[0])
        )
        slow.start()
        time.sleep(0.3)
        assert server.stop() == 0
        slow.join()
        assert statuses == [200]


def test_who_is_about_to_end_says_so_on_the_connections_that_it_has(tmp_path: Path) -> None:
    with running("", tmp_path / "log") as server:
        server.until_ready()
        kept = http.client.HTTPConnection(server.address, timeout=10)
        kept.connect()
        kept.request("GET", "/readyz")
        assert kept.getresponse().read()
        slow = threading.Thread(target=server.ask, args=("POST", "/v1/route", b'{"text": "sleep"}'))
        slow.start()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        kept.request("GET", "/readyz")
        reply = kept.getresponse()
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        assert json.loads(reply.read())["type"] == "/problems/draining"
        slow.join()
        kept.close()


def test_a_bundle_that_is_not_sound_stops_the_start(tmp_path: Path) -> None:
    with running("broken-check", tmp_path / "log") as server:
        assert server.process.wait(timeout=20) == 2
        assert server.log == "cascade: bundle.json: no such file\n"


def test_a_bundle_that_no_worker_can_load_ends_the_server(tmp_path: Path) -> None:
    with running("broken-load", tmp_path / "log") as server:
        assert server.process.wait(timeout=20) == 2
        assert server.log.count("encoder/model.onnx: damaged") == 1
        assert server.log.endswith("cascade: a worker could not start; the log says why\n")


def test_a_database_that_is_away_at_the_start_is_worth_trying_again(tmp_path: Path) -> None:
    away = "postgresql+psycopg://127.0.0.1:1/cascade"
    with running("", tmp_path / "log", CASCADE_DATABASE=away) as server:
        assert server.process.wait(timeout=20) == 75
        (line,) = server.log.splitlines()
        assert line.startswith(f"cascade: {away}: is not available (")
    unit = (HELP["ROOT"] / "deploy" / "cascade.service").read_text()
    assert "Restart=always\n" in unit
    assert "RestartPreventExitStatus=2\n" in unit


def test_a_worker_waits_for_a_database_that_is_away_and_so_does_a_hangup(tmp_path: Path) -> None:
    with running("store-away", tmp_path / "log") as server:
        server.until_ready()
        assert server.log.count("the store is unavailable") == 2
        server.process.send_signal(signal.SIGHUP)
        HELP["wait_for"](lambda: "the bundle was not changed: the store is away" in server.log)
        assert server.ask("GET", "/readyz")[0] == 200
        assert "Traceback" not in server.log


def test_a_port_in_use_is_one_clear_line(tmp_path: Path, server: Running) -> None:
    port = server.address.split(":")[1]
    with running("", tmp_path / "log", CASCADE_PORT=port) as second:
        assert second.process.wait(timeout=20) == 2
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in second.log


def test_the_verb_serves_a_real_bundle(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    try:
        bundle = request.getfixturevalue("tiny_bundle")
    except pytest.FixtureLookupError:
        pytest.skip("no fixture makes a bundle yet")
    flags = ["--bundle", str(bundle), "--port", "0", "--workers", "1"]
    with running([*VERB, *flags], tmp_path / "log") as server:
        server.until_ready()
        ready = json.loads(server.ask("GET", "/readyz")[2])
        ticket = b'{"id": "4711", "subject": "VPN", "body": "It drops.", "deadline_ms": 60000}'
        decision = json.loads(server.ask("POST", "/v1/route", ticket)[2])
        assert decision["id"] == "4711"
        assert decision["queue"] in ready["queues"]
        assert decision["bundle"] == ready["bundle"]
        batch = b'{"tickets": [' + ticket.replace(b', "deadline_ms": 60000', b"") + b"]}"
        alike = json.loads(server.ask("POST", "/v1/route/batch", batch)[2])
        assert alike["bundle"] == ready["bundle"]
        assert alike["decisions"][0]["confidence"] == decision["confidence"]
        for path in ("/", "/healthz", "/openapi.json"):
            status, headers, _ = server.ask("GET", path)
            assert (status, headers["Cascade-Bundle"]) == (200, ready["bundle"])
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("auth", "callers"), [("auto", "this machine, without a key"), ("none", "EVERYONE")]
)
def test_the_welcome_says_who_may_call_and_where_decisions_are_kept(
    tiny_bundle: Path, tmp_path: Path, auth: str, callers: str
) -> None:
    host = "127.0.0.1" if auth == "auto" else "0.0.0.0"
    command = [*VERB, "--bundle", str(tiny_bundle), "--host", host]
    with running(command, tmp_path / "log", CASCADE_AUTH=auth) as server:
        told = [server.process.stdout.readline() for _ in range(2)]
    assert callers in told[0]
    assert str(tmp_path / "service.sqlite") in told[1]


def test_the_verb_names_the_bundle_that_is_not_there(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with running([*VERB, "--bundle", str(nowhere), "--port", "0"], tmp_path / "log") as server:
        assert server.process.wait(timeout=20) == 2
        assert server.log.startswith("cascade: ")
        assert str(nowhere) in server.log
        assert len(server.log.splitlines()) == 1


# --- who answers in the llm stage ---

TICKET = b'{"text": "the export shows an error since the invoice was paid", "deadline_ms": 20000}'


def serving(bundle: Path) -> list[str]:
    return [*VERB, "--bundle", str(bundle), "--port", "0", "--workers", "1"]


def test_four_stages_over_rest_with_the_reader_of_the_package(
    open_bundle: Path, tmp_path: Path
) -> None:
    with running(serving(open_bundle), tmp_path / "log") as server:
        server.until_ready()
        ready = json.loads(server.ask("GET", "/readyz")[2])
        assert ready["stages"] == ["linear", "encoder", "neighbours", "llm"]
        llm = ready["advisers"]["llm"]
        assert llm["backend"].startswith("reader ")
        assert (llm["fitted"], llm["counts"]) == (True, {})
        decision = json.loads(server.ask("POST", "/v1/route", TICKET)[2])
        assert [trace["name"] for trace in decision["stages"]] == ready["stages"]
        assert (
            sum(json.loads(server.ask("GET", "/readyz")[2])["advisers"]["llm"]["counts"].values())
            == 1
        )


@pytest.mark.parametrize("named", [True, False])
def test_a_server_that_is_down_keeps_nobody_from_routing(
    open_bundle: Path, tmp_path: Path, named: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    flags = ["--llm-url", f"http://127.0.0.1:{port}/v1"]
    if named:
        flags += ["--llm-model", "m", "--llm-dialect", "logprobs"]
    store = str(tmp_path / "answers")
    command = [*serving(open_bundle), *flags]
    with running(command, tmp_path / "log", CASCADE_LLM_STORE=store) as server:
        server.until_ready()
        decision = json.loads(server.ask("POST", "/v1/route", TICKET)[2])
        assert decision["action"] == "review"
        assert "LLM server" in decision["reason"]
        llm = json.loads(server.ask("GET", "/readyz")[2])["advisers"]["llm"]
        assert llm["backend"] == ("m (logprobs)" if named else "not known yet")
        assert (llm["fitted"], set(llm["counts"])) == (False, {"failed"})  # it is tried again
        assert "export" not in server.log
        assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CASCADE_LLM_URL": "http://8.8.8.8/v1"}, "neither loopback nor private"),
        ({"CASCADE_LLM_URL": "ftp://10.0.0.5"}, "is not a URL such as"),
        ({"CASCADE_LLM_URL": "http://10.0.0.5/v1", "CASCADE_LLM_DIALECT": "x"}, "no dialect 'x'"),
        ({"CASCADE_LLM_MODEL": "qwen3:4b"}, "CASCADE_LLM_MODEL=qwen3:4b: no such folder"),
        (
            {"CASCADE_LLM_ALLOW_PUBLIC": "maybe"},
            "CASCADE_LLM_ALLOW_PUBLIC='maybe': Input should be a valid boolean",
        ),
        (
            {"CASCADE_CALLBACK_URL": "ftp://desk", "CASCADE_CALLBACK_SECRET": "s" * 24},
            "CASCADE_CALLBACK_URL: not a URL such as",
        ),
    ],
)
def test_settings_that_cannot_be_used_stop_the_start(
    linear_bundle: Path, tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    store = {"CASCADE_LLM_STORE": str(tmp_path / "answers")}
    with running(serving(linear_bundle), tmp_path / "log", **store, **variables) as server:
        assert server.process.wait(timeout=60) == 2
        (line,) = server.log.splitlines()
        assert line.startswith("cascade: ")
        assert message in line
        assert server.address == "", "nothing was listened on"
