"""A backend that asks a language-model server."""

from __future__ import annotations

from cascade.errors import InputError
from cascade.llm.base import Answer, Question
from cascade.llm.client import Limits, Server
from cascade.llm.dialects import Dialect, dialect_named
from cascade.llm.probe import probe
from cascade.llm.prompt import DEFAULT_BUDGET, fit


class ServerBackend:
    """A `Backend`: a server, the dialect that it speaks, and the model that is asked there.

    Args:
        server: where to ask.
        dialect: how to ask.
        model: as the server names it.
        budget: tokens that prompt and answer together may take; see `cascade.llm.prompt`.
    """

    def __init__(
        self, server: Server, dialect: Dialect, model: str, budget: int = DEFAULT_BUDGET
    ) -> None:
        self.server = server
        self.dialect = dialect
        self.model = model
        self.name = f"{model} ({dialect.name})"  # in another dialect its answers mean others
        self.budget = budget

    def ask(self, question: Question, deadline: float) -> Answer:
        """See `cascade.llm.base.Backend.ask`."""
        path, payload = self.dialect.request(fit(question, self.budget), self.model)
        return self.dialect.read(question, self.server.post(path, payload, deadline))


def connect(
    url: str,
    *,
    model: str = "",
    dialect: str = "",
    api_key: str | None = None,
    allow_public: bool = False,
    budget: int = DEFAULT_BUDGET,
    limits: Limits | None = None,
) -> ServerBackend:
    """A backend for a server.

    With a model and a dialect nothing is sent, so that a service starts while its server is down.
    Without, the server is probed first (`cascade.llm.probe`), which can take a minute or two.

    Raises:
        InputError: the address is not allowed, the dialect is unknown, or what was left open
            could not be found out.
        NoAnswer: the server was to be probed, and cannot be reached.
    """
    server = Server(url, api_key=api_key, limits=limits, allow_public=allow_public)
    if not (model and dialect):
        found = probe(
            url,
            api_key=api_key,
            allow_public=allow_public,
            model=model,
            dialect=dialect,
            budget=budget,
        )
        if not found.dialect:
            raise InputError(f"{url} answers in no dialect: see cascade llm check {url}")
        model, dialect = found.model, found.dialect
    return ServerBackend(server, dialect_named(dialect), model, budget)
