"""The bundle changes in all workers of a real server, and no request notices."""

from __future__ import annotations

import http.client
import json
import os
import runpy
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
running, wait_for, JSON = HELP["running"], HELP["wait_for"], HELP["JSON"]
TICKET = b'{"text": "a", "explain": true}'
WORKERS = 2


def put(folder: Path, bundle_id: str, seconds: float = 0.0) -> None:
    """A "bundle" of the fake, which may take its time to load."""
    folder.mkdir(exist_ok=True)
    (folder / "id").write_text(bundle_id)
    (folder / "seconds").write_text(str(seconds))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles beside each other; ``one`` is the one of the settings."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in ("one", "two", "damaged"):
        put(folder / name, name)
    put(folder / "slow", "slow", 1.0)
    return folder


@pytest.fixture(scope="module")
def started(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    log = tmp_path_factory.mktemp("serve") / "log"
    variables = {"CASCADE_BUNDLE": str(bundles / "one"), "CASCADE_WORKERS": str(WORKERS)}
    with running("", log, **variables) as server:
        server.until_ready()
        yield server


@pytest.fixture
def server(started: Any, bundles: Path) -> Any:
    """A server of two workers with bundle ``one``."""
    put(bundles / "one", "one")
    assert change(started, None)[0] == 200
    return started


def change(server: Any, path: str | None) -> tuple[int, Any]:
    status, _, answer = server.ask("POST", "/v1/admin/bundle", json.dumps({"path": path}).encode())
    return status, json.loads(answer)


def serving(server: Any, times: int = 12) -> set[str]:
    """The bundles that answer on new connections, which both workers take."""
    return {server.ask("GET", "/healthz")[1]["Cascade-Bundle"] for _ in range(times)}


def workers(server: Any) -> set[int]:
    """Their processes."""
    pid = server.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


class Client(threading.Thread):
    """Asks on one connection, again and again, and notes what comes."""

    def __init__(self, address: str, name: str) -> None:
        super().__init__(name=name)
        self.replies: list[tuple[int, str]] = []
        self.lost = 0
        self.enough = threading.Event()
        self._connection = http.client.HTTPConnection(address, timeout=20)
        self._connection.connect()
        self._connection.auto_open = 0  # a connection that was closed is an error
        self.start()

    def run(self) -> None:
        while not self.enough.wait(0.01):
            try:
                self._ask()
            except (OSError, http.client.HTTPException):
                self.lost += 1
                return
        self._connection.close()

    def ask_on(self) -> None:
        """Until it has two answers more, the last of which it asked for after now."""
        asked = len(self.replies)
        wait_for(lambda: self.lost or len(self.replies) >= asked + 2)

    def _ask(self) -> None:
        headers = {**JSON, "X-Request-Id": f"{self.name}-{len(self.replies)}"}
        self._connection.request("POST", "/v1/route", TICKET, headers)
        reply = self._connection.getresponse()
        bundle = json.loads(reply.read()).get("bundle", "")
        assert reply.headers["Cascade-Bundle"] == bundle
        self.replies.append((reply.status, bundle))


@contextmanager
def clients(server: Any, name: str, count: int = 4) -> Iterator[list[Client]]:
    """Clients that ask while something happens."""
    asking = [Client(server.address, f"{name}{number}") for number in range(count)]
    wait_for(lambda: all(client.replies for client in asking))
    yield asking
    for client in asking:
        client.enough.set()
    for client in asking:
        client.join()


def test_no_request_fails_while_the_bundle_changes_to_and_fro(server: Any) -> None:
    with clients(server, "swap") as asking:
        for name in ("two", "one", "two"):
            status, told = change(server, name)
            assert (status, told["bundle"], told["workers"]) == (200, name, WORKERS)
            assert serving(server) == {name}, "when the call returns all workers have swapped"
            for client in asking:
                client.ask_on()
                assert client.replies[-1] == (200, name)
    assert [client.lost for client in asking] == [0] * len(asking)
    replies = Counter(reply for client in asking for reply in client.replies)
    assert set(replies) == {(200, "one"), (200, "two")}
    ready = json.loads(server.ask("GET", "/readyz")[2])
    assert ready["bundle"] == "two"
    assert ready["deployment"] > 0


@pytest.mark.parametrize("name", ["damaged", "missing"])
def test_a_bundle_that_cannot_be_loaded_is_refused_and_the_old_one_serves_on(
    server: Any, name: str
) -> None:
    assert change(server, "two")[0] == 200
    status, told = change(server, name)
    assert (status, told["type"]) == (422, "/problems/bundle-refused")
    assert told["detail"].startswith("The old one serves on.")
    assert serving(server) == {"two"}


@pytest.mark.parametrize(
    "path", ["/etc", "/nowhere/one", ".", "..", "a/../../b", "one/..", "/", "//"]
)
def test_a_bundle_elsewhere_is_refused_whether_it_is_there_or_not(server: Any, path: str) -> None:
    status, told = change(server, path)
    assert (status, told["type"]) == (422, "/problems/bundle-refused")
    assert told["detail"] == "A bundle has to lie beside the one of the settings."


def test_a_hangup_takes_the_settings_bundle_as_it_now_is(server: Any, bundles: Path) -> None:
    before = workers(server)
    put(bundles / "one", "one-b")
    with clients(server, "hup") as asking:
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: '"the bundle was changed"' in server.log)
        assert serving(server) == {"one-b"}
    assert [client.lost for client in asking] == [0] * len(asking)
    assert workers(server) == before, "it is no new process that serves it"
    put(bundles / "one", "damaged")
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the bundle was not changed: The old one serves on." in server.log)
    assert serving(server) == {"one-b"}


def test_of_two_calls_at_once_one_is_told_to_come_back(server: Any) -> None:
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda name: change(server, name), ["slow", "slow"]))
    (_, done), (_, refused) = sorted(told, key=lambda its: its[0])
    assert (done["bundle"], done["workers"]) == ("slow", WORKERS)
    assert (refused["status"], refused["type"]) == (409, "/problems/bundle-changing")
    assert serving(server) == {"slow"}


def test_a_worker_that_is_killed_comes_back_with_what_is_in_service(server: Any) -> None:
    assert change(server, "two")[0] == 200
    victim = max(workers(server))
    with clients(server, "kill") as asking:
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(workers(server) - {victim}) == WORKERS)
        reborn = max(workers(server))
        ready = f'"ready", "pid": {reborn}'
        wait_for(lambda: ready in server.log)
        assert serving(server) == {"two"}
    lines = [json.loads(line) for line in server.log.splitlines()]
    of_victim = {line["request_id"] for line in lines if line["pid"] == victim and "path" in line}
    for client in asking:
        its = f"{client.name}-0" in of_victim
        assert client.lost <= its, "only connections of the killed worker may break"
        assert {status for status, _ in client.replies} == {200}


def test_a_worker_that_cannot_come_back_is_tried_again_and_the_others_serve_on(
    server: Any, bundles: Path
) -> None:
    put(bundles / "one", "damaged")
    os.kill(max(workers(server)), signal.SIGKILL)
    wait_for(lambda: "the bundle cannot be loaded" in server.log)
    assert serving(server) == {"one"}
    put(bundles / "one", "one")
    booted = server.log.count('"ready"')
    wait_for(lambda: server.log.count('"ready"') > booted)
    assert len(workers(server)) == WORKERS
    assert serving(server) == {"one"}
