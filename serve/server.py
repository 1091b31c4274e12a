"""gunicorn around the app: sockets, workers, what happens when one cannot start.

The master checks the bundle's files and binds the port, so that both kinds of mistake are one
clear line and exit code 2 before anything forks. Each worker loads its own cascade after the
fork, as ONNX Runtime's sessions do not survive one, while it already answers ``/healthz``.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from cascade.errors import CascadeError, InputError
from serve import logs, memory, metrics, tls
from serve.access import require_a_key
from serve.app import create_app
from serve.background import background, receiver
from serve.deploy import hang_up
from serve.engine import Engine, Router
from serve.intake import Intake
from serve.processes import CalmArbiter, JsonLogger, Worker
from serve.service import Service
from serve.settings import Settings
from serve.store import DOWN, Store
from serve.watcher import Load, Watcher

SPARE_THREADS = 2
"""Threads of a worker that never route, so that ``/healthz`` finds one."""

RETRY = 5.0
"""Seconds until a worker is tried again that cannot take the place of a dead one, or the store."""

BACKLOG = 2048
"""Connections that the kernel holds until a worker takes them (gunicorn's own default)."""

KEEPALIVE = 75
"""Seconds that an idle connection is kept, longer than by proxies (60): if it were closed here, a
request might be on its way."""

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class Server(BaseApplication):
    """The service as a gunicorn application.

    Args:
        settings: what the operator set.
        check: looks the settings' bundle over without loading it; raises `CascadeError`.
        load: loads a bundle; called in the workers.
    """

    def __init__(self, settings: Settings, check: Callable[[], None], load: Load) -> None:
        # Before numpy is first imported, in the master too: a fork inherits its thread pools.
        os.environ.update(_ONE_THREAD)
        self.settings = settings
        self.engine = Engine(settings.threads, settings.waiting, settings.shallow_from)
        self._load = load
        check()
        receiver(settings)  # so that an address that cannot be used is a clear line, as others are
        certificate, key = settings.tls_certificate, settings.tls_key
        self._tls = tls.Certificate(certificate, key) if certificate and key else None
        self._migrate()
        self._bind, self.url = self._listen()
        super().__init__()

    def _migrate(self) -> None:
        """Once, in the master, and its connections are closed: they do not survive a fork."""
        store = Store(self.settings.database)
        store.migrate()
        self.database = str(store)  # without its password
        require_a_key(self.settings, store)
        store.close()

    def _listen(self) -> tuple[str, str]:
        """gunicorn's ``bind``, and the address for a browser on this machine."""
        host, port = self.settings.host, self.settings.port
        if "GUNICORN_FD" in os.environ:  # SIGUSR2: the master before this one hands over its socket
            bind = _authority(host, port)
        else:
            bound = listen(host, port)
            port = bound.getsockname()[1]
            bind = f"fd://{bound.detach()}"  # gunicorn's from here on
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (shown, not bound)
        scheme = "https" if self._tls else "http"
        return bind, f"{scheme}://{_authority(host, port)}/"

    def load_config(self) -> None:
        """gunicorn's settings, from ours."""
        chosen = {
            "bind": self._bind,
            "workers": self.settings.workers,
            "worker_class": Worker,
            "threads": self.settings.threads + self.settings.waiting + SPARE_THREADS,
            "preload_app": False,
            "logger_class": JsonLogger,
            "control_socket_disable": True,
            "pre_fork": self._before_fork,
            "post_fork": self._after_fork,
            "child_exit": self._after_death,
            "worker_exit": self._before_end,
            "timeout": 120,
            "graceful_timeout": 30,
            "keepalive": KEEPALIVE,
            "proc_name": "cascade",
            "forwarded_allow_ips": "",  # whom to believe, and what, is for `serve.access` alone
            **(self._tls.options() if self._tls else {}),
            "loglevel": self.settings.log_level,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def _before_fork(self, arbiter: Any, worker: Worker) -> None:
        taken = {other.slot for other in arbiter.WORKERS.values()}
        worker.slot = next(slot for slot in count() if slot not in taken)

    def _after_fork(self, arbiter: Arbiter, worker: Worker) -> None:
        metrics.share(worker.slot)
        self._replaces_another = worker.age > self.settings.workers

    def _after_death(self, arbiter: Arbiter, worker: Worker) -> None:
        metrics.leave(worker.slot)

    def _before_end(self, arbiter: Arbiter, worker: Worker) -> None:
        if worker.booted:
            self._watcher.end()
            self._background.stop()

    def load(self) -> Any:
        """The WSGI app of one worker.

        At the start the bundle loads beside it, so that it can say that it is alive. A worker
        that replaces another loads first: until then the others take the connections. While the
        store is away either tries again in the background.
        """
        logs.configure(self.settings.log_level)
        memory.use_one_heap()
        metrics.started(replaces=self._replaces_another)
        metrics.serves(self.engine.bundle_id)
        store = Store(self.settings.database)
        self._watcher = Watcher(store, self.engine, self._load, self.settings.bundle)
        self._store = store
        if not (self._replaces_another and self._began()):
            threading.Thread(target=self._load_bundle, name="load", daemon=True).start()
        intake = Intake(self.settings, self.engine, store)
        parts = Service(self.settings, self.engine, store, intake)
        self._background = background(parts)
        self._background.start()
        return create_app(parts)

    def _load_bundle(self) -> None:
        while not self._began():
            time.sleep(RETRY)

    def _began(self) -> bool:
        """Try to put a bundle into service; False where only the store is away."""
        try:
            self._watcher.begin()
        except CascadeError as error:
            self._give_up(str(error))
        except DOWN as error:
            logs.log.error("the store is unavailable", extra={"fields": logs.describe(error)})
            return False
        except Exception as error:
            logs.log.error("unforeseen error", extra={"fields": logs.describe(error)})
            self._give_up(f"{type(error).__name__} while the bundle was loaded")
        return True

    def _give_up(self, why: str) -> NoReturn:
        logs.log.critical("the bundle cannot be loaded: %s", why)
        if self._replaces_another:  # the others serve on, and it is tried again
            time.sleep(RETRY)
            os._exit(1)
        os._exit(Arbiter.APP_LOAD_ERROR)  # tells the master not to try again

    def change_bundle(self) -> None:
        """Put the settings' bundle into service as it now is, while requests go on."""
        threading.Thread(target=self._change_bundle, name="hang-up", daemon=True).start()

    def _change_bundle(self) -> None:
        try:
            hang_up(self._store, self.settings.bundle)
        except DOWN as error:
            fields = logs.describe(error)
            logs.log.error(
                "the bundle was not changed: the store is away", extra={"fields": fields}
            )

    def run(self) -> None:
        """Serve until a signal ends it.

        Raises:
            SystemExit: 0, after a signal.
            CascadeError: a worker could not start.
        """
        master = os.getpid()
        try:
            with metrics.shared_folder():
                CalmArbiter(self).run()
        except SystemExit as end:
            gave_up = end.code in (Arbiter.APP_LOAD_ERROR, Arbiter.WORKER_BOOT_ERROR)
            if gave_up and os.getpid() == master:  # a worker's own code is for the master
                raise CascadeError("a worker could not start; the log says why") from None
            raise


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that gunicorn can take over.

    Raises:
        InputError: the address is taken or not this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError as error:
        raise InputError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return bound


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def server_for(settings: Settings) -> Server:
    """The server of the bundle that the settings name.

    Raises:
        CascadeError: the bundle is not sound, or the port is taken.
    """

    def check() -> None:
        # No ONNX session may be made in the master: `verify` looks at the files alone.
        from cascade.bundle import verify

        verify(settings.bundle)
        settings.llm.check()

    def load(path: Path) -> Router:
        from cascade.router import Cascade

        return Cascade.load(path, threads=1, llm=settings.llm.backend)

    return Server(settings, check, load)
