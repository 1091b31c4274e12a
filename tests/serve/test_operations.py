"""What operators are given fits the program: alerts, dashboard, container, pinned libraries."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from packaging.requirements import Requirement
from prometheus_client import Counter, Gauge, Histogram

from serve import metrics, scrape
from serve.app import create_app
from serve.problems import KINDS
from serve.settings import Settings
from serve.store import Store, backlog

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HELP = runpy.run_path(str(Path(__file__).parent / "running.py"))
TRAINING = {"torch", "transformers", "scikit-learn", "scipy", "onnx", "cleanlab", "setfit"}
SELECTOR = re.compile(r"\b(cascade_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
SUFFIXES = {Counter: ["_total"], Gauge: [""], Histogram: ["_bucket", "_sum", "_count"]}
BY_PROMETHEUS = {"le", "job", "instance"}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each time series that the service tells, by its name."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'service.sqlite'}")
    store.migrate()
    told = {
        metric._name + suffix: set(metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, (Counter, Gauge, Histogram))
        for suffix in SUFFIXES[type(metric)]
    }
    for family in scrape.Everything(store).collect():
        samples = {sample.name: set(sample.labels) for sample in family.samples}
        told |= {name: its for name, its in samples.items() if not name.endswith("_created")}
    store.close()
    return told


def expressions() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    panels = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())["panels"]
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return alerts + [target["expr"] for panel in panels for target in panel["targets"]]


def test_each_figure_that_is_watched_is_told(labels: dict[str, set[str]]) -> None:
    watched = [found for expression in expressions() for found in SELECTOR.findall(expression)]
    assert len(watched) > 40
    for name, inside in watched:
        assert name in labels
        assert {label for label, _, _ in MATCHER.findall(inside)} <= labels[name] | BY_PROMETHEUS


def test_each_value_that_is_watched_exists(service: Any) -> None:
    rules = {rule.rule for rule in create_app(service).url_map.iter_rules()}
    known = {
        "rule": rules,
        "kind": {kind.type.rsplit("/", 1)[-1] for kind in KINDS},
        "for": set(backlog.KINDS),
        "action": {"route", "review"},
        "how": {"late", "pending", "shallow"},
    }
    for label, how, value in MATCHER.findall(" ".join(expressions())):
        for name in known.get(label, ()) and (value.split("|") if how == "=~" else [value]):
            assert any(re.fullmatch(name, one) for one in known[label]), value


def test_no_figure_goes_unseen(labels: dict[str, set[str]]) -> None:
    seen = " ".join(expressions())
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels}
    unseen = {name for name in families if name not in seen}
    assert unseen == {"cascade_request_tickets", "cascade_build_info"}


def test_the_document_has_every_figure_and_every_alert_is_found_in_it(
    labels: dict[str, set[str]],
) -> None:
    document = (ROOT / "docs" / "operations.md").read_text()
    told = set(re.findall(r"`(cascade_\w+)`", document))
    assert told == {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels}
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    for alert in re.findall(r"`(Cascade\w+)`", document):
        assert f"alert: {alert}\n" in rules


def test_the_document_names_files_and_settings_that_there_are() -> None:
    document = (ROOT / "docs" / "operations.md").read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", document):
        assert (ROOT / "docs" / link).exists(), link
    for name in re.findall(r"\bCASCADE_([A-Z_]+)\b", document):
        assert name.lower() in Settings.model_fields or name == "CONFIG", name


def test_brackets_are_balanced_and_each_alert_says_what_to_do_about_it() -> None:
    for expression in expressions():
        for pair in ("()", "{}", "[]"):
            assert expression.count(pair[0]) == expression.count(pair[1])
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_no_two_panels_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for its in (panel["gridPos"] for panel in panels):
        cells = {(its["x"] + i, its["y"] + j) for i in range(its["w"]) for j in range(its["h"])}
        assert not cells & taken
        assert its["x"] + its["w"] <= 24
        taken |= cells


# --- what is installed ---


def required(*extras: str) -> list[Requirement]:
    """What setup.py asks for."""
    with patch("setuptools.setup") as setup:
        runpy.run_path(str(ROOT / "setup.py"))
    told = setup.call_args.kwargs
    lines = told["install_requires"] + [
        line for its in extras for line in told["extras_require"][its]
    ]
    return [Requirement(line) for line in lines]


def pinned() -> dict[str, str]:
    lines = (ROOT / "requirements" / "serve.txt").read_text().splitlines()
    return dict(line.removesuffix(" \\").split("==") for line in lines if re.match(r"\w", line))


def test_the_pinned_libraries_are_those_that_setup_asks_for() -> None:
    versions = pinned()
    for its in required("postgres"):
        assert versions.get(its.name, "none") in its.specifier, f"{its}: write serve.txt anew"


def test_every_pinned_library_has_its_hashes_and_none_is_for_training() -> None:
    text = (ROOT / "requirements" / "serve.txt").read_text()
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned()) > 20
    assert all("--hash=sha256:" in block for block in blocks)
    assert not TRAINING & set(pinned())


def test_the_container_copies_what_there_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [
        name for line in lines if re.match(r"COPY (?!--)", line) for name in line.split()[1:-1]
    ]
    let_through = (DEPLOY / "Dockerfile.dockerignore").read_text()
    assert len(copied) > 5
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name.split('/')[0]}\n" in let_through


def test_systemd_is_told_when_the_service_listens(tmp_path: Path) -> None:
    assert "Type=notify" in (DEPLOY / "cascade.service").read_text()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with HELP["running"]("", tmp_path / "log", NOTIFY_SOCKET=str(tmp_path / "notify")) as its:
            assert manager.recv(1000).startswith(b"READY=1")
            assert its.ask("GET", "/healthz")[0] == 200


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "cascade.service").read_text()
    there = tmp_path / "cascade.service"
    there.write_text(unit.replace("/opt/cascade/bin/cascade", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", there], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
