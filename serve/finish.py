"""Later answers: what a deadline left out is asked without one, and stored."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from sqlalchemy import Connection

from cascade.decision import Decision
from cascade.ticket import Ticket
from serve import metrics
from serve.engine import Engine
from serve.store import Store, decisions, jobs
from serve.store.jobs import FINISH, Job
from serve.worker import LOST, Again

ATTEMPTS = 5
"""After so many a ticket is given to people, so that nobody waits for ever."""
FINISHED, GIVEN_UP = "finished", "given_up"
AT_SERVER = "the LLM server"
"""All reasons that lie with the LLM server, and not with the ticket, name it so."""
_AGAIN = (" refused", " redirects", "'s reply is", "'s reply has")
LASTING = tuple(AT_SERVER + how for how in _AGAIN)
"""How the reasons begin that would be the same again."""

TIMES = ("created", "finished")
"""What a decision has in the store alone."""

Tell = Callable[[Connection, decisions.Answer], None]
"""Has a decision with its later answer told, in the transaction that stores it."""


def may_be_settled_later(decision: Decision) -> bool:
    """Whether the cascade may settle it if it is asked again, without a deadline or in a while.

    A deadline or load left out a stage, or the LLM server had no answer for the moment: it was
    busy, slow or down. Load, wherever it is, gives no ticket to people for good.
    """
    passing = AT_SERVER in decision.reason and not decision.reason.startswith(LASTING)
    return decision.late or passing


class Finish:
    """Gives pending decisions their later answers.

    Live requests go first, and the answer is that of the bundle that serves by then.

    Args:
        engine: decides.
        store: of decisions and jobs.
        due: set when there is a new job.
        tell: None where nobody is to be told.
    """

    kind = FINISH

    def __init__(self, engine: Engine, store: Store, due: Event, tell: Tell | None = None) -> None:
        self.due = due
        self._engine, self._store, self._tell = engine, store, tell

    def do(self, job: Job) -> str:
        """Ask the cascade, and store what it says.

        Raises:
            Again: the LLM server gave no answer for the moment.
            Problem: no bundle is in service yet.
        """
        first = self._first(job)
        if first is None:  # the job went with its decision
            return LOST
        if job.attempts > ATTEMPTS:  # it may be what killed those who tried
            return self.give_up(job)
        # The text was cleaned when it came, and cleaning twice is cleaning once.
        [decision] = self._engine.later([Ticket(job.payload, first["id"])])
        if may_be_settled_later(decision) and not self.is_last(job):
            raise Again("a later answer has to wait for the LLM server")
        answer = decision.to_dict() | {"decision_id": job.decision, "pending": False}
        metrics.worked([answer], self._engine.router())
        return self._settle(job, answer, FINISHED)

    def is_last(self, job: Job) -> bool:
        """Whether people get it after this attempt."""
        return job.attempts >= ATTEMPTS

    def give_up(self, job: Job) -> str:
        """Give it to people: what is known so far is the later answer."""
        first = self._first(job)
        if first is None:
            return LOST
        answer = {name: value for name, value in first.items() if name not in TIMES}
        return self._settle(job, answer | {"pending": False}, GIVEN_UP)

    def _first(self, job: Job) -> decisions.Answer | None:
        with self._store.read() as connection:
            return decisions.find(connection, job.decision)

    def _settle(self, job: Job, answer: decisions.Answer, outcome: str) -> str:
        stake = decisions.stake_of(self._engine.router().gates.plan, answer["queue"])
        with self._store.write(durable=True) as connection:
            held = jobs.done(connection, job)
            if not (held and decisions.finish(connection, answer, stake)):
                return LOST
            told = decisions.find(connection, job.decision)
            if self._tell and told:
                self._tell(connection, told)
        return outcome
