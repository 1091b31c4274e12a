"""A Ray cluster of two workers on this machine: the bytes of one process, and nobody listens in."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cascade.batch.jobs import Job
from cascade.batch.journal import Summary
from cascade.batch.run import Progress, score
from cascade.engines.here import Here
from cascade.engines.worker import load
from cascade.errors import CascadeError, InputError, MissingExtraError
from train.starter import write

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")
LOOPBACK = {"0100007F", "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"}
"""As /proc writes it: IPv4, IPv6, and the one within the other."""


def on_ray(bundle: Path, jobs: list[Job], progress: Progress = lambda summary, share: None) -> int:
    """Score with two workers; how many rows there were."""
    from cascade.engines.ray import Ray

    return score(Ray(bundle, 2), jobs, progress=progress)[0].rows


def jobs_of(folder: Path, *names: str) -> list[Job]:
    return [
        Job(at, folder / name, folder / f"out-{name}", ("subject", "body"), "id")
        for at, name in enumerate(names)
    ]


def alone(bundle: Path, job: Job) -> bytes:
    """What one process makes of a file."""
    out = job.out.with_name(f"alone-{job.out.name}")
    score(Here(load(bundle)), [Job(0, job.source, out, job.text, job.id_column)])
    return out.read_bytes()


def processes() -> dict[int, str]:
    """Those that this one started, and those that they did, each with its name."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return {pid: name_of(pid) for pid in ours - {os.getpid()}}


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def addresses(pids: set[int]) -> set[str]:
    """Where these processes listen."""
    sockets = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(str(fd.readlink()))
            except OSError:
                continue
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = "0A"
    return {
        row[1].partition(":")[0]
        for row in rows
        if row[3] == listening and f"socket:[{row[9]}]" in sockets
    }


@needs_ray
def test_the_bytes_are_those_of_one_process_and_only_this_machine_can_connect(
    linear_bundle: Path, tmp_path: Path
) -> None:
    write(tmp_path / "a.csv.gz", 1000, seed=1)
    write(tmp_path / "c.csv", 300, seed=2)
    (tmp_path / "b.jsonl").write_text('{"subject": "vpn", "body": "down", "id": "B"}\n[]\n')
    jobs = jobs_of(tmp_path, "a.csv.gz", "b.jsonl", "c.csv")
    heard: set[str] = set()

    def progress(summary: Summary, share: float) -> None:
        heard.update(addresses(set(processes())))

    before = processes()
    assert on_ray(linear_bundle, jobs, progress) == 1302
    for job in jobs:
        assert job.out.read_bytes() == alone(linear_bundle, job)
    assert "not a JSON object" in (tmp_path / "out-b.jsonl.errors.csv").read_text()
    assert heard
    assert heard <= LOOPBACK
    assert processes().keys() <= before.keys(), "the cluster is gone"


@needs_ray
def test_a_killed_worker_changes_nothing(linear_bundle: Path, tmp_path: Path) -> None:
    write(tmp_path / "in.csv", 6000, seed=3)
    (job,) = jobs_of(tmp_path, "in.csv")
    killed: list[int] = []

    def progress(summary: Summary, share: float) -> None:
        workers = [pid for pid, name in processes().items() if name.startswith("ray::MapWorker")]
        if not killed and workers:
            killed.append(workers[0])
            os.kill(workers[0], signal.SIGKILL)

    assert on_ray(linear_bundle, [job], progress) == 6000
    assert killed
    assert job.out.read_bytes() == alone(linear_bundle, job)


@needs_ray
def test_a_file_that_cannot_be_read_on_is_named_and_what_came_before_is_kept(
    linear_bundle: Path, tmp_path: Path
) -> None:
    write(tmp_path / "in.csv.gz", 2000, seed=4)
    whole = (tmp_path / "in.csv.gz").read_bytes()
    (job,) = jobs_of(tmp_path, "in.csv.gz")
    expected = alone(linear_bundle, job)
    job.source.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(CascadeError, match=r"in\.csv\.gz: damaged gzip file"):
        on_ray(linear_bundle, [job])
    part = (tmp_path / "out-in.csv.gz.part").read_bytes()
    assert len(part) > 1000
    assert expected.startswith(part)


@needs_ray
def test_a_cluster_that_does_not_answer_is_named(
    linear_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in.csv", 10, seed=4)
    monkeypatch.setattr("cascade.engines.ray.LOCAL", False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(InputError, match=r"RAY_ADDRESS=127\.0\.0\.1:9: no cluster answers there"):
        on_ray(linear_bundle, jobs_of(tmp_path, "in.csv"))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "cascade.engines.ray", raising=False)
    with pytest.raises(MissingExtraError, match=r"ticket-cascade\[ray\]"):
        import cascade.engines.ray  # noqa: F401
