"""From tickets to answers that are remembered.

A reply goes out when its decisions, and everything that they make necessary (a look by a person,
a later answer), are in the store, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from threading import Event
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from cascade.clean import clean
from cascade.decision import Decision
from cascade.llm.mask import mask
from cascade.ticket import Ticket
from serve import metrics
from serve.engine import Engine, Turn
from serve.finish import may_be_settled_later
from serve.problems import REUSED_KEY, Problem
from serve.settings import Settings
from serve.store import Store, decisions, jobs, new_id


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request wants beside decisions.

    Attributes:
        deadline_ms: None for no limit.
        explain: why it was decided so.
        every_stage: what each stage says alone.
    """

    deadline_ms: float | None = None
    explain: bool = False
    every_stage: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key: who sends it, and the bytes of the body that it stands for."""

    caller: str
    key: str
    body: bytes


class Intake:
    """Takes tickets in.

    Args:
        settings: what the operator set.
        engine: decides.
        store: remembers.
    """

    def __init__(self, settings: Settings, engine: Engine, store: Store) -> None:
        self._settings, self._engine, self._store = settings, engine, store
        self.owed = Event()
        """Set when later answers are owed."""

    def route(
        self, tickets: Sequence[Ticket], wishes: Wishes, once: Once | None = None
    ) -> tuple[list[dict[str, Any]], bool]:
        """Answers for tickets, in their order, and whether they are repeated from the store.

        Under a key that was used before, with the same body, the answers are those of then. They
        hold no explanation, as the store keeps no word of the customer's.

        Raises:
            Problem: 409, the key came with another body; 503, not loaded yet or too busy.
        """
        if once and (known := self._known(once)) is not None:
            return known, True
        try:
            # Storing is part of the turn: with a slow disk the crowd waits where it is counted.
            with self._engine.turn(wishes.deadline_ms, long=wishes.every_stage) as turn:
                decided = turn.route(tickets)
                said = _said(turn, tickets, decided, wishes)
                answers = [self._answer(decision) for decision in decided]
                self._keep(tickets, answers, turn.router.gates.plan, once)
        except IntegrityError:
            # The same request twice at the same moment: the other one was faster.
            known = self._known(once) if once else None
            if known is None:
                raise
            return known, True
        metrics.decided(answers, turn.router, crowded=turn.crowded)
        return [answer | extra for answer, extra in zip(answers, said, strict=True)], False

    def _answer(self, decision: Decision) -> dict[str, Any]:
        pending = self._settings.finish_later and may_be_settled_later(decision)
        return decision.to_dict() | {"decision_id": new_id(), "pending": pending}

    def _keep(
        self,
        tickets: Sequence[Ticket],
        answers: Sequence[dict[str, Any]],
        plan: Mapping[str, Any],
        once: Once | None,
    ) -> None:
        # Without it a power cut could lose a ticket that somebody still has to look at.
        owed = any(answer["action"] == "review" for answer in answers)
        prints = [self._store.fingerprint(_bytes(ticket.text)) for ticket in tickets]
        with self._store.write(durable=owed) as connection:
            for ticket, answer, fingerprint in zip(tickets, answers, prints, strict=True):
                stake = decisions.stake_of(plan, answer["queue"])
                decisions.add(connection, answer, fingerprint, stake)
                self._keep_text(connection, ticket, answer)
            if once:
                body = self._store.fingerprint(once.body)
                decisions.add_reply(connection, once.caller, once.key, body, list(answers))
        if any(answer["pending"] for answer in answers):
            self.owed.set()

    def _keep_text(self, connection: Connection, ticket: Ticket, answer: dict[str, Any]) -> None:
        if not (answer["pending"] or self._settings.keep_text_days):
            return
        cleaned = clean(ticket.text)
        if answer["pending"]:
            jobs.add(connection, jobs.FINISH, answer["decision_id"], cleaned)
        if self._settings.keep_text_days:
            decisions.add_text(connection, answer["decision_id"], mask(cleaned))

    def _known(self, once: Once) -> list[dict[str, Any]] | None:
        with self._store.read() as connection:
            found = decisions.replied(connection, once.caller, once.key)
        if found is None:
            return None
        body, answers = found
        if body != self._store.fingerprint(once.body):
            raise Problem(REUSED_KEY, "Use a new key for another request.")
        return [answer | NOTHING_SAID for answer in answers]


NOTHING_SAID: dict[str, Any] = {"explanation": None, "opinions": None}


def _said(
    turn: Turn, tickets: Sequence[Ticket], decided: Sequence[Decision], wishes: Wishes
) -> list[dict[str, Any]]:
    said = [dict(NOTHING_SAID) for _ in tickets]
    for its, ticket, decision in zip(said, tickets, decided, strict=True):
        if wishes.explain:
            told = turn.explain(ticket, decision)
            its["explanation"] = told and told.to_dict()
        if wishes.every_stage:
            its["opinions"] = [asdict(opinion) for opinion in turn.opinions(ticket)]
    return said


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
