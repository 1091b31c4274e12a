"""A backend that asks a language-model server."""

from __future__ import annotations

from cascade.llm.base import Answer, Question
from cascade.llm.client import Server
from cascade.llm.dialects import Dialect
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
