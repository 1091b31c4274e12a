"""``python -m eval.service.swaps BUNDLE OTHER``: changes of bundle while clients go on asking."""

from __future__ import annotations

import http.client
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from cascade.errors import CascadeError
from eval.child import call
from eval.service.clients import JSON, PATIENCE, requests
from eval.service.running import Running, service
from eval.service.script import script
from eval.service.steady import Answer, ask

CLIENTS = 8
SWAPS = 50
DEADLINE_MS = 150.0
"""The service's own."""
CALM = 1.0
"""Seconds between two changes: what comes then is told apart, and memory is looked at."""


class Change(NamedTuple):
    """One change: when it was asked for and done, and the bundle that was in service then."""

    asked: float
    done: float
    bundle: str


def swaps(
    bundle: Path,
    texts: Sequence[str],
    other: Path,
    *,
    changes: int = SWAPS,
    clients: int = CLIENTS,
    deadline_ms: float = DEADLINE_MS,
    workers: int | None = None,
) -> dict[str, Any]:
    """Put two bundles into service in turn, while clients ask on connections that they keep.

    Args:
        texts: raw, none of them blank; asked again and again.
        other: a bundle with another id.
        changes: so many.
        clients: ask at the same time, each on one connection, which must not break.
        deadline_ms: of each request.
        workers: processes of the service; one a core if None.

    Returns:
        ``changes``, ``clients``, ``deadline_ms``, ``requests``; ``failed``: requests without a
        decision; ``statuses``: requests by status, 0 where the connection broke; ``bundles``:
        decisions by the bundle that answered; ``seconds_p50``, ``seconds_max``: of a change;
        ``agree_ms_max``: longest time between the first answer of a new bundle and the last
        request that still was for the old one; ``loading``, ``calm``: ``ms_p50`` and ``ms_p95`` of
        requests while a bundle was loaded and else; ``memory_mib``: of all workers, before and
        after each change.

    Raises:
        CascadeError: a bundle cannot be served, or a change is refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        one, two = (Path(folder, name) for name in ("one", "two"))
        shutil.copytree(bundle, one)
        shutil.copytree(other, two)
        stop = Path(folder, "stop")
        with service(one, workers) as its, ThreadPoolExecutor(1) as pool:
            asked = pool.submit(
                call,
                ask,
                address=its.address,
                bodies=requests(texts, deadline_ms),
                clients=clients,
                stop=str(stop),
            )
            try:
                memory, made = _change(its, changes)
            finally:
                stop.touch()
        answers = [Answer(*row) for row in asked.result()]
    asked_for = {"clients": clients, "deadline_ms": deadline_ms}
    return asked_for | figures(answers, made) | {"memory_mib": memory}


def _change(its: Running, changes: int) -> tuple[list[float], list[Change]]:
    """Make the changes; memory before and after each, and how they went."""
    pause = threading.Event()
    pause.wait(CALM)
    memory, made = [_memory(its.pid)], []
    for number in range(changes):
        asked = time.monotonic()
        bundle = _put(its.address, "one" if number % 2 else "two")
        made.append(Change(asked, time.monotonic(), bundle))
        pause.wait(CALM)
        memory.append(_memory(its.pid))
    return memory, made


def _put(address: str, name: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=2 * PATIENCE)
    connection.request("POST", "/v1/admin/bundle", json.dumps({"path": name}), JSON)
    reply = connection.getresponse()
    told = json.loads(reply.read())
    connection.close()
    if reply.status != HTTPStatus.OK:
        raise CascadeError(f"a bundle was not put into service: {told['detail']}")
    return str(told["bundle"])


def _memory(master: int) -> float:
    """MiB that the workers have in memory (resident, what they share counted for each)."""
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    lines = [its for pid in workers for its in Path(f"/proc/{pid}/status").read_text().split("\n")]
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, 1)


def figures(answers: Sequence[Answer], made: Sequence[Change]) -> dict[str, Any]:
    """What clients saw, see `swaps`."""
    decided = [its for its in answers if its.status == HTTPStatus.OK]
    spent = [change.done - change.asked for change in made]
    loading: list[float] = []
    calm: list[float] = []
    for its in decided:
        during = any(change.asked <= its.sent <= change.done for change in made)
        (loading if during else calm).append((its.done - its.sent) * 1000)
    names = [its.bundle for its in decided]
    statuses = [its.status for its in answers]
    return {
        "changes": len(made),
        "requests": len(answers),
        "failed": len(answers) - len(decided),
        "statuses": {str(its): statuses.count(its) for its in sorted(set(statuses))},
        "bundles": {name: names.count(name) for name in sorted(set(names))},
        "seconds_p50": round(float(np.median(spent)), 2),
        "seconds_max": round(max(spent), 2),
        "agree_ms_max": round(max(_disagreed(decided, change) for change in made), 1),
        "loading": _times(loading),
        "calm": _times(calm),
    }


def _disagreed(decided: Sequence[Answer], change: Change) -> float:
    """Milliseconds in which some workers served the new bundle and some still the old one."""
    its = [answer for answer in decided if change.asked <= answer.sent <= change.done + CALM]
    first = min((answer.done for answer in its if answer.bundle == change.bundle), default=np.inf)
    old = [answer.sent - first for answer in its if answer.bundle != change.bundle]
    return 1000 * max(0.0, max(old, default=0.0))


def _times(ms: Sequence[float]) -> dict[str, float | None]:
    if not ms:
        return {"ms_p50": None, "ms_p95": None}
    found = np.percentile(ms, (50, 95)).round(1).tolist()
    return dict(zip(("ms_p50", "ms_p95"), found, strict=True))


@script("swaps")
@click.option("--clients", default=CLIENTS, show_default=True)
@click.option("--deadline-ms", default=DEADLINE_MS, show_default=True, help="Of each request.")
@click.option("--swaps", "changes", default=SWAPS, show_default=True)
@click.option(
    "--other",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Bundle that is put into service in turn with BUNDLE.",
)
def main(
    bundle: Path,
    texts: list[str],
    workers: int,
    other: Path,
    changes: int,
    clients: int,
    deadline_ms: float,
) -> dict[str, Any]:
    """Change the bundle of a service again and again, while clients ask about tickets."""
    told = swaps(
        bundle,
        texts,
        other,
        changes=changes,
        clients=clients,
        deadline_ms=deadline_ms,
        workers=workers,
    )
    click.echo(
        f"{told['changes']} changes under {told['requests']} requests, {told['failed']} failed; "
        f"a change takes {told['seconds_p50']} s (at most {told['seconds_max']}), "
        f"workers disagree for at most {told['agree_ms_max']} ms"
    )
    for when in ("calm", "loading"):
        click.echo(f"{when:>8}  p50 {told[when]['ms_p50']} ms  p95 {told[when]['ms_p95']} ms")
    memory = told["memory_mib"]
    click.echo(
        f"memory of the workers: {memory[0]} MiB, then {min(memory[1:])} to {max(memory[1:])}"
    )
    return told


if __name__ == "__main__":
    main()
