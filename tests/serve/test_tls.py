"""TLS and keys at a real gunicorn."""

from __future__ import annotations

import http.client
import json
import os
import runpy
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from cascade.errors import InputError
from serve.server import Server
from serve.settings import Settings
from serve.store import Store, keys
from serve.tls import Certificate

HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
FAKE = runpy.run_path(str(Path(__file__).parent / "fake_server.py"))
running, wait_for = HELP["running"], HELP["wait_for"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def write(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """A new certificate for this machine, and its key."""
    made = authority.issue_cert("127.0.0.1", "localhost")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    key.write_bytes(made.private_key_pem.bytes())
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    return certificate, key


@pytest.fixture(scope="module")
def server(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service of two workers that speaks TLS and needs keys; with a key that may route."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = write(authority, folder)
    store = Store(f"sqlite:///{folder / 'service.sqlite'}")
    store.migrate()
    with store.write() as connection:
        made = [keys.add(connection, name, ["route"]) for name in ("helpdesk", "other")]
    variables = {
        "CASCADE_AUTH": "keys",
        "CASCADE_WORKERS": "2",
        "CASCADE_TLS_CERTIFICATE": str(certificate),
        "CASCADE_TLS_KEY": str(key),
    }
    with running("", folder / "log", **variables) as started:
        started.store, started.tokens = store, [token for _, token in made]
        started.trust = trust(authority)
        wait_for(lambda: ask(started, "GET", "/readyz")[0] == 200)
        yield started
    store.close()


def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def ask(
    server: Any, method: str, path: str, token: str = "", body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPSConnection(server.address, timeout=10, context=server.trust)
    headers = {"Content-Type": "application/json"} if body else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    answer = reply.status, reply.headers, reply.read()
    connection.close()
    return answer


TICKET = b'{"text": "VPN"}'


def test_a_key_routes_over_tls_and_browsers_are_told_to_stay_with_it(server: Any) -> None:
    status, headers, body = ask(server, "POST", "/v1/route", server.tokens[0], TICKET)
    assert status == 200
    assert json.loads(body)["queue"] == "Network"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert ask(server, "POST", "/v1/route", "", TICKET)[0] == 401


def test_old_versions_of_tls_are_refused(server: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    host, port = server.address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as line,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(line, server_hostname=host)


def test_plain_http_is_told_to_come_with_tls(server: Any) -> None:
    reply = server.say(b"POST /v1/route HTTP/1.1\r\nHost: x\r\n\r\nmy password is hunter2")
    assert reply.startswith(b"HTTP/1.1 400")
    assert b"https://" in reply
    wait_for(lambda: "HTTP_REQUEST" in server.log)
    assert "hunter2" not in server.log


def test_noise_in_place_of_a_handshake_is_one_line_of_the_log(server: Any) -> None:
    before = len(server.log.splitlines())
    host, port = server.address.split(":")
    for noise in (b"\x00" * 50, b"\x16\x03\x01", os.urandom(200)):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(noise)
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
    assert ask(server, "GET", "/healthz")[0] == 200
    lines = server.log.splitlines()[before:]
    assert all(json.loads(line)["event"] for line in lines)
    assert "Traceback" not in server.log


def test_a_revoked_key_is_refused_by_every_worker_in_two_seconds(server: Any) -> None:
    token = server.tokens[1]
    for _ in range(8):  # so that each worker knows it
        assert ask(server, "GET", "/v1/decisions/1", token)[0] == 404
    with server.store.write() as connection:
        keys.revoke(connection, token.split("_")[1])
    wait_for(
        lambda: {ask(server, "GET", "/v1/decisions/1", token)[0] for _ in range(8)} == {401}, 2
    )


def test_no_key_is_in_the_log(server: Any) -> None:
    for token in server.tokens:
        ask(server, "GET", f"/v1/decisions/1?key={token}", token)
        ask(server, "GET", f"/v1/{token}", token)
        ask(server, "POST", "/v1/route", token, token.encode())
        server.say(f"{token} / HTTP/1.1\r\n\r\n".encode())
        assert token.split("_")[1] in server.log, "which key it was is told"
        assert token.split("_")[2] not in server.log


def test_renewed_files_hold_for_the_next_connection(server: Any, authority: trustme.CA) -> None:
    def serial() -> str:
        host, port = server.address.split(":")
        with (
            socket.create_connection((host, int(port)), timeout=10) as line,
            server.trust.wrap_socket(line, server_hostname=host) as wrapped,
        ):
            shown: Any = wrapped.getpeercert()
            return str(shown["serialNumber"])

    before = serial()
    assert serial() == before
    write(authority, server.log_file.parent)
    assert serial() != before


def test_half_renewed_files_leave_the_certificate_as_it_was(
    authority: trustme.CA, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write(authority, tmp_path)
    certificate = Certificate(*files)
    old = certificate.context(None, None)
    assert certificate.context(None, None) is old
    key = files[1].read_bytes()
    write(authority, tmp_path)
    new_key = files[1].read_bytes()
    files[1].write_bytes(key)
    assert certificate.context(None, None) is old
    assert "KEY_VALUES_MISMATCH" in caplog.text
    files[1].write_bytes(new_key)
    assert certificate.context(None, None) is not old


def encrypt(key: Path) -> None:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    made = loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    key.write_bytes(made)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda certificate, key: key.unlink(), "No such file"),
        (lambda certificate, key: certificate.write_text(""), "not a certificate"),
        (lambda certificate, key: key.write_bytes(certificate.read_bytes()), "not a certificate"),
        (lambda certificate, key: encrypt(key), "without a password"),
    ],
)
def test_files_that_cannot_be_used_stop_the_start_and_are_named_in_one_line(
    authority: trustme.CA, tmp_path: Path, broken: Callable[[Path, Path], Any], told: str
) -> None:
    files = write(authority, tmp_path)
    broken(*files)
    with pytest.raises(InputError) as caught:
        server_with(tmp_path, tls_certificate=files[0], tls_key=files[1])
    assert all(str(file) in str(caught.value) for file in files)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_service_that_needs_keys_and_has_none_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cascade key add NAME --scope route"):
        server_with(tmp_path, host="0.0.0.0")


def server_with(folder: Path, **settings: Any) -> Server:
    chosen = Settings(database=f"sqlite:///{folder / 'service.sqlite'}", port=0, **settings)
    return Server(chosen, check=lambda: None, load=lambda path: FAKE["FakeCascade"]())
