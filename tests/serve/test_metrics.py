"""What is counted is told, over all workers, and a dead worker's counts are not lost."""

from __future__ import annotations

import os
import re
import runpy
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from serve import metrics, scrape
from serve.store import Store, decisions, jobs, new_id
from serve.store import tables as t

ROOT = Path(__file__).parents[2]
HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
running, wait_for = HELP["running"], HELP["wait_for"]
TICKET = b'{"text": "vpn", "deadline_ms": 5000}'
WHYS = ("start", "death")
Figures = dict[str, float]


def figures(text: str) -> Figures:
    """Samples by their name and labels, as Prometheus writes them: ``name{label="value"}``."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


@pytest.fixture
def grown(client: Any) -> Iterator[Any]:
    """Tells by how much a figure grew in this test: they are the process's."""
    before = figures(client.get("/metrics").text)

    def by(name: str) -> float:
        return figures(client.get("/metrics").text).get(name, 0.0) - before.get(name, 0.0)

    yield by


def test_decisions_are_counted_by_what_became_of_them(client: Any, grown: Any) -> None:
    client.post("/v1/route", json={"text": "vpn"})
    client.post("/v1/route/batch", json={"tickets": [{"text": "vpn"}] * 3})
    assert grown('cascade_decisions_total{action="route",stage="encoder"}') == 4
    assert grown('cascade_queue_decisions_total{action="route",queue="Network"}') == 4
    assert grown('cascade_request_tickets_sum{size="batch"}') == 3
    assert grown('cascade_request_tickets_count{size="one"}') == 1


def test_time_is_counted_by_stage_and_by_address(client: Any, grown: Any) -> None:
    client.post("/v1/route", json={"text": "vpn"})
    assert grown('cascade_stage_seconds_count{stage="linear"}') == 1
    assert grown('cascade_stage_seconds_sum{stage="encoder"}') == pytest.approx(0.0095)
    assert grown('cascade_stage_seconds_bucket{le="0.005",stage="encoder"}') == 0
    assert grown('cascade_stage_seconds_bucket{le="0.01",stage="encoder"}') == 1
    route = 'method="POST",rule="/v1/route",status="200"'
    assert grown(f"cascade_request_seconds_count{{{route}}}") == 1


def test_whoever_goes_on_to_a_further_stage_is_escalated(client: Any, grown: Any) -> None:
    client.post("/v1/route", json={"text": "vpn"})
    assert grown('cascade_escalations_total{to="encoder"}') == 1
    assert grown('cascade_escalations_total{to="linear"}') == 0


def test_a_repeated_answer_is_a_request_and_no_decision(client: Any, grown: Any) -> None:
    for _ in range(2):
        client.post("/v1/route", json={"text": "vpn"}, headers={"Idempotency-Key": "k"})
    assert grown('cascade_decisions_total{action="route",stage="encoder"}') == 1


def test_refusals_are_counted_by_kind(client: Any, grown: Any) -> None:
    client.post("/v1/route", data=b"{", content_type="application/json")
    client.get("/nowhere")
    assert grown('cascade_refused_total{kind="malformed-request"}') == 1
    assert grown('cascade_refused_total{kind="not-found"}') == 1


def test_a_client_cannot_make_labels_of_its_own(client: Any, secret: str) -> None:
    for path in ("/" + secret, f"/v1/decisions/{secret}", f"/healthz?q={secret}"):
        client.open(path, method="HUNTER2")
        client.get(path)
    text = client.get("/metrics").text
    assert "hunter2" not in text.lower()
    assert 'method="other",rule="none"' in text


LATE = {
    "action": "review",
    "stage": "human",
    "queue": "Billing",
    "late": True,
    "pending": True,
    "stages": [{"name": "linear", "ms": 1.0}],
}


