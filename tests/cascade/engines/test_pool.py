"""A pool of processes: the bytes of one process, whatever happens to the workers."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from cascade.batch.jobs import Job
from cascade.batch.journal import Summary
from cascade.batch.run import score
from cascade.bundle import Bundle
from cascade.engines import pool
from cascade.engines.here import Here
from cascade.engines.pool import AHEAD, TRIES, Pool
from cascade.engines.worker import load
from cascade.errors import BundleError, CascadeError, InputError
from train.starter import write

ROWS = 32
"""Of a block in here, so that few tickets make many."""
TICKETS = 20 * ROWS + 5


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascade.batch.jobs.ROWS", ROWS)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[pool._Worker]:
    """The workers that were started, in order; none of them outlives the test."""
    started: list[pool._Worker] = []

    class Noted(pool._Worker):
        def __init__(self, hello: bytes) -> None:
            super().__init__(hello)
            started.append(self)

    monkeypatch.setattr(pool, "_Worker", Noted)
    return started


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tickets") / "in.csv.gz"
    write(path, TICKETS, seed=12)
    return path


def job(source: Path, out: Path, number: int = 0) -> Job:
    return Job(number, source, out, ("subject", "body"), "id")


def alone(bundle: Path, source: Path, out: Path) -> bytes:
    """What one process makes of a file."""
    score(Here(load(bundle)), [job(source, out)])
    return out.read_bytes()


def ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


@pytest.mark.parametrize("name", ["o.csv", "o.jsonl.gz", "o.parquet"])
def test_the_bytes_are_those_of_one_process(
    linear_bundle: Path, tickets: Path, tmp_path: Path, name: str, workers: list[pool._Worker]
) -> None:
    expected = alone(linear_bundle, tickets, tmp_path / f"alone-{name}")
    summary, resumed = score(Pool(linear_bundle, 3), [job(tickets, tmp_path / name)])
    assert (tmp_path / name).read_bytes() == expected
    assert (summary.rows, summary.bad, resumed) == (TICKETS, 0, 0)
    assert len(workers) == 3
    assert all(ended(worker.process) for worker in workers)


def test_there_are_no_more_workers_than_blocks(
    linear_bundle: Path, tmp_path: Path, workers: list[pool._Worker]
) -> None:
    write(tmp_path / "in.csv", ROWS // 2, seed=1)
    score(Pool(linear_bundle, 8), [job(tmp_path / "in.csv", tmp_path / "o.csv")])
    assert len(workers) == 1


def test_workers_go_from_file_to_file(
    linear_bundle: Path, tmp_path: Path, workers: list[pool._Worker]
) -> None:
    jobs = []
    for number in range(5):
        write(tmp_path / f"{number}.csv", 3 * ROWS + number, seed=number)
        jobs.append(job(tmp_path / f"{number}.csv", tmp_path / f"o{number}.csv", number))
    summary, _ = score(Pool(linear_bundle, 2), jobs)
    assert summary.rows == sum(3 * ROWS + number for number in range(5))
    for its in jobs:
        assert its.out.read_bytes() == alone(linear_bundle, its.source, tmp_path / "alone.csv")
    assert len(workers) == 2


def test_no_more_is_read_ahead_than_workers_can_have_use_of(
    linear_bundle: Path, tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    tasks = pool._tasks

    def counted(jobs: list[Job]) -> object:
        for task in tasks(jobs):
            read.append(task.number)
            yield task

    monkeypatch.setattr(pool, "_tasks", counted)
    ahead = []
    written = iter(range(1000))

    def progress(summary: Summary, share: float) -> None:
        ahead.append(len(read) - next(written))

    score(Pool(linear_bundle, 2), [job(tickets, tmp_path / "o.csv")], progress=progress)
    assert max(ahead) <= 2 * AHEAD


# --- deaths ---


def test_a_killed_worker_changes_nothing(
    linear_bundle: Path, tickets: Path, tmp_path: Path, workers: list[pool._Worker]
) -> None:
    expected = alone(linear_bundle, tickets, tmp_path / "alone.csv")

    def progress(summary: Summary, share: float) -> None:
        if summary.rows in (ROWS, 6 * ROWS):
            victim = next(its for its in workers if not ended(its.process))
            victim.process.send_signal(signal.SIGKILL)

    out = tmp_path / "o.csv"
    summary, _ = score(Pool(linear_bundle, 2), [job(tickets, out)], progress=progress)
    assert out.read_bytes() == expected
    assert summary.rows == TICKETS
    assert sorted(-worker.process.returncode for worker in workers)[-2:] == [signal.SIGKILL] * 2


def test_a_block_that_kills_every_worker_is_given_up(
    linear_bundle: Path, tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[pool._Worker] = []

    class Doomed(pool._Worker):
        def __init__(self, hello: bytes) -> None:
            super().__init__(hello)
            self.process.kill()
            started.append(self)

    monkeypatch.setattr(pool, "_Worker", Doomed)
    message = rf"in\.csv\.gz, lines \d+ to \d+: {TRIES} processes .* died, .* signal 9; try fewer"
    with pytest.raises(CascadeError, match=message):
        score(Pool(linear_bundle, 1), [job(tickets, tmp_path / "o.csv")])
    assert len(started) == TRIES


def test_what_came_before_a_damage_is_not_lost(
    linear_bundle: Path, tickets: Path, tmp_path: Path
) -> None:
    whole, torn = tickets.read_bytes(), tmp_path / "torn.csv.gz"
    torn.write_bytes(whole[: len(whole) * 3 // 4])
    told: list[int] = []
    with pytest.raises(InputError, match=r"torn\.csv\.gz: damaged gzip file"):
        score(
            Pool(linear_bundle, 2),
            [job(torn, tmp_path / "o.csv")],
            progress=lambda summary, share: told.append(summary.rows),
        )
    assert len(told) > 5
    expected = alone(linear_bundle, tickets, tmp_path / "alone.csv")
    part = (tmp_path / "o.csv.part").read_bytes()
    assert part.count(b"\n") == told[-1] + 1
    assert expected.startswith(part)


def test_a_bundle_that_changed_meanwhile_is_not_used(
    linear_bundle: Path, tickets: Path, tmp_path: Path
) -> None:
    engine = Pool(linear_bundle, 1)
    engine.bundle_id = "another-0"
    with pytest.raises(CascadeError, match="changed while it was in use"):
        score(engine, [job(tickets, tmp_path / "o.csv")])


def test_a_missing_bundle_is_told_before_any_worker_starts(
    tmp_path: Path, workers: list[pool._Worker]
) -> None:
    with pytest.raises(BundleError):
        Pool(tmp_path / "none", 2)
    assert workers == []


def test_ctrl_c_ends_all_and_the_same_command_goes_on(linear_bundle: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "o.csv"
    write(source, 500, seed=8)
    header, *lines = source.read_text().splitlines(keepends=True)
    source.write_text("".join([header, *lines * 60]))
    line = [sys.executable, "-c", "from cascade.cli import main; main()", "score", str(source)]
    line += [str(out), "--bundle", str(linear_bundle), "--workers", "2"]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "o.csv.part.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.decode().splitlines()[-1] == "stopped; the same command goes on from here"
    assert b"Traceback" not in said
    again = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
    assert "went on after the " in again.stderr
    columns = Bundle.open(linear_bundle).manifest.columns
    assert columns.text == ("subject", "body")
    assert len(out.read_bytes().splitlines()) == 30_001


# --- a language model's server ---


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

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def fickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Fickle]]:
    """Has the llm stage ask a fickle server, whose answers are stored."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fickle)
    monkeypatch.setenv("CASCADE_LLM_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("CASCADE_LLM_MODEL", "fickle")
    monkeypatch.setenv("CASCADE_LLM_DIALECT", "logprobs")
    monkeypatch.setenv("CASCADE_LLM_STORE", str(tmp_path / "answers.sqlite"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Fickle
    server.shutdown()
    thread.join()
    server.server_close()


def test_workers_share_the_stored_answers(
    open_bundle: Path, tmp_path: Path, fickle: type[Fickle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cascade.batch.jobs.ROWS", 3)
    texts = [f"the {word} is broken" for word in ("vpn", "invoice", "printer", "laptop", "phone")]
    lines = ["id,subject,body", *(f"{n},help,{text}" for n, text in enumerate(texts * 4))]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    score(Pool(open_bundle, 2), [job(tmp_path / "in.csv", tmp_path / "o.csv")])
    with (tmp_path / "o.csv").open(newline="") as file:
        said = [(row["queue"], row["confidence"]) for row in csv.DictReader(file)]
    assert said == said[:5] * 4, "the same ticket, the same answer, whoever asked"
    asked = next(fickle.asked)
    assert asked >= len(texts)
    assert (tmp_path / "o.csv").read_bytes() == alone(
        open_bundle, tmp_path / "in.csv", tmp_path / "alone.csv"
    )
    assert next(fickle.asked) == asked + 1, "nobody was asked again"
