"""Tickets go to loopback and private addresses only, whatever a URL or a name server says."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from cascade.errors import InputError
from cascade.llm.address import Address, check, is_internal
from cascade.llm.base import NoAnswer
from cascade.llm.client import Limits, Server

NAME = "llm.example.internal"
REAL = socket.getaddrinfo

OUTSIDE = [
    "8.8.8.8",
    "169.254.169.254",  # link-local: keys of a cloud machine
    "100.64.0.1",  # shared addresses of a provider
    "100.100.100.200",  # Alibaba's keys
    "0.0.0.0",
    "192.0.0.192",  # Oracle's keys
    "255.255.255.255",
    "224.0.0.1",
    "172.32.0.1",
    "11.0.0.1",
    "::",
    "2001:4860:4860::8888",
    "fe80::1",
    "fe80::1%lo",
    "fd00:ec2::254",  # AWS's keys
    "fd20:ce::254",  # Google's keys
    "::ffff:8.8.8.8",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fec0::1",
    "ff02::1",
    "localhost",
    "",
]
INSIDE = [
    "127.0.0.1",
    "127.255.0.7",
    "10.0.0.5",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fd12:3456::1",
    "::ffff:10.0.0.5",
    "::ffff:127.0.0.1",
]


class Names:
    """A name server: each name has addresses, one list a question, the last one for good."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}

    def __call__(self, host: str, port: int, *args: Any, **more: Any) -> Any:
        answers = self.answers.get(host)
        if answers is None:
            return REAL(host, port, *args, **more)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [info for ip in found for info in REAL(ip, port, type=socket.SOCK_STREAM)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    server = Names()
    monkeypatch.setattr(socket, "getaddrinfo", server)
    return server


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that somebody tried to connect to."""
    tried: list[str] = []
    connect = socket.create_connection

    def note(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
        tried.append(address[0])
        return connect(address, *args, **more)

    monkeypatch.setattr(socket, "create_connection", note)
    return tried


def kind(server: Server) -> str:
    with pytest.raises(NoAnswer) as caught:
        server.get("models", time.monotonic() + 1)
    return caught.value.kind


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside(address: str) -> None:
    assert not is_internal(address)


@pytest.mark.parametrize("address", INSIDE)
def test_inside(address: str) -> None:
    assert is_internal(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_the_same_inside_an_ipv6_one(ip: ipaddress.IPv4Address) -> None:
    first, second = ip.packed[:2]
    private = (
        first in (10, 127)
        or (first == 172 and second // 16 == 1)
        or ((first, second) == (192, 168))
    )
    assert is_internal(str(ip)) == is_internal(f"::ffff:{ip}") == private


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/v1", Address("http", "127.0.0.1", 8000, "/v1")),
        ("HTTP://10.0.0.5/v1/", Address("http", "10.0.0.5", 80, "/v1")),
        ("https://[::1]", Address("https", "::1", 443, "")),
    ],
)
def test_a_url_is_taken_apart(url: str, expected: Address) -> None:
    assert Address.parse(url) == expected


def test_the_host_header_of_an_ipv6_address_has_brackets() -> None:
    assert Address.parse("http://[::1]:81").authority == "[::1]:81"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "localhost:8000/v1",
        "//127.0.0.1/v1",
        "http://",
        "http:///v1",
        "http://:8000/v1",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "unix:/run/llm.sock",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:port/",
        "http://[::1/v1",
        "http://[127.0.0.1.evil.example]/",
        "http://127.0.0.1\\@evil.example/",
        "http://127.0.0.1/\r\nX-Evil: 1",
        "http://127.0.0.1/ v1",
        "http://127.0.0.1\t.evil.example/",
        "http://１２７.0.0.1/",
        "http://127.0.0.1/v1?key=1",
        "http://127.0.0.1/v1#a",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="LLM server's address"):
        check(url, allow_public=True)


@pytest.mark.parametrize("url", ["http://me:hunter2@127.0.0.1/v1", "http://hunter2@127.0.0.1/"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="API key") as caught:
        check(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "localhost"]
)
def test_loopback_in_other_spellings_is_loopback(host: str) -> None:
    check(f"http://{host}:8000/v1")


@pytest.mark.parametrize(
    "host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "134744072", "0", "0x0", "8.8.2056"]
)
def test_other_spellings_of_outside_are_outside(host: str) -> None:
    with pytest.raises(InputError, match="neither loopback nor private"):
        check(f"http://{host}/v1")


@pytest.mark.parametrize("host", ["8.8.8.8", "[fe80::1]", "[::ffff:8.8.8.8]", "169.254.169.254"])
def test_outside_is_refused_with_the_fix_named_and_one_setting_allows_it(host: str) -> None:
    with pytest.raises(InputError, match="CASCADE_LLM_ALLOW_PUBLIC=1"):
        check(f"http://{host}/v1")
    assert check(f"http://{host}/v1", allow_public=True).host == host.strip("[]")


def test_all_addresses_of_a_name_must_pass(names: Names) -> None:
    names.answers[NAME] = [["10.0.0.5", "8.8.8.8"]]
    with pytest.raises(InputError, match=r"at 8\.8\.8\.8"):
        check(f"http://{NAME}/v1")
    names.answers[NAME] = [["10.0.0.5", "::1"]]
    check(f"http://{NAME}/v1")


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "x" * 64 + ".example"])
def test_a_name_that_is_none_is_said_to_be_none(host: str) -> None:
    with pytest.raises(InputError, match="cannot be resolved"):
        check(f"http://{host}/v1")


@pytest.mark.parametrize(
    "later", [["8.8.8.8"], ["169.254.169.254"], ["127.0.0.1", "8.8.8.8"], ["::ffff:8.8.8.8"]]
)
def test_a_name_that_moves_outside_later_is_not_followed(
    later: list[str], names: Names, connected: list[str]
) -> None:
    names.answers[NAME] = [["127.0.0.1"], later]
    server = Server(f"http://{NAME}:8000/v1")
    assert kind(server) == "forbidden"
    assert connected == []


def test_the_connection_is_to_the_address_that_was_checked(
    names: Names, connected: list[str], hostile: Callable[..., Any]
) -> None:
    # A name that answers differently each time is asked once a connection.
    there = hostile("close after")
    names.answers[NAME] = [["127.0.0.1"], ["127.0.0.1"], ["8.8.8.8"]]
    server = Server(f"http://{NAME}:{there.port}/v1")
    assert server.get("models", time.monotonic() + 1) == {"answer": 42}
    assert connected == ["127.0.0.1"]
    assert b"Host: %s:%d" % (NAME.encode(), there.port) in there.requests[0]
    time.sleep(0.02)
    assert kind(server) == "forbidden", "the next connection is checked anew"


def test_the_next_address_is_tried_where_one_does_not_answer(
    names: Names, connected: list[str], hostile: Callable[..., Any]
) -> None:
    names.answers[NAME] = [["::1", "127.0.0.1"]]
    server = Server(f"http://{NAME}:{hostile('good').port}/v1")
    assert server.get("models", time.monotonic() + 1) == {"answer": 42}
    assert connected == ["::1", "127.0.0.1"]


def test_an_address_that_swallows_everything_leaves_time_for_the_next(
    names: Names, hostile: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection

    def swallow(address: tuple[str, int], timeout: float) -> socket.socket:
        if address[0] == "10.0.0.5":
            time.sleep(timeout)
            raise TimeoutError
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", swallow)
    names.answers[NAME] = [["10.0.0.5", "127.0.0.1"]]
    server = Server(f"http://{NAME}:{hostile('good').port}/v1")
    assert server.get("models", time.monotonic() + 1) == {"answer": 42}


def test_one_setting_lets_every_address_pass(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def refuse(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    names.answers[NAME] = [["192.0.2.1"]]
    assert kind(Server(f"http://{NAME}/v1", allow_public=True)) == "failed"
    assert tried == [("192.0.2.1", 80)]


@pytest.fixture
def tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[[str], tuple[int, list[str]]]:
    """Start a server with a certificate for a name: its port, and the names it is called by."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def start(name: str) -> tuple[int, list[str]]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        called: list[str] = []
        context.sni_callback = lambda sock, asked, ctx: called.append(asked)
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(65_536)
                        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                except OSError:
                    return  # the client has gone

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1], called

    return start


def test_tls_is_with_the_name_though_the_connection_is_to_an_address(
    names: Names, tls: Callable[[str], tuple[int, list[str]]]
) -> None:
    names.answers[NAME] = [["127.0.0.1"]]
    port, called = tls(NAME)
    assert Server(f"https://{NAME}:{port}/v1").get("models", time.monotonic() + 2) == {}
    assert called == [NAME]


def test_a_certificate_for_another_name_is_not_accepted(
    names: Names, tls: Callable[[str], tuple[int, list[str]]]
) -> None:
    names.answers[NAME] = [["127.0.0.1"]]
    port, _ = tls("other.example.internal")
    assert kind(Server(f"https://{NAME}:{port}/v1")) == "forbidden"


@pytest.mark.parametrize(("says", "expected"), [(b"", "late"), (b"HTTP/1.1 400 No\r\n", "failed")])
def test_a_handshake_that_hangs_or_is_none(says: bytes, expected: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Server(f"https://127.0.0.1:{port}/v1", limits=Limits(connect=0.2))
        clients = []

        def serve() -> None:
            clients.append(listener.accept()[0])
            clients[0].sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        started = time.monotonic()
        assert kind(server) == expected
        assert time.monotonic() - started < 0.6
        clients[0].close()
