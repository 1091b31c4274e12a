"""Change the bundle while requests go on: ``POST /v1/admin/bundle``, or SIGHUP to the master.

Every worker loads and checks the new bundle beside the old one (`serve.watcher`); when all can
serve it, all swap, within a fraction of a second and without losing a request. If one cannot, the
old one serves on. The way back is the same call with the old folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, request

from serve.api import reply
from serve.body import read_json
from serve.logs import log
from serve.openapi import Operation
from serve.parse import parse
from serve.problems import CHANGING, REFUSED_BUNDLE, Problem
from serve.schemas import BundleIn, BundleOut
from serve.service import service
from serve.store import Store, deployments
from serve.store.deployments import ACTIVE, REFUSED, Deployment, Worker

PATIENCE = 300.0
"""Seconds that the workers have to load a bundle."""
SWAP = 10.0
"""Seconds that they have to swap; they need a look of theirs, 0.2."""
PAUSE = 0.05
STILL = 1.0
"""Seconds after which it is said again that somebody waits; well below `deployments.DEAD`."""
MAX_BODY = 10_000

deploy = Blueprint("deploy", __name__)


@deploy.post("/v1/admin/bundle")
def change() -> Response:
    """Put a bundle into service."""
    asked = parse(BundleIn, read_json(request, MAX_BODY))
    parts = service()
    its, workers = put_into_service(parts.store, parts.settings.bundle, asked.path)
    return reply({"bundle": its.bundle, "path": its.path, "workers": workers})


def hang_up(store: Store, configured: Path) -> None:
    """What SIGHUP asks for: the configured bundle, as it now is. How it went is logged."""
    try:
        its, workers = put_into_service(store, configured, None)
    except Problem as problem:
        log.error("the bundle was not changed: %s", problem.detail)
    else:
        fields = {"bundle": its.bundle, "path": its.path, "workers": workers}
        log.info("the bundle was changed", extra={"fields": fields})


def put_into_service(store: Store, configured: Path, asked: str | None) -> tuple[Deployment, int]:
    """Have all workers load a bundle, then swap.

    Args:
        store: where the workers agree.
        configured: folder of the bundle that the settings name.
        asked: a folder beside it, by its name or its path; None for the configured one.

    Returns:
        The deployment, and how many workers serve it.

    Raises:
        Problem: 422, a worker cannot load it or it lies elsewhere; 409, another change is under
            way. The old one serves on.
    """
    path, since = folder(configured, asked), time.time()
    with store.write(durable=True) as connection:
        begun = deployments.begin(connection, str(path), str(configured.absolute()))
    if begun is None:
        raise Problem(CHANGING, "Ask again when that is done.")
    if why := _prepared(store, begun, since):
        with store.write(durable=True) as connection:
            deployments.decide(connection, begun, REFUSED, why)
        raise Problem(REFUSED_BUNDLE, f"The old one serves on. {why}")
    return _swapped(store, begun)


def folder(configured: Path, asked: str | None) -> Path:
    """The folder that is asked for: the configured one, or one beside it.

    Raises:
        Problem: 422, it lies elsewhere; whether it exists is not said.
    """
    beside = configured.absolute()
    if asked is None:
        return beside
    path = Path(asked) if "/" in asked else beside.parent / asked
    if path.name in ("", "..") or path.parent.resolve() != beside.parent.resolve():
        raise Problem(REFUSED_BUNDLE, "A bundle has to lie beside the one of the settings.")
    return beside.parent / path.name


def _prepared(store: Store, begun: int, since: float) -> str:
    """Wait until all workers that are alive can serve it; says why not, if they cannot."""
    again = time.monotonic() + STILL
    lost = False

    def ready(workers: list[Worker]) -> bool:
        told = [worker for worker in workers if worker.prepared == begun]
        return any(worker.failure for worker in told) or len(told) == len(workers)

    def ended(workers: list[Worker]) -> bool:
        nonlocal again, lost
        if time.monotonic() > again:
            again = time.monotonic() + STILL
            with store.write() as connection:
                deployments.await_it(connection, begun)
                lost = deployments.lost(connection, begun, since)
        return lost or ready(workers)

    workers = _wait(store, PATIENCE, ended)
    if lost:
        return "A worker died while it loaded it."
    if failures := [its.failure for its in workers if its.prepared == begun and its.failure]:
        return failures[0]
    if not workers:
        return "No worker is alive that could load it."
    if not ready(workers):
        return f"Not every worker had loaded it in {PATIENCE:.0f} seconds."
    with store.write(durable=True) as connection:
        decided = deployments.decide(connection, begun, ACTIVE)
    return "" if decided else "It took so long that it was given up."


def _swapped(store: Store, begun: int) -> tuple[Deployment, int]:
    """Wait until all workers serve it, or something newer."""

    def serve_it(workers: list[Worker]) -> bool:
        return all((worker.deployment or 0) >= begun for worker in workers)

    workers = _wait(store, SWAP, serve_it)
    with store.read() as connection:
        its = deployments.find(connection, begun)
    return its, sum(worker.deployment == begun for worker in workers)


def _wait(store: Store, patience: float, until: Callable[[list[Worker]], bool]) -> list[Worker]:
    """The live workers, as soon as they are as they should be, or as patience ends."""
    end = time.monotonic() + patience
    while True:
        with store.read() as connection:
            workers = deployments.alive(connection)
        if until(workers) or time.monotonic() > end:
            return workers
        time.sleep(PAUSE)


OPERATIONS = (
    Operation(
        "post",
        "/v1/admin/bundle",
        "changeBundle",
        "Put a bundle into service",
        BundleOut,
        {"bundle": "it-helpdesk-3f1c9a0b2d", "path": "/srv/bundles/it-helpdesk", "workers": 2},
        asks=BundleIn,
        refusals=(CHANGING, REFUSED_BUNDLE),
        scope="admin",
    ),
)
