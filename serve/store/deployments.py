"""Bundles that were put into service, and the workers that serve them.

A deployment is ``preparing`` while the workers load its bundle beside the one they serve. When all
of them could, it is ``active`` and they swap; if one could not, it is ``refused``. The newest
active one is what is in service. Whoever asked for it says all the time that he still waits for it;
if he does not any more (a bundle may kill the worker that loads it), it is abandoned.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.engine import Row

from serve.store.tables import deployments, workers

PREPARING, ACTIVE, REFUSED = "preparing", "active", "refused"
DEAD = 5.0
"""Seconds without a heartbeat after which a worker counts as dead, or whoever asked as gone."""
FORGOTTEN = 3600.0
"""Seconds after which a dead worker is forgotten."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A bundle that was, or is to be, put into service.

    Attributes:
        id: rises.
        path: its folder.
        configured: the folder that the settings named then.
        bundle: its id; None until a worker has loaded it.
        reason: why it was refused; else empty.
    """

    id: int
    path: str
    configured: str
    bundle: str | None
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process.

    Attributes:
        deployment: the one that it serves; None for the bundle of the settings.
        prepared: the one that it could serve at once, or could not.
        failure: why it could not; else empty.
    """

    id: str
    deployment: int | None = None
    prepared: int | None = None
    failure: str = ""


def begin(connection: Connection, path: str, configured: str) -> int | None:
    """Begin a deployment.

    Returns:
        Its id; None where another one is under way.
    """
    if connection.dialect.name != "sqlite":  # which has one writer at a time
        connection.execute(text("LOCK TABLE deployments IN SHARE ROW EXCLUSIVE MODE"))
    now = time.time()
    under_way = deployments.c.state == PREPARING
    abandoned = under_way & (deployments.c.created < now - DEAD)
    refused = {"state": REFUSED, "reason": "whoever asked for it has gone"}
    connection.execute(update(deployments).where(abandoned).values(refused))
    if connection.execute(select(deployments.c.id).where(under_way)).first():
        return None
    row = {"created": now, "path": path, "configured": configured}
    made = insert(deployments).values(**row, state=PREPARING, reason="")
    return int(connection.execute(made.returning(deployments.c.id)).scalar_one())


def await_it(connection: Connection, deployment: int) -> None:
    """Say that somebody still waits until a deployment is prepared."""
    its = deployments.c.id == deployment
    connection.execute(update(deployments).where(its).values(created=time.time()))


def decide(connection: Connection, deployment: int, state: str, reason: str = "") -> bool:
    """Make a deployment active, or refuse it.

    Returns:
        Whether it was still being prepared. If not, nothing is changed.
    """
    its = (deployments.c.id == deployment) & (deployments.c.state == PREPARING)
    values = {"state": state, "reason": reason}
    return bool(connection.execute(update(deployments).where(its).values(values)).rowcount)


def find(connection: Connection, deployment: int) -> Deployment:
    """A deployment."""
    its = select(deployments).where(deployments.c.id == deployment)
    return _deployment(connection.execute(its).one())


def current(connection: Connection) -> tuple[Deployment | None, Deployment | None]:
    """What is in service, and what is prepared to follow it; None for either that there is not."""
    newest = (
        select(deployments)
        .where(deployments.c.state.in_((ACTIVE, PREPARING)))
        .order_by(deployments.c.id.desc())
    )
    following = None
    for row in connection.execute(newest.limit(2)):
        if row.state == ACTIVE:
            return _deployment(row), following
        if row.created > time.time() - DEAD:
            following = _deployment(row)
    return None, following


def name(connection: Connection, deployment: int, bundle: str) -> str:
    """Say which bundle lies in a deployment's folder; who says it first is right.

    Returns:
        What was said first.
    """
    its = deployments.c.id == deployment
    unnamed = its & deployments.c.bundle.is_(None)
    connection.execute(update(deployments).where(unnamed).values(bundle=bundle))
    return str(connection.scalar(select(deployments.c.bundle).where(its)))


def report(connection: Connection, worker: Worker) -> None:
    """Keep how a worker is doing, and that it is alive."""
    values = {
        "seen": time.time(),
        "deployment": worker.deployment,
        "prepared": worker.prepared,
        "failure": worker.failure,
    }
    mine = update(workers).where(workers.c.id == worker.id).values(values)
    if not connection.execute(mine).rowcount:
        connection.execute(insert(workers).values(id=worker.id, **values))
        forgotten = workers.c.seen < time.time() - FORGOTTEN
        connection.execute(delete(workers).where(forgotten))


def leave(connection: Connection, worker_id: str) -> None:
    """Forget a worker that ends."""
    connection.execute(delete(workers).where(workers.c.id == worker_id))


def alive(connection: Connection) -> list[Worker]:
    """The workers that are alive, by their heartbeat."""
    beating = select(workers).where(workers.c.seen > time.time() - DEAD).order_by(workers.c.id)
    return [
        Worker(row.id, row.deployment, row.prepared, row.failure)
        for row in connection.execute(beating)
    ]


def lost(connection: Connection, deployment: int, since: float) -> bool:
    """Whether a worker died since a time that had not told whether it could serve a deployment.

    One that ended as it should is no loss.
    """
    dead = workers.c.seen.between(since, time.time() - DEAD)
    untold = workers.c.prepared.is_distinct_from(deployment)
    return connection.execute(select(workers.c.id).where(dead, untold)).first() is not None


def _deployment(row: Row[tuple[object, ...]]) -> Deployment:
    return Deployment(row.id, row.path, row.configured, row.bundle, row.state, row.reason)
