"""``GET /metrics``: what all workers counted, and what waits in the store right now."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from cascade import __version__
from serve import metrics
from serve.openapi import Operation
from serve.service import service
from serve.store import DOWN, Store
from serve.store.backlog import backlog

scrape = Blueprint("scrape", __name__)
MEDIA_TYPE = "text/plain"


class Everything:
    """All there is to be told: a collector, as prometheus-client calls it.

    Args:
        store: whose backlog is told.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """The metrics, one after the other."""
        yield from metrics.collected()
        yield InfoMetricFamily("cascade_build", "The program", {"version": __version__})
        yield from self._waiting()
        if self._store.sqlite:
            told = "Space left where the SQLite file lies"
            folder = Path(str(self._store.url.database)).parent
            free = shutil.disk_usage(folder).free
            yield GaugeMetricFamily("cascade_store_free_bytes", told, free)

    def _waiting(self) -> Iterator[Metric]:
        """What waits; with the store down the rest is told all the same."""
        up = GaugeMetricFamily("cascade_store_up", "1 where the store can be read, else 0")
        count = GaugeMetricFamily("cascade_waiting", "Reviews and jobs that wait", labels=("for",))
        age = GaugeMetricFamily(
            "cascade_waiting_oldest_seconds", "Age of the oldest of them", labels=("for",)
        )
        try:
            with self._store.read() as connection:
                found = backlog(connection)
        except DOWN:
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        for kind, its in found.items():
            count.add_metric((kind,), its.waiting)
            age.add_metric((kind,), its.age)
        yield from (up, count, age)


@scrape.get("/metrics")
def counted() -> Response:
    """The metrics in Prometheus' text format, or in OpenMetrics for who asks for it."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    everything = cast(CollectorRegistry, Everything(service().store))
    return Response(encode(everything), content_type=content_type)


EXAMPLE = """\
# HELP cascade_decisions_total Decisions by action and deepest stage
# TYPE cascade_decisions_total counter
cascade_decisions_total{action="route",stage="linear"} 4711.0
"""
OPERATIONS = (
    Operation(
        "get",
        "/metrics",
        "metrics",
        "Figures for Prometheus",
        None,
        EXAMPLE,
        scope="metrics",
        media_type=MEDIA_TYPE,
    ),
)
