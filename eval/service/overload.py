"""``python -m eval.service.overload BUNDLE``: twice as many tickets as a service can take.

First so many clients as it has threads find out what it can take. Then requests come at twice that
rate whether or not those before are answered, and in the end it is looked whether each ticket that
was answered with less than all stages got its later answer.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
import numpy as np

from cascade.machine import cores
from eval.child import call
from eval.service.clients import Asked, Client, closed_loop, open_loop, requests
from eval.service.running import service
from eval.service.script import script, share, times

THREADS = 4
"""Requests that a worker routes at once, by default."""
CLIENTS = 192
"""Most requests in flight: well above what the service lets in."""
FACTOR = 2.0
SECONDS = 30.0
MEASURING = 10.0
"""Seconds that it takes to find out what the service can take."""
PATIENCE = 900.0
"""Seconds that the later answers may take."""
PAUSE = 0.5
SHED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def capacity(address: str, bodies: Sequence[str], workers: int, seconds: float) -> float:
    """Tickets a second that a service decides when there is always one more."""
    clients = workers * THREADS
    told = call(closed_loop, address=address, bodies=bodies, clients=clients, seconds=seconds)
    asked = Asked.read(told)
    decided = sum(reply.status == HTTPStatus.OK for reply in asked.replies)
    return round(decided / asked.seconds, 1)


def overload(
    bundle: Path,
    texts: Sequence[str],
    *,
    workers: int | None = None,
    factor: float = FACTOR,
    seconds: float = SECONDS,
    measuring: float = MEASURING,
) -> dict[str, Any]:
    """Ask a service for more than it can take.

    Args:
        texts: raw, none of them blank; asked again and again.
        factor: how many times its capacity.
        seconds: so long.
        measuring: seconds to find out its capacity.

    Returns:
        ``capacity``: tickets a second that it can take; ``rate``: that it was asked for; what
        `figures` returns; ``unfinished``: pending decisions that got no later answer, and
        ``finished_seconds``, after which all had theirs.

    Raises:
        CascadeError: the bundle cannot be served.
    """
    workers, bodies = workers or cores(), requests(texts, None)
    with service(bundle, workers) as its:
        most = capacity(its.address, bodies, workers, measuring)
        told = call(
            open_loop,
            address=its.address,
            bodies=bodies,
            clients=CLIENTS,
            rate=factor * most,
            seconds=seconds,
        )
        asked = Asked.read(told)
        began = time.monotonic()
        pending = [reply.decision_id for reply in asked.replies if reply.pending]
        unfinished = until_finished(its.address, pending, PATIENCE)
        finished = round(time.monotonic() - began, 1)
    return {
        "capacity": most,
        "rate": round(factor * most, 1),
        "seconds": seconds,
        **figures(asked),
        "unfinished": unfinished,
        "finished_seconds": finished,
    }


def figures(asked: Asked) -> dict[str, Any]:
    """What clients saw.

    Returns:
        ``requests``; ``answered``: ``share``, ``per_second`` and times of those that were decided;
        ``late``: share of these that the deadline or load cut short, and ``deepest_of_late``, how
        deep these got; ``pending``: a later answer was promised; ``shed``: share of
        requests by status, 429 or 503; ``errors``: anything else; ``reconnected``: see
        `Asked`; ``lag_ms_p95``: the clients' own; ``clients_cpu``: share of a core that they took.
    """
    decided = [reply for reply in asked.replies if reply.status == HTTPStatus.OK]
    late = [reply for reply in decided if reply.late]
    ends = Counter(reply.status for reply in asked.replies)
    first = Counter(reply.deepest for reply in late)
    n = len(asked.replies)
    return {
        "requests": n,
        "answered": {
            "share": share(len(decided), n),
            "per_second": round(len(decided) / asked.seconds, 1),
            **times(decided),
        },
        "late": share(len(late), len(decided)),
        "deepest_of_late": {stage: share(count, len(late)) for stage, count in first.items()},
        "pending": sum(reply.pending for reply in decided),
        "shed": {str(int(status)): share(ends[status], n) for status in SHED},
        "errors": n - len(decided) - sum(ends[status] for status in SHED),
        "reconnected": asked.reconnected,
        "lag_ms_p95": round(float(np.percentile([reply.lag for reply in asked.replies], 95)), 2),
        "clients_cpu": round(asked.cpu, 3),
    }


def until_finished(address: str, ids: Iterable[str], patience: float) -> int:
    """Wait until decisions have their later answers.

    Returns:
        How many had none when the patience of so many seconds was at an end.
    """
    waiting, end = list(ids), time.monotonic() + patience
    client = Client(address)
    while True:
        waiting = [its for its in waiting if not _finished(client, its)]
        if not waiting or time.monotonic() > end:
            client.close()
            return len(waiting)
        time.sleep(PAUSE)


def _finished(client: Client, decision_id: str) -> bool:
    status, answer = client.send("GET", f"/v1/decisions/{decision_id}")
    return status == HTTPStatus.OK and not json.loads(answer)["pending"]


@script("overload")
@click.option("--factor", default=FACTOR, show_default=True, help="Times its capacity.")
@click.option("--seconds", default=SECONDS, show_default=True)
@click.option("--measuring", default=MEASURING, show_default=True, help="Seconds for the capacity.")
def main(bundle: Path, texts: list[str], workers: int, **its: float) -> dict[str, Any]:
    """Ask a service of BUNDLE about twice as many tickets as it can take."""
    told = overload(bundle, texts, workers=workers, **its)
    answered, shed = told["answered"], told["shed"]
    click.echo(
        f"capacity {told['capacity']} tickets/s; asked for {told['rate']}/s over "
        f"{told['seconds']:.0f} s, {told['requests']} requests\n"
        f"answered {answered['share']:.1%} ({answered['per_second']}/s): p50 {answered['ms_p50']} "
        f"ms, p95 {answered['ms_p95']} ms, p99 {answered['ms_p99']} ms\n"
        f"of these cut short {told['late']:.1%}, the deepest stage {told['deepest_of_late']}\n"
        f"shed {', '.join(f'{part:.1%} with {status}' for status, part in shed.items())}; "
        f"other errors {told['errors']}, sent again {told['reconnected']}\n"
        f"pending {told['pending']}, without a later answer after {told['finished_seconds']} s: "
        f"{told['unfinished']}\n"
        f"clients: {told['clients_cpu']} of a core, lag p95 {told['lag_ms_p95']} ms"
    )
    return told


if __name__ == "__main__":
    main()
