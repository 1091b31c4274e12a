"""Who answers in the llm stage: the environment variables that say so, read in this one place.

Flags of the verbs set these variables, so there is no second source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cascade.errors import InputError
from cascade.llm.base import Answer, Backend, NoAnswer, Question

URL, MODEL, DIALECT, KEY, ALLOW_PUBLIC, STORE = (
    f"CASCADE_LLM_{name}" for name in ("URL", "MODEL", "DIALECT", "KEY", "ALLOW_PUBLIC", "STORE")
)
DEFAULT_STORE = Path("bundles/answers.sqlite")
YES = {"1", "true", "yes", "on"}
NO = {"", "0", "false", "no", "off"}


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
                none, or the model's folder is missing.
        """
        if self.url:
            from cascade.llm.client import Server
            from cascade.llm.dialects import dialect_named

            Server(self.url, api_key=self.key or None, allow_public=self.allow_public).close()
            if self.dialect:
                dialect_named(self.dialect)
        elif self.model and not Path(self.model).is_dir():
            raise InputError(f"{MODEL}={self.model}: no such folder; a server's model needs {URL}")

    def backend(self, bundle_id: str) -> Backend:
        """Who answers for a bundle; a server's answers are kept bundle by bundle.

        A server whose model or dialect is not named is asked for them, which can take a minute.
        One that is down then must not keep the cascade from routing: it gives no answers.

        Raises:
            InputError: see `check`.
        """
        self.check()
        if not self.url:
            from cascade.llm.reader import BUILT_IN, Reader

            return Reader(Path(self.model) if self.model else BUILT_IN)
        from cascade.llm.backend import connect
        from cascade.llm.store import AnswerStore, Stored

        store = AnswerStore(self.store)
        try:
            server = connect(
                self.url,
                model=self.model,
                dialect=self.dialect,
                api_key=self.key or None,
                allow_public=self.allow_public,
            )
        except (InputError, NoAnswer):
            return _Unknown(self.model or "unknown")
        return Stored(server, store, bundle_id)


class _Unknown:
    """A server that could not be asked what it can do."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, question: Question, deadline: float) -> Answer:
        raise NoAnswer("failed", "the LLM server could not be reached at the start: see llm check")
