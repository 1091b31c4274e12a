"""What was decided of late, for people who watch."""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from serve.store.tables import decisions

MOST = 1000
"""Decisions that are looked into, the newest."""


class Times(NamedTuple):
    """What the stages took for ``tickets`` of late, in milliseconds a ticket."""

    tickets: int
    p50: float
    p95: float


def by_stage(connection: Connection, since: float) -> dict[str, int]:
    """How many decisions each stage settled since a time; those left to people under ``human``."""
    counted = select(decisions.c.stage, func.count()).where(decisions.c.created >= since)
    rows = connection.execute(counted.group_by(decisions.c.stage))
    return {row[0]: row[1] for row in rows}


def times(connection: Connection, since: float) -> Times | None:
    """What the newest answers since a time took; None where there are none.

    Later answers do not count: nobody waited for them.
    """
    newest = (
        select(decisions.c.answer)
        .where(decisions.c.created >= since, decisions.c.finished.is_(None))
        .order_by(decisions.c.created.desc())
        .limit(MOST)
    )
    answers = map(json.loads, connection.scalars(newest))
    took = sorted(sum(stage["ms"] for stage in answer["stages"]) for answer in answers)
    if not took:
        return None
    p50, p95 = (took[round(share * (len(took) - 1))] for share in (0.5, 0.95))
    return Times(len(took), p50, p95)
