"""Workers that look after one store, in one process: when they swap, and when they do not."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from cascade.errors import BundleError
from serve import deploy, watcher
from serve.deploy import put_into_service
from serve.engine import Engine
from serve.problems import Problem
from serve.store import Store, deployments
from serve.store.deployments import ACTIVE, REFUSED, Worker
from serve.watcher import Watcher

ONE, TWO = Path("/bundles/one"), Path("/bundles/two")
Refusals = dict[Path, str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has that much time."""
    monkeypatch.setattr(watcher, "LOOK", 0.03)
    monkeypatch.setattr(watcher.memory, "give_back", gc.collect)
    monkeypatch.setattr(deploy, "PAUSE", 0.01)


@pytest.fixture
def begun(store: Store, cascade: Any) -> Iterator[Callable[..., Engine]]:
    """Starts workers; gives the engine of each."""
    watchers = []

    def load(path: Path) -> Any:
        if path.name.startswith("damaged"):
            raise BundleError(f"{path}: damaged")
        if path.name.startswith("odd"):
            raise ZeroDivisionError
        return type(cascade)(path.name)

    def begin(load: Callable[[Path], Any] = load, configured: Path = ONE) -> Engine:
        engine = Engine(1, 1, 1)
        watchers.append(Watcher(store, engine, load, configured))
        watchers[-1].begin()
        return engine

    yield begin
    for its in watchers:
        its.end()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_all_workers_swap_or_none(store: Store, begun: Callable[..., Engine]) -> None:
    engines = [begun(), begun(), begun()]
    its, workers = put_into_service(store, ONE, "two")
    assert (its.path, its.bundle, its.configured, workers) == (str(TWO), "two", str(ONE), 3)
    assert [engine.bundle_id for engine in engines] == ["two"] * 3
    assert {engine.serving().deployment for engine in engines} == {its.id}
    with pytest.raises(Problem) as caught:
        put_into_service(store, ONE, "damaged")
    assert caught.value.detail == "The old one serves on. /bundles/damaged: damaged"
    assert [engine.bundle_id for engine in engines] == ["two"] * 3
    back, _ = put_into_service(store, ONE, "/bundles/one")
    assert back.id > its.id
    assert [engine.bundle_id for engine in engines] == ["one"] * 3


def test_one_worker_that_cannot_keeps_all_from_it(
    store: Store, begun: Callable[..., Engine], cascade: Any
) -> None:
    def fails(path: Path) -> Any:
        if path == TWO:
            raise BundleError("encoder/model.onnx: damaged")
        return type(cascade)(path.name)

    engines = [begun(), begun(fails)]
    with pytest.raises(Problem) as caught:
        put_into_service(store, ONE, "two")
    assert "encoder/model.onnx" in caught.value.detail
    assert [engine.bundle_id for engine in engines] == ["one", "one"]


def test_the_workers_load_one_after_the_other(
    store: Store, begun: Callable[..., Engine], cascade: Any
) -> None:
    loading, most = 0, 0

    def load(path: Path) -> Any:
        nonlocal loading, most
        if path == TWO:
            loading += 1
            most = max(most, loading)
            time.sleep(0.1)
            loading -= 1
        return type(cascade)(path.name)

    engines = [begun(load), begun(load), begun(load)]
    put_into_service(store, ONE, "two")
    assert most == 1
    assert [engine.bundle_id for engine in engines] == ["two"] * 3


def test_a_library_that_stumbles_is_a_refusal_without_its_message(
    store: Store, begun: Callable[..., Engine]
) -> None:
    begun()
    with pytest.raises(Problem) as caught:
        put_into_service(store, ONE, "odd")
    assert caught.value.detail.endswith("ZeroDivisionError while the bundle was loaded")


def test_workers_that_find_different_bundles_in_one_folder_serve_neither(
    store: Store, begun: Callable[..., Engine], cascade: Any
) -> None:
    engines = [begun(), begun(lambda path: type(cascade)(path.name + "-b"))]
    with pytest.raises(Problem) as caught:
        put_into_service(store, ONE, "two")
    assert caught.value.detail.endswith("/bundles/two: changed while it was loaded")
    assert [engine.bundle_id for engine in engines] == ["one", "one-b"]


def test_without_a_live_worker_nothing_is_put_into_service(store: Store) -> None:
    with pytest.raises(Problem) as caught:
        put_into_service(store, ONE, "two")
    assert "No worker is alive" in caught.value.detail


def test_a_worker_that_takes_too_long_is_a_refusal(
    store: Store, begun: Callable[..., Engine], cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "PATIENCE", 0.05)

    def slow(path: Path) -> Any:
        time.sleep(0.5 if path == TWO else 0)
        return type(cascade)(path.name)

    engine = begun(slow)
    with pytest.raises(Problem):
        put_into_service(store, ONE, "two")
    monkeypatch.undo()
    put_into_service(store, ONE, "three")  # begins when that one is done, and thrown away
    assert engine.bundle_id == "three"


# --- a worker that starts ---


def test_who_starts_later_serves_what_is_in_service(
    store: Store, begun: Callable[..., Engine]
) -> None:
    begun()
    its, _ = put_into_service(store, ONE, "two")
    late = begun()
    assert (late.bundle_id, late.serving().deployment) == ("two", its.id)


