"""``python -m eval.service.soak BUNDLE``: half of what a service can take, for half an hour."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from cascade.machine import cores
from eval.child import call
from eval.service.clients import Asked, open_loop, requests
from eval.service.overload import MEASURING, capacity
from eval.service.running import service
from eval.service.script import script, times
from eval.service.watch import Sight, look, slope

MINUTES = 30.0
SHARE = 0.5
CLIENTS = 32
LOOKS = 120
"""How often the service is looked at, in all."""


def soak(
    bundle: Path,
    texts: Sequence[str],
    *,
    workers: int | None = None,
    minutes: float = MINUTES,
    measuring: float = MEASURING,
) -> dict[str, Any]:
    """Keep a service busy and see whether it grows.

    Args:
        texts: raw, none of them blank; asked again and again.
        minutes: so long.
        measuring: seconds to find out its capacity.

    Returns:
        ``minutes``; ``rate``: tickets a second; ``requests``, ``errors``, ``reconnected``: see
        `Asked`; times; ``mib_per_hour``: growth of all processes over the later half; of all looks
        ``minute``, ``master_mib``, ``workers_mib``, ``files`` and ``database_mib``.

    Raises:
        CascadeError: the bundle cannot be served.
    """
    workers, bodies = workers or cores(), requests(texts, None)
    with service(bundle, workers) as its, ThreadPoolExecutor(1) as pool:
        rate = round(SHARE * capacity(its.address, bodies, workers, measuring), 1)
        running = pool.submit(
            call,
            open_loop,
            address=its.address,
            bodies=bodies,
            clients=CLIENTS,
            rate=rate,
            seconds=60 * minutes,
        )
        sights = [look(its)]
        while not running.done():
            time.sleep(60 * minutes / LOOKS)
            sights.append(look(its))
        asked = Asked.read(running.result())
    decided = [reply for reply in asked.replies if reply.status == HTTPStatus.OK]
    return {
        "minutes": minutes,
        "rate": rate,
        "requests": len(asked.replies),
        "errors": len(asked.replies) - len(decided),
        "reconnected": asked.reconnected,
        **times(decided),
        "mib_per_hour": slope(sights),
        **_columns(sights),
    }


def _columns(sights: Sequence[Sight]) -> dict[str, list[float]]:
    names = ("master_mib", "workers_mib", "files", "database_mib")
    minutes = [round((its.at - sights[0].at) / 60, 2) for its in sights]
    return {"minute": minutes, **{name: [getattr(its, name) for its in sights] for name in names}}


@script("soak")
@click.option("--minutes", default=MINUTES, show_default=True)
@click.option("--measuring", default=MEASURING, show_default=True, help="Seconds for the capacity.")
def main(
    bundle: Path, texts: list[str], workers: int, minutes: float, measuring: float
) -> dict[str, Any]:
    """Ask a service of BUNDLE half of what it can take for so many MINUTES."""
    told = soak(bundle, texts, workers=workers, minutes=minutes, measuring=measuring)
    click.echo("minute  master MiB  workers MiB  open files  database MiB")
    for at in range(0, len(told["minute"]), max(1, len(told["minute"]) // 12)):
        click.echo(
            f"{told['minute'][at]:6.1f} {told['master_mib'][at]:11.1f} "
            f"{told['workers_mib'][at]:12.1f} {told['files'][at]:11d} "
            f"{told['database_mib'][at]:13.1f}"
        )
    click.echo(
        f"{told['requests']} requests at {told['rate']}/s, {told['errors']} errors, "
        f"{told['reconnected']} sent again, p50 {told['ms_p50']} ms, p95 {told['ms_p95']} ms; "
        f"{told['mib_per_hour']} MiB an hour"
    )
    return told


if __name__ == "__main__":
    main()
