"""``python -m eval.service.load BUNDLE``: times through HTTP with several clients at once."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from cascade.machine import cores
from eval.child import call
from eval.service.clients import Asked, closed_loop, requests
from eval.service.overhead import overhead
from eval.service.running import service
from eval.service.script import script, share, times

CLIENTS = (1, 8, 32)
DEADLINE_MS = 150.0
"""The service's own."""


def load(
    bundle: Path,
    texts: Sequence[str],
    clients: Sequence[int] = CLIENTS,
    *,
    deadline_ms: float = DEADLINE_MS,
    workers: int | None = None,
) -> dict[str, Any]:
    """Times of ``n`` tickets through the service, as so many clients see them.

    The service is started anew for each number of clients. Together they ask for each ticket
    once; a few tickets are asked before and not counted.

    Args:
        texts: raw, none of them blank.
        clients: how many at the same time; each number is measured, in this order.
        deadline_ms: of each request.
        workers: processes of the service; one a core if None.

    Returns:
        ``tickets``: n; ``deadline_ms``; ``workers``; ``overhead_ms``: see
        `eval.service.overhead`, None where no number of clients is 1 or the first stage settles
        nothing; ``clients``: for each number (as text) what `figures` returns.

    Raises:
        CascadeError: the bundle cannot be served; the message says why.
    """
    workers = workers or cores()
    out: dict[str, Any] = {
        "tickets": len(texts),
        "deadline_ms": deadline_ms,
        "workers": workers,
        "overhead_ms": None,
        "clients": {},
    }
    bodies = requests(texts, deadline_ms)
    for number in clients:
        with service(bundle, workers) as its:
            told = call(closed_loop, address=its.address, bodies=bodies, clients=number)
            out["clients"][str(number)] = figures(Asked.read(told))
            if number == 1:
                out |= call(
                    overhead,
                    address=its.address,
                    bundle=str(bundle.resolve()),
                    texts=list(texts),
                    deadline_ms=deadline_ms,
                )
    return out


def figures(asked: Asked) -> dict[str, Any]:
    """What clients saw.

    Returns:
        ``ms_p50``, ``ms_p95``, ``ms_p99`` of tickets that were decided; ``per_second``;
        ``errors``: requests without a decision; ``reconnected``: see `Asked`; ``late``: share of
        decisions that the deadline or load cut short; ``without_llm``: times where no language
        model was asked; ``stages``: by who settled it, ``share`` and times; ``clients_cpu``: share
        of a core that clients took.
    """
    decided = [reply for reply in asked.replies if reply.status == HTTPStatus.OK]
    stages = {}
    for stage in dict.fromkeys(reply.stage for reply in decided):
        its = [reply for reply in decided if reply.stage == stage]
        stages[stage] = {"share": share(len(its), len(decided)), **times(its)}
    return {
        **times(decided),
        "per_second": round(len(decided) / asked.seconds, 1),
        "errors": len(asked.replies) - len(decided),
        "reconnected": asked.reconnected,
        "late": share(sum(reply.late for reply in decided), len(decided)),
        "without_llm": times([reply for reply in decided if reply.deepest != "llm"]),
        "stages": stages,
        "clients_cpu": round(asked.cpu, 3),
    }


@script("load")
@click.option("--clients", default=",".join(map(str, CLIENTS)), show_default=True)
def main(bundle: Path, texts: list[str], workers: int, clients: str) -> dict[str, Any]:
    """Ask a service of BUNDLE about tickets, with 1, 8 and 32 clients at once."""
    numbers = [int(number) for number in clients.split(",")]
    told = load(bundle, texts, numbers, workers=workers)
    click.echo("clients      p50      p95      p99  no-LLM p95  tickets/s  errors   late  own CPU")
    for number, its in told["clients"].items():
        click.echo(
            f"{number:>7} {its['ms_p50']:8.1f} {its['ms_p95']:8.1f} {its['ms_p99']:8.1f} "
            f"{its['without_llm']['ms_p95']:11.1f} {its['per_second']:10.1f} {its['errors']:7d} "
            f"{its['late']:6.1%} {its['clients_cpu']:8.2f}"
        )
        shares = (f"{stage} {of['share']:.1%}" for stage, of in its["stages"].items())
        click.echo(f"        settled by {', '.join(shares)}; {its['reconnected']} sent again")
    if told["overhead_ms"] is not None:
        click.echo(
            f"HTTP adds {told['overhead_ms']} ms at p50 where the first stage settles "
            f"({told['in_process_ms']} ms in the process, {told['http_ms']} ms through HTTP)"
        )
    return told


if __name__ == "__main__":
    main()
