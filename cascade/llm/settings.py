"""Who answers in the llm stage: the environment variables that say so, read in this one place.

Flags of the verbs set these variables, so there is no second source.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cascade.errors import InputError
from cascade.llm.base import Answer, Backend, NoAnswer, Question

URL, MODEL, DIALECT, KEY, ALLOW_PUBLIC, STORE = (
    f"CASCADE_LLM_{name}" for name in ("URL", "MODEL", "DIALECT", "KEY", "ALLOW_PUBLIC", "STORE")
)
DEFAULT_STORE = Path("bundles/answers.sqlite")
YES = {"1", "true", "yes", "on"}
NO = {"", "0", "false", "no", "off"}
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a server that could not be asked what it can do is asked again."""


@dataclass(frozen=True, slots=True)
class LLMSettings:
    """Who answers in the llm stage.

    Attributes:
        url: of a server, such as ``http://10.0.0.5:8000/v1``; empty for a reader in the process.
        model: as the server names it; without a url a folder with an ONNX model, empty for the
            built-in reader.
        dialect: how the server is asked; empty to find out.
        key: the server's API key, if it wants one.
        allow_public: the url may be a public address.
        store: file that keeps a server's answers, so that a ticket gets the same one next week.
    """

    url: str = ""
    model: str = ""
    dialect: str = ""
    key: str = ""
    allow_public: bool = False
    store: Path = DEFAULT_STORE

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> LLMSettings:
        """Read the settings from environment variables; an empty one counts as not set.

        Raises:
            InputError: one cannot be used. The message names the variable.
        """
        allow = environ.get(ALLOW_PUBLIC, "").strip().lower()
        if allow not in YES | NO:
            raise InputError(f"{ALLOW_PUBLIC}={allow!r}: 1 or 0")
        return cls(
            environ.get(URL, "").strip(),
            environ.get(MODEL, "").strip(),
            environ.get(DIALECT, "").strip(),
            environ.get(KEY, "").strip(),
            allow in YES,
            Path(environ.get(STORE) or DEFAULT_STORE),
        )

    def __repr__(self) -> str:
        return f"LLMSettings(url={self.url!r}, model={self.model!r})"  # never the key

    def check(self) -> None:
        """Look the settings over without asking anyone.

        Raises:
            InputError: the address is not one of the company's own, the key or the dialect is
                none, the file of answers is damaged, or the model's folder is not one.
        """
        if self.url:
            from cascade.llm.client import Server
            from cascade.llm.dialects import dialect_named
            from cascade.llm.store import AnswerStore

            Server(self.url, api_key=self.key or None, allow_public=self.allow_public).close()
            if self.dialect:
                dialect_named(self.dialect)
            AnswerStore(self.store).close()
        elif self.model:
            if not Path(self.model).is_dir():
                needs = f"a server's model needs {URL}"
                raise InputError(f"{MODEL}={self.model}: no such folder; {needs}")
            for file in (Path(self.model, name) for name in ("model.onnx", "tokenizer.json")):
                if not file.is_file():
                    raise InputError(f"{file}: no such file")

    def found(self) -> LLMSettings:
        """The same with nothing left open: a server is asked for its model and its dialect.

        That can take a minute or two; with both named, nothing is sent.

        Raises:
            InputError: see `check`; or the server cannot be reached, or does not tell.
        """
        self.check()
        if not self.url or (self.model and self.dialect):
            return self
        from cascade.llm.probe import probe

        try:
            told = probe(
                self.url,
                api_key=self.key or None,
                allow_public=self.allow_public,
                model=self.model,
                dialect=self.dialect,
            )
        except NoAnswer as no:
            raise InputError(f"{self.url}: {no.reason}") from None
        if not told.dialect:
            raise InputError(f"{self.url} answers in no dialect: see cascade llm check {self.url}")
        return replace(self, model=told.model, dialect=told.dialect)

    def connect(self, bundle_id: str) -> Backend:
        """Who answers for a bundle; a server's answers are kept bundle by bundle.

        Raises:
            InputError: see `found`.
        """
        named = self.found()
        if not named.url:
            from cascade.llm.reader import BUILT_IN, Reader

            return Reader(Path(named.model) if named.model else BUILT_IN)
        from cascade.llm.backend import ServerBackend
        from cascade.llm.client import Server
        from cascade.llm.dialects import dialect_named
        from cascade.llm.store import AnswerStore, Stored

        server = Server(named.url, api_key=named.key or None, allow_public=named.allow_public)
        backend = ServerBackend(server, dialect_named(named.dialect), named.model)
        return Stored(backend, AnswerStore(named.store), bundle_id)

    def backend(self, bundle_id: str) -> Backend:
        """As `connect`, but a server that has to be asked first keeps nobody from routing.

        Raises:
            InputError: see `check`.
        """
        if self.url and not (self.model and self.dialect):
            self.check()
            return Later(lambda: self.connect(bundle_id), self.model or "not known yet")
        return self.connect(bundle_id)


class Later:
    """A `Backend` that is still being found, in a thread of its own.

    Whoever asks waits until it is there, at most until his deadline. When it could not be found,
    nobody waits, and after a pause, twice as long each time, the next one to ask sets off another
    try: a server may be started after the cascade.

    Args:
        find: finds it; raises `InputError` where that fails.
        name: it goes by until then.
    """

    def __init__(self, find: Callable[[], Backend], name: str) -> None:
        self._find, self.name = find, name
        self._backend: Backend | None = None
        self._lock = threading.Lock()
        self._tried = threading.Event()
        self._pause, self._again = FIRST_PAUSE, 0.0
        self._start()

    def ask(self, question: Question, deadline: float) -> Answer:
        """See `Backend.ask`."""
        with self._lock:
            if self._tried.is_set() and not self._backend and time.monotonic() >= self._again:
                self._start()
        if not self._tried.wait(max(0.0, deadline - time.monotonic())):
            raise NoAnswer("late", "the LLM server has not told yet what it can do")
        if self._backend is None:
            raise NoAnswer(
                "failed", "the LLM server cannot be used as it is: see cascade llm check"
            )
        return self._backend.ask(question, deadline)

    def _start(self) -> None:
        self._tried.clear()
        threading.Thread(target=self._try, name="llm-connect", daemon=True).start()

    def _try(self) -> None:
        try:
            self._backend = self._find()
            self.name = self._backend.name
        except InputError:
            self._again = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        finally:
            self._tried.set()
