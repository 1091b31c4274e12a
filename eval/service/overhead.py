"""What HTTP and the store add to a ticket, to be run in a process of its own.

A difference of medians over the same tickets, each of which is routed in the process and then
through the service, one after the other: whatever else the machine does slows both down alike.
"""

from __future__ import annotations

import time
from http import HTTPStatus

import numpy as np

from cascade.errors import CascadeError
from cascade.router import Cascade
from cascade.stages.base import Adviser
from eval.latency import llm_anew
from eval.service.clients import WARM, Client, requests

PAIRED = 500
"""Tickets that are asked in both ways."""
FIRST_STAGE_ONLY = 0.001
"""A deadline that leaves no time for a second stage."""


def overhead(
    address: str, bundle: str, texts: list[str], deadline_ms: float
) -> dict[str, float | None]:
    """What one client waits for more than a caller in the process, of tickets that the first
    stage settles.

    Returns:
        ``overhead_ms``: difference of the medians ``http_ms`` and ``in_process_ms``.
    """
    with llm_anew() as llm:
        cascade = Cascade.load(bundle, threads=1, llm=llm.backend)
    for stage in cascade.stages:
        if not isinstance(stage, Adviser):  # no ticket here gets to one
            stage.predict(["warm up"])
    first = cascade.stage_names[0]
    some = [
        text
        for text in texts
        if cascade.route([text], deadline_ms=FIRST_STAGE_ONLY)[0].stage == first
    ][: PAIRED + WARM]
    client, inside, through = Client(address), [], []
    for text, body in zip(some, requests(some, deadline_ms), strict=True):
        began = time.perf_counter()
        cascade.route([text], deadline_ms=deadline_ms)
        between = time.perf_counter()
        inside.append((between - began) * 1000)
        reply = client.ask(body, between, 0.0)
        if reply.status != HTTPStatus.OK:
            raise CascadeError(f"the service answered a ticket with status {reply.status}")
        through.append(reply.ms)
    client.close()
    if len(some) <= WARM:
        return dict.fromkeys(("overhead_ms", "http_ms", "in_process_ms"))
    http, here = float(np.median(through[WARM:])), float(np.median(inside[WARM:]))
    return {
        "overhead_ms": round(http - here, 2),
        "http_ms": round(http, 2),
        "in_process_ms": round(here, 2),
    }