class Advisers:
    """Says how often the llm stage was asked since it was loaded."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @property
    def advisers(self) -> dict[str, dict[str, Any]]:
        return {"llm": {"counts": dict(self.counts)}}


def test_what_load_and_deadlines_left_out_is_counted(grown: Any) -> None:
    metrics.decided([LATE, LATE | {"pending": False}], Advisers(), crowded=True)
    metrics.decided([LATE], Advisers())
    told = {how: grown(f'cascade_cut_short_total{{how="{how}"}}') for how in
            ("late", "pending", "shallow")}  # fmt: skip
    assert told == {"late": 3, "pending": 2, "shallow": 2}
    assert grown('cascade_escalations_total{to="human"}') == 3


def test_the_llm_stage_is_counted_by_its_own_count(grown: Any) -> None:
    asked = LATE | {"stages": [{"name": "linear", "ms": 1.0}, {"name": "llm", "ms": 900.0}]}
    first, other = Advisers(), Advisers()
    for counts in ({"answered": 1}, {"answered": 2, "late": 1}, {"answered": 2, "late": 1}):
        first.counts = counts
        metrics.worked([asked], first)
    other.counts = {"answered": 1}  # of another bundle: it begins anew
    metrics.worked([asked], other)
    assert grown('cascade_llm_calls_total{outcome="answered"}') == 3
    assert grown('cascade_llm_calls_total{outcome="late"}') == 1


def test_an_open_breaker_shows_until_it_lets_a_ticket_pass(client: Any) -> None:
    asked = LATE | {"stages": [{"name": "linear", "ms": 1.0}, {"name": "llm", "ms": 0.1}]}
    stage = Advisers()

    def told() -> float:
        metrics.worked([asked], stage)
        return figures(client.get("/metrics").text)['cascade_llm_breaker_open{stage="llm"}']

    for counts, shown in (
        ({"failed": 50}, 0),
        ({"failed": 50, "open": 1}, 1),
        ({"failed": 51, "open": 1}, 0),
    ):
        stage.counts = counts
        assert told() == shown


def test_what_waits_is_read_from_the_store(any_store: Store) -> None:
    def told() -> Figures:
        return {
            f"{sample.name} {sample.labels.get('for', '')}".strip(): sample.value
            for metric in scrape.Everything(any_store)._waiting()
            for sample in metric.samples
        }

    assert told()["cascade_store_up"] == 1
    assert (told()["cascade_waiting review"], told()["cascade_waiting finish"]) == (0, 0)
    with any_store.write() as connection:
        for pending in (True, False, False):
            answer = LATE | {"decision_id": new_id(), "id": None, "bundle": "b", "confidence": 0.5}
            answer |= {"labels": {}, "pending": pending}
            decisions.add(connection, answer, "0" * 64)
            if pending:
                jobs.add(connection, jobs.FINISH, answer["decision_id"], "text")
        connection.execute(update(t.reviews).values(created=t.reviews.c.created - 100))
    assert (told()["cascade_waiting review"], told()["cascade_waiting finish"]) == (2, 1)
    assert 100 <= told()["cascade_waiting_oldest_seconds review"] < 160
    assert told()["cascade_waiting_oldest_seconds finish"] < 60


def test_every_metric_has_a_label_and_a_family_name() -> None:
    for metric in vars(metrics).values():
        if isinstance(metric, (metrics.Counter, metrics.Gauge, metrics.Histogram)):
            assert metric._labelnames, "it would count in this process alone: see REGISTRY"
            assert metric._name.startswith("cascade_")


def test_a_worker_that_is_just_starting_does_not_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counter_1.db").touch()  # it is filled in a moment
    monkeypatch.setenv(metrics.FOLDER, str(tmp_path))
    assert list(metrics.collected()) == []


def test_openmetrics_is_spoken_to_who_asks_for_it(client: Any) -> None:
    reply = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert reply.mimetype == "application/openmetrics-text"
    assert reply.text.endswith("# EOF\n")
    assert client.get("/metrics").mimetype == "text/plain"


def test_the_sums_are_those_of_all_workers_and_outlive_them(tmp_path: Path) -> None:
    decided = 'cascade_decisions_total{action="route",stage="encoder"}'
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    settings = {"CASCADE_WORKERS": "2", "TMPDIR": str(temporary)}
    with running("", tmp_path / "log", **settings) as server:
        server.until_ready()

        def told() -> Figures:
            return figures(server.ask("GET", "/metrics")[2].decode())

        def pids() -> set[int]:
            lines = re.findall(r'"event": "request", "pid": (\d+)', server.log)
            return {int(pid) for pid in lines[-20:]}

        def both_serve() -> bool:
            return told().get('cascade_workers{bundle="fake-1"}') == 2

        wait_for(both_serve)
        rare = ('refused_total{kind="store-unavailable"}', 'worker_starts_total{why="death"}',
                'cut_short_total{how="shallow"}', 'escalations_total{to="human"}')  # fmt: skip
        assert [told()[f"cascade_{name}"] for name in rare] == [0] * 4, "a rise can be seen"
        asked = 0
        while asked < 40 or len(pids()) < 2:
            assert server.ask("POST", "/v1/route", TICKET)[0] == 200
            asked += 1
        assert {told()[decided] for _ in range(6)} == {asked}
        files = {file.name for file in temporary.glob("cascade-metrics-*/*")}
        dead = pids().pop()
        os.kill(dead, signal.SIGKILL)
        wait_for(lambda: "was sent SIGKILL" in server.log and both_serve())
        assert told()[decided] == asked
        for _ in range(20):
            server.ask("POST", "/v1/route", TICKET)
        assert told()[decided] == asked + 20
        assert dead not in pids()
        starts = {why: told()[f'cascade_worker_starts_total{{why="{why}"}}'] for why in WHYS}
        assert starts == {"start": 2, "death": 1}
        assert {file.name for file in temporary.glob("cascade-metrics-*/*")} == files
        server.stop()
    assert list(temporary.iterdir()) == []