def test_who_has_another_bundle_in_its_settings_serves_that_whatever_others_change(
    store: Store, begun: Callable[..., Engine], cascade: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "SWAP", 0.1)
    loaded = []

    def load(path: Path) -> Any:
        loaded.append(path.name)
        return type(cascade)(path.name)

    first = begun()
    put_into_service(store, ONE, "two")
    other = begun(load, Path("/bundles/three"))
    assert (other.bundle_id, other.serving().deployment) == ("three", None)
    put_into_service(store, ONE, "four")
    until(lambda: first.bundle_id == "four")
    put_into_service(store, Path("/bundles/three"), "five")
    until(lambda: other.bundle_id == "five")
    assert loaded == ["three", "five"]
    assert first.bundle_id == "four"


def test_who_cannot_load_any_more_what_is_in_service_serves_the_settings_bundle(
    store: Store, begun: Callable[..., Engine], cascade: Any, caplog: pytest.LogCaptureFixture
) -> None:
    begun()
    put_into_service(store, ONE, "two")

    def lost(path: Path) -> Any:
        if path == TWO:
            raise BundleError("/bundles/two: no such folder")
        return type(cascade)(path.name)

    assert begun(lost).bundle_id == "one"
    assert "two: no such folder" in caplog.text


def test_who_finds_that_it_has_changed_says_so(
    store: Store, begun: Callable[..., Engine], cascade: Any, caplog: pytest.LogCaptureFixture
) -> None:
    begun()
    put_into_service(store, ONE, "two")
    late = begun(lambda path: type(cascade)(path.name + "-b"))
    assert late.bundle_id == "two-b"
    assert "/bundles/two: changed since it was put into service" in caplog.text


def test_who_starts_during_a_change_ends_with_the_new_one(
    store: Store, begun: Callable[..., Engine], cascade: Any
) -> None:
    def slow(path: Path) -> Any:
        time.sleep(0.2)
        return type(cascade)(path.name)

    first = begun()
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(begun, slow)
        changed = pool.submit(put_into_service, store, ONE, "two")
    assert changed.result()[0].bundle == "two"
    assert first.bundle_id == "two"
    until(lambda: late.result().bundle_id == "two")


# --- what goes wrong ---


def test_what_is_loaded_for_a_caller_that_is_gone_is_thrown_away(
    store: Store, begun: Callable[..., Engine], cascade: Any
) -> None:
    loaded: list[weakref.ref[Any]] = []

    def load(path: Path) -> Any:
        router = type(cascade)(path.name)
        loaded.append(weakref.ref(router))
        return router

    engine = begun(load)
    with store.write() as connection:
        abandoned = deployments.begin(connection, str(TWO), str(ONE))
        assert abandoned
    until(lambda: prepared(store) == [abandoned])
    assert loaded[1]() is not None
    with store.write() as connection:
        deployments.decide(connection, abandoned, REFUSED)
    until(lambda: loaded[1]() is None)
    assert engine.bundle_id == "one"


def prepared(store: Store) -> list[int | None]:
    with store.read() as connection:
        return [worker.prepared for worker in deployments.alive(connection)]


def test_a_worker_that_missed_the_preparation_swaps_all_the_same(
    store: Store, begun: Callable[..., Engine]
) -> None:
    engine = begun()
    with store.write() as connection:
        missed = deployments.begin(connection, str(TWO), str(ONE))
        assert missed
        deployments.decide(connection, missed, ACTIVE)
    until(lambda: engine.bundle_id == "two")


@pytest.mark.parametrize(
    ("error", "told"),
    [(OperationalError("", {}, Exception()), "the store is unavailable"),
     (ZeroDivisionError(), "unforeseen error")],
)  # fmt: skip
def test_whatever_goes_wrong_for_a_while_ends_no_watcher(
    store: Store, begun: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, error: Exception, told: str,
) -> None:  # fmt: skip
    engine = begun()

    def fail(connection: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(deployments, "current", fail)
        time.sleep(0.1)
    assert caplog.text.count(told) == 1
    put_into_service(store, ONE, "two")
    assert engine.bundle_id == "two"


def test_who_is_about_to_end_is_waited_for_by_nobody(
    store: Store, begun: Callable[..., Engine]
) -> None:
    staying, ending = begun(), begun()
    ending.draining = True
    until(lambda: len(prepared(store)) == 1)
    _, workers = put_into_service(store, ONE, "two")
    assert (workers, staying.bundle_id, ending.bundle_id) == (1, "two", "one")


def test_a_bundle_that_kills_its_loader_is_refused_and_loaded_by_nobody_else(
    store: Store, begun: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployments, "DEAD", 4.0)
    monkeypatch.setattr(watcher, "BEAT", 0.05)
    monkeypatch.setattr(deploy, "STILL", 0.05)
    begin = deployments.begin

    def first_in_line_dies(connection: Any, *its: str) -> int | None:
        deployments.report(connection, Worker("0"))
        return begin(connection, *its)

    engine = begun()
    with monkeypatch.context() as deadly, pytest.raises(Problem) as caught:
        deadly.setattr(deployments, "begin", first_in_line_dies)
        put_into_service(store, ONE, "two")
    assert caught.value.detail == "The old one serves on. A worker died while it loaded it."
    back, workers = put_into_service(store, ONE, "one")
    assert (back.bundle, workers, engine.bundle_id) == ("one", 1, "one")
