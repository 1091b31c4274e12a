"""The cascade: tickets in, decisions out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.call import EMPTY, LATE, SETTLED, UNSURE, Call
from cascade.clean import clean
from cascade.decision import HUMAN, Choice, Decision, Label
from cascade.errors import BundleError
from cascade.gate import NEVER, Gate, Gates
from cascade.llm.base import Backend
from cascade.loading import load_gates, load_scope, load_stages, open_bundle
from cascade.machine import cores
from cascade.pace import Pace
from cascade.scope import Scope
from cascade.stages.base import QUEUE, SIGNALS, Adviser, Heads, Probabilities, Stage
from cascade.ticket import Ticket

ALTERNATIVES = 3
"""How many of the next best queues a decision names."""

NO_TEXT = "nothing is left to read once the text is cleaned"
OUTSIDE = "it seems to belong to none of the queues"
TOO_LATE = "the deadline left no time for the next stage"
IN_TIME = 0.95
"""Share of a deadline that the stages may use; decisions have to be written down as well."""
WARM_UP_LENGTHS = tuple(2**n - 1 for n in range(6, 14))
"""Characters of the texts that show what a stage takes: the octaves that tickets fall into."""
UNFITTED_WEIGHT = 0.5
"""Weight of a language model that the gates were not fitted for: it may suggest, never settle."""


class Cascade:
    """Stages in order of cost, each with a gate; what no gate settles goes to a person.

    A ticket's decision depends on the ticket and the bundle alone: not on the batch, the order,
    the process or the day. Only a deadline that is exceeded, or a language model that gives no
    answer, can change it, and the decision then says so. Safe to call from several threads.

    Args:
        stages: in the order in which they are asked.
        gates: one gate a stage, in the same order.
        heads: the classes of each head, the queues first.
        bundle_id: put into every decision.
        scope: tells which tickets seem to belong to no queue; None takes them all as they are.
        threads: how many tickets of one call a stage works on at a time.
        clock: seconds that never run backwards, those of `time.monotonic` for advisers.
    """

    def __init__(
        self,
        stages: Sequence[Stage | Adviser],
        gates: Gates,
        heads: Heads,
        bundle_id: str = "",
        *,
        scope: Scope | None = None,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stages = tuple(stages)
        # Told apart once: asking whether something keeps a protocol takes as long as a stage.
        self._advisers = {at: s for at, s in enumerate(stages) if isinstance(s, Adviser)}
        self._witnesses = {at: s for at, s in enumerate(stages) if not isinstance(s, Adviser)}
        self.gates, self.heads, self.scope = gates, dict(heads), scope
        self.bundle_id = bundle_id
        self.pace = Pace([stage.name for stage in self._advisers.values()])
        self._threads, self._clock = threads, clock
        if [gate.stage for gate in gates.gates] != [stage.name for stage in stages]:
            raise BundleError("gates.json: the gates are not those of the bundle's stages")
        for gate in gates.gates:
            gate.check(self.heads)
        if 0 in self._advisers:
            raise BundleError(f"{stages[0].name} cannot be the first stage: it may have no answer")
        judges = set(scope.evidence) if scope else set()
        self._judges = [
            at for at, heard in enumerate(gates.asked) if heard and self.stage_names[at] in judges
        ]
        unused = "; the bundle has no llm stage" if "llm" not in self.stage_names else ""
        self._unsure = f"no stage is sure enough{unused}"

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        threads: int | None = None,
        llm: Callable[[str], Backend] | None = None,
    ) -> Cascade:
        """Load a bundle.

        Args:
            path: its folder.
            threads: how many tickets of one call the encoder works on at a time; by default as
                many as there are cores.
            llm: given the bundle's id, makes who answers in its llm stage; by default that is the
                small reader that comes with the package.

        Raises:
            BundleError: the bundle is missing, damaged or too new; the message names the file.
        """
        bundle = open_bundle(path)
        threads = threads or cores()
        stages, gates = load_stages(bundle, threads, llm), load_gates(bundle)
        heads, scope = bundle.manifest.heads, load_scope(bundle)
        return cls(stages, gates, heads, bundle.id, scope=scope, threads=threads)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that tickets are routed to."""
        return self.heads[QUEUE]

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def advisers(self) -> dict[str, dict[str, Any]]:
        """Who answers in the llm stage, whether the gates know that model, and how it went."""
        return {stage.name: stage.state for stage in self._advisers.values()}

    def warm_up(self) -> None:
        """Ask every stage, so that the first ticket is as fast as the next and in time."""
        for stage in self.stages:
            if isinstance(stage, Adviser):
                stage.warm_up()
                continue
            stage.predict(["warm up " * 40])
            for characters in WARM_UP_LENGTHS * 2:
                text = ("warm up " * (characters // 8 + 1))[:characters]
                began = self._clock()
                stage.predict([text])
                self.pace.observe(stage.name, characters, (self._clock() - began) * 1000)

    def route(
        self, tickets: Iterable[Ticket | str], *, deadline_ms: float | None = None
    ) -> list[Decision]:
        """Decide on tickets.

        Args:
            tickets: raw tickets, or their texts.
            deadline_ms: no stage but the first is started for a ticket that is expected to end
                after so many milliseconds, going by what that stage took of late; the answer is
                then that of the deepest stage that ran. A language model that has not answered by
                then is not waited for. None means no limit.

        Returns:
            One decision a ticket, in order.
        """
        return self.weigh(tickets, deadline_ms=deadline_ms)[0]

    def weigh(
        self, tickets: Iterable[Ticket | str], *, deadline_ms: float | None = None
    ) -> tuple[list[Decision], Probabilities]:
        """Decide on ``n`` tickets, as `route` does, and tell how likely each class is.

        Returns:
            The decisions, and for each head an ``(n, k)`` array of the calibrated probabilities
            that the stages which ran came to together.
        """
        batch = [Ticket(t) if isinstance(t, str) else t for t in tickets]
        until = None
        if deadline_ms is not None:
            until = self._clock() + IN_TIME * deadline_ms / 1000
        call = Call(self.heads, [clean(ticket.text) for ticket in batch], len(self.stages))
        asked = self._asked()
        for at in asked:
            for rows in self._in_time(at, call, until):
                began = self._clock()
                gate, answered = self._ask(at, call, rows, until)
                name = self.stages[at].name
                confidence, best = call.best(rows)
                outside = call.outside[rows]
                stops = gate.stops(confidence, best) & ~outside
                if not self._judges or at >= self._judges[-1]:
                    stops |= outside  # who seems to belong nowhere, and nobody could tell better
                stops = stops if at != asked[-1] else answered
                settled = answered & stops & ~outside & gate.settles(confidence, best)
                call.stop(rows, stops & answered, settled & (call.status[rows] != EMPTY), name)
                seconds = self._clock() - began
                call.trace(rows, name, best, confidence, seconds)
                self._learn(at, call, rows, answered, seconds, until)
        ranked, labels = call.ranked(1 + ALTERNATIVES), call.labels()
        decisions = [
            self._decision(ticket, call, i, ranked[i], labels[i]) for i, ticket in enumerate(batch)
        ]
        return decisions, call.joined

    def _in_time(self, at: int, call: Call, until: float | None) -> Iterator[NDArray[np.int64]]:
        """The rows that a stage is asked about: without a deadline all at once, else in rounds,
        and without those that would be late."""
        rows = call.open()
        if until is None or not at:
            if len(rows):
                yield rows
            return
        lengths = [len(call.texts[i]) for i in rows]
        rounds = self.pace.rounds(
            self.stages[at].name, lengths, self._threads, lambda: (until - self._clock()) * 1000
        )
        for part, starts in rounds:
            if starts:
                yield rows[part]
            else:
                call.late(rows[part])

    def _learn(
        self,
        at: int,
        call: Call,
        rows: NDArray[np.int64],
        answered: NDArray[np.bool_],
        seconds: float,
        until: float | None,
    ) -> None:
        """Remember what a round took, and whom it left without an answer for want of time.

        More tickets than threads say little of one, and an adviser that has no answer for another
        reason than the deadline says nothing."""
        broken_off = until is not None and self._clock() >= until and not answered.all()
        call.cut[rows] |= broken_off & ~answered
        if at and len(rows) <= self._threads and (broken_off or answered.all()):
            longest = max(len(call.texts[i]) for i in rows)
            name = self.stages[at].name
            self.pace.observe(name, longest, seconds * 1000, finished=not broken_off)

    def _asked(self) -> list[int]:
        """Numbers of the stages that are asked: those with a say, and models not fitted yet."""
        return [
            at
            for at, heard in enumerate(self.gates.asked)
            if heard or (at in self._advisers and not self._advisers[at].fitted)
        ]

    def _ask(
        self, at: int, call: Call, rows: NDArray[np.int64], until: float | None
    ) -> tuple[Gate, NDArray[np.bool_]]:
        """Ask a stage about rows; returns the gate that counts, and which rows it answered."""
        gate, adviser = self.gates.gates[at], self._advisers.get(at)
        texts = [call.texts[i] for i in rows]
        if adviser:
            advice = adviser.advise(texts, call.joined[QUEUE][rows], until)
            seen, answered = advice.probabilities, call.note(rows, advice.reasons)
            gate = gate if adviser.fitted else self._unfitted(at)
        else:
            seen, answered = self._witnesses[at].predict(texts), np.ones(len(rows), dtype=np.bool_)
        call.take(at, seen, rows, answered, gate.joins)
        if self.scope and at in self._judges:
            joined = call.joined[QUEUE][rows]
            call.outside[rows] = self.scope.outside(self.stage_names[at], seen[SIGNALS], joined)
        return gate, answered

    def _unfitted(self, number: int) -> Gate:
        """The gate of a language model that the bundle's gates were not fitted with.

        How sure it may be is not known then, so it settles nothing and weighs a little.
        """
        before = self.gates.gates[number - 1].joins
        joins = {
            name: replace(its, weights=(*its.weights, UNFITTED_WEIGHT))
            for name, its in before.items()
        }
        return Gate.even(self.stages[number].name, joins, NEVER, len(self.queues))

    def _decision(
        self, ticket: Ticket, call: Call, i: int, choices: list[Choice], labels: dict[str, Label]
    ) -> Decision:
        status = int(call.status[i])
        routed = status == SETTLED
        why = {SETTLED: "", EMPTY: NO_TEXT, LATE: TOO_LATE, UNSURE: self._unsure}[status]
        if status == UNSURE and call.outside[i]:
            why = OUTSIDE
        elif not routed and call.reasons[i]:
            why = call.reasons[i]
        return Decision(
            id=ticket.id,
            queue=choices[0].queue,
            confidence=choices[0].confidence,
            stage=call.settled_by[i] or HUMAN,
            action="route" if routed else "review",
            alternatives=tuple(choices[1:]),
            labels=labels,
            stages=tuple(call.traces[i]),
            bundle=self.bundle_id,
            reason=why,
            late=bool(call.cut[i]) and not routed,
        )
