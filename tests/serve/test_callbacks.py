"""Later answers are posted: signed, to one address, until they arrive."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import trustme
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select, update

from cascade.errors import InputError
from cascade.llm import address as address_book
from cascade.ticket import Ticket
from serve import receiver as receivers
from serve import worker
from serve.background import background
from serve.callbacks import DROPPED, GIVE_UP_SECONDS, SENT, Tell
from serve.finish import Finish
from serve.intake import Wishes
from serve.receiver import Receiver, Undelivered, may_be_called, signed
from serve.service import Service
from serve.store.tables import jobs
from serve.worker import RETRIED, Background

SECRET = "a secret of 24 characters or more"
DOCUMENT = Path(__file__).parents[2] / "docs" / "callbacks.md"
EXAMPLE = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S)
assert EXAMPLE
SCOPE: dict[str, Any] = {}
exec(EXAMPLE[1], SCOPE)
verify: Callable[[str, Mapping[str, str], bytes], bool] = SCOPE["verify"]


class Desk:
    """A help desk's end: what came, and what it answers."""

    def __init__(self) -> None:
        self.came: list[tuple[Mapping[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        """One a call; after the last one it is 204."""
        self.called = Event()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                desk.came.append((dict(self.headers), body))
                status, headers = desk.answers.pop(0) if desk.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                desk.called.set()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?desk=1"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Somebody who listens."""
    desk = Desk()
    yield desk
    desk.close()


@contextmanager
def line(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of somebody who does something else than HTTP with the one who calls."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            called, _ = listening.accept()
            with called:
                answer(called)

        thread = Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join()


class Posting:
    """A service with later answers to tell."""

    def __init__(self, service: Service, url: str) -> None:
        self.service, self.store = service, service.store
        self.outcomes: list[tuple[str, str]] = []
        self.tell = Tell(Receiver(url, SECRET), service.store)
        self.background = Background(
            self.store,
            self.tell,
            count=lambda kind, outcome: self.outcomes.append((kind, outcome)),
            daily=lambda: None,
        )

    def owe(self) -> str:
        """A later answer to tell; its decision's id."""
        [answer], _ = self.service.intake.route([Ticket("my vpn", "4711")], Wishes(1.0))
        finish = Finish(self.service.engine, self.store, Event(), self.tell.add)
        with self.store.read() as connection:
            owed = connection.execute(select(jobs)).all()
        assert [job.kind for job in owed] == ["finish"]
        assert self.background.step(finish)
        return str(answer["decision_id"])

    def step(self) -> str:
        """Post what is due; how that went."""
        assert self.background.step(self.tell)
        return self.outcomes[-1][1]

    def left(self) -> int:
        with self.store.read() as connection:
            return len(connection.execute(select(jobs)).all())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again without a pause."""
    monkeypatch.setattr(worker, "FIRST_PAUSE", 0.0)


@pytest.fixture
def late(cascade: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake needs longer than a deadline."""
    route = cascade.route

    def shallow(tickets: Any, *, deadline_ms: float | None = None) -> Any:
        decided = route(tickets, deadline_ms=deadline_ms)
        if deadline_ms is None:
            return decided
        return [replace(its, action="review", stage="human", late=True) for its in decided]

    monkeypatch.setattr(cascade, "route", shallow)


@pytest.fixture
def posting_to(late: None, service: Service) -> Callable[[str], Posting]:
    """Makes a service that posts to an address."""
    return lambda url: Posting(service, url)


@pytest.fixture
def posting(posting_to: Callable[[str], Posting], desk: Desk) -> Posting:
    """A service that posts to the desk."""
    return posting_to(desk.url)


def test_the_decision_is_posted_as_it_is_stored(
    posting: Posting, desk: Desk, client: FlaskClient
) -> None:
    decision_id = posting.owe()
    assert posting.step() == SENT
    [(headers, body)] = desk.came
    said = json.loads(body)
    assert said["type"] == "decision.finished"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["timestamp"])
    assert said["data"] == client.get(f"/v1/decisions/{decision_id}").json
    assert said["data"]["pending"] is False
    assert headers["Content-Type"] == "application/json"
    assert "my vpn" not in body.decode()
    assert posting.left() == 0


@pytest.mark.usefixtures("late")
def test_a_later_answer_is_posted_at_once(
    service_of: Callable[..., Service], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL", 3600.0)
    service = service_of(callback_url=desk.url, callback_secret=SecretStr(SECRET))
    its = background(service)
    its.start()
    service.intake.route([Ticket("my vpn")], Wishes(1.0))
    assert desk.called.wait(10.0)
    its.stop()


@pytest.mark.usefixtures("late")
def test_without_an_address_nothing_is_to_be_posted(service: Service) -> None:
    service.intake.route([Ticket("my vpn")], Wishes(1.0))
    its = background(service)
    its.start()
    end = time.monotonic() + 10.0
    with service.store.read() as connection:
        while connection.execute(select(jobs)).all():
            assert time.monotonic() < end
            connection.rollback()
    its.stop()


def test_a_receiver_can_verify_it(posting: Posting, desk: Desk) -> None:
    posting.owe()
    posting.step()
    [(headers, body)] = desk.came
    assert verify(SECRET, headers, body)
    assert not verify(SECRET + "!", headers, body)
    assert not verify(SECRET, headers, body.replace(b"Network", b"Billing"))
    assert not verify(SECRET, headers | {"Webhook-Id": "0" * 32}, body)
    old = str(int(headers["Webhook-Timestamp"]) - 301)
    assert not verify(SECRET, headers | {"Webhook-Timestamp": old}, body)
    replayed = signed(SECRET.encode(), "1", int(old), body)
    assert not verify(SECRET, replayed, body)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification.
    key = receivers._key("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(
    body=st.binary(), other=st.binary(), message=st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True)
)
def test_only_what_was_signed_is_verified(body: bytes, other: bytes, message: str) -> None:
    headers = signed(SECRET.encode(), message, int(time.time()), body)
    assert verify(SECRET, headers, body)
    assert verify(SECRET, headers, other) == (body == other)


def test_what_fails_is_posted_again_under_the_same_id(posting: Posting, desk: Desk) -> None:
    desk.answers = [(500, {}), (429, {}), (400, {})]
    posting.owe()
    assert [posting.step() for _ in range(4)] == [RETRIED] * 3 + [SENT]
    assert len({headers["Webhook-Id"] for headers, _ in desk.came}) == 1
    assert len({body for _, body in desk.came}) == 1
    assert all(verify(SECRET, headers, body) for headers, body in desk.came)
    assert posting.left() == 0


def test_a_receiver_may_be_gone_for_good(
    posting: Posting, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.answers = [(410, {})]
    posting.owe()
    assert posting.step() == DROPPED
    assert posting.left() == 0
    assert "the receiver of callbacks wants one no more" in caplog.messages


def test_after_a_day_it_is_given_up(
    posting: Posting, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.answers = [(503, {})] * 2
    posting.owe()
    assert posting.step() == RETRIED
    with posting.store.write() as connection:
        connection.execute(update(jobs).values(created=jobs.c.created - GIVE_UP_SECONDS))
    assert posting.step() == DROPPED
    assert posting.left() == 0
    assert "a job is given up" in caplog.messages
    assert "the receiver of callbacks answered 503" in caplog.messages


def test_a_redirect_leads_nowhere(posting: Posting, desk: Desk) -> None:
    desk.answers = [(307, {"Location": desk.url})]
    posting.owe()
    assert posting.step() == RETRIED
    assert len(desk.came) == 1


def test_a_reply_without_end_is_not_read(posting_to: Callable[[str], Posting]) -> None:
    ended = Event()

    def endless(called: socket.socket) -> None:
        called.recv(65536)
        try:
            called.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
            while True:
                called.sendall(b"x" * 65536)
        except OSError:
            ended.set()

    with line(endless) as url:
        posting = posting_to(url)
        posting.owe()
        assert posting.step() == SENT
        assert ended.wait(10.0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda called: called.recv(65536), "the receiver is down or cut the connection"),
        (lambda called: called.sendall(b"220 mail\r\n\r\n"), "the receiver does not speak HTTP"),
        (lambda called: Event().wait(0.6), "the receiver did not answer in time"),
        (lambda called: [drip(called) for _ in range(12)], "the receiver did not answer in time"),
    ],
    ids=["cut", "nonsense", "silent", "drop by drop"],
)
def test_a_receiver_that_does_not_answer(
    answer: Callable[[socket.socket], None], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "TOTAL_SECONDS", 0.3)
    with line(answer) as url:
        receiver = Receiver(url, SECRET)
        with pytest.raises(Undelivered, match=why):
            receiver.post("1", b"{}")
        receiver.close()


def drip(called: socket.socket) -> None:
    Event().wait(0.05)
    try:
        called.sendall(b"H" if called.recv(65536) else b"T")
    except OSError:
        return


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(Undelivered, match="is down"):
        Receiver(f"http://127.0.0.1:{port}", SECRET).post("1", b"{}")


# --- where it may lead ---


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::",
        "ff02::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_addresses_that_hand_out_keys_are_never_called(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not may_be_called(address)
    # Where a name has several addresses, one of them is enough to refuse it.
    monkeypatch.setattr(address_book, "resolve", lambda *_: ["127.0.0.1", address])
    with pytest.raises(Undelivered, match="may not be called"):
        Receiver("http://desk.example/", SECRET).post("1", b"{}")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.0.0.5", "192.168.1.1", "8.8.8.8", "2606:4700::1111", "fd12::1"],
)
def test_private_and_public_addresses_are_the_operators_choice(address: str) -> None:
    assert may_be_called(address)


def test_a_name_is_resolved_once_and_its_address_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def rebinding(host: str, port: int, until: float) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    monkeypatch.setattr(address_book, "resolve", rebinding)
    port = desk.server.server_port
    assert Receiver(f"http://desk.example:{port}/hook", SECRET).post("1", b"{}") == 204
    assert asked == ["desk.example"]
    [(headers, _)] = desk.came
    assert headers["Host"] == f"desk.example:{port}"


def test_the_next_address_is_tried(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_book, "resolve", lambda *_: ["::1", "127.0.0.1"])
    url = f"http://desk.example:{desk.server.server_port}/"
    assert Receiver(url, SECRET).post("1", b"{}") == 204


def test_a_certificate_has_to_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("desk.example").configure_cert(context)
    monkeypatch.setattr(address_book, "resolve", lambda *_: ["127.0.0.1"])

    def answer(called: socket.socket) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(called, server_side=True) as secure:
            received = b""
            while not received.endswith(b"{}"):
                received += secure.recv(65536)
            secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def post() -> int:
        with line(answer) as url:
            secure = url.replace("http://127.0.0.1", "https://desk.example")
            return Receiver(secure, SECRET).post("1", b"{}")

    with pytest.raises(Undelivered, match="certificate is not trusted"):
        post()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert post() == 204


@pytest.mark.parametrize(
    "url",
    [
        "desk.example/hook",
        "ftp://desk.example/",
        "file:///etc/passwd",
        "http:///hook",
        "http://user:password@desk.example/",
        "http://desk.example:99999/",
        "http://desk example/",
        "http://desk.example\\@10.0.0.5/",
        "http://bücher.example/",
        "http://desk.example/\r\nHost: other",
    ],
)
def test_a_url_that_cannot_be_used_is_named_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError) as caught:
        Receiver(url, SECRET)
    assert "CASCADE_CALLBACK_URL" in str(caught.value)
    assert url not in str(caught.value)


@pytest.mark.parametrize("secret", ["whsec_no base64!", "whsec_c2hvcnQ="])
def test_a_secret_that_was_copied_badly_is_named_and_not_repeated(secret: str) -> None:
    with pytest.raises(InputError) as caught:
        Receiver("http://desk.example", secret)
    assert "CASCADE_CALLBACK_SECRET" in str(caught.value)
    assert secret not in str(caught.value)


def test_no_request_can_name_an_address(client: FlaskClient) -> None:
    for name in ("callback_url", "callback", "url"):
        reply = client.post("/v1/route", json={"text": "a", name: "http://10.0.0.5/"})
        assert reply.status_code == 422
