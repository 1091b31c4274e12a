"""A worker's side of a change of bundle: it loads the new one beside the old one, and swaps.

Workers share nothing but the database, and there they agree: see `serve.store.deployments`. Each
has a thread that looks a few times a second what is to be in service, and loads it in another
one, so that its heart goes on beating.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from cascade.errors import CascadeError
from serve import memory, metrics
from serve.engine import Engine, Router
from serve.logs import describe, log
from serve.store import Store, deployments, new_id
from serve.store.deployments import ACTIVE, Deployment, Worker

LOOK = 0.2
"""Seconds between two looks at what is to be in service."""
BEAT = 1.0
"""Seconds between two heartbeats."""

AT_ONCE = 0.25
"""Share of the workers that load a bundle at the same time; at least one does."""

Load = Callable[[Path], Router]
"""Loads the bundle in a folder; raises `CascadeError` where it cannot."""


class Watcher:
    """Keeps in service what is to be there.

    Args:
        store: where the workers agree.
        engine: that serves.
        load: loads a bundle.
        configured: folder of the bundle that the settings name.
    """

    def __init__(self, store: Store, engine: Engine, load: Load, configured: Path) -> None:
        self._store, self._engine, self._load = store, engine, load
        self._configured = configured.absolute()
        self._me = Worker(new_id())
        self._beaten = 0.0
        self._served = 0  # the newest deployment that was dealt with
        self._loading: _Loading | None = None
        self._old: weakref.ref[Router] | None = None
        self._ended = Event()

    def begin(self) -> None:
        """Put into service what is to be there when a worker starts, then look for changes.

        That is the newest deployment, if it was made while the settings named the same bundle; if
        it cannot be loaded any more, or else, it is the bundle of the settings.

        Raises:
            CascadeError: that one cannot be loaded either.
            SQLAlchemyError: the database cannot be used; nothing was loaded, and it may be tried
                again.
        """
        # First of all, so that whoever changes the bundle from now on waits for this worker.
        self._report()
        with self._store.read() as connection:
            newest, _ = deployments.current(connection)
        router = None
        if newest:
            self._served = newest.id
            if newest.configured == str(self._configured):
                router = self._reloaded(newest)
        if newest and router:
            self._put(router, newest.id)
            with suppress(SQLAlchemyError):  # then the next heartbeat tells it
                self._report(deployment=newest.id)
        else:
            self._put(self._loaded(self._configured))
        log.info("ready", extra={"fields": {"bundle": self._engine.bundle_id}})
        Thread(target=self._watch, name="watcher", daemon=True).start()

    def end(self) -> None:
        """Look no more: this worker ends, and nobody has to wait for it."""
        self._ended.set()
        with suppress(SQLAlchemyError), self._store.write() as connection:
            deployments.leave(connection, self._me.id)

    def _put(self, router: Router, deployment: int | None = None) -> None:
        self._engine.serve(router, deployment)
        metrics.serves(router.bundle_id, router.stage_names)

    def _loaded(self, path: Path) -> Router:
        router = self._load(path)
        router.warm_up()
        return router

    def _reloaded(self, newest: Deployment) -> Router | None:
        try:
            router = self._loaded(Path(newest.path))
        except CascadeError as error:
            log.error("the settings' bundle is served, not the one put in its place: %s", error)
            return None
        if router.bundle_id != newest.bundle:
            log.warning("%s: changed since it was put into service", newest.path)
        return router

    def _watch(self) -> None:
        sound = True
        while not (self._ended.wait(LOOK) or self._engine.draining):
            try:
                self._look()
            except Exception as error:  # whatever it was: without a heart the worker counts as dead
                if sound:
                    away = isinstance(error, SQLAlchemyError)
                    event = "the store is unavailable" if away else "unforeseen error"
                    log.error(event, extra={"fields": describe(error)})
                sound = False
            else:
                sound = True
        self.end()

    def _look(self) -> None:
        with self._store.read() as connection:
            active, following = deployments.current(connection)
        wanted = active if active and active.id > self._served else following
        if wanted is None:
            self._drop()
        elif wanted.configured != str(self._configured):
            self._pass_over(wanted)
        elif self._loading is None:
            if wanted.state == ACTIVE or self._may_load(wanted):
                self._loading = _Loading(wanted, self._loaded)
        elif not self._loading.is_alive():
            self._have(self._loading, wanted)
        if monotonic() - self._beaten >= BEAT:
            self._report()
        self._give_back()

    def _pass_over(self, wanted: Deployment) -> None:
        """Of another machine, whose settings name another bundle: here nobody has to be waited for.

        One database may serve several machines, and what one is to serve need not lie on another.
        """
        self._drop()
        if wanted.state == ACTIVE:
            self._served = wanted.id
        elif self._me.prepared != wanted.id:
            self._report(prepared=wanted.id)

    def _may_load(self, wanted: Deployment) -> bool:
        """Few load at a time, as while a worker loads its requests take longer."""
        with self._store.read() as connection:
            workers = deployments.alive(connection)
        to_come = [worker.id for worker in workers if worker.prepared != wanted.id]
        return self._me.id in to_come[: max(1, round(AT_ONCE * len(workers)))]

    def _have(self, loading: _Loading, wanted: Deployment) -> None:
        """Go on with what has been loaded, or could not be."""
        if loading.deployment.id != wanted.id:
            self._drop()  # nobody wants it any more; the next look begins with the other one
        elif wanted.state == ACTIVE:
            self._swap(loading, wanted)
        elif self._me.prepared != wanted.id:
            self._report(prepared=wanted.id, failure=loading.failure or self._differs(loading))

    def _differs(self, loading: _Loading) -> str:
        """Why it must not be served: workers that serve different bundles would be a riddle."""
        with self._store.write() as connection:
            said = deployments.name(connection, loading.deployment.id, loading.bundle_id)
        same = said == loading.bundle_id
        return "" if same else f"{loading.deployment.path}: changed while it was loaded"

    def _swap(self, loading: _Loading, wanted: Deployment) -> None:
        self._loading, self._served = None, wanted.id
        if loading.router is None:
            log.error("not put into service: %s", loading.failure)
            return
        self._old = weakref.ref(self._engine.router())
        self._put(loading.router, wanted.id)
        self._report(deployment=wanted.id)
        log.info("swapped", extra={"fields": {"bundle": loading.bundle_id, "to": wanted.id}})

    def _drop(self) -> None:
        if self._loading and not self._loading.is_alive():
            self._loading = None
            memory.give_back()

    def _give_back(self) -> None:
        """Once the last request that began with the old cascade has ended."""
        if self._old and not self._old():
            self._old = None
            memory.give_back()

    def _report(
        self, *, deployment: int | None = None, prepared: int | None = None, failure: str = ""
    ) -> None:
        """Tell how it stands; without news it is a heartbeat."""
        if deployment:
            self._me = Worker(self._me.id, deployment)
        elif prepared:
            self._me = Worker(self._me.id, self._me.deployment, prepared, failure)
        with self._store.write() as connection:
            deployments.report(connection, self._me)
        self._beaten = monotonic()


class _Loading(Thread):
    """Loads a deployment's bundle in a thread of its own.

    Not one of lower priority: set aside by the system while it has Python's lock, it would keep
    the requests waiting for it.

    Attributes:
        router: the cascade, once it is loaded and warm.
        failure: why there is none; one line.
    """

    def __init__(self, deployment: Deployment, load: Load) -> None:
        super().__init__(name="load", daemon=True)
        self.deployment = deployment
        self.router: Router | None = None
        self.failure = ""
        self._load_it = load
        self.start()

    @property
    def bundle_id(self) -> str:
        """Id of the bundle that was loaded."""
        return self.router.bundle_id if self.router else ""

    def run(self) -> None:
        """Load it."""
        try:
            self.router = self._load_it(Path(self.deployment.path))
        except CascadeError as error:
            self.failure = str(error)
        except Exception as error:
            # A bundle that is whole can still be one that makes a library stumble.
            log.error("unforeseen error", extra={"fields": describe(error)})
            self.failure = f"{type(error).__name__} while the bundle was loaded"
